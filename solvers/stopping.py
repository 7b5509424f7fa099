"""Apply the one stopping rule of all solvers, and estimate the floor below which float64 cannot follow it.

A solve has converged when the residual, recomputed in float64 from x, meets

    ‖b − A x‖₂ ≤ max(rtol·‖b‖₂, atol).

Rounding A x alone leaves a residual of about ε‖A‖₂‖x‖₂ (Higham, *Accuracy and Stability of Numerical Algorithms*,
2nd ed., §17.2; Greenbaum, SIAM J. Matrix Anal. Appl. 18 (1997) 535). The residual of a recurrence
continues to shrink below that; only recomputing it shows the true one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import is_integer, is_real
from .errors import InputError
from .magnitudes import EPSILON

if TYPE_CHECKING:
    from .operands import CountedOperator

_POWER_ITERATIONS = 8


def check_tolerances(rtol: Any, atol: Any, maxiter: Any, n: int) -> tuple[float, float, int]:
    """Return (rtol, atol, maxiter) as plain numbers; maxiter defaults to 10 n, as in SciPy.

    Raises
    ------
    InputError
        If a tolerance is negative or not a real number (infinity is one, and any x meets it), or maxiter is not an
        integer ≥ 0.
    """
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not is_real(value):
            raise InputError(f"{name} is {value!r}; expected a real number ≥ 0, such as 1e-8.")
        if not value >= 0:
            raise InputError(f"{name} is {value}; expected a number ≥ 0, such as 1e-8.")
    if maxiter is None:
        return float(rtol), float(atol), 10 * n
    if not is_integer(maxiter) or maxiter < 0:
        raise InputError(f"maxiter is {maxiter!r}; expected an integer ≥ 0, or None for 10 n.")
    return float(rtol), float(atol), int(maxiter)


def norm_estimate(A: CountedOperator) -> float:
    """Estimate ‖A‖₂: by the upper bound √(‖A‖₁‖A‖_∞) for a matrix; by a few power iterations for an operator.

    The power iterations (with AᴴA where A is not square) start from a fixed vector and give a lower bound of the
    spectral norm, within a few per cent for elliptic operators; they are counted in `A.count`.
    """
    xp = A.xp
    if A.matrix is not None:
        magnitude = abs(A.matrix)
        return math.sqrt(float(magnitude.sum(axis=0).max()) * float(magnitude.sum(axis=1).max()))
    start = np.random.default_rng(0).standard_normal(A.n)
    v = xp.asarray(start.astype(A.dtype))
    estimate = 0.0
    for _ in range(_POWER_ITERATIONS):
        length = math.sqrt(float(xp.vdot(v, v).real))
        if not (length > 0.0 and math.isfinite(length)):
            break
        v = A(v / length)
        estimate = math.sqrt(float(xp.vdot(v, v).real))
        if A.m != A.n:
            v = A.adjoint(v)
    return estimate


class Floor:
    """Estimate ε‖A‖₂‖x‖₂, the residual that rounding alone leaves in float64; ‖A‖ is estimated once, at the first
    call."""

    def __init__(self, A: CountedOperator) -> None:
        self._A = A
        self._norm: float | None = None

    def __call__(self, x: Any) -> float:
        if self._norm is None:
            self._norm = norm_estimate(self._A)
        return EPSILON * self._norm * math.sqrt(float(self._A.xp.vdot(x, x).real))


class Progress:
    """Decide, from recomputed residuals, when another restart of the recurrence is no longer worth its cost.

    A recurrence restarts for one of two reasons. Either it *claims* a residual that recomputing does not confirm: then
    the restart must at least halve the true residual, or the floor is reached. Or its cycle has ended (restarted
    methods): then any decrease counts, but several cycles without one are a stall.
    """

    CLAIM_FACTOR, CLAIM_STRIKES = 0.5, 2
    CYCLE_FACTOR, CYCLE_STRIKES = 0.999, 10

    def __init__(self, residual: float) -> None:
        self.best = residual
        self.claims = 0
        self.cycles = 0

    def stalled(self, residual: float, claimed: bool) -> bool:
        """Record a recomputed residual; return whether progress has ended."""
        if claimed:
            self.claims = self.claims + 1 if residual > self.CLAIM_FACTOR * self.best else 0
        else:
            self.cycles = self.cycles + 1 if residual > self.CYCLE_FACTOR * self.best else 0
        self.best = min(self.best, residual)
        return self.claims >= self.CLAIM_STRIKES or self.cycles >= self.CYCLE_STRIKES
