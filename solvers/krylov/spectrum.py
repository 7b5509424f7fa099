"""Bound the spectrum of M A, for the methods that need it, by a few Lanczos steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.linalg

from ..errors import InputError
from ..iteration import Breakdown, Column
from ..magnitudes import times_two_to
from ..result import Status

LANCZOS_STEPS = 20

_INDEFINITE = 1e-10
_SMALLEST = 1e-12


class Bounds:
    """Hold bounds 0 < low ≤ λ(M A) ≤ high: fixed ones, or estimates that are made once and serve all columns."""

    def __init__(self, pair: tuple[float, float] | None) -> None:
        self.fixed = pair is not None
        self._pair = pair

    def of(self, column: Column) -> tuple[float, float]:
        """Return (low, high), estimated with `LANCZOS_STEPS` products if there is no pair yet."""
        if self._pair is None:
            self._pair = spectral_bounds(column)
        elif self.fixed and column.A.exponent and not column.preconditioned:
            low, high = (times_two_to(end, -column.A.exponent) for end in self._pair)
            if not 0.0 < low <= high < math.inf:
                raise Breakdown(Status.DIVERGED, f"the bounds {self._pair} are far from the spectrum of A")
            return low, high
        return self._pair

    def replace(self, low: float, high: float) -> None:
        """Replace the pair by a better one."""
        self._pair = (low, high)


def read_bounds(solver: str, bounds: Any) -> Bounds:
    """Return the bounds (low, high), 0 < low ≤ high; or, for None, bounds that are estimated later."""
    if bounds is None:
        return Bounds(None)
    try:
        low, high = (float(value) for value in bounds)
    except (TypeError, ValueError) as error:
        raise InputError(f"{solver}: bounds are {bounds!r}; expected (low, high) or None to estimate them.") from error
    if not 0.0 < low <= high < math.inf:
        raise InputError(f"{solver}: bounds are ({low:g}, {high:g}); expected 0 < low ≤ high, those of the spectrum.")
    return Bounds((low, high))


def spectral_bounds(column: Column, steps: int = LANCZOS_STEPS) -> tuple[float, float]:
    """Estimate the ends of the spectrum of M A, A and M Hermitian positive definite, by Lanczos in M's inner product.

    The upper end is the largest Ritz value plus its residual, above λ_max in all but contrived cases; the lower one is
    the smallest Ritz value, which lies above λ_min.

    Raises
    ------
    Breakdown
        If a Ritz value proves that A or M is not positive definite.

    References
    ----------
    Zhou and Li, Appl. Math. Lett. 24 (2011) 480 (the upper bound).
    """
    A, M, dot, xp = column.A, column.M, column.dot, column.xp
    start = np.random.default_rng(0).standard_normal(A.n).astype(column.dtype)
    v = xp.asarray(start)
    if column.nullspace is not None:
        v = column.nullspace.project(v)
    z = M(v)
    beta = _size(dot(v, z))
    v, z = v / beta, z / beta
    before = None
    alphas: list[float] = []
    betas: list[float] = []
    for _ in range(min(steps, A.n)):
        q = A(z)
        if before is not None:
            q = q - betas[-1] * before
        alphas.append(float(dot(z, q).real))
        q = q - alphas[-1] * v
        y = M(q)
        square = float(dot(q, y).real)
        if not math.isfinite(square + alphas[-1]):
            raise Breakdown(Status.NONFINITE, "A M v is not finite")
        size = math.sqrt(max(square, 0.0))
        betas.append(size)
        if size <= 1e-12 * max(map(abs, alphas)):
            break
        before, v, z = v, q / size, y / size
    ritz, vectors = scipy.linalg.eigh_tridiagonal(np.array(alphas), np.array(betas[: len(alphas) - 1]))
    low, high = float(ritz[0]), float(ritz[-1] + betas[-1] * abs(vectors[-1, -1]))
    if not math.isfinite(high):
        raise Breakdown(Status.NONFINITE, "a Ritz value of M A is not finite")
    if not high > 0.0 or low < -_INDEFINITE * high:
        raise Breakdown(Status.INDEFINITE, f"a Ritz value of M A is {low:.3g}: A is not positive definite")
    return max(low, _SMALLEST * high), high


def _size(square: Any) -> float:
    value = float(square.real)
    if value > 0.0:
        return math.sqrt(value)
    if value <= 0.0:
        raise Breakdown(Status.INDEFINITE, f"vᴴM v = {value:.3g} ≤ 0: the preconditioner M is not positive definite")
    raise Breakdown(Status.NONFINITE, "M v is not finite")
