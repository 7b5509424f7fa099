"""Compute the transmissibilities of a three-dimensional grid, in the layout of the levels."""

from __future__ import annotations

import numba
import numpy as np

from ...kernels.rows import FAST
from ...kernels.unaliased import load, no_inline, store
from .grids import GROUND, INVERSE_DIAGONAL, LINKS, NX, NY, NZ, N, S, W, close_rim, fill


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _harmonic(out: np.ndarray, to: int, a: np.ndarray, low: int, high: int, weight: float, count: int) -> None:
    """Compute weight · a₁ a₂/(a₁ + a₂) without overflow."""
    no_inline()
    for c in range(count):
        first, second = load(a, low + c), load(a, high + c)
        store(out, to + c, weight * first * (second / (first + second)))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _times(out: np.ndarray, to: int, a: np.ndarray, begin: int, weight: float, count: int) -> None:
    no_inline()
    for c in range(count):
        store(out, to + c, weight * load(a, begin + c))


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def faces3d(a: np.ndarray, row: np.ndarray, weights: tuple, wraps: tuple, walls: tuple, faces: np.ndarray) -> None:
    """Fill in transmissibilities over the cell's extent: harmonic means 2 a₁a₂/(a₁ + a₂) between cells, 2a at walls.

    Parameters
    ----------
    a : (nz ny nx,) coefficient, without a rim
    row : the finest level's row in the table of levels
    weights : (2/h_z², 2/h_y², 2/h_x²), times any scale
    wraps : whether periodic in z, y, x
    walls : whether the low and the high side of z, y, x hold u = 0; the others are insulated (or periodic)
    faces : (3 N,) across x, y, z; entry c lies between cell c and the one below it. Filled.
    """
    nz, ny, nx, w, s, n = row[NZ], row[NY], row[NX], row[W], row[S], row[N]
    plane = ny * nx
    for k in range(nz):
        for j in range(ny):
            begin = (k * ny + j) * nx
            to = (k + 1) * s + (j + 1) * w + 1
            _harmonic(faces, to + 1, a, begin, begin + 1, weights[2], nx - 1)
            low = weights[2] if walls[4] else 0.0
            high = weights[2] if walls[5] else 0.0
            faces[to], faces[to + nx] = low * a[begin], high * a[begin + nx - 1]
            if wraps[2]:
                _harmonic(faces, to, a, begin + nx - 1, begin, weights[2], np.int64(1))
                faces[to + nx] = faces[to]
            if j > 0:
                _harmonic(faces, n + to, a, begin - nx, begin, weights[1], nx)
            elif wraps[1]:
                _harmonic(faces, n + to, a, begin + plane - nx, begin, weights[1], nx)
                _harmonic(faces, n + to + ny * w, a, begin + plane - nx, begin, weights[1], nx)
            else:
                _times(faces, n + to, a, begin, weights[1] if walls[2] else 0.0, nx)
            if j == ny - 1 and not wraps[1]:
                _times(faces, n + to + w, a, begin, weights[1] if walls[3] else 0.0, nx)
            if k > 0:
                _harmonic(faces, 2 * n + to, a, begin - plane, begin, weights[0], nx)
            elif wraps[0]:
                last = begin + (nz - 1) * plane
                _harmonic(faces, 2 * n + to, a, last, begin, weights[0], nx)
                _harmonic(faces, 2 * n + to + nz * s, a, last, begin, weights[0], nx)
            else:
                _times(faces, 2 * n + to, a, begin, weights[0] if walls[0] else 0.0, nx)
            if k == nz - 1 and not wraps[0]:
                _times(faces, 2 * n + to + s, a, begin, weights[0] if walls[1] else 0.0, nx)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _invert_sums(arena: np.ndarray, to: int, begin: int, row: np.ndarray) -> None:
    """Set D⁻¹ of a row of cells."""
    no_inline()
    w, s, north, up = row[W], row[S], begin + row[N], begin + 2 * row[N]
    zero, one = np.float32(0.0), np.float32(1.0)
    for c in range(row[NX]):
        total = (
            load(arena, begin + c) + load(arena, begin + c + 1) + load(arena, north + c) + load(arena, north + c + w)
        )
        d = total + load(arena, up + c) + load(arena, up + c + s)
        store(arena, to + c, one / d if d > zero else zero)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def single_faces(arena: np.ndarray, row: np.ndarray, faces: np.ndarray) -> None:
    """Store the faces in float32 as the links of the finest level, including those to walls."""
    no_inline()
    links = row[LINKS]
    for c in range(3 * row[N]):
        store(arena, links + c, np.float32(load(faces, c)))


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def invert_diagonal_of_faces(arena: np.ndarray, row: np.ndarray) -> None:
    """Set D⁻¹ of a level of seven points; zero where a cell has no links."""
    no_inline()
    w, s = row[W], row[S]
    for k in range(1, row[NZ] + 1):
        for j in range(1, row[NY] + 1):
            c = k * s + j * w + 1
            _invert_sums(arena, row[INVERSE_DIAGONAL] + c, row[LINKS] + c, row)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def part_walls(arena: np.ndarray, row: np.ndarray, wraps: tuple) -> None:
    """Move the links to walls out of the links of the finest level, into a separate vector."""
    nz, ny, nx, w, s, n = row[NZ], row[NY], row[NX], row[W], row[S], row[N]
    links, ground = row[LINKS], row[GROUND]
    fill(arena, ground, ground + n, 0.0)
    for axis in range(3):
        if wraps[axis]:
            continue
        start = links + (2 - axis) * n
        distance = s if axis == 0 else w if axis == 1 else 1
        for k in range(nz if axis > 0 else 1):
            for j in range(ny if axis != 1 else 1):
                for i in range(nx if axis < 2 else 1):
                    low = (k + 1) * s + (j + 1) * w + i + 1
                    high = low + row[NZ + axis] * distance
                    arena[ground + low] += arena[start + low]
                    arena[ground + high - distance] += arena[start + high]
                    arena[start + low] = 0.0
                    arena[start + high] = 0.0
    close_rim(arena, ground, row, (np.bool_(False), np.bool_(False), np.bool_(False)))
