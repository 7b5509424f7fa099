"""Certify a factorisation by solving for a known vector, and estimate the condition number from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Solve = Callable[[np.ndarray], np.ndarray]
"""The function r ↦ A⁻¹ r of some factors."""

_STEPS = 5


@dataclass(frozen=True)
class Certificate:
    """Hold how well a factorisation solves A x = A v for a known vector v.

    Attributes
    ----------
    backward_error : float
        ‖b − A x‖_∞ / (‖A‖_∞ ‖x‖_∞ + ‖b‖_∞): the factorisation is stable if it is of the size of rounding, however
        ill-conditioned A is.
    error : float
        ‖x − v‖₂ / ‖v‖₂.
    """

    backward_error: float
    error: float

    @property
    def digits(self) -> float:
        """Return the decimal digits of v that were recovered, 0 to 16."""
        return min(16.0, max(0.0, -math.log10(self.error))) if self.error > 0.0 else 16.0


def certify(matrix: Any, solve: Solve, norm: float, refine: bool = False) -> Certificate:
    """Solve for a known random vector, with a step of refinement if that is asked for; what is not finite counts as 1.

    References
    ----------
    Rigal and Gaches, J. ACM 14 (1967) 543 (the backward error).
    """
    # From whole numbers a singular matrix might make a right-hand side without rounding, which is recovered by luck.
    known = np.random.default_rng(0).random(matrix.shape[0]) - 0.5
    with np.errstate(all="ignore"):
        b = matrix @ known
        x = solve(b)
        r = b - matrix @ x
        if refine:
            x = x + solve(r)
            r = b - matrix @ x
        size = norm * float(np.abs(x).max()) + float(np.abs(b).max())
        backward = float(np.abs(r).max()) / size if size != 0.0 else 0.0
        error = float(np.linalg.norm(x - known)) / float(np.linalg.norm(known))
    return Certificate(backward if math.isfinite(backward) else 1.0, error if math.isfinite(error) else 1.0)


def inverse_norm(n: int, dtype: Any, solve: Solve, solve_adjoint: Solve) -> float:
    """Estimate ‖A⁻¹‖₁ from below, usually within a factor of three, by a few solves with A and Aᴴ.

    References
    ----------
    Hager, SIAM J. Sci. Stat. Comput. 5 (1984) 311; Higham, ACM Trans. Math. Software 14 (1988) 381.
    """
    x = np.full(n, 1.0 / n, dtype=dtype)
    estimate, visited = 0.0, -1
    with np.errstate(all="ignore"):
        for _ in range(_STEPS):
            y = solve(x)
            size = float(np.abs(y).sum())
            if not size > estimate:
                break
            estimate = size
            magnitude = np.abs(y)
            signs = np.where(magnitude > 0.0, y / np.where(magnitude > 0.0, magnitude, 1.0), 1.0)
            slope = np.abs(solve_adjoint(np.ascontiguousarray(signs, dtype=dtype)))
            steepest = int(np.argmax(slope))
            if steepest == visited:
                break
            visited = steepest
            x = np.zeros(n, dtype=dtype)
            x[steepest] = 1.0
        alternating = (1.0 + np.arange(n) / max(n - 1, 1)) * np.where(np.arange(n) % 2, -1.0, 1.0)
        other = 2.0 * float(np.abs(solve(alternating.astype(dtype))).sum()) / (3.0 * n)
    return other if other > estimate else estimate
