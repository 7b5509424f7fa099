"""Run the two halves of a V-cycle on the finest two-dimensional level, each in one sweep over the rows.

Relaxation steps follow each other down the grid like waves: step s is at row t − s while step 0 is at row t, so that
every row is read from memory once and its k steps, the residual and the transfer happen while it is in the first-level
cache. Where the box is periodic in y, the rows next to the ends are computed twice, so that no step has to wait.
"""

from __future__ import annotations

import numba
import numpy as np

from ...kernels.rows import FAST, row_kernel
from .rows import (
    add_weighted_pairs,
    close_row,
    copy_row,
    first_step_row,
    prolong_pairs,
    prolong_weighted_pairs,
    relax_row,
    residual_row,
    restrict_pairs,
    restrict_weighted_pairs,
    split_row,
)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def descend(
    r: np.ndarray,
    x: np.ndarray,
    coarse_r: np.ndarray,
    face: np.ndarray,
    riser: np.ndarray,
    inverse_diagonal: np.ndarray,
    weights: tuple,
    coarse_size: tuple,
    omegas: np.ndarray,
    periodic: tuple,
    rings: np.ndarray,
    lines: np.ndarray,
) -> None:
    """Set x to the result of k steps for A x = r from zero, and coarse_r = Pᵀ (r − A x).

    Parameters
    ----------
    r, x : (ny, nx) float32
    coarse_r : (cy, ≥ cx)
    face, riser : (ny, ≥ nx + 1), (ny + 1, ≥ nx) links across the faces
    inverse_diagonal : (ny, nx)
    weights : west, east, south, north, and those of the four corners of a coarse cell
    coarse_size : (cy, cx)
    omegas : (k,)
    periodic : two booleans, y and x
    rings : (k + 1, 4, nx + 2) working memory
    lines : (4, nx + 2) working memory
    """
    ny, nx = r.shape
    cy, cx = coarse_size
    west, east, south, north, sw, se, nw, ne = weights
    between = west.shape[1]
    stride = 2 if south.shape[0] > 0 else 1
    periodic_y, periodic_x = periodic
    k = omegas.size
    residual, points, gaps = lines[0][:nx], lines[1][:cx], lines[2][:between]
    for jc in range(cy):
        coarse_r[jc, :cx] = 0.0
    for t in range(-k, ny + 2 * k):
        if t < ny + k:
            row = rings[0, t & 3]
            if periodic_y or 0 <= t < ny:
                j = t % ny if periodic_y else t
                first_step_row(row, r[j], inverse_diagonal[j], omegas[0])
                close_row(row, nx, periodic_x)
            else:
                row[:] = 0.0
        for s in range(1, k):
            m = t - s
            if m < s - k or m >= ny + k - s:
                continue
            row = rings[s, m & 3]
            if periodic_y or 0 <= m < ny:
                j = m % ny if periodic_y else m
                below, here, above = rings[s - 1, (m - 1) & 3], rings[s - 1, m & 3], rings[s - 1, (m + 1) & 3]
                relax_row(
                    row, r[j], below, here, above, face[j], riser[j], riser[j + 1], inverse_diagonal[j], omegas[s]
                )
                close_row(row, nx, periodic_x)
            else:
                row[:] = 0.0
        j = t - k + 1
        if 0 <= j < ny:
            copy_row(x[j], rings[k - 1, j & 3, 1 : nx + 1])
        j = t - k
        if 0 <= j < ny:
            below, here, above = rings[k - 1, (j - 1) & 3], rings[k - 1, j & 3], rings[k - 1, (j + 1) & 3]
            residual_row(residual, r[j], below, here, above, face[j], riser[j], riser[j + 1])
            split_row(residual, points, gaps)
            jc = j >> 1 if stride == 2 else j
            if stride == 1 or j & 1 == 0:
                restrict_pairs(coarse_r[jc, :cx], points, gaps, west[jc], east[jc], periodic_x)
            else:
                restrict_weighted_pairs(coarse_r[jc, :cx], points, south[jc], gaps, sw[jc], se[jc], periodic_x)
                if cy > jc + 1 or periodic_y:
                    jn = jc + 1 if cy > jc + 1 else 0
                    restrict_weighted_pairs(coarse_r[jn, :cx], points, north[jc], gaps, nw[jc], ne[jc], periodic_x)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def ascend(
    r: np.ndarray,
    x: np.ndarray,
    out: np.ndarray,
    coarse_x: np.ndarray,
    face: np.ndarray,
    riser: np.ndarray,
    inverse_diagonal: np.ndarray,
    weights: tuple,
    coarse_size: tuple,
    omegas: np.ndarray,
    periodic: tuple,
    rings: np.ndarray,
    lines: np.ndarray,
) -> float:
    """Set out to the result of k steps for A x = r from x + P coarse_x; return rᵀ out.

    `out` may be x where the box is not periodic in y. With no steps (k = 0) it is the interpolation alone.
    """
    ny, nx = r.shape
    cy, cx = coarse_size
    west, east, south, north, sw, se, nw, ne = weights
    stride = 2 if south.shape[0] > 0 else 1
    periodic_y, periodic_x = periodic
    k = omegas.size
    energy = 0.0
    for t in range(-k, ny + 2 * k):
        if t < ny + k:
            row = rings[0, t & 3]
            if periodic_y or 0 <= t < ny:
                j = t % ny if periodic_y else t
                jc = j >> 1 if stride == 2 else j
                if stride == 1 or j & 1 == 0:
                    prolong_pairs(row, x[j], coarse_x[jc, :cx], west[jc], east[jc], periodic_x)
                else:
                    prolong_weighted_pairs(row, x[j], coarse_x[jc, :cx], south[jc], sw[jc], se[jc], periodic_x)
                    if cy > jc + 1 or periodic_y:
                        jn = jc + 1 if cy > jc + 1 else 0
                        add_weighted_pairs(row, coarse_x[jn, :cx], north[jc], nw[jc], ne[jc], periodic_x)
                close_row(row, nx, periodic_x)
            else:
                row[:] = 0.0
        for s in range(1, k + 1):
            m = t - s
            if m < s - k or m >= ny + k - s:
                continue
            row = rings[s, m & 3]
            if periodic_y or 0 <= m < ny:
                j = m % ny if periodic_y else m
                below, here, above = rings[s - 1, (m - 1) & 3], rings[s - 1, m & 3], rings[s - 1, (m + 1) & 3]
                relax_row(
                    row, r[j], below, here, above, face[j], riser[j], riser[j + 1], inverse_diagonal[j], omegas[s - 1]
                )
                close_row(row, nx, periodic_x)
            else:
                row[:] = 0.0
        j = t - k
        if 0 <= j < ny:
            energy += copy_with_product(out[j], rings[k, j & 3], r[j])
    return energy


@row_kernel
def copy_with_product(out: np.ndarray, row: np.ndarray, r: np.ndarray) -> float:
    """Copy the inner part of a padded row; return its product with r, summed in float64."""
    total = 0.0
    for i in range(r.size):
        value = row[i + 1]
        out[i] = value
        total += np.float64(value) * np.float64(r[i])
    return total
