"""Run the two halves of a V-cycle on a coarse two-dimensional level: nine points, arrays with a rim of one cell.

The rim makes a level one long vector: the neighbours of cell k are k ± 1, k ± W and k ± W ± 1. One loop goes over the
whole grid, including the rim cells between the rows, which D⁻¹ = 0 keeps at zero. Coarse levels fit into the
second-level cache, so several passes cost little; two are needed anyway, because the compiler does not vectorise a loop
over too many arrays.
"""

from __future__ import annotations

import numba
import numpy as np

from ...kernels.rows import FAST, row_kernel
from .rows import (
    add_weighted_pairs,
    copy_row,
    prolong_pairs,
    prolong_weighted_pairs,
    restrict_pairs,
    restrict_weighted_pairs,
    split_row,
)


@row_kernel
def _first_step(x: np.ndarray, r: np.ndarray, inverse_diagonal: np.ndarray, omega: float) -> None:
    for k in range(x.size):
        x[k] = omega * inverse_diagonal[k] * r[k]


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def _relax(
    out: np.ndarray,
    x: np.ndarray,
    r: np.ndarray,
    links: tuple,
    inverse_diagonal: np.ndarray,
    omega: float,
    size: tuple,
) -> None:
    """Set out = x + ω D⁻¹ (r − A x)."""
    ny, nx = size
    width = nx + 2
    begin, end = width + 1, ny * width + nx + 1
    east, north, rising, falling = links
    above = begin + width
    _relax_cells(
        out[begin:end],
        r[begin:],
        x[begin - width - 1 :],
        x[begin - 1 :],
        x[above - 1 :],
        east[begin:],
        north[begin:],
        rising[begin:],
        falling[begin:],
        north[above:],
        rising[above:],
        falling[above:],
        inverse_diagonal[begin:],
        omega,
    )


@row_kernel
def _relax_cells(
    out: np.ndarray,
    r: np.ndarray,
    below: np.ndarray,
    row: np.ndarray,
    above: np.ndarray,
    east: np.ndarray,
    south: np.ndarray,
    rising: np.ndarray,
    falling: np.ndarray,
    north: np.ndarray,
    rising_above: np.ndarray,
    falling_above: np.ndarray,
    inverse_diagonal: np.ndarray,
    omega: float,
) -> None:
    for k in range(out.size):
        u = row[k + 1]
        s = r[k] - east[k] * (u - row[k]) - east[k + 1] * (u - row[k + 2])
        s -= rising[k] * (u - below[k]) + south[k] * (u - below[k + 1]) + falling[k + 1] * (u - below[k + 2])
        s -= (
            falling_above[k] * (u - above[k]) + north[k] * (u - above[k + 1]) + rising_above[k + 1] * (u - above[k + 2])
        )
        out[k] = u + omega * inverse_diagonal[k] * s


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def _residual(out: np.ndarray, x: np.ndarray, r: np.ndarray, links: tuple, size: tuple) -> None:
    """Set out = r − A x."""
    ny, nx = size
    width = nx + 2
    begin, end = width + 1, ny * width + nx + 1
    east, north, rising, falling = links
    above = begin + width
    _residual_cells(
        out[begin:end],
        r[begin:],
        x[begin - width - 1 :],
        x[begin - 1 :],
        x[above - 1 :],
        east[begin:],
        north[begin:],
        rising[begin:],
        falling[begin:],
        north[above:],
        rising[above:],
        falling[above:],
    )


