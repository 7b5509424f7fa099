"""Hold how a system is scaled by powers of two, and judge what its solution is worth in the numbers of float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .magnitudes import array_times_two_to, representable, times_two_to
from .result import Status

_STILL_LEAST = 1.0 + 1e-8
"""The factor by which the least residual may grow in float64."""


@dataclass(frozen=True)
class Scaling:
    """Hold the exponents k and m of the scaled system A·2^-m x' = b·2^-k, and bring vectors from one to the other."""

    xp: Any
    rhs: int
    matrix: int

    def down(self, b: Any) -> Any:
        """Return b·2^-k."""
        return array_times_two_to(self.xp, b, -self.rhs)

    def guess(self, x0: Any) -> Any:
        """Return the x' of an x."""
        return array_times_two_to(self.xp, x0, self.matrix - self.rhs)

    def up(self, x: Any) -> Any:
        """Return the x of an x'; x' itself where nothing is scaled."""
        return array_times_two_to(self.xp, x, self.rhs - self.matrix)

    def returned(self, x: Any) -> tuple[Any, Any]:
        """Return the x of an x' as float64 can hold it; and its x', if that is not the same, else None."""
        exponent = self.rhs - self.matrix
        if exponent == 0:
            return x, None
        held = representable(self.xp, x, exponent)
        back = array_times_two_to(self.xp, held, -exponent)
        return held, None if bool((back == x).all()) else back

    def norms(self, history: Sequence[float], residual: float, rhs_norm: float) -> dict[str, Any]:
        """Return what a result says of norms, from those of the scaled system."""
        return {
            "residuals": array_times_two_to(np, np.asarray(history), self.rhs),
            "residual": times_two_to(residual, self.rhs),
            "rhs_norm": times_two_to(rhs_norm, self.rhs),
            "quotient": residual / rhs_norm if self.rhs else None,
        }


def certified_again(
    status: Status, reason: str, before: float, residual: float, threshold: float
) -> tuple[Status, str]:
    """Return how a solve has ended whose solution lost digits in float64, from the residual of what is returned."""
    lost = status is Status.CONVERGED and not residual <= threshold
    lost = lost or (status is Status.INCONSISTENT and not residual <= _STILL_LEAST * before)
    return (Status.UNREPRESENTABLE, "the solution has entries that float64 does not hold") if lost else (status, reason)
