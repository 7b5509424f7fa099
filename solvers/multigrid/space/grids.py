"""Define how a three-dimensional level lies in memory, and fill its rim.

Every array of a level has a rim of one cell and is one vector: cell (k, j, i) of an (nz, ny, nx) grid has the index
(k + 1) S + (j + 1) W + i + 1 with W = nx + 2 and S = (ny + 2) W. Neighbours lie at constant distances, so that a loop
runs over a whole plane or level. The rim holds zeros, or the cells of the other side where the box is periodic.

A level's operator is Σ t (x_cell − x_neighbour) + σ x_cell: thirteen vectors of links t, of which entry c of vector m
couples cell c with its neighbour in `DIRECTIONS[m]`, and the links σ to walls, where x = 0. The finest level and
rediscretised ones have three of the thirteen, `AXES`, in the order x, y, z; links to walls are among them, as links to
the rim.
"""

from __future__ import annotations

import numba
import numpy as np

from ...kernels.alignment import whole_lines
from ...kernels.rows import FAST
from ...kernels.unaliased import load, no_inline, store

#: (z, y, x) towards half of the neighbours: along the row, then three in each of four neighbouring rows.
DIRECTIONS: list[tuple[int, ...]] = [(0, 0, -1)]
DIRECTIONS += [(z, y, x) for z, y in ((0, -1), (-1, -1), (-1, 0), (-1, 1)) for x in (-1, 0, 1)]
AXES = [DIRECTIONS.index(d) for d in ((0, 0, -1), (0, -1, 0), (-1, 0, 0))]

# Columns of the table of levels: size, strides to the next level, row and plane length, cells with rim; then offsets
# into the arena.
NZ, NY, NX, STRIDE_Z, STRIDE_Y, STRIDE_X, W, S, N, R, X, Z, INVERSE_DIAGONAL, GROUND, LINKS, WEIGHTS, PARTS, SPREAD = (
    range(18)
)
COLUMNS = 18


def plan(sizes: list[tuple[int, ...]]) -> tuple[np.ndarray, int]:
    """Return the table of the levels of the given sizes (finest first), and the length of the arena."""
    table = np.zeros((len(sizes), COLUMNS), dtype=np.int64)
    end = 0

    def take(length: int) -> int:
        nonlocal end
        begin, end = end, end + whole_lines(length + 16, 16)
        return begin

    def with_rim(shape: tuple[int, ...]) -> int:
        return (shape[0] + 2) * (shape[1] + 2) * (shape[2] + 2)

    for level, shape in enumerate(sizes):
        row = table[level]
        row[NZ], row[NY], row[NX] = shape
        coarse = sizes[min(level + 1, len(sizes) - 1)]
        row[STRIDE_Z : STRIDE_X + 1] = [2 if c < n else 1 for c, n in zip(coarse, shape, strict=True)]
        row[W], row[S], row[N] = shape[2] + 2, (shape[1] + 2) * (shape[2] + 2), with_rim(shape)
        for column in range(R, LINKS):
            row[column] = take(row[N])
        row[LINKS] = take((13 if level else 3) * row[N])
        row[PARTS], row[SPREAD] = (take(4 * (coarse[1] + 2) * (coarse[2] + 2)) for _ in range(2))
        row[WEIGHTS] = take((shape[0] * shape[1] * shape[2]) ** 2 if shape is coarse else 27 * with_rim(coarse))
    return table, end


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def fill(v: np.ndarray, begin: int, end: int, value: float) -> None:
    """Set v[begin:end] = value."""
    no_inline()
    for c in range(begin, end):
        store(v, c, value)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def copy(out: np.ndarray, to: int, v: np.ndarray, begin: int, count: int) -> None:
    """Set out[to:to + count] = v[begin:begin + count]."""
    no_inline()
    for c in range(count):
        store(out, to + c, load(v, begin + c))


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def close_plane(v: np.ndarray, start: int, row: np.ndarray, wraps: tuple) -> None:
    """Set the rim of the plane that begins at `start`; `wraps` says whether z, y, x are periodic."""
    no_inline()
    w, ny, nx = row[W], row[NY], row[NX]
    for j in range(1, ny + 1):
        c = start + j * w
        store(v, c, load(v, c + nx) if wraps[2] else 0.0)
        store(v, c + nx + 1, load(v, c + 1) if wraps[2] else 0.0)
    top = start + (ny + 1) * w
    if wraps[1]:
        copy(v, start, v, start + ny * w, w)
        copy(v, top, v, start + w, w)
    else:
        fill(v, start, start + w, 0.0)
        fill(v, top, top + w, 0.0)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def close_ends(v: np.ndarray, start: int, row: np.ndarray, wraps: tuple) -> None:
    """Set the two outer planes of a level."""
    no_inline()
    s, last = row[S], start + row[N] - row[S]
    if wraps[0]:
        copy(v, start, v, last - s, s)
        copy(v, last, v, start + s, s)
    else:
        fill(v, start, start + s, 0.0)
        fill(v, last, last + s, 0.0)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def close_rim(v: np.ndarray, start: int, row: np.ndarray, wraps: tuple) -> None:
    """Set the rim of the level that begins at `start`."""
    no_inline()
    for k in range(1, row[NZ] + 1):
        close_plane(v, start + k * row[S], row, wraps)
    close_ends(v, start, row, wraps)
