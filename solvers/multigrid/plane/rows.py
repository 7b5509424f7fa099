"""Update one row of cells, in loops that the compiler turns into vector instructions.

A *padded* row of nx cells has nx + 2 entries, the first and the last of which hold the neighbours beyond the walls:
zero, or the cells of the other side where the box is periodic. A row of faces has nx + 1 entries, entry i between the
cells i − 1 and i.
"""

from __future__ import annotations

import numpy as np

from ...kernels.rows import row_kernel


@row_kernel
def copy_row(out: np.ndarray, row: np.ndarray) -> None:
    """Copy a row."""
    for i in range(out.size):
        out[i] = row[i]


@row_kernel
def close_row(row: np.ndarray, nx: int, periodic: bool) -> None:
    """Fill the two outer entries of a padded row."""
    if periodic:
        row[0] = row[nx]
        row[nx + 1] = row[1]
    else:
        row[0] = 0.0
        row[nx + 1] = 0.0


@row_kernel
def first_step_row(out: np.ndarray, r: np.ndarray, inverse_diagonal: np.ndarray, omega: float) -> None:
    """Set out = ω D⁻¹ r, the first relaxation step from zero; out is padded."""
    for i in range(r.size):
        out[i + 1] = omega * inverse_diagonal[i] * r[i]


@row_kernel
def residual_row(
    out: np.ndarray,
    r: np.ndarray,
    below: np.ndarray,
    row: np.ndarray,
    above: np.ndarray,
    east: np.ndarray,
    south: np.ndarray,
    north: np.ndarray,
) -> None:
    """Set out = r − A x with five points, A x = Σ T (x_cell − x_neighbour) over faces; below, row, above are padded."""
    for i in range(r.size):
        x = row[i + 1]
        flux = east[i] * (x - row[i]) + east[i + 1] * (x - row[i + 2])
        flux += south[i] * (x - below[i + 1]) + north[i] * (x - above[i + 1])
        out[i] = r[i] - flux


@row_kernel
def relax_row(
    out: np.ndarray,
    r: np.ndarray,
    below: np.ndarray,
    row: np.ndarray,
    above: np.ndarray,
    east: np.ndarray,
    south: np.ndarray,
    north: np.ndarray,
    inverse_diagonal: np.ndarray,
    omega: float,
) -> None:
    """Set out = x + ω D⁻¹ (r − A x) = (1 − ω) x + ω D⁻¹ (r + Σ T x_neighbour), five points; rows of x are padded."""
    rest = np.float32(1.0) - omega
    for i in range(r.size):
        s = r[i] + east[i] * row[i] + east[i + 1] * row[i + 2] + south[i] * below[i + 1] + north[i] * above[i + 1]
        out[i + 1] = rest * row[i + 1] + omega * inverse_diagonal[i] * s


@row_kernel
def split_row(row: np.ndarray, points: np.ndarray, between: np.ndarray) -> None:
    """Split a row into coarse points and cells between them; all are coarse points where the axis is not coarsened."""
    m = between.size
    for i in range(m):
        points[i] = row[2 * i]
        between[i] = row[2 * i + 1]
    for i in range(2 * m, row.size):
        points[i - m] = row[i]


@row_kernel
def restrict_pairs(
    coarse: np.ndarray, points: np.ndarray, between: np.ndarray, low: np.ndarray, high: np.ndarray, wrap: bool
) -> None:
    """Add Pᵀ of one row: coarse points as they are, cells between them by their weights to either side."""
    n, m = coarse.size, between.size
    for i in range(m):
        coarse[i] += points[i] + low[i] * between[i]
    for i in range(m, n):
        coarse[i] += points[i]
    last = min(m, n - 1)
    for i in range(last):
        coarse[i + 1] += high[i] * between[i]
    if wrap and m == n:
        coarse[0] += high[m - 1] * between[m - 1]


@row_kernel
def restrict_weighted_pairs(
    coarse: np.ndarray,
    points: np.ndarray,
    weights: np.ndarray,
    between: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    wrap: bool,
) -> None:
    """Add Pᵀ of a row between coarse rows to one of the two."""
    n, m = coarse.size, between.size
    for i in range(m):
        coarse[i] += weights[i] * points[i] + low[i] * between[i]
    for i in range(m, n):
        coarse[i] += weights[i] * points[i]
    last = min(m, n - 1)
    for i in range(last):
        coarse[i + 1] += high[i] * between[i]
    if wrap and m == n:
        coarse[0] += high[m - 1] * between[m - 1]


@row_kernel
def prolong_pairs(
    fine: np.ndarray, x: np.ndarray, coarse: np.ndarray, low: np.ndarray, high: np.ndarray, periodic: bool
) -> None:
    """Set fine = x + P of the coarse row in the same place; fine is padded."""
    n, m = coarse.size, low.size
    for i in range(min(m, n - 1)):
        fine[2 * i + 1] = x[2 * i] + coarse[i]
        fine[2 * i + 2] = x[2 * i + 1] + low[i] * coarse[i] + high[i] * coarse[i + 1]
    if m == n:  # the last column takes from the last coarse point, and from the first where the box is periodic
        beyond = coarse[0] if periodic else np.float32(0.0)
        fine[2 * m - 1] = x[2 * m - 2] + coarse[m - 1]
        fine[2 * m] = x[2 * m - 1] + low[m - 1] * coarse[m - 1] + high[m - 1] * beyond
    for i in range(2 * m, x.size):
        fine[i + 1] = x[i] + coarse[i - m]


@row_kernel
def prolong_weighted_pairs(
    fine: np.ndarray,
    x: np.ndarray,
    coarse: np.ndarray,
    weights: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    periodic: bool,
) -> None:
    """Set fine = x + the contribution of one coarse row to the fine row beside it; fine is padded."""
    n, m = coarse.size, low.size
    for i in range(min(m, n - 1)):
        fine[2 * i + 1] = x[2 * i] + weights[i] * coarse[i]
        fine[2 * i + 2] = x[2 * i + 1] + low[i] * coarse[i] + high[i] * coarse[i + 1]
    if m == n:
        beyond = coarse[0] if periodic else np.float32(0.0)
        fine[2 * m - 1] = x[2 * m - 2] + weights[m - 1] * coarse[m - 1]
        fine[2 * m] = x[2 * m - 1] + low[m - 1] * coarse[m - 1] + high[m - 1] * beyond
    for i in range(2 * m, x.size):
        fine[i + 1] = x[i] + weights[i - m] * coarse[i - m]


@row_kernel
def add_weighted_pairs(
    fine: np.ndarray, coarse: np.ndarray, weights: np.ndarray, low: np.ndarray, high: np.ndarray, periodic: bool
) -> None:
    """Add the contribution of the other coarse row."""
    n, m = coarse.size, low.size
    for i in range(min(m, n - 1)):
        fine[2 * i + 1] += weights[i] * coarse[i]
        fine[2 * i + 2] += low[i] * coarse[i] + high[i] * coarse[i + 1]
    if m == n:
        beyond = coarse[0] if periodic else np.float32(0.0)
        fine[2 * m - 1] += weights[m - 1] * coarse[m - 1]
        fine[2 * m] += low[m - 1] * coarse[m - 1] + high[m - 1] * beyond
    for i in range(m, n):
        fine[i + m + 1] += weights[i] * coarse[i]
