"""Interpolate and restrict between three-dimensional levels, plane by plane.

A plane of fine cells is split into four planes in the layout of the coarse grid: cells in even and odd columns of even
and odd rows. After that, both transfers are sums of products of aligned vectors, without strides.

The weights of a level are twenty-seven vectors in the layout of the coarse grid. Vector 9 s_z + 3 s_y + s_x, entry c,
is the weight of a coarse point at the fine cell with coarse index c, even along axes with s = 0, odd along the others:
the coarse point at the lower side where s = 1, at the upper where s = 2.
"""

from __future__ import annotations

import numba
import numpy as np

from ...kernels.rows import FAST
from ...kernels.unaliased import load, load_written, no_inline, store
from .grids import NX, NY, NZ, PARTS, SPREAD, STRIDE_X, STRIDE_Y, STRIDE_Z, WEIGHTS, N, R, S, W, X, close_plane


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def split(even: np.ndarray, a: int, odd: np.ndarray, b: int, v: np.ndarray, begin: int, n: int, stride: int) -> None:
    """Split a row of n cells into even and odd ones; all are even where the stride is 1."""
    pairs = n >> 1 if stride == 2 else 0
    for i in range(pairs):
        store(even, a + i, load(v, begin + 2 * i))
        store(odd, b + i, load(v, begin + 2 * i + 1))
    for i in range(2 * pairs, n):
        store(even, a + i - pairs, load(v, begin + i))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _merge(v: np.ndarray, begin: int, a: int, b: int, n: int, stride: int) -> None:
    """Add even and odd cells to a row."""
    pairs = n >> 1 if stride == 2 else 0
    for i in range(pairs):
        even, odd = load_written(v, begin + 2 * i) + load(v, a + i), load_written(v, begin + 2 * i + 1) + load(v, b + i)
        store(v, begin + 2 * i, even)
        store(v, begin + 2 * i + 1, odd)
    for i in range(2 * pairs, n):
        store(v, begin + i, load_written(v, begin + i) + load(v, a + i - pairs))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _gather(arena: np.ndarray, to: int, weights: int, n: int, parts: int, s: int, w: int) -> None:
    """Add the nine products of a coarse point with the fine cells around it in one plane."""
    no_inline()
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
        total = load(arena, w0 + c) * load(arena, parts + c) + load(arena, w1 + c) * load(arena, parts + s + c)
        total += load(arena, w2 + c - 1) * load(arena, parts + s + c - 1)
        total += load(arena, w3 + c) * load(arena, parts + 2 * s + c) + load(arena, w6 + c - w) * load(
            arena, parts + 2 * s + c - w
        )
        total += load(arena, w4 + c) * load(arena, parts + 3 * s + c) + load(arena, w5 + c - 1) * load(
            arena, parts + 3 * s + c - 1
        )
        total += load(arena, w7 + c - w) * load(arena, parts + 3 * s + c - w)
        total += load(arena, w8 + c - w - 1) * load(arena, parts + 3 * s + c - w - 1)
        store(arena, to + c, load_written(arena, to + c) + total)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def restrict_plane(
    arena: np.ndarray, fine: np.ndarray, begin: int, k: int, row: np.ndarray, coarse: np.ndarray, wraps: tuple
) -> None:
    """Add Pᵀ of fine plane k, which begins at `begin` of `fine`, to R of the coarse level.

    Each level has its own memory for the parts of a plane: where the fine grid has no cells they stay zero.
    """
    no_inline()
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
    """Set parts = keep parts + the contribution of one coarse plane to the four kinds of cells of a fine plane."""
    no_inline()
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
        store(arena, parts + c, keep * load_written(arena, parts + c) + load(arena, w0 + c) * load(arena, x + c))
    for c in range(w + 1, s - w - 1):
        total = load(arena, w1 + c) * load(arena, x + c) + load(arena, w2 + c) * load(arena, x + c + 1)
        store(arena, parts + s + c, keep * load_written(arena, parts + s + c) + total)
    for c in range(w + 1, s - w - 1):
        total = load(arena, w3 + c) * load(arena, x + c) + load(arena, w6 + c) * load(arena, x + c + w)
        store(arena, parts + 2 * s + c, keep * load_written(arena, parts + 2 * s + c) + total)
    for c in range(w + 1, s - w - 1):
        total = load(arena, w4 + c) * load(arena, x + c) + load(arena, w5 + c) * load(arena, x + c + 1)
        total += load(arena, w7 + c) * load(arena, x + c + w) + load(arena, w8 + c) * load(arena, x + c + w + 1)
        store(arena, parts + 3 * s + c, keep * load_written(arena, parts + 3 * s + c) + total)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def prolong_plane(arena: np.ndarray, fine: int, k: int, row: np.ndarray, coarse: np.ndarray) -> None:
    """Add P x of the coarse level to fine plane k of the vector that begins at `fine`."""
    no_inline()
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
