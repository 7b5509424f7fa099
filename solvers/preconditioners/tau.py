"""Precondition by τ matrices, which the discrete sine transform diagonalises."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import scipy.fft

from .transforms import DiagonalisedByTransform


class Tau(DiagonalisedByTransform):
    """Apply M = D⁻¹ S Λ⁻¹ S with the orthogonal sine transform S (DST-I) along each axis of a grid.

    For a :class:`~resolvent.solvers.ToeplitzOperator` diag(s) + diag(w) T, from its first columns alone:
    Λ is the generating function of T on the grid kπ/(n + 1), plus the mean of s/w, and D = diag(w). The matrix S Λ S is
    T less a Hankel correction at the corners; for T with a zero of order α ≤ 2 at frequency zero (fractional diffusion)
    the eigenvalues of M A cluster at 1, whatever n. For any other matrix Λ_kk = s_kᵀ A s_k, the matrix of this kind
    nearest to A in the Frobenius norm, which is positive definite when A is, and D = I: good for grids in their natural
    order, no better than a diagonal on unstructured meshes. Both cost O(n log n) to apply.

    Kind 'spd', but 'linear' where D is no multiple of the identity. Λ of a matrix that is not definite enters by its
    absolute values.

    Settings
    --------
    shape : tuple of int, optional
        Points per axis, C order; `A.shape_grid` by default, or one axis where A has none.

    References
    ----------
    Bini and Di Benedetto, Proc. 2nd SPAA (1990) 220; Chan, Ng and Wong, Linear Algebra Appl. 232 (1996) 237; Donatelli,
    Mazza and Serra-Capizzano, J. Comput. Phys. 307 (2016) 262 (fractional diffusion).
    """

    name = "tau"

    def _of_columns(self, columns: tuple[np.ndarray, ...]) -> np.ndarray:
        """Return Σ_d (t_0 + 2 Σ_j t_j cos jθ) on the tensor grid of θ = kπ/(n_d + 1), k = 1…n_d."""
        total: np.ndarray = np.zeros(())
        for column in columns:
            terms = np.zeros(column.size + 2)
            terms[: column.size] = column
            total = total[..., None] + scipy.fft.dct(terms, type=1)[1:-1]
        return total

    def _nearest(self, matrix: Any) -> np.ndarray:
        """Return s_kᵀ A s_k for all k.

        Products of sines are cosines of i − j and i + j: the entries are summed along these two, and a cosine transform
        does the rest.
        """
        entries = matrix.tocoo()
        rows = np.unravel_index(entries.row, self.grid)
        columns = np.unravel_index(entries.col, self.grid)
        table = np.zeros(tuple(m + 2 for m in self.grid))
        for signs in itertools.product((1.0, -1.0), repeat=len(self.grid)):
            index = []
            for sign, i, j, m in zip(signs, rows, columns, self.grid, strict=True):
                k = np.abs(i - j) if sign > 0 else i + j + 2
                index.append(np.where(k > m + 1, 2 * (m + 1) - k, k))  # cos kθ is even about k = m + 1
            np.add.at(table, tuple(index), np.prod(signs) * entries.data.real)
        for axis, m in enumerate(self.grid):
            inner = [slice(None)] * table.ndim
            inner[axis] = slice(1, -1)
            table[tuple(inner)] *= 0.5  # DCT-I counts them twice
            table = scipy.fft.dct(table, type=1, axis=axis)[tuple(inner)] / (m + 1)
        return table

    def _divide(self, v: np.ndarray) -> np.ndarray:
        return scipy.fft.dstn(scipy.fft.dstn(v, type=1, norm="ortho") * self._inverse, type=1, norm="ortho")
