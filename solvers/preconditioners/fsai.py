"""Precondition by a factorised sparse approximate inverse: two products instead of two triangular solves."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import scipy.sparse as sp

from ..arguments import check_count
from ..errors import InputError
from ..matrices.symmetry import is_hermitian
from ..operands import as_csr
from ..preconditioner import Preconditioner


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
        row = _rows(
            matrix.indptr,
            matrix.indices,
            matrix.data.astype(self.dtype, copy=False),
            self._indptr,
            self._indices,
            values,
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
        self._indptr, self._indices = lower.indptr, lower.indices

    def _apply(self, r: np.ndarray) -> np.ndarray:
        return self._adjoint_factor @ (self.factor @ r)


@numba.njit(nogil=True, cache=True)
def _rows(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    pattern_indptr: np.ndarray,
    pattern: np.ndarray,
    values: np.ndarray,
) -> int:
    """Fill G row by row: with J the pattern of row i, A_JJ z = e_i and g = z̄/√z_i.

    Cholesky A_JJ = C Cᴴ gives z by one back substitution, since C⁻¹ e_i = e_i/c_ii. Return −1, or the first row whose
    submatrix is not positive definite.
    """
    n = indptr.size - 1
    widest = 0
    for i in range(n):
        widest = max(widest, pattern_indptr[i + 1] - pattern_indptr[i])
    C = np.zeros((widest, widest), dtype=data.dtype)
    z = np.zeros(widest, dtype=data.dtype)
    place = np.full(n, -1, dtype=np.int64)
    for i in range(n):
        begin, stop = pattern_indptr[i], pattern_indptr[i + 1]
        m = stop - begin
        for a in range(m):
            place[pattern[begin + a]] = a
            for b in range(a + 1):
                C[a, b] = 0.0
        for a in range(m):
            row = pattern[begin + a]
            for k in range(indptr[row], indptr[row + 1]):
                b = place[indices[k]]
                if 0 <= b <= a:
                    C[a, b] = data[k]
        for a in range(m):
            place[pattern[begin + a]] = -1
        for a in range(m):
            for b in range(a + 1):
                s = C[a, b]
                for c in range(b):
                    s -= C[a, c] * np.conj(C[b, c])
                if b < a:
                    C[a, b] = s / C[b, b].real
                else:
                    if not s.real > 1e-15 * abs(C[a, a]):
                        return i
                    C[a, a] = np.sqrt(s.real)
        last = m - 1
        for a in range(last, -1, -1):
            s = z[a] * 0.0
            if a == last:
                s += 1.0 / C[last, last].real
            for b in range(a + 1, m):
                s -= np.conj(C[b, a]) * z[b]
            z[a] = s / C[a, a].real
        for a in range(m):
            values[begin + a] = np.conj(z[a]) * C[last, last].real
    return -1
