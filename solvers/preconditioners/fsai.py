"""Precondition by a factorised sparse approximate inverse: two products instead of two triangular solves."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..arguments import check_count
from ..errors import InputError
from ..kernels import Kernel
from ..matrices.symmetry import is_hermitian
from ..operands import as_csr
from ..preconditioner import Preconditioner

_rows = Kernel("fsai_rows", "int I* I* T* I* I* T* int T* T* i64*", "int")


class FSAI(Preconditioner):
    """Apply M = Gᴴ G with G ≈ L⁻¹, A = L Lᴴ, on the pattern of the lower triangle of a power of A; kind 'spd'.

    Among all G of that pattern with diag(G A Gᴴ) = I, this one minimises ‖I − G L‖_F (and Kaporin's condition number of
    G A Gᴴ). Each row needs one small dense system, independent of the others, and L is never formed; M is two sparse
    products, which are parallel.

    Settings
    --------
    power : int
        The pattern is that of tril(|A|^power): 1 is A's own, 2 costs about the square of the entries in a row.

    Attributes
    ----------
    factor : csr_array
        G.

    Raises
    ------
    InputError
        If A is not Hermitian, or a principal submatrix proves that it is not positive definite.

    References
    ----------
    Kolotilina and Yeremin, SIAM J. Matrix Anal. Appl. 14 (1993) 45; Kaporin, Numer. Linear Algebra Appl. 1 (1994) 179.
    """

    name = "fsai"

    def __init__(self, power: int = 1) -> None:
        self.power = check_count(self.name, "power", power, example=1)
        self._pattern_of: tuple[np.ndarray, np.ndarray] | None = None

    def _build(self, A: Any, again: bool) -> None:
        matrix = as_csr(A, self.name)
        if not is_hermitian(matrix):
            raise InputError("fsai needs A Hermitian, but A differs from its adjoint: use ilu0 or ilut with gmres.")
        self._take_pattern(matrix, again)
        values = np.empty(self._indices.size, dtype=self.dtype)
        n, widest = matrix.shape[0], int(np.diff(self._indptr).max(initial=0))
        row = _rows(
            n,
            matrix.indptr,
            matrix.indices,
            matrix.data.astype(self.dtype, copy=False),
            self._indptr,
            self._indices,
            values,
            widest,
            np.zeros((widest, widest), self.dtype),
            np.zeros(widest, self.dtype),
            np.full(n, -1),
        )
        if row >= 0:
            raise InputError(
                f"fsai needs A positive definite, but its principal submatrix of row {row} is not: use ilut or direct "
                f"with gmres."
            )
        self.factor = sp.csr_array((values, self._indices, self._indptr), shape=self.shape)
        self._adjoint_factor = sp.csr_array(self.factor.conj().T)
        self.kind = "spd"

    def _take_pattern(self, matrix: sp.csr_array, again: bool) -> None:
        if again and self._pattern_of is not None:
            indptr, indices = self._pattern_of
            if np.array_equal(indptr, matrix.indptr) and np.array_equal(indices, matrix.indices):
                return
        self._pattern_of = (matrix.indptr.copy(), matrix.indices.copy())
        once = sp.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
        once = sp.csr_array(once + sp.eye_array(matrix.shape[0]))
        pattern = once
        for _ in range(self.power - 1):
            pattern = sp.csr_array(pattern @ once)
            pattern.data[:] = 1.0
        lower = sp.csr_array(sp.tril(pattern))
        lower.sort_indices()
        self._indptr, self._indices = (each.astype(matrix.indices.dtype) for each in (lower.indptr, lower.indices))

    def _apply(self, r: np.ndarray) -> np.ndarray:
        return self._adjoint_factor @ (self.factor @ r)
