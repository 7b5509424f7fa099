"""Precondition by an incomplete LU factorisation with a threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse.linalg as spla

from ...arguments import is_real
from ...errors import InputError
from ...operands import as_csr
from ...preconditioner import Preconditioner


class ILUT(Preconditioner):
    """Apply M = (L U)⁻¹ with small entries dropped and partial pivoting, by SuperLU; kind 'linear'.

    Use it for nonsymmetric and indefinite matrices, with `gmres`, `bicgstab` or `idrs`. It pivots, so that M is not
    symmetric even where A is: `ict` keeps kind 'spd'.

    Settings
    --------
    drop_tolerance : float
        Relative to the size of a column; 0 drops nothing.
    fill : float
        Entries of L and U, at most, relative to those of A; ≥ 1.

    Raises
    ------
    InputError
        If A is singular.

    References
    ----------
    Li and Shao, ACM Trans. Math. Software 37 (2011) 43; Saad, Numer. Linear Algebra Appl. 1 (1994) 387.
    """

    name = "ilut"

    def __init__(self, drop_tolerance: float = 1e-3, fill: float = 10.0) -> None:
        if not is_real(drop_tolerance) or not 0.0 <= drop_tolerance < 1.0:
            raise InputError(f"ilut: drop_tolerance is {drop_tolerance!r}; expected 0 ≤ drop_tolerance < 1.")
        if not is_real(fill) or not 1.0 <= fill < np.inf:
            raise InputError(f"ilut: fill is {fill!r}; expected a number ≥ 1.")
        self.drop_tolerance, self.fill = float(drop_tolerance), float(fill)

    def _build(self, A: Any, again: bool) -> None:
        matrix = as_csr(A, self.name).tocsc()
        try:
            self._factors = spla.spilu(matrix, drop_tol=self.drop_tolerance, fill_factor=self.fill)
        except RuntimeError as error:  # SuperLU's report of a zero pivot
            raise InputError(
                "ilut: a pivot is zero, since A is singular or too much was dropped; raise fill, or use regularized_lu."
            ) from error
        if not np.isfinite(self._factors.solve(np.ones(self.shape[0], dtype=self.dtype))).all():
            raise InputError("ilut: the factors are singular to working precision; lower drop_tolerance.")
        self.kind = "linear"

    def _apply(self, r: np.ndarray) -> np.ndarray:
        return self._factors.solve(r)
