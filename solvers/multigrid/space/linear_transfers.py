"""Apply linear interpolation and its transpose between three-dimensional levels, by planes, without stored weights.

Along each axis that is coarsened, even cells are coarse points and odd ones lie halfway between two of them. The last
cell of an even axis has a coarse point on one side only; its weight is that of linear interpolation towards the wall,
one at an insulated side. The transfers are products of three such one-dimensional ones.
"""

from __future__ import annotations

import numba
import numpy as np

from ...kernels.rows import FAST
from ...kernels.unaliased import load, load_written, no_inline, store
from .grids import NX, NY, NZ, PARTS, SPREAD, STRIDE_X, STRIDE_Y, STRIDE_Z, R, S, W, X


def end_weights(sizes: list[tuple[int, ...]], periodic: tuple[bool, ...], walls: tuple[bool, ...]) -> np.ndarray:
    """Return, for each level but the coarsest and each axis, the weight of the last coarse point at the cell behind it.

    The distance between the last cell and a wall on the upper side is half a cell on the finest level; it grows where
    the last point of an even axis is left out.
    """
    weights = np.full((len(sizes), 3), 0.5, dtype=np.float32)
    for axis in range(3):
        distance = 0.5
        for level in range(len(sizes) - 1):
            fine, coarse = sizes[level][axis], sizes[level + 1][axis]
            if not periodic[axis]:
                weights[level, axis] = distance / (1.0 + distance) if walls[2 * axis + 1] else 1.0
            if coarse < fine:
                distance = 0.5 * (distance + 1.0) if fine % 2 == 0 else 0.5 * distance
    return weights


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def neighbours(c: int, n: int, stride: int, wraps: bool, end: float) -> tuple[int, np.floating, int, np.floating]:
    """Return the fine cells before and behind coarse point c of n cells, and their weights; `end` is the last one's."""
    no_inline()
    half, zero = np.float32(0.5), np.float32(0.0)
    me = stride * c
    low, weight_low, high, weight_high = me, zero, me, zero
    if stride == 2:
        if c > 0:
            low, weight_low = me - 1, half
        elif wraps and n % 2 == 0:
            low, weight_low = n - 1, half
        if me + 1 < n:
            high, weight_high = me + 1, half if wraps or me + 2 < n else np.float32(end)
    return low, weight_low, high, weight_high


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _compress(arena: np.ndarray, to: int, line: int, count: int) -> None:
    for c in range(count):
        sides = load(arena, line + 2 * c) + load(arena, line + 2 * c + 2)
        store(arena, to + c, load(arena, line + 2 * c + 1) + np.float32(0.5) * sides)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def compress(
    arena: np.ndarray, to: int, line: int, row: np.ndarray, coarse: np.ndarray, wraps: tuple, end: float
) -> None:
    """Gather the cells line + 1 … line + nx into coarse points; set the cells around them."""
    no_inline()
    nx = row[NX]
    zero = np.float32(0.0)
    if row[STRIDE_X] == 1:
        for c in range(nx):
            store(arena, to + c, load(arena, line + c + 1))
        return
    arena[line], arena[line + nx + 1] = zero, zero
    if nx % 2 == 0:
        if wraps[2]:
            arena[line] = arena[line + nx]
        else:
            arena[line + nx] *= np.float32(2.0) * np.float32(end)
    _compress(arena, to, line, coarse[NX])


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def combine(
    arena: np.ndarray, to: int, v: np.ndarray, low: int, here: int, high: int, a: float, b: float, count: int
) -> None:
    """Set to = v_here + a v_low + b v_high."""
    no_inline()
    for c in range(count):
        store(arena, to + c, load(v, here + c) + a * load(v, low + c) + b * load(v, high + c))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def accumulate(arena: np.ndarray, to: int, parts: int, weight: float, count: int) -> None:
    """Add weight parts to to."""
    no_inline()
    for c in range(count):
        store(arena, to + c, load_written(arena, to + c) + weight * load(arena, parts + c))


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def share_plane(
    arena: np.ndarray, to: int, parts: int, k: int, row: np.ndarray, coarse: np.ndarray, wraps: tuple, end: float
) -> None:
    """Add a plane in the layout of the coarse grid, made from fine plane k, to the coarse planes around it."""
    no_inline()
    s, nz = coarse[S], coarse[NZ]
    if row[STRIDE_Z] == 1:
        accumulate(arena, to + (k + 1) * s, parts, np.float32(1.0), s)
        return
    kc = k >> 1
    if k & 1 == 0:
        accumulate(arena, to + (kc + 1) * s, parts, np.float32(1.0), s)
    elif kc + 1 < nz or wraps[0]:
        accumulate(arena, to + (kc + 1) * s, parts, np.float32(0.5), s)
        accumulate(arena, to + ((kc + 1) % nz + 1) * s, parts, np.float32(0.5), s)
    else:
        accumulate(arena, to + (kc + 1) * s, parts, np.float32(end), s)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def restrict_linear(
    arena: np.ndarray,
    fine: np.ndarray,
    begin: int,
    k: int,
    row: np.ndarray,
    coarse: np.ndarray,
    wraps: tuple,
    ends: np.ndarray,
) -> None:
    """Add Pᵀ of fine plane k, which begins at `begin` of `fine`, to R of the coarse level."""
    no_inline()
    nx, w, line, parts = row[NX], row[W], row[SPREAD], row[PARTS]
    for j in range(coarse[NY]):
        low, a, high, b = neighbours(j, row[NY], row[STRIDE_Y], wraps[1], ends[1])
        here = begin + (row[STRIDE_Y] * j + 1) * w + 1
        below, above = begin + (low + 1) * w + 1, begin + (high + 1) * w + 1
        combine(arena, line + 1, fine, below, here, above, a, b, nx)
        compress(arena, parts + (j + 1) * coarse[W] + 1, line, row, coarse, wraps, ends[2])
    share_plane(arena, coarse[R], parts, k, row, coarse, wraps, ends[0])


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _expand(arena: np.ndarray, to: int, first: int, second: int, n: int, stride: int, a: float) -> None:
    """Add the interpolation between two coarse rows, a times one and 1 − a times the other, to a row of n cells."""
    no_inline()
    half = np.float32(0.5)
    b = np.float32(1.0) - a
    if stride == 1:
        for i in range(n):
            store(arena, to + i, load_written(arena, to + i) + a * load(arena, first + i) + b * load(arena, second + i))
        return
    pairs = n >> 1
    for i in range(pairs):
        here = a * load(arena, first + i) + b * load(arena, second + i)
        next_ = a * load(arena, first + i + 1) + b * load(arena, second + i + 1)
        even, odd = load_written(arena, to + 2 * i) + here, load_written(arena, to + 2 * i + 1) + half * (here + next_)
        store(arena, to + 2 * i, even)
        store(arena, to + 2 * i + 1, odd)
    for i in range(pairs, n - pairs):
        here = a * load(arena, first + i) + b * load(arena, second + i)
        store(arena, to + 2 * i, load_written(arena, to + 2 * i) + here)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def prolong_linear(
    arena: np.ndarray, fine: int, k: int, row: np.ndarray, coarse: np.ndarray, wraps: tuple, ends: np.ndarray
) -> None:
    """Add P x of the coarse level to fine plane k of the vector that begins at `fine`."""
    no_inline()
    w, s, parts, nx, ny = coarse[W], coarse[S], row[PARTS], coarse[NX], coarse[NY]
    zero, half, one, two = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(2.0)
    kc = k >> 1 if row[STRIDE_Z] == 2 else k
    x = coarse[X] + (kc + 1) * s
    if row[STRIDE_Z] == 1 or k & 1 == 0:
        _mix(arena, parts, x, x, one, zero, s)
    elif kc + 1 < coarse[NZ] or wraps[0]:
        _mix(arena, parts, x, x + s, half, half, s)
    else:
        _mix(arena, parts, x, x, np.float32(ends[0]), zero, s)
    # The values behind the last points are such that the mean of both is the interpolated value.
    if row[STRIDE_X] == 2 and not wraps[2]:
        for j in range(1, ny + 2):
            arena[parts + j * w + nx + 1] = (two * ends[2] - one) * arena[parts + j * w + nx]
    if row[STRIDE_Y] == 2 and not wraps[1]:
        _mix(arena, parts + (ny + 1) * w, parts + ny * w, parts + ny * w, two * ends[1] - one, zero, w)
    for j in range(row[NY]):
        jc = j >> 1 if row[STRIDE_Y] == 2 else j
        odd = row[STRIDE_Y] == 2 and j & 1 == 1
        first = parts + (jc + 1) * w + 1
        to = fine + (k + 1) * row[S] + (j + 1) * row[W] + 1
        _expand(arena, to, first, first + w if odd else first, row[NX], row[STRIDE_X], half if odd else one)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _mix(arena: np.ndarray, to: int, first: int, second: int, a: float, b: float, count: int) -> None:
    """Set to = a first + b second."""
    no_inline()
    for c in range(count):
        store(arena, to + c, a * load(arena, first + c) + b * load(arena, second + c))