@row_kernel
def _residual_cells(
    out: np.ndarray,
    r: np.ndarray,
    below: np.ndarray,
    row: np.ndarray,
    above: np.ndarray,
    east: np.ndarray,
    south: np.ndarray,
    rising: np.ndarray,
    falling: np.ndarray,
    north: np.ndarray,
    rising_above: np.ndarray,
    falling_above: np.ndarray,
) -> None:
    for k in range(out.size):
        u = row[k + 1]
        s = r[k] - east[k] * (u - row[k]) - east[k + 1] * (u - row[k + 2])
        s -= rising[k] * (u - below[k]) + south[k] * (u - below[k + 1]) + falling[k + 1] * (u - below[k + 2])
        s -= (
            falling_above[k] * (u - above[k]) + north[k] * (u - above[k + 1]) + rising_above[k + 1] * (u - above[k + 2])
        )
        out[k] = s


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def close_rim(x: np.ndarray, ny: int, nx: int, periodic: tuple) -> None:
    """Copy the cells of the other side into the rim where the box is periodic; elsewhere it stays zero."""
    width = nx + 2
    if periodic[1]:
        for j in range(1, ny + 1):
            x[j * width] = x[j * width + nx]
            x[j * width + nx + 1] = x[j * width + 1]
    else:
        for j in range(1, ny + 1):
            x[j * width] = 0.0
            x[j * width + nx + 1] = 0.0
    if periodic[0]:
        copy_row(x[:width], x[ny * width : (ny + 1) * width])
        copy_row(x[(ny + 1) * width : (ny + 2) * width], x[width : 2 * width])


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def descend_level(
    r: np.ndarray,
    x: np.ndarray,
    z: np.ndarray,
    work: np.ndarray,
    size: tuple,
    links: tuple,
    inverse_diagonal: np.ndarray,
    omegas: np.ndarray,
    periodic: tuple,
    coarse_r: np.ndarray,
    coarse_size: tuple,
    weights: tuple,
    lines: np.ndarray,
) -> None:
    """Set x (z if k is even) to the result of k steps for A x = r from zero, and coarse_r = Pᵀ (r − A x).

    All arrays except coarse_r (cy, ≥ cx) and the weights are vectors with the rim, ((ny + 2)(nx + 2),).
    """
    ny, nx = size
    cy, cx = coarse_size
    width = nx + 2
    begin, end = width + 1, ny * width + nx + 1
    wraps = periodic[0] or periodic[1]
    _first_step(x[begin:end], r[begin:end], inverse_diagonal[begin:end], omegas[0])
    if wraps:
        close_rim(x, ny, nx, periodic)
    k = omegas.size
    for s in range(1, k):
        if s % 2:
            _relax(z, x, r, links, inverse_diagonal, omegas[s], size)
            if wraps:
                close_rim(z, ny, nx, periodic)
        else:
            _relax(x, z, r, links, inverse_diagonal, omegas[s], size)
            if wraps:
                close_rim(x, ny, nx, periodic)
    if k % 2:
        _residual(work, x, r, links, size)
    else:
        _residual(work, z, r, links, size)
    west, east, south, north, sw, se, nw, ne = weights
    stride = 2 if south.shape[0] > 0 else 1
    points, gaps = lines[1][:cx], lines[2][: west.shape[1]]
    for jc in range(cy):
        coarse_r[jc, :cx] = 0.0
    for j in range(ny):
        jc = j >> 1 if stride == 2 else j
        start = (j + 1) * width + 1
        split_row(work[start : start + nx], points, gaps)
        if stride == 1 or j & 1 == 0:
            restrict_pairs(coarse_r[jc, :cx], points, gaps, west[jc], east[jc], periodic[1])
        else:
            restrict_weighted_pairs(coarse_r[jc, :cx], points, south[jc], gaps, sw[jc], se[jc], periodic[1])
            if cy > jc + 1 or periodic[0]:
                jn = jc + 1 if cy > jc + 1 else 0
                restrict_weighted_pairs(coarse_r[jn, :cx], points, north[jc], gaps, nw[jc], ne[jc], periodic[1])


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def ascend_level(
    r: np.ndarray,
    x: np.ndarray,
    z: np.ndarray,
    size: tuple,
    links: tuple,
    inverse_diagonal: np.ndarray,
    omegas: np.ndarray,
    periodic: tuple,
    coarse_x: np.ndarray,
    coarse_size: tuple,
    weights: tuple,
) -> None:
    """Set x to the result of k steps for A x = r, started from that of `descend_level` plus P coarse_x."""
    ny, nx = size
    cy, cx = coarse_size
    width = nx + 2
    wraps = periodic[0] or periodic[1]
    west, east, south, north, sw, se, nw, ne = weights
    stride = 2 if south.shape[0] > 0 else 1
    k = omegas.size
    before, after = (x, z) if k % 2 else (z, x)
    for j in range(ny):
        jc = j >> 1 if stride == 2 else j
        start = (j + 1) * width
        row, old = after[start : start + width], before[start + 1 : start + 1 + nx]
        if stride == 1 or j & 1 == 0:
            prolong_pairs(row, old, coarse_x[jc, :cx], west[jc], east[jc], periodic[1])
        else:
            prolong_weighted_pairs(row, old, coarse_x[jc, :cx], south[jc], sw[jc], se[jc], periodic[1])
            if cy > jc + 1 or periodic[0]:
                jn = jc + 1 if cy > jc + 1 else 0
                add_weighted_pairs(row, coarse_x[jn, :cx], north[jc], nw[jc], ne[jc], periodic[1])
    if wraps:
        close_rim(after, ny, nx, periodic)
    for s in range(k):
        # The interpolated iterate lies in x after an even number of steps before, in z after an odd number.
        if (s + k) % 2 == 0:
            _relax(z, x, r, links, inverse_diagonal, omegas[s], size)
            if wraps:
                close_rim(z, ny, nx, periodic)
        else:
            _relax(x, z, r, links, inverse_diagonal, omegas[s], size)
            if wraps:
                close_rim(x, ny, nx, periodic)
