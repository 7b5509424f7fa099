"""Name how a compiled solve ended: the integers that kernels return, their `Status`, and the sums that are checked."""

from __future__ import annotations

import numpy as np

from ..kernels import Kernel
from ..result import Status

# In the order of outcomes.hpp.
CONVERGED, MAXITER, STAGNATED, INDEFINITE, NONFINITE, SLOW = range(6)

STATUS = {
    CONVERGED: Status.CONVERGED,
    MAXITER: Status.MAXITER,
    STAGNATED: Status.STAGNATED,
    INDEFINITE: Status.INDEFINITE,
    NONFINITE: Status.NONFINITE,
    SLOW: Status.MAXITER,
}

_largest_magnitude = Kernel("largest_magnitude", "int f64*", "float")
_sum_of_squares = Kernel("sum_of_squares", "int f64* float", "float")


def largest_magnitude(v: np.ndarray) -> float:
    """Return max |v|, without NumPy's temporary array, whose pages threads would map and unmap over and over."""
    largest: float = _largest_magnitude(v.size, v)
    return largest


def sum_of_squares(v: np.ndarray, scale: float) -> float:
    """Return Σ (scale v)², summed in lanes."""
    total: float = _sum_of_squares(v.size, v, scale)
    return total
