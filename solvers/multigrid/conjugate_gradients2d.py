"""Conjugate gradients in float64 on a two-dimensional grid, preconditioned by the float32 cycle, in one compiled
function.

Each iteration streams its vectors twice: once for the direction, the iterate (one step late) and the product with A,
row by row; once for the residual and its float32 copy.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from .cycle2d import R, cycle, grid
from .row_kernel import FAST, row_kernel
from .rows import close_row, copy_row

CONVERGED, MAXITER, STAGNATED, INDEFINITE, NONFINITE, SLOW = range(6)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def largest_magnitude(v: np.ndarray) -> float:
    """max |v|; without the temporary array of NumPy's, whose pages threads would map and unmap over and over."""
    largest = 0.0
    for i in range(v.size):
        largest = max(largest, abs(v[i]))
    return largest


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def sum_of_squares(v: np.ndarray, scale: float) -> float:
    """Σ (scale v)²."""
    total = 0.0
    for i in range(v.size):
        u = scale * v[i]
        total += u * u
    return total


@row_kernel
def _direction_row(p: np.ndarray, x: np.ndarray, z: np.ndarray, alpha: float, beta: float) -> None:
    """x += α p, then p = z + β p; p and x are padded."""
    for i in range(z.size):
        old = p[i + 1]
        x[i + 1] += alpha * old
        p[i + 1] = z[i] + beta * old


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
    """out = (A p) of a row; returns pᵀ A p over the row."""
    total = 0.0
    for i in range(out.size):
        x = row[i + 1]
        flux = east[i] * (x - row[i]) + east[i + 1] * (x - row[i + 2])
        flux += south[i] * (x - below[i + 1]) + north[i] * (x - above[i + 1])
        out[i] = flux
        total += x * flux
    return total


