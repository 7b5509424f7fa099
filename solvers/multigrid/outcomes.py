"""Name how a compiled solve ended: the integers that kernels return, their `Status`, and the sums that they check."""

from __future__ import annotations

import numba
import numpy as np

from ..kernels.rows import FAST
from ..result import Status

CONVERGED, MAXITER, STAGNATED, INDEFINITE, NONFINITE, SLOW = range(6)

STATUS = {
    CONVERGED: Status.CONVERGED,
    MAXITER: Status.MAXITER,
    STAGNATED: Status.STAGNATED,
    INDEFINITE: Status.INDEFINITE,
    NONFINITE: Status.NONFINITE,
    SLOW: Status.MAXITER,
}


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def largest_magnitude(v: np.ndarray) -> float:
    """Return max |v|, without NumPy's temporary array, whose pages threads would map and unmap over and over."""
    largest = 0.0
    for i in range(v.size):
        largest = max(largest, abs(v[i]))
    return largest


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def sum_of_squares(v: np.ndarray, scale: float) -> float:
    """Return Σ (scale v)²."""
    total = 0.0
    for i in range(v.size):
        u = scale * v[i]
        total += u * u
    return total
