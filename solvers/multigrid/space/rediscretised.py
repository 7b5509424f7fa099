"""Form coarse operators of seven points on three-dimensional levels, for coefficients of mild contrast.

A coarse link stands for the fine ones between two coarse points: two of them in series along its axis, t₁t₂/(t₁ + t₂),
and those in parallel across it, each added to the nearest coarse links with the weights of interpolation. That is the
seven-point scheme again, on coarser cells. Links to walls lie in the same vectors, where the neighbour is the rim,
which holds zeros. Compared with Galerkin products of the same transfers this saves nine tenths of the set-up and three
quarters of the arithmetic of coarse sweeps.
"""

from __future__ import annotations

import numba
import numpy as np

from ...kernels.rows import FAST
from ...kernels.unaliased import load, no_inline, store
from .grids import LINKS, NX, NY, NZ, PARTS, SPREAD, STRIDE_X, STRIDE_Y, STRIDE_Z, N, S, W, copy, fill
from .linear_transfers import combine, compress, neighbours, share_plane
from .transmissibilities import invert_diagonal_of_faces

TINY = np.float32(1e-30)
"""Added to sums of links, so that links which float32 has rounded to zero are not divided by zero."""


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _pairs_along(arena: np.ndarray, to: int, low: int, here: int, high: int, a: float, b: float, count: int) -> None:
    """Combine pairs in series along three rows, side by side: to = here + a low + b high."""
    no_inline()
    for c in range(count):
        first, second = load(arena, here + 2 * c), load(arena, here + 2 * c + 1)
        total = first * (second / (first + second + TINY))
        first, second = load(arena, low + 2 * c), load(arena, low + 2 * c + 1)
        total += a * first * (second / (first + second + TINY))
        first, second = load(arena, high + 2 * c), load(arena, high + 2 * c + 1)
        store(arena, to + c, total + b * first * (second / (first + second + TINY)))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _pairs_across(
    arena: np.ndarray, to: int, low: int, here: int, high: int, a: float, b: float, distance: int, count: int
) -> None:
    """Combine pairs as `_pairs_along` does, at a distance."""
    no_inline()
    for c in range(count):
        first, second = load(arena, here + c), load(arena, here + c + distance)
        total = first * (second / (first + second + TINY))
        first, second = load(arena, low + c), load(arena, low + c + distance)
        total += a * first * (second / (first + second + TINY))
        first, second = load(arena, high + c), load(arena, high + c + distance)
        store(arena, to + c, total + b * first * (second / (first + second + TINY)))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _pairs(arena: np.ndarray, to: int, here: int, distance: int, count: int) -> None:
    """Combine pairs in series at a distance."""
    no_inline()
    for c in range(count):
        first, second = load(arena, here + c), load(arena, here + c + distance)
        store(arena, to + c, first * (second / (first + second + TINY)))


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _links_along_rows(
    arena: np.ndarray, begin: int, row: np.ndarray, coarse: np.ndarray, wraps: tuple, ends: np.ndarray
) -> None:
    """Combine the links across x of a fine plane, which begins at `begin`, into a plane of the coarse layout."""
    no_inline()
    nx, w, parts = row[NX], row[W], row[PARTS]
    count, last = nx >> 1, coarse[NX]
    for j in range(coarse[NY]):
        low, a, high, b = neighbours(j, row[NY], row[STRIDE_Y], wraps[1], ends[1] * ends[1])
        here = begin + (row[STRIDE_Y] * j + 1) * w + 1
        below, above = begin + (low + 1) * w + 1, begin + (high + 1) * w + 1
        to = parts + (j + 1) * coarse[W] + 1
        if row[STRIDE_X] == 1:
            for i in range(nx + 1):
                arena[to + i] = arena[here + i] + a * arena[below + i] + b * arena[above + i]
            continue
        _pairs_along(arena, to + 1, below + 1, here + 1, above + 1, a, b, count)
        arena[to] = arena[here] + a * arena[below] + b * arena[above]
        if nx % 2 == 1:
            arena[to + last] = arena[here + nx] + a * arena[below + nx] + b * arena[above + nx]
        elif wraps[2]:
            arena[to] = arena[to + last]


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _pair(c: int, n: int, stride: int, wraps: bool) -> tuple[int, bool]:
    """Return the first fine link of coarse link c on an axis of n cells, and whether the next is in series with it."""
    if stride == 1:
        return c, False
    if c == 0:
        return (n - 1, True) if wraps and n % 2 == 0 else (0, False)
    return 2 * c - 1, 2 * c <= n


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def coarse_operator(arena: np.ndarray, levels: np.ndarray, level: int, wraps: tuple, ends: np.ndarray) -> None:
    """Fill the links and the inverse diagonal of the next level.

    `ends` are the weights of `linear_transfers.end_weights` on this level.
    """
    no_inline()
    row, coarse = levels[level], levels[level + 1]
    nx, ny, nz, w, s = row[NX], row[NY], row[NZ], row[W], row[S]
    line, parts = row[SPREAD], row[PARTS]
    x_fine, y_fine, z_fine = row[LINKS], row[LINKS] + row[N], row[LINKS] + 2 * row[N]
    to = coarse[LINKS]
    fill(arena, to, to + 3 * coarse[N], 0.0)
    for k in range(nz):
        fill(arena, parts, parts + coarse[S], 0.0)
        _links_along_rows(arena, x_fine + (k + 1) * s, row, coarse, wraps, ends)
        share_plane(arena, to, parts, k, row, coarse, wraps, ends[0] * ends[0])
        fill(arena, parts, parts + coarse[S], 0.0)
        for j in range(coarse[NY] + 1):
            first, two = _pair(j, ny, row[STRIDE_Y], wraps[1])
            c = y_fine + (k + 1) * s + (first + 1) * w + 1
            if two:
                _pairs(arena, line + 1, c, w, nx)
            else:
                copy(arena, line + 1, arena, c, nx)
            compress(arena, parts + (j + 1) * coarse[W] + 1, line, row, coarse, wraps, ends[2] * ends[2])
        share_plane(arena, to + coarse[N], parts, k, row, coarse, wraps, ends[0] * ends[0])
    for k in range(coarse[NZ] + 1):
        first, two = _pair(k, nz, row[STRIDE_Z], wraps[0])
        for j in range(coarse[NY]):
            low, a, high, b = neighbours(j, ny, row[STRIDE_Y], wraps[1], ends[1] * ends[1])
            plane = z_fine + (first + 1) * s
            here = plane + (row[STRIDE_Y] * j + 1) * w + 1
            below, above = plane + (low + 1) * w + 1, plane + (high + 1) * w + 1
            if two:
                _pairs_across(arena, line + 1, below, here, above, a, b, s, nx)
            else:
                combine(arena, line + 1, arena, below, here, above, a, b, nx)
            target = to + 2 * coarse[N] + (k + 1) * coarse[S] + (j + 1) * coarse[W] + 1
            compress(arena, target, line, row, coarse, wraps, ends[2] * ends[2])
    invert_diagonal_of_faces(arena, coarse)
