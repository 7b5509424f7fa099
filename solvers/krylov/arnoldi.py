"""Run one cycle of a minimal residual method: Arnoldi's basis, Givens rotations, directions from the caller."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import scipy.linalg

from ..iteration import Breakdown, Column
from ..operands import on_host
from ..result import Status
from ..stopping import EPSILON

_NEGLIGIBLE = 50.0 * EPSILON


def minimal_residual_cycle(
    column: Column,
    x: Any,
    r: Any,
    size: int,
    direction: Callable[[int, Any], Any],
    combination: Callable[[Any, Any], Any],
    product: Callable[[int, Any], Any] | None = None,
) -> Generator[float, None, None]:
    """Minimise ‖r − A Σ_j y_j z_j‖₂ over directions z_0, z_1, … taken one by one; x is formed at the end.

    Parameters
    ----------
    column, x, r
        As handed to a recurrence.
    size : int
        Directions to take at most.
    direction : callable
        (j, v_j) ↦ z_j, v_j the orthonormal basis of r, A z_0, A z_1, …
    combination : callable
        (y, V) ↦ Σ_j y_j z_j, V (k, n) the first k basis vectors in rows.
    product : callable, optional
        (j, z_j) ↦ A z_j, for directions whose images are known; `column.A` by default.
    """
    A, xp = column.A, column.xp
    size = min(size, A.n, column.budget)
    beta = column.norm(r)
    basis = xp.empty((size + 1, A.n), dtype=column.dtype)
    basis[0] = r / beta
    triangle = np.zeros((size, size), dtype=column.dtype)  # R of the QR factorisation of the Hessenberg matrix
    rhs = np.zeros(size + 1, dtype=column.dtype)
    rhs[0] = beta
    rotations: list[tuple[float, Any]] = []
    done = 0
    try:
        for j in range(size):
            z = direction(j, basis[j])
            w = xp.asarray(A(z) if product is None else product(j, z), dtype=column.dtype)
            length = column.norm(w)
            w, h = orthogonalise(xp, basis[: j + 1], w)
            below = column.norm(w)
            if not math.isfinite(below):
                raise Breakdown(Status.NONFINITE, "A M v is not finite")
            for i, (c, s) in enumerate(rotations):
                h[i], h[i + 1] = c * h[i] + s * h[i + 1], c * h[i + 1] - np.conj(s) * h[i]
            invariant = below <= 10.0 * EPSILON * length
            if invariant:
                below = 0.0
            c, s = rotation(h[j], below)
            triangle[:j, j] = h[:j]
            triangle[j, j] = c * h[j] + s * below
            if abs(triangle[j, j]) <= EPSILON * length:
                raise Breakdown(Status.BREAKDOWN, f"A M is singular on the Krylov space of dimension {j + 1}")
            rotations.append((c, s))
            rhs[j], rhs[j + 1] = c * rhs[j], -np.conj(s) * rhs[j]
            done = j + 1
            yield float(abs(rhs[j + 1]))
            if invariant:
                return
            basis[j + 1] = w / below
    finally:
        if done:
            y = back_substitution(triangle[:done, :done], rhs[:done])
            x += combination(xp.asarray(y), basis[:done])


def back_substitution(triangle: np.ndarray, rhs: np.ndarray) -> np.ndarray:
    """Return R⁻¹ g, or the least-squares solution of least norm if R, as A M, is singular to working precision."""
    if not (np.isfinite(triangle).all() and np.isfinite(rhs).all()):
        return np.full(len(rhs), np.nan, dtype=rhs.dtype)
    pivots = np.abs(np.diagonal(triangle))
    if pivots.min() > _NEGLIGIBLE * pivots.max():
        return scipy.linalg.solve_triangular(triangle, rhs)
    return scipy.linalg.lstsq(triangle, rhs, cond=_NEGLIGIBLE)[0]


def orthogonalise(xp: Any, basis: Any, w: Any) -> tuple[Any, np.ndarray]:
    """Return w minus its projection on the rows of the basis, and the coefficients followed by a zero."""
    first = xp.conj(basis @ xp.conj(w))
    w = w - first @ basis
    second = xp.conj(basis @ xp.conj(w))  # once more: orthogonal to working precision
    w -= second @ basis
    return w, np.append(on_host(first + second), 0.0)


def rotation(a: Any, b: float) -> tuple[float, Any]:
    """Return (c, s) of the Givens rotation [[c, s], [−s̄, c]] that turns (a, b), b ≥ 0, into (·, 0)."""
    size = float(abs(a))
    length = math.hypot(size, b)
    if length == 0.0:
        return 1.0, 0.0
    if size == 0.0:
        return 0.0, 1.0
    return size / length, a / size * (b / length)
