"""Shift a matrix by a multiple of the identity."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from ..arguments import is_real
from ..errors import InputError
from ..operands import read_operator


def shifted(A: Any, shift: float) -> Any:
    """Return A − shift·I: with entries if A has them, else an operator; A itself for shift = 0.

    Raises
    ------
    InputError
        If `shift` is not a finite real number, or A is not square.
    """
    if not is_real(shift) or not np.isfinite(shift):
        raise InputError(f"shift is {shift!r}; expected a finite real number, such as 0.5.")
    if shift == 0:
        return A
    operator = read_operator(A)
    n, matrix, shift = operator.n, operator.matrix, float(shift)
    if matrix is None:
        return LinearOperator((n, n), matvec=lambda v: operator(v) - shift * v, dtype=operator.dtype)
    if sp.issparse(matrix):
        return sp.csr_array(matrix - shift * sp.eye_array(n, format="csr"))
    if isinstance(matrix, np.ndarray) or not hasattr(matrix, "tocsr"):
        return matrix - shift * operator.xp.eye(n)
    import cupyx.scipy.sparse

    return matrix - shift * cupyx.scipy.sparse.identity(n, format="csr")
