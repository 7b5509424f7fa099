"""Precondition by an incomplete LU factorisation without fill-in."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ...errors import InputError
from ...kernels import Kernel
from ...matrices.symmetry import is_hermitian
from ...operands import as_csr
from ...preconditioner import Preconditioner
from .shifts import read_shift, shifted

_factor = Kernel("factor_ilu0", "int I* I* I* T* i64*", "int")
_solve = Kernel("solve_ilu0", "int I* I* I* T* T* T*")


class ILU0(Preconditioner):
    """Apply M = (L U)⁻¹ with L, U on the pattern of A and (L U)_ij = a_ij there.

    The factors exist for M-matrices (Meijerink and van der Vorst). Where a pivot is negligible, A + α diag(A) is
    factored instead, α = 1e-3 and doubled until it works; the α in use is `shift`. For A Hermitian with positive pivots
    it is `ic0`, and kind 'spd'; otherwise 'linear'.

    Settings
    --------
    shift : float
        The first α to try, 0 by default.

    References
    ----------
    Meijerink and van der Vorst, Math. Comp. 31 (1977) 148; Saad, *Iterative Methods for Sparse Linear Systems*, 2nd
    ed., algorithm 10.4.
    """

    name = "ilu0"

    def __init__(self, shift: float = 0.0) -> None:
        self._first_shift = read_shift(self.name, shift)

    def _build(self, A: Any, again: bool) -> None:
        matrix = as_csr(A, self.name)
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        on_diagonal = np.flatnonzero(rows == matrix.indices)
        present = np.zeros(matrix.shape[0], dtype=bool)
        present[rows[on_diagonal]] = matrix.data[on_diagonal] != 0
        if not present.all():
            row = int(np.argmin(present))
            raise InputError(f"ilu0 needs a diagonal free of zeros, but row {row} has none: use ilut or direct.")
        self._indptr, self._indices, self._ends = (
            matrix.indptr,
            matrix.indices,
            on_diagonal.astype(matrix.indices.dtype),
        )

        def factor(shift: float) -> np.ndarray | None:
            values = matrix.data.copy()
            values[self._ends] *= 1.0 + shift
            place = np.full(self.shape[0], -1)
            row = _factor(place.size, self._indptr, self._indices, self._ends, values, place)
            return values if row < 0 else None

        self.shift, self._values = shifted(self.name, factor, self._first_shift, "use ilut or direct")
        self._solve = _solve.bind(self.shape[0], self._indptr, self._indices, self._ends, self._values)
        pivots = self._values[self._ends]
        positive = bool(np.all(pivots.real > 0.0)) and bool(np.all(abs(pivots.imag) <= 1e-12 * abs(pivots)))
        self.kind = "spd" if positive and is_hermitian(matrix) else "linear"

    @property
    def factors(self) -> tuple[sp.csr_array, sp.csr_array]:
        """Return (L, U), L with a unit diagonal."""
        both = sp.csr_array((self._values, self._indices, self._indptr), shape=self.shape)
        return sp.csr_array(sp.tril(both, -1) + sp.eye_array(self.shape[0])), sp.csr_array(sp.triu(both))

    def _apply(self, r: np.ndarray) -> np.ndarray:
        z = np.empty_like(r)
        self._solve(r, z)
        return z
