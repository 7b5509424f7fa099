"""Run conjugate gradients in mixed precision on a three-dimensional grid, preconditioned by the float32 cycle.

The iterate is float64; directions, residuals and the operator that updates them are float32, half the memory to stream.
By rounding, the residual of the recurrence deviates from the true one. Before the deviation is as large as the
residual, it is replaced by scale·b − A x, recomputed in float64 with the float64 operator (reliable updates);
directions stay conjugate and go on. Only such residuals decide convergence.

Vectors have the layout of the levels, with a rim. Each iteration streams them twice: plane by plane for the direction
and the product with A, and once for the residual. Two directions are stored, so that every other iteration the iterate
takes both steps at once. The loop itself is not compiled: on the grids of interest three calls an iteration cost
nothing, and compiling it would compile all that it calls a second time.

References
----------
van der Vorst and Ye, SIAM J. Sci. Comput. 22 (2000) 835; Clark, Babich, Barros, Brower and Rebbi, Comput. Phys. Commun.
181 (2010) 1517.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numba
import numpy as np

from ...kernels.rows import FAST
from ...kernels.unaliased import load, load_written, no_inline, store
from ..outcomes import CONVERGED, INDEFINITE, MAXITER, NONFINITE, SLOW, STAGNATED
from .grids import LINKS, NX, NY, NZ, N, R, S, W, X, close_ends, close_plane, close_rim

REDUCTION = 1e-3
"""Residuals are recomputed when they have shrunk by this factor. At a contrast of 10⁶ and a factor of 1e-5 the true
residual is as large as the recurrence says, but points in other directions, where A⁻¹ is large."""

MILD_REDUCTION = 1e-5
"""The same at mild contrast, where float32 holds two digits more on grids of interest."""

GLANCE = 6
"""Every so many iterations the rate is checked, while the hierarchy can still be exchanged for a better one."""

_ENOUGH = 20
"""With more iterations than this ahead the exchange pays; it costs as much as four of them."""


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _direction(p: np.ndarray, new: int, before: int, arena: np.ndarray, z: int, beta: float, count: int) -> None:
    """Set the new direction = z + β · (the one before)."""
    no_inline()
    for c in range(count):
        store(p, new + c, load(arena, z + c) + beta * load(p, before + c))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _steps_and_direction(
    x: np.ndarray,
    begin: int,
    p: np.ndarray,
    new: int,
    before: int,
    arena: np.ndarray,
    z: int,
    first: float,
    second: float,
    beta: float,
    count: int,
) -> None:
    """Add first · (direction at `new`) + second · (at `before`) to x; set the new one = z + β · (the one before)."""
    no_inline()
    for c in range(count):
        one, two = load_written(p, new + c), load(p, before + c)
        store(x, begin + c, load_written(x, begin + c) + first * np.float64(one) + second * np.float64(two))
        store(p, new + c, load(arena, z + c) + beta * two)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _product_row(
    p: np.ndarray, q: int, d: int, arena: np.ndarray, east: int, w: int, s: int, n: int, count: int
) -> float:
    """Set q = A p on a row that begins at d in p, its links at `east`; return pᵀ q over it."""
    total = np.float32(0.0)
    north, up = east + n, east + 2 * n
    for c in range(count):
        u = load(p, d + c)
        flux = load(arena, east + c) * (u - load(p, d + c - 1)) + load(arena, east + c + 1) * (u - load(p, d + c + 1))
        flux += load(arena, north + c) * (u - load(p, d + c - w))
        flux += load(arena, north + c + w) * (u - load(p, d + c + w))
        flux += load(arena, up + c) * (u - load(p, d + c - s)) + load(arena, up + c + s) * (u - load(p, d + c + s))
        store(p, q + c, flux)
        total += u * flux
    return np.float64(total)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _product(p: np.ndarray, new: int, arena: np.ndarray, k: int, row: np.ndarray) -> float:
    """Set q = A p on plane k, counted with the rim; return pᵀ q over the plane."""
    no_inline()
    total = 0.0
    for j in range(1, row[NY] + 1):
        c = k * row[S] + j * row[W] + 1
        q = 2 * row[N] + c
        total += _product_row(p, q, new + c, arena, row[LINKS] + c, row[W], row[S], row[N], row[NX])
    return total


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _direction_and_product(
    x: np.ndarray,
    p: np.ndarray,
    arena: np.ndarray,
    row: np.ndarray,
    wraps: tuple,
    odd: bool,
    first: float,
    second: float,
    beta: float,
) -> float:
    """Compute the new direction (in odd iterations in the second slot of p) and its product with A; return pᵀ A p.

    In even iterations also add first · (direction in the first slot) + second · (in the second) to x.
    """
    no_inline()
    nz, s, n, z = row[NZ], row[S], row[N], row[X]
    new, before = (n, n - n) if odd else (n - n, n)
    single = np.float32(beta)
    total = 0.0
    for k in range(1, nz + 1):
        c = k * s
        if odd:
            _direction(p, new + c, before + c, arena, z + c, single, s)
        else:
            _steps_and_direction(x, c, p, new + c, before + c, arena, z + c, first, second, single, s)
        if wraps[1] or wraps[2]:
            close_plane(p, new + c, row, wraps)
        if k > 2:
            total += _product(p, new, arena, k - 1, row)
    if wraps[0]:
        close_ends(p, new, row, wraps)
    total += _product(p, new, arena, np.int64(1), row)
    if nz > 1:
        total += _product(p, new, arena, nz, row)
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _update_part(arena: np.ndarray, r: int, p: np.ndarray, q: int, alpha: float, count: int) -> float:
    no_inline()
    total = np.float32(0.0)
    for c in range(count):
        value = load_written(arena, r + c) - alpha * load(p, q + c)
        store(arena, r + c, value)
        total += value * value
    return np.float64(total)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _update_residual(arena: np.ndarray, p: np.ndarray, row: np.ndarray, alpha: float) -> float:
    """Subtract α q from r; return ‖r‖²."""
    no_inline()
    single, s, n = np.float32(alpha), row[S], row[N]
    total = 0.0
    for begin in range(s, n - s, s):
        total += _update_part(arena, row[R] + begin, p, 2 * n + begin, single, s)
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _true_row(
    arena: np.ndarray,
    r: int,
    b: np.ndarray,
    source: int,
    scale: float,
    faces: np.ndarray,
    x: np.ndarray,
    begin: int,
    w: int,
    s: int,
    n: int,
    count: int,
) -> float:
    """Set r = scale·b − A x on a row; return ‖r‖² over it."""
    no_inline()
    total = 0.0
    north, up = begin + n, begin + 2 * n
    for c in range(count):
        u = load(x, begin + c)
        flux = load(faces, begin + c) * (u - load(x, begin + c - 1))
        flux += load(faces, begin + c + 1) * (u - load(x, begin + c + 1))
        flux += load(faces, north + c) * (u - load(x, begin + c - w))
        flux += load(faces, north + c + w) * (u - load(x, begin + c + w))
        flux += load(faces, up + c) * (u - load(x, begin + c - s))
        flux += load(faces, up + c + s) * (u - load(x, begin + c + s))
        value = scale * load(b, source + c) - flux
        store(arena, r + c, np.float32(value))
        total += value * value
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _add_steps(x: np.ndarray, p: np.ndarray, other: int, first: float, second: float) -> None:
    """Add first · (direction in the first slot) + second · (in the second) to x."""
    no_inline()
    for c in range(x.size):
        steps = first * np.float64(load(p, c)) + second * np.float64(load(p, other + c))
        store(x, c, load_written(x, c) + steps)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _true_norm(
    b: np.ndarray,
    scale: float,
    faces: np.ndarray,
    x: np.ndarray,
    p: np.ndarray,
    arena: np.ndarray,
    row: np.ndarray,
    first: float,
    second: float,
    wraps: tuple,
) -> float:
    """Bring x up to date and set r = scale·b − A x, computed in float64; return ‖r‖."""
    nx, ny, w, s, n = row[NX], row[NY], row[W], row[S], row[N]
    _add_steps(x, p, n, first, second)
    if wraps[0] or wraps[1] or wraps[2]:
        close_rim(x, np.int64(0), row, wraps)
    total = 0.0
    for k in range(row[NZ]):
        for j in range(ny):
            c = (k + 1) * s + (j + 1) * w + 1
            total += _true_row(arena, row[R] + c, b, (k * ny + j) * nx, scale, faces, x, c, w, s, n, nx)
    return math.sqrt(total)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _first_row(b: np.ndarray, source: int, scale: float, arena: np.ndarray, r: int, count: int) -> float:
    no_inline()
    total = 0.0
    for i in range(count):
        value = scale * load(b, source + i)
        store(arena, r + i, np.float32(value))
        total += value * value
    return total


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _first_norm(b: np.ndarray, scale: float, arena: np.ndarray, row: np.ndarray) -> float:
    """Set r = scale·b; return ‖r‖."""
    nx, ny = row[NX], row[NY]
    total = 0.0
    for k in range(row[NZ]):
        for j in range(ny):
            begin = row[R] + (k + 1) * row[S] + (j + 1) * row[W] + 1
            total += _first_row(b, (k * ny + j) * nx, scale, arena, begin, nx)
    return math.sqrt(total)


def _goal(norm: float, tolerance: float, reduction: float) -> float:
    """Return the norm at which to recompute the residual: equal steps to the tolerance, at most `reduction` each."""
    if not norm > tolerance > 0.0:
        return tolerance
    stages = math.ceil(math.log(norm / tolerance) / -math.log(reduction))
    return tolerance if stages <= 1 else norm * (tolerance / norm) ** (1.0 / stages)


def solve(
    b: np.ndarray,
    scale: float,
    tolerance: float,
    maxiter: int,
    patience: int,
    faces: np.ndarray,
    x: np.ndarray,
    p: np.ndarray,
    arena: np.ndarray,
    row: np.ndarray,
    wraps: tuple,
    cycle: Callable[[], float],
    exchange: Callable[[], bool] | None,
    reduction: float,
    history: np.ndarray,
) -> tuple[int, int, float]:
    """Solve A x = scale·b to ‖r‖ ≤ tolerance from zero; returns the status, the iterations and the true residual.

    Two dimensions have a compiled twin, `plane.conjugate_gradients.solve`.

    Parameters
    ----------
    b : (nz ny nx,), without a rim
    faces : (3 N,) float64
    x : (N,) float64
    p : (3 N,) float32
        Two directions and q = A p.
    arena, row
        Hold r, the cycle's right-hand side, and the faces in float32.
    cycle
        Sets z ≈ A⁻¹ r and returns rᵀ z.
    exchange
        Sets up a more robust hierarchy and returns whether it could, or None; called once, where convergence is slow.
    reduction
        The factor by which residuals shrink until they are recomputed.
    """

    def true_norm(steps: list[float]) -> float:
        norm = _true_norm(b, scale, faces, x, p, arena, row, steps[0], steps[1], wraps)
        steps[:] = [0.0, 0.0]
        return float(norm)

    x[:] = 0.0  # the other vectors are written before they count
    start = best = norm = float(_first_norm(b, scale, arena, row))
    history[0] = norm
    iterations, status, rho = 0, MAXITER, 0.0
    recomputed = False
    steps = [0.0, 0.0]  # along the two directions, not yet taken
    if norm <= tolerance:
        return CONVERGED, 0, norm
    if not norm < math.inf:
        return NONFINITE, 0, norm
    goal = _goal(norm, tolerance, reduction)
    while iterations < maxiter:
        energy = cycle()
        if not energy > 0.0:
            status = INDEFINITE if energy <= 0.0 else NONFINITE
            break
        beta = energy / rho if rho > 0.0 else 0.0
        if recomputed and beta > 1.0:  # the residual has changed too much for the old direction
            beta = 0.0
        recomputed = False
        rho = energy
        odd = iterations % 2 == 1
        curvature = _direction_and_product(x, p, arena, row, wraps, odd, steps[0], steps[1], beta)
        if not odd:
            steps[:] = [0.0, 0.0]
        if not curvature > 0.0:
            status = INDEFINITE if curvature <= 0.0 else NONFINITE
            break
        alpha = rho / curvature
        steps[int(odd)] = alpha
        norm = math.sqrt(_update_residual(arena, p, row, alpha))
        iterations += 1
        history[iterations] = norm
        if not norm < math.inf:
            status = NONFINITE
            break
        if norm <= goal or iterations == maxiter:
            norm = true_norm(steps)
            history[iterations] = norm
            if norm <= tolerance:
                return CONVERGED, iterations, norm
            # A recomputed residual that is not half the one before has reached float64's floor.
            if norm > 0.5 * best and iterations < maxiter:
                return STAGNATED, iterations, norm
            best, recomputed = norm, True
            goal = _goal(norm, tolerance, reduction)
            continue
        rate = math.log(start / norm) / iterations
        if exchange is not None and iterations % GLANCE == 0 and math.log(norm / tolerance) > _ENOUGH * rate:
            norm = true_norm(steps)
            if not exchange():
                status = INDEFINITE
                break
            exchange, rho = None, 0.0
        elif iterations % 50 == 0 and iterations >= 100 and math.log(start / tolerance) > patience * max(rate, 1e-5):
            status = SLOW
            break
    if status != MAXITER:
        norm = true_norm(steps)
        history[iterations] = norm
    return status, iterations, norm
