"""Run conjugate gradients on a two-dimensional grid in one compiled function, preconditioned by the float32 cycle.

Each iteration streams its vectors twice: once for the direction, the iterate (late by a step or two) and the product
with A, row by row; once for the residual. Vectors are float64; at mild contrast directions are float32.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from ...kernels.rows import FAST, row_kernel
from ..outcomes import CONVERGED, INDEFINITE, MAXITER, NONFINITE, SLOW, STAGNATED
from .cycle import R, cycle, grid, links_of
from .rows import close_row, copy_row
from .single_directions import direction_and_product as single_direction_and_product
from .single_directions import next_goal, start_row, steps_and_residual, update_residual

ENOUGH = 40
"""Iterations with float32 directions before float64 ones take over: where float32 suffices, half of them do."""


@row_kernel
def _start_row(r: np.ndarray, single: np.ndarray, b: np.ndarray, scale: float) -> float:
    """Set r = scale b and single = r in float32; return ‖r‖²."""
    total = 0.0
    for i in range(r.size):
        value = scale * b[i]
        r[i] = value
        single[i] = np.float32(value)
        total += value * value
    return total


@row_kernel
def _first_direction_row(p: np.ndarray, x: np.ndarray, z: np.ndarray) -> None:
    """Set x = 0, p = z; p and x are padded."""
    for i in range(z.size):
        x[i + 1] = 0.0
        p[i + 1] = z[i]


@row_kernel
def _direction_row(p: np.ndarray, x: np.ndarray, z: np.ndarray, alpha: float, beta: float) -> None:
    """Add α p to x, then set p = z + β p; p and x are padded."""
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
    """Set out = A p on a row; return pᵀ A p over the row."""
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
    """Subtract α q from r and set single = r in float32; return ‖r‖²."""
    total = 0.0
    for i in range(r.size):
        value = r[i] - alpha * q[i]
        r[i] = value
        single[i] = np.float32(value)
        total += value * value
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def direction_and_product(
    p: np.ndarray,
    x: np.ndarray,
    z: np.ndarray,
    q: np.ndarray,
    east: np.ndarray,
    north: np.ndarray,
    alpha: float,
    beta: float,
    first: bool,
    periodic: tuple,
) -> float:
    """Set x += α p, p = z + β p, q = A p; return pᵀ q. The padded p, x are (ny + 2, nx + 2); at first x = 0, p = z."""
    ny, nx = z.shape
    total = 0.0
    for j in range(ny):
        if first:
            _first_direction_row(p[j + 1], x[j + 1], z[j])
        else:
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


@row_kernel
def _residual_row(
    r: np.ndarray,
    single: np.ndarray,
    b: np.ndarray,
    below: np.ndarray,
    row: np.ndarray,
    above: np.ndarray,
    east: np.ndarray,
    south: np.ndarray,
    north: np.ndarray,
    scale: float,
) -> float:
    """Set r = scale b − A x on a row and single = r in float32; return ‖r‖² over the row."""
    total = 0.0
    for i in range(r.size):
        x = row[i + 1]
        flux = east[i] * (x - row[i]) + east[i + 1] * (x - row[i + 2])
        flux += south[i] * (x - below[i + 1]) + north[i] * (x - above[i + 1])
        value = scale * b[i] - flux
        r[i] = value
        single[i] = np.float32(value)
        total += value * value
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def step_and_residual(
    x: np.ndarray,
    p: np.ndarray,
    alpha: float,
    b: np.ndarray,
    r: np.ndarray,
    single: np.ndarray,
    east: np.ndarray,
    north: np.ndarray,
    periodic: tuple,
    scale: float,
) -> float:
    """Set x += α p, recompute r = scale·b − A x, set single = r in float32; return ‖r‖². x and p are padded."""
    ny, nx = b.shape
    total = 0.0
    for j in range(ny):
        _step_row(x[j + 1], p[j + 1], alpha)
        close_row(x[j + 1], nx, periodic[1])
        if j > 0 and not periodic[0]:  # the rows around it have their step
            total += _residual_row(
                r[j - 1], single[j - 1], b[j - 1], x[j - 1], x[j], x[j + 1], east[j - 1], north[j - 1], north[j], scale
            )
    begin = ny - 1
    if periodic[0]:
        copy_row(x[0], x[ny])
        copy_row(x[ny + 1], x[1])
        begin = 0
    for j in range(begin, ny):
        total += _residual_row(r[j], single[j], b[j], x[j], x[j + 1], x[j + 2], east[j], north[j], north[j + 1], scale)
    return total


@numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)
def solve(
    b: np.ndarray,
    scale: float,
    tolerance: float,
    maxiter: int,
    patience: int,
    east: np.ndarray,
    north: np.ndarray,
    vectors: tuple,
    pair: np.ndarray,
    product: np.ndarray,
    mild: bool,
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
        Brings the norm of the right-hand side near one, where float32 neither overflows nor underflows.
    maxiter, patience : int
        Iterations allowed. From the hundredth on, every fifty iterations, the solve gives up as slow if at its mean
        rate so far it would need more than `patience` iterations.
    vectors : x, p (padded), q, r
    pair, product : (2, ny + 2, ≥ nx + 2) and (ny, nx), float32
        Two padded directions and q.
    mild : bool
        Whether to begin with float32 directions. Float64 ones take over, starting from the recomputed residual, when
        it does not halve, when the cycle or A seems indefinite, or after `ENOUGH` iterations.
    history : (maxiter + 1,)
        Receives ‖r_k‖.
    """
    x, p, q, r = vectors
    ny, nx = b.shape
    n = ny * nx
    single = grid(arena, levels[0, R], ny, nx)
    links = links_of(arena, levels, 0)
    flat_r, flat_q, flat_single = r.reshape(n), q.reshape(n), single.reshape(n)
    total = 0.0
    for j in range(ny):
        total += start_row(single[j], b[j], scale) if mild else _start_row(r[j], single[j], b[j], scale)
    norm = math.sqrt(total)
    start = norm
    history[0] = norm
    best = norm
    iterations = 0
    status = MAXITER
    alpha = 0.0
    even, odd = 0.0, 0.0  # steps along the two float32 directions, not yet taken
    beta = 0.0
    rho = 0.0
    curvature = 0.0
    recomputed = False
    if norm <= tolerance or not norm < np.inf:
        x[:] = 0.0
        return CONVERGED if norm <= tolerance else NONFINITE, 0, norm
    goal = next_goal(norm, tolerance) if mild else tolerance
    while iterations < maxiter:
        offset, energy = cycle(arena, levels, periodic, omegas, rings, lines)
        sound = energy > 0.0
        if not (sound or mild):
            status = INDEFINITE if energy <= 0.0 else NONFINITE
            break
        if sound:
            beta = energy / rho if rho > 0.0 else 0.0
            if recomputed and beta > 1.0:  # the residual has changed too much for the old direction
                beta = 0.0
            recomputed = False
            rho = energy
            z = grid(arena, offset, ny, nx)
            if mild:
                curvature = single_direction_and_product(
                    x, pair, z, product, links, (even, odd), beta, iterations, periodic
                )
                if iterations % 2 == 0:
                    even, odd = 0.0, 0.0
            else:
                curvature = direction_and_product(p, x, z, q, east, north, alpha, beta, iterations == 0, periodic)
            sound = curvature > 0.0
            if not (sound or mild):
                alpha = 0.0
                status = INDEFINITE if curvature <= 0.0 else NONFINITE
                break
        if sound:
            alpha = rho / curvature
            if not mild:
                norm = math.sqrt(_update_residual(flat_r, flat_q, alpha, flat_single))
            else:
                norm = math.sqrt(update_residual(single, product, alpha))
                if iterations % 2 == 0:
                    even = alpha
                else:
                    odd = alpha
            iterations += 1
            history[iterations] = norm
            if not norm < np.inf:
                status = NONFINITE
                break
        if mild and (not sound or norm <= goal or iterations == maxiter or iterations >= ENOUGH):
            if iterations == 0:
                x[:] = 0.0
            norm = math.sqrt(steps_and_residual(x, pair, (even, odd), b, scale, single, east, north, periodic))
            history[iterations] = norm
            even, odd = 0.0, 0.0
            if norm <= tolerance:
                return CONVERGED, iterations, norm
            if sound and norm <= 0.5 * best and iterations < ENOUGH:
                recomputed = True
                goal = next_goal(norm, tolerance)
            elif iterations < maxiter:
                mild = False
                alpha, rho = 0.0, 0.0
                p[:] = 0.0
                norm = math.sqrt(step_and_residual(x, p, alpha, b, r, single, east, north, periodic, scale))
            best = norm
        elif mild:
            continue
        elif norm <= tolerance or iterations == maxiter:
            norm = math.sqrt(step_and_residual(x, p, alpha, b, r, single, east, north, periodic, scale))
            history[iterations] = norm
            alpha = 0.0
            rho = 0.0
            if norm <= tolerance:
                return CONVERGED, iterations, norm
            # A second start from the true residual that does not halve it has met float64's floor.
            if norm > 0.5 * best and iterations < maxiter:
                return STAGNATED, iterations, norm
            best = norm
        elif iterations % 50 == 0 and iterations >= 100:
            needed = iterations * math.log(start / tolerance) / max(math.log(start / norm), 1e-3)
            if needed > patience:
                status = SLOW
                break
    if status != MAXITER and not mild:
        if iterations == 0:
            x[:] = 0.0
            p[:] = 0.0
        norm = math.sqrt(step_and_residual(x, p, alpha, b, r, single, east, north, periodic, scale))
        history[iterations] = norm
    return status, iterations, norm


@row_kernel
def _step_row(x: np.ndarray, p: np.ndarray, alpha: float) -> None:
    """Add α p to x."""
    for i in range(x.size):
        x[i] += alpha * p[i]
