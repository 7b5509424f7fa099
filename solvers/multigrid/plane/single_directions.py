"""Compute conjugate-gradient directions in float32 on a two-dimensional grid, and recompute residuals in float64.

That halves the memory to stream: directions, residuals and the operator that updates them are float32, the iterate is
float64. Two directions are stored, so that every other iteration the iterate takes both steps at once. By rounding, the
residual of the recurrence deviates from the true one by about 10⁻⁵ of its size when it was last recomputed. Well before
it is that small, it is recomputed as scale·b − A x with float64 faces (reliable updates), and directions go on from
it.

References
----------
van der Vorst and Ye, SIAM J. Sci. Comput. 22 (2000) 835; Clark, Babich, Barros, Brower and Rebbi, Comput. Phys. Commun.
181 (2010) 1517.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from ...kernels.rows import FAST, row_kernel
from .rows import close_row, copy_row

REDUCTION = 3e-4
"""Residuals are recomputed at the latest when they have shrunk by this factor: measured, as many iterations as with
float64 directions up to 2048² cells; at 1e-5 one or two more."""


@numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)
def next_goal(norm: float, tolerance: float) -> float:
    """Return the norm at which to recompute the residual: equal steps to the tolerance, at most `REDUCTION` each."""
    if norm <= tolerance:
        return tolerance
    if not tolerance > 0.0:
        return norm * REDUCTION
    stages = math.ceil(math.log(norm / tolerance) / -math.log(REDUCTION))
    return tolerance if stages <= 1 else norm * (tolerance / norm) ** (1.0 / stages)


@row_kernel
def start_row(r: np.ndarray, b: np.ndarray, scale: float) -> float:
    """Set r = scale b; return ‖r‖²."""
    total = 0.0
    for i in range(r.size):
        value = scale * b[i]
        r[i] = np.float32(value)
        total += value * value
    return total


@row_kernel
def _first_row(p: np.ndarray, x: np.ndarray, z: np.ndarray) -> None:
    """Set x = 0, p = z; p and x are padded."""
    for i in range(z.size):
        x[i + 1] = 0.0
        p[i + 1] = z[i]


@row_kernel
def _direction_row(new: np.ndarray, before: np.ndarray, z: np.ndarray, beta: float) -> None:
    """Set new = z + β before; both are padded."""
    for i in range(z.size):
        new[i + 1] = z[i] + beta * before[i + 1]


@row_kernel
def _steps_and_direction_row(
    x: np.ndarray, new: np.ndarray, before: np.ndarray, z: np.ndarray, first: float, second: float, beta: float
) -> None:
    """Add first · (direction in `new`) + second · before to x, then set new = z + β before. All but z are padded."""
    for i in range(z.size):
        one, two = new[i + 1], before[i + 1]
        x[i + 1] += first * np.float64(one) + second * np.float64(two)
        new[i + 1] = z[i] + beta * two


@row_kernel
def _product_row(
    out: np.ndarray,
    below: np.ndarray,
    row: np.ndarray,
    above: np.ndarray,
    east: np.ndarray,
    south: np.ndarray,
    north: np.ndarray,
) -> float:
    """Set out = A p on a row; return pᵀ A p over the row."""
    total = np.float32(0.0)
    for i in range(out.size):
        u = row[i + 1]
        flux = east[i] * (u - row[i]) + east[i + 1] * (u - row[i + 2])
        flux += south[i] * (u - below[i + 1]) + north[i] * (u - above[i + 1])
        out[i] = flux
        total += u * flux
    return np.float64(total)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def direction_and_product(
    x: np.ndarray,
    pair: np.ndarray,
    z: np.ndarray,
    q: np.ndarray,
    links: tuple,
    steps: tuple,
    beta: float,
    iteration: int,
    periodic: tuple,
) -> float:
    """Compute the new direction and q = A p; return pᵀ q.

    `pair` holds the padded directions of even and odd iterations. In even ones x takes the steps along both; in the
    first one x = 0, p = z.
    """
    ny, nx = z.shape
    east, north = links[0], links[1]
    odd = iteration & 1
    p, before = pair[odd], pair[1 - odd]
    single = np.float32(beta)
    total = 0.0
    for j in range(ny):
        if odd == 1:
            _direction_row(p[j + 1], before[j + 1], z[j], single)
        elif iteration == 0:
            _first_row(p[j + 1], x[j + 1], z[j])
        else:
            _steps_and_direction_row(x[j + 1], p[j + 1], before[j + 1], z[j], steps[0], steps[1], single)
        close_row(p[j + 1], nx, periodic[1])
        if j > 1:
            total += _product_row(q[j - 1], p[j - 1], p[j], p[j + 1], east[j - 1], north[j - 1], north[j])
    if periodic[0]:
        copy_row(p[0], p[ny])
        copy_row(p[ny + 1], p[1])
    for j in range(0, ny, max(ny - 1, 1)):
        total += _product_row(q[j], p[j], p[j + 1], p[j + 2], east[j], north[j], north[j + 1])
    return total


@row_kernel
def _update_row(r: np.ndarray, q: np.ndarray, alpha: float) -> float:
    total = np.float32(0.0)
    for i in range(r.size):
        value = r[i] - alpha * q[i]
        r[i] = value
        total += value * value
    return np.float64(total)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def update_residual(r: np.ndarray, q: np.ndarray, alpha: float) -> float:
    """Subtract α q from r; return ‖r‖²."""
    single = np.float32(alpha)
    total = 0.0
    for j in range(r.shape[0]):
        total += _update_row(r[j], q[j], single)
    return total


@row_kernel
def _add_steps_row(x: np.ndarray, one: np.ndarray, two: np.ndarray, first: float, second: float) -> None:
    for i in range(x.size):
        x[i] += first * np.float64(one[i]) + second * np.float64(two[i])


@row_kernel
def _true_row(
    r: np.ndarray,
    b: np.ndarray,
    below: np.ndarray,
    row: np.ndarray,
    above: np.ndarray,
    east: np.ndarray,
    south: np.ndarray,
    north: np.ndarray,
    scale: float,
) -> float:
    """Set r = scale·b − A x on a row, in float64; return ‖r‖² over it."""
    total = 0.0
    for i in range(r.size):
        u = row[i + 1]
        flux = east[i] * (u - row[i]) + east[i + 1] * (u - row[i + 2])
        flux += south[i] * (u - below[i + 1]) + north[i] * (u - above[i + 1])
        value = scale * b[i] - flux
        r[i] = np.float32(value)
        total += value * value
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def steps_and_residual(
    x: np.ndarray,
    pair: np.ndarray,
    steps: tuple,
    b: np.ndarray,
    scale: float,
    r: np.ndarray,
    east: np.ndarray,
    north: np.ndarray,
    periodic: tuple,
) -> float:
    """Add the steps along both directions to x, set r = scale·b − A x; return ‖r‖². x and the pair are padded."""
    ny, nx = b.shape
    total = 0.0
    # Each row of the product follows one row behind the steps; where the box is periodic in y, after all steps.
    for t in range(2 * ny + 1):
        j = t - 1 - (ny if periodic[0] else 0)
        if t < ny:
            _add_steps_row(x[t + 1][1 : nx + 1], pair[0, t + 1][1:], pair[1, t + 1][1:], steps[0], steps[1])
            close_row(x[t + 1], nx, periodic[1])
        elif t == ny and periodic[0]:
            copy_row(x[0], x[ny])
            copy_row(x[ny + 1], x[1])
        if 0 <= j < ny:
            total += _true_row(r[j], b[j], x[j], x[j + 1], x[j + 2], east[j], north[j], north[j + 1], scale)
    return total
