"""Conjugate gradients in float64 on a three-dimensional grid, preconditioned by the float32 cycle.

Vectors have the layout of the levels, with a rim. Each iteration streams them twice: once, plane by plane, for the
direction, the iterate (one step late) and the product with A; once for the residual and its float32 copy. The loop
itself is not compiled: on the grids of interest three calls an iteration cost nothing, and compiling it would compile
all that it calls once more.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from .conjugate_gradients2d import CONVERGED, INDEFINITE, MAXITER, NONFINITE, SLOW, STAGNATED
from .cycle3d import cycle
from .grids3d import NX, NY, NZ, N, R, S, W, X, close_ends, close_plane, close_rim
from .row_kernel import FAST
from .unaliased import apart, get, old, put


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _direction(
    p: np.ndarray, x: np.ndarray, begin: int, arena: np.ndarray, z: int, count: int, alpha: float, beta: float
) -> None:
    """x += α p, then p = z + β p."""
    apart()
    for c in range(begin, begin + count):
        before = old(p, c)
        put(x, c, old(x, c) + alpha * before)
        put(p, c, get(arena, z + c) + beta * before)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _product(
    q: np.ndarray, p: np.ndarray, faces: np.ndarray, k: int, row: np.ndarray, b: np.ndarray, scale: float
) -> float:
    """q = A p − scale·b on plane k, counted with the rim; returns pᵀ q over the plane."""
    apart()
    nx, w, s = row[NX], row[W], row[S]
    north, up = row[N], 2 * row[N]
    total = 0.0
    for j in range(1, row[NY] + 1):
        begin = k * s + j * w + 1
        source = ((k - 1) * row[NY] + j - 1) * nx - begin
        for c in range(begin, begin + nx):
            u = get(p, c)
            flux = get(faces, c) * (u - get(p, c - 1)) + get(faces, c + 1) * (u - get(p, c + 1))
            flux += get(faces, north + c) * (u - get(p, c - w)) + get(faces, north + c + w) * (u - get(p, c + w))
            flux += get(faces, up + c) * (u - get(p, c - s)) + get(faces, up + c + s) * (u - get(p, c + s))
            if scale != 0.0:
                flux -= scale * get(b, source + c)
            put(q, c, flux)
            total += u * flux
    return total


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _direction_and_product(
    p: np.ndarray,
    x: np.ndarray,
    arena: np.ndarray,
    z: int,
    q: np.ndarray,
    faces: np.ndarray,
    row: np.ndarray,
    alpha: float,
    beta: float,
    wraps: tuple,
    b: np.ndarray,
) -> float:
    """x += α p, p = z + β p, q = A p; returns pᵀ q."""
    nz, s = row[NZ], row[S]
    total = 0.0
    for k in range(1, nz + 1):
        _direction(p, x, k * s, arena, z, s, alpha, beta)
        if wraps[1] or wraps[2]:
            close_plane(p, k * s, row, wraps)
        if k > 2:
            total += _product(q, p, faces, k - 1, row, b, 0.0)
    if wraps[0]:
        close_ends(p, np.int64(0), row, wraps)
    total += _product(q, p, faces, np.int64(1), row, b, 0.0)
    if nz > 1:
        total += _product(q, p, faces, nz, row, b, 0.0)
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _update_residual(r: np.ndarray, q: np.ndarray, alpha: float, keep: float, arena: np.ndarray, single: int) -> float:
    """r = keep r − α q and its float32 copy; returns ‖r‖²."""
    apart()
    total = 0.0
    for c in range(r.size):
        value = keep * old(r, c) - alpha * get(q, c)
        put(r, c, value)
        put(arena, single + c, np.float32(value))
        total += value * value
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _finish(x: np.ndarray, p: np.ndarray, alpha: float) -> None:
    """x += α p."""
    for c in range(x.size):
        put(x, c, old(x, c) + alpha * get(p, c))


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _true_norm(
    b: np.ndarray,
    scale: float,
    faces: np.ndarray,
    x: np.ndarray,
    p: np.ndarray,
    q: np.ndarray,
    r: np.ndarray,
    arena: np.ndarray,
    row: np.ndarray,
    alpha: float,
    wraps: tuple,
) -> float:
    """Bring x up to date and set r = scale·b − A x; returns ‖r‖."""
    _finish(x, p, alpha)
    close_rim(x, np.int64(0), row, wraps)
    for k in range(1, row[NZ] + 1):
        _product(q, x, faces, k, row, b, scale)
    return math.sqrt(_update_residual(r, q, 1.0, 0.0, arena, row[R]))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _first_norm(b: np.ndarray, scale: float, r: np.ndarray, arena: np.ndarray, row: np.ndarray) -> float:
    """Set r = scale·b and its float32 copy; returns ‖r‖."""
    nx, single = row[NX], row[R]
    total = 0.0
    for k in range(row[NZ]):
        for j in range(row[NY]):
            begin, source = (k + 1) * row[S] + (j + 1) * row[W] + 1, (k * row[NY] + j) * nx
            for i in range(nx):
                value = scale * get(b, source + i)
                put(r, begin + i, value)
                put(arena, single + begin + i, np.float32(value))
                total += value * value
    return math.sqrt(total)


def solve(
    b: np.ndarray,
    scale: float,
    tolerance: float,
    maxiter: int,
    patience: int,
    faces: np.ndarray,
    vectors: tuple,
    arena: np.ndarray,
    levels: np.ndarray,
    wraps: tuple,
    omegas: np.ndarray,
    rings: np.ndarray,
    work: np.ndarray,
    history: np.ndarray,
) -> tuple[int, int, float]:
    """Solve A x = scale·b to ‖r‖ ≤ tolerance from zero; returns the status, the iterations and the true residual.

    As `conjugate_gradients2d.solve`, with b as one vector without a rim.
    """
    x, p, q, r = vectors
    row = levels[0]
    x[:] = 0.0  # the other vectors are written before they count
    norm = _first_norm(b, scale, r, arena, row)
    start = norm
    history[0] = norm
    best = norm
    strikes = 0
    iterations = 0
    status = MAXITER
    alpha = 0.0
    rho = 0.0
    if norm <= tolerance:
        return CONVERGED, 0, norm
    if not norm < math.inf:
        return NONFINITE, 0, norm
    while iterations < maxiter:
        energy = cycle(arena, levels, omegas, wraps, rings, work)
        if not energy > 0.0:
            status = INDEFINITE if energy <= 0.0 else NONFINITE
            break
        beta = energy / rho if rho > 0.0 else 0.0
        rho = energy
        curvature = _direction_and_product(p, x, arena, row[X], q, faces, row, alpha, beta, wraps, b)
        if not curvature > 0.0:
            alpha = 0.0
            status = INDEFINITE if curvature <= 0.0 else NONFINITE
            break
        alpha = rho / curvature
        norm = math.sqrt(_update_residual(r, q, alpha, 1.0, arena, row[R]))
        iterations += 1
        history[iterations] = norm
        if not norm < math.inf:
            status = NONFINITE
            break
        if norm <= tolerance or iterations == maxiter:
            norm = _true_norm(b, scale, faces, *vectors, arena, row, alpha, wraps)
            history[iterations] = norm
            alpha = 0.0
            rho = 0.0
            if norm <= tolerance:
                return CONVERGED, iterations, norm
            strikes = strikes + 1 if norm > 0.5 * best else 0
            best = min(best, norm)
            if strikes >= 2:
                return STAGNATED, iterations, norm
        elif iterations % 50 == 0 and iterations >= 100:
            needed = iterations * math.log(start / tolerance) / max(math.log(start / norm), 1e-3)
            if needed > patience:
                status = SLOW
                break
    if status != MAXITER:
        norm = _true_norm(b, scale, faces, *vectors, arena, row, alpha, wraps)
        history[iterations] = norm
    return status, iterations, norm
