"""Precondition by an incomplete Cholesky factorisation without fill-in."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ...errors import InputError
from ...matrices.symmetry import is_hermitian
from ...operands import as_csr
from ...preconditioner import Preconditioner
from ..cholesky import cholesky_solver, factor_ic0
from .shifts import read_shift, shifted


class IC0(Preconditioner):
    """Apply M = (L Lᴴ)⁻¹ with L on the pattern of the lower triangle of A, (L Lᴴ)_ij = a_ij there; kind 'spd'.

    The factor exists for M-matrices and H-matrices with a positive diagonal (Meijerink and van der Vorst). Where a
    pivot is not positive, A + α diag(A) is factored instead, α = 1e-3 and doubled until it works (Manteuffel); the α
    in use is `shift`.

    Settings
    --------
    shift : float
        The first α to try, 0 by default.

    Attributes
    ----------
    shift : float
        The α of the factor in use; 0 when none was needed.
    factor : csr_array
        L.

    References
    ----------
    Meijerink and van der Vorst, Math. Comp. 31 (1977) 148; Manteuffel, Math. Comp. 34 (1980) 473.
    """

    name = "ic0"

    def __init__(self, shift: float = 0.0) -> None:
        self._first_shift = read_shift(self.name, shift)
        self._pattern: tuple[np.ndarray, np.ndarray] | None = None

    def _build(self, A: Any, again: bool) -> None:
        matrix = as_csr(A, self.name)
        if not is_hermitian(matrix):
            raise InputError("ic0 needs A Hermitian, but A differs from its adjoint: use ssor or direct with gmres.")
        self._take_lower_triangle(matrix, again)
        values = matrix.data[self._entries]
        diagonal = values[self._ends].real
        if not np.all(diagonal > 0.0):
            row = int(np.argmin(diagonal))
            raise InputError(
                f"ic0 needs A positive definite, but its diagonal is {diagonal[row]:.3g} in row {row}: "
                f"use direct with gmres."
            )

        def factor(shift: float) -> np.ndarray | None:
            entries, result = values.copy(), np.empty_like(values)
            entries[self._ends] *= 1.0 + shift
            return result if factor_ic0(self._indptr, self._indices, entries, result) < 0 else None

        hint = "A is far from positive definite; use direct with gmres"
        self.shift, self._values = shifted(self.name, factor, self._first_shift, hint)
        self._solve = cholesky_solver(self._indptr, self._indices, self._values)
        self.kind = "spd"

    def _take_lower_triangle(self, matrix: sp.csr_array, again: bool) -> None:
        if again and self._pattern is not None:
            indptr, indices = self._pattern
            if np.array_equal(indptr, matrix.indptr) and np.array_equal(indices, matrix.indices):
                return
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        lower = matrix.indices <= rows
        self._entries = np.flatnonzero(lower)
        counts = np.bincount(rows[lower], minlength=matrix.shape[0])
        self._indptr = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        self._indices = matrix.indices[self._entries].astype(np.int64)
        self._ends = self._indptr[1:] - 1
        present = np.zeros(matrix.shape[0], dtype=bool)
        present[rows[matrix.indices == rows]] = True
        if not present.all():
            row = int(np.argmin(present))
            raise InputError(
                f"ic0 needs A positive definite, but row {row} has no diagonal entry: use direct with gmres."
            )
        self._pattern = (matrix.indptr.copy(), matrix.indices.copy())

    @property
    def factor(self) -> sp.csr_array:
        """Return L, lower triangular."""
        return sp.csr_array((self._values, self._indices, self._indptr), shape=self.shape)

    def _apply(self, r: np.ndarray) -> np.ndarray:
        z = np.empty_like(r)
        self._solve(r, z)
        return z