@row_kernel
def _update_residual(r: np.ndarray, q: np.ndarray, alpha: float, single: np.ndarray) -> float:
    """r −= α q, single = r in float32; returns ‖r‖²."""
    total = 0.0
    for i in range(r.size):
        value = r[i] - alpha * q[i]
        r[i] = value
        single[i] = np.float32(value)
        total += value * value
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def direction_and_product(
    p: np.ndarray,
    x: np.ndarray,
    z: np.ndarray,
    q: np.ndarray,
    east: np.ndarray,
    north: np.ndarray,
    alpha: float,
    beta: float,
    periodic: tuple,
) -> float:
    """x += α p, p = z + β p, q = A p; returns pᵀ q. The padded p, x are (ny + 2, nx + 2)."""
    ny, nx = z.shape
    total = 0.0
    for j in range(ny):
        _direction_row(p[j + 1], x[j + 1], z[j], alpha, beta)
        close_row(p[j + 1], nx, periodic[1])
        if j > 1:
            total += _product_row(q[j - 1], p[j - 1], p[j], p[j + 1], east[j - 1], north[j - 1], north[j])
    if periodic[0]:
        copy_row(p[0], p[ny])
        copy_row(p[ny + 1], p[1])
    total += _product_row(q[0], p[0], p[1], p[2], east[0], north[0], north[1])
    if ny > 1:
        total += _product_row(q[ny - 1], p[ny - 1], p[ny], p[ny + 1], east[ny - 1], north[ny - 1], north[ny])
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def true_residual(
    x: np.ndarray, b: np.ndarray, r: np.ndarray, east: np.ndarray, north: np.ndarray, periodic: tuple, scale: float
) -> None:
    """r = scale·b − A x for the padded x."""
    ny, nx = b.shape
    for j in range(ny):
        close_row(x[j + 1], nx, periodic[1])
    if periodic[0]:
        copy_row(x[0], x[ny])
        copy_row(x[ny + 1], x[1])
    else:
        x[0] = 0.0
        x[ny + 1] = 0.0
    for j in range(ny):
        _product_row(r[j], x[j], x[j + 1], x[j + 2], east[j], north[j], north[j + 1])
        row, rhs = r[j], b[j]
        for i in range(nx):
            row[i] = scale * rhs[i] - row[i]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def solve(
    b: np.ndarray,
    scale: float,
    tolerance: float,
    maxiter: int,
    patience: int,
    east: np.ndarray,
    north: np.ndarray,
    vectors: tuple,
    arena: np.ndarray,
    levels: np.ndarray,
    periodic: tuple,
    omegas: np.ndarray,
    rings: np.ndarray,
    lines: np.ndarray,
    history: np.ndarray,
) -> tuple[int, int, float]:
    """Solve A x = scale·b to ‖r‖ ≤ tolerance from zero; returns the status, the iterations and the true residual.

    Parameters
    ----------
    b : (ny, nx)
    scale : float
        Brings the right-hand side to norms of about one, where float32 is at home.
    maxiter, patience : int
        Iterations allowed; the solve gives up as slow when its mean rate since the start, seen every fifty iterations
        from the hundredth on, would need more than `patience` of them.
    vectors : x, p (padded), q, r
    history : (maxiter + 1,)
        Receives ‖r_k‖.
    """
    x, p, q, r = vectors
    ny, nx = b.shape
    n = ny * nx
    single = arena[levels[0, R] : levels[0, R] + n]
    flat_r, flat_q = r.reshape(n), q.reshape(n)
    x[:] = 0.0
    p[:] = 0.0
    q[:] = 0.0
    for j in range(ny):
        for i in range(nx):
            r[j, i] = scale * b[j, i]
    norm = math.sqrt(_update_residual(flat_r, flat_q, 0.0, single))
    start = norm
    history[0] = norm
    best = norm
    iterations = 0
    status = MAXITER
    alpha = 0.0
    beta = 0.0
    rho = 0.0
    if norm <= tolerance:
        return CONVERGED, 0, norm
    if not norm < np.inf:
        return NONFINITE, 0, norm
    while iterations < maxiter:
        offset, energy = cycle(arena, levels, periodic, omegas, rings, lines)
        if not energy > 0.0:
            status = INDEFINITE if energy <= 0.0 else NONFINITE
            break
        beta = energy / rho if rho > 0.0 else 0.0
        rho = energy
        z = grid(arena, offset, ny, nx)
        curvature = direction_and_product(p, x, z, q, east, north, alpha, beta, periodic)
        if not curvature > 0.0:
            alpha = 0.0
            status = INDEFINITE if curvature <= 0.0 else NONFINITE
            break
        alpha = rho / curvature
        norm = math.sqrt(_update_residual(flat_r, flat_q, alpha, single))
        iterations += 1
        history[iterations] = norm
        if not norm < np.inf:
            status = NONFINITE
            break
        if norm <= tolerance or iterations == maxiter:
            _finish(x, p, alpha)
            true_residual(x, b, r, east, north, periodic, scale)
            flat_q[:] = 0.0
            norm = math.sqrt(_update_residual(flat_r, flat_q, 0.0, single))
            history[iterations] = norm
            alpha = 0.0
            rho = 0.0
            if norm <= tolerance:
                return CONVERGED, iterations, norm
            if norm > 0.5 * best and iterations < maxiter:  # the recurrence claims what a second start from the true residual does not give
                return STAGNATED, iterations, norm
            best = norm
        elif iterations % 50 == 0 and iterations >= 100:
            needed = iterations * math.log(start / tolerance) / max(math.log(start / norm), 1e-3)
            if needed > patience:
                status = SLOW
                break
    if status != MAXITER:
        _finish(x, p, alpha)
        true_residual(x, b, r, east, north, periodic, scale)
        flat_q[:] = 0.0
        norm = math.sqrt(_update_residual(flat_r, flat_q, 0.0, single))
        history[iterations] = norm
    return status, iterations, norm


@row_kernel
def _finish_row(x: np.ndarray, p: np.ndarray, alpha: float) -> None:
    for i in range(x.size):
        x[i] += alpha * p[i]


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _finish(x: np.ndarray, p: np.ndarray, alpha: float) -> None:
    """x += α p."""
    for j in range(x.shape[0]):
        _finish_row(x[j], p[j], alpha)
