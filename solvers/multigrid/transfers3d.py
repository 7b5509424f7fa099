"""Interpolation and restriction between three-dimensional levels, plane by plane.

A plane of fine cells is taken apart into four planes in the layout of the coarse grid: cells in even and odd columns of
even and odd rows. Behind that, both transfers are sums of products of aligned vectors, without strides.

The weights of a level are twenty-seven vectors in the layout of the coarse grid. Vector 9 s_z + 3 s_y + s_x, entry c,
is the weight of a coarse point at the fine cell with coarse index c, even along axes with s = 0, odd along the others:
the coarse point at the lower side where s = 1, at the upper where s = 2.
"""

from __future__ import annotations

import numba
import numpy as np

from ..kernels.rows import FAST
from ..kernels.unaliased import apart, get, old, put
from .grids3d import NX, NY, NZ, PARTS, SPREAD, STRIDE_X, STRIDE_Y, STRIDE_Z, WEIGHTS, N, R, S, W, X, close_plane


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def split(even: np.ndarray, a: int, odd: np.ndarray, b: int, v: np.ndarray, begin: int, n: int, stride: int) -> None:
    """Take a row of n cells apart into even and odd ones; all are even ones where the stride is 1."""
    pairs = n >> 1 if stride == 2 else 0
    for i in range(pairs):
        put(even, a + i, get(v, begin + 2 * i))
        put(odd, b + i, get(v, begin + 2 * i + 1))
    for i in range(2 * pairs, n):
        put(even, a + i - pairs, get(v, begin + i))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _merge(v: np.ndarray, begin: int, a: int, b: int, n: int, stride: int) -> None:
    """Add even and odd cells to a row."""
    pairs = n >> 1 if stride == 2 else 0
    for i in range(pairs):
        even, odd = old(v, begin + 2 * i) + get(v, a + i), old(v, begin + 2 * i + 1) + get(v, b + i)
        put(v, begin + 2 * i, even)
        put(v, begin + 2 * i + 1, odd)
    for i in range(2 * pairs, n):
        put(v, begin + i, old(v, begin + i) + get(v, a + i - pairs))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _gather(arena: np.ndarray, to: int, weights: int, n: int, parts: int, s: int, w: int) -> None:
    """Add the nine products of a coarse point with the fine cells around it in one plane."""
    apart()
    w0, w1, w2, w3, w4, w5, w6, w7, w8 = (
        weights,
        weights + n,
        weights + 2 * n,
        weights + 3 * n,
        weights + 4 * n,
        weights + 5 * n,
        weights + 6 * n,
        weights + 7 * n,
        weights + 8 * n,
    )
    for c in range(w + 1, s - w - 1):
        total = get(arena, w0 + c) * get(arena, parts + c) + get(arena, w1 + c) * get(arena, parts + s + c)
        total += get(arena, w2 + c - 1) * get(arena, parts + s + c - 1)
        total += get(arena, w3 + c) * get(arena, parts + 2 * s + c) + get(arena, w6 + c - w) * get(
            arena, parts + 2 * s + c - w
        )
        total += get(arena, w4 + c) * get(arena, parts + 3 * s + c) + get(arena, w5 + c - 1) * get(
            arena, parts + 3 * s + c - 1
        )
        total += get(arena, w7 + c - w) * get(arena, parts + 3 * s + c - w)
        total += get(arena, w8 + c - w - 1) * get(arena, parts + 3 * s + c - w - 1)
        put(arena, to + c, old(arena, to + c) + total)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def restrict_plane(
    arena: np.ndarray, fine: np.ndarray, begin: int, k: int, row: np.ndarray, coarse: np.ndarray, wraps: tuple
) -> None:
    """Add Pᵀ of fine plane k, which begins at `begin` of `fine`, to R of the coarse level.

    The parts of a plane have a place of their own at each level: where the fine grid has no cells they stay zero.
    """
    apart()
    nx, ny, w, s, n, parts = row[NX], row[NY], coarse[W], coarse[S], coarse[N], row[PARTS]
    for j in range(ny):
        odd = j & 1 if row[STRIDE_Y] == 2 else 0
        jc = j >> 1 if row[STRIDE_Y] == 2 else j
        a = parts + 2 * odd * s + (jc + 1) * w + 1
        split(arena, a, arena, a + s, fine, begin + (j + 1) * row[W] + 1, nx, row[STRIDE_X])
    if wraps[1] or wraps[2]:
        for q in range(4):
            close_plane(arena, parts + q * s, coarse, wraps)
    odd = k & 1 if row[STRIDE_Z] == 2 else 0
    kc = k >> 1 if row[STRIDE_Z] == 2 else k
    plane = (kc + 1) * s
    weights = row[WEIGHTS] + plane
    _gather(arena, coarse[R] + plane, weights + 9 * n * odd, n, parts, s, w)
    if odd:
        kn = kc + 1 if kc + 1 < coarse[NZ] else 0
        if kn > kc or wraps[0]:
            _gather(arena, coarse[R] + (kn + 1) * s, weights + 18 * n, n, parts, s, w)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _spread(arena: np.ndarray, parts: int, keep: float, weights: int, n: int, x: int, s: int, w: int) -> None:
    """parts = keep parts + what one coarse plane gives to the four kinds of cells of a fine plane."""
    apart()
    w0, w1, w2, w3, w4, w5, w6, w7, w8 = (
        weights,
        weights + n,
        weights + 2 * n,
        weights + 3 * n,
        weights + 4 * n,
        weights + 5 * n,
        weights + 6 * n,
        weights + 7 * n,
        weights + 8 * n,
    )
    for c in range(w + 1, s - w - 1):
        put(arena, parts + c, keep * old(arena, parts + c) + get(arena, w0 + c) * get(arena, x + c))
    for c in range(w + 1, s - w - 1):
        total = get(arena, w1 + c) * get(arena, x + c) + get(arena, w2 + c) * get(arena, x + c + 1)
        put(arena, parts + s + c, keep * old(arena, parts + s + c) + total)
    for c in range(w + 1, s - w - 1):
        total = get(arena, w3 + c) * get(arena, x + c) + get(arena, w6 + c) * get(arena, x + c + w)
        put(arena, parts + 2 * s + c, keep * old(arena, parts + 2 * s + c) + total)
    for c in range(w + 1, s - w - 1):
        total = get(arena, w4 + c) * get(arena, x + c) + get(arena, w5 + c) * get(arena, x + c + 1)
        total += get(arena, w7 + c) * get(arena, x + c + w) + get(arena, w8 + c) * get(arena, x + c + w + 1)
        put(arena, parts + 3 * s + c, keep * old(arena, parts + 3 * s + c) + total)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def prolong_plane(arena: np.ndarray, fine: int, k: int, row: np.ndarray, coarse: np.ndarray) -> None:
    """Add P x of the coarse level to fine plane k of the vector that begins at `fine`."""
    apart()
    nx, ny, w, s, n = row[NX], row[NY], coarse[W], coarse[S], coarse[N]
    parts = row[SPREAD]
    odd = k & 1 if row[STRIDE_Z] == 2 else 0
    kc = k >> 1 if row[STRIDE_Z] == 2 else k
    plane = (kc + 1) * s
    weights = row[WEIGHTS] + plane
    _spread(arena, parts, np.float32(0.0), weights + 9 * n * odd, n, coarse[X] + plane, s, w)
    if odd:
        _spread(arena, parts, np.float32(1.0), weights + 18 * n, n, coarse[X] + plane + s, s, w)
    for j in range(ny):
        odd = j & 1 if row[STRIDE_Y] == 2 else 0
        jc = j >> 1 if row[STRIDE_Y] == 2 else j
        a = parts + 2 * odd * s + (jc + 1) * w + 1
        _merge(arena, fine + (k + 1) * row[S] + (j + 1) * row[W] + 1, a, a + s, nx, row[STRIDE_X])
