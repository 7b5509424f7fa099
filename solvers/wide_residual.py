"""Look at a residual in extended precision where rounding in float64 is larger than the tolerance.

Terms of A x that cancel leave a residual of about ε ‖|A||x|‖, or by chance exactly zero, whatever the true one is.
Where that is below the tolerance, which is nearly always, this costs the norm of x and no more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .magnitudes import EPSILON, norm_of
from .operands import CountedOperator, is_gpu

HIDDEN = "float64's residual is rounding, and in extended precision it is above the tolerance"

_RESOLVED = 4.0 * EPSILON
"""Tolerances below this share of ‖b‖ ask for what float64 does not resolve: there its own residual decides."""

_EXCESS = 2.0


def residual_hidden(A: CountedOperator, x: Any, b: Any, rhs_norm: float, threshold: float) -> float | None:
    """Return ‖b − A x‖₂ in extended precision if that exceeds the threshold, which float64 says is met; else None."""
    matrix = A.matrix
    if matrix is None or is_gpu(matrix) or threshold < _RESOLVED * rhs_norm:
        return None
    if EPSILON * A.size * norm_of(np, x) <= threshold:  # ‖|A||x|‖ ≤ ‖A‖_F ‖x‖
        return None
    if EPSILON * norm_of(np, abs(matrix) @ np.abs(x)) <= threshold:
        return None
    wide = np.clongdouble if "c" in (matrix.dtype.kind, x.dtype.kind, b.dtype.kind) else np.longdouble
    remainder = b.astype(wide) - matrix.astype(wide) @ x.astype(wide)
    residual = float(np.sqrt((np.abs(remainder) ** 2).sum()))
    return residual if residual > _EXCESS * threshold else None
