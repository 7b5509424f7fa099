"""Sine-transform (τ) preconditioners: exact for what the discrete sines diagonalise."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np
import scipy.fft

from ..errors import InputError
from ..operands import as_csr
from ..preconditioner import Preconditioner

_FLOOR = 1e-14


class Tau(Preconditioner):
    """M = D⁻¹ S Λ⁻¹ S with the orthogonal sine transform S (DST-I) along each axis of a grid.

    For a :class:`~resolvent.solvers.ToeplitzOperator` diag(s) + diag(w) T, from its first columns alone:
    Λ is the generating function of T on the grid kπ/(n + 1), plus the mean of s/w, and D = diag(w). The matrix S Λ S is
    T less a Hankel correction at the corners; for T with a zero of order α ≤ 2 at frequency zero (fractional diffusion)
    the eigenvalues of M A cluster at 1, whatever n. For any other matrix Λ_kk = s_kᵀ A s_k, the matrix of this kind
    nearest to A in the Frobenius norm, which is positive definite when A is, and D = I: good for grids in their natural
    order, no better than a diagonal on unstructured meshes. Both are O(n log n) to apply.

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

    def __init__(self, shape: tuple[int, ...] | None = None) -> None:
        try:
            self._shape = None if shape is None else tuple(operator.index(m) for m in shape)
        except TypeError as error:
            raise InputError(f"tau: shape is {shape!r}; expected integers such as (64, 64).") from error

    def _build(self, A: Any, again: bool) -> None:
        n = self.shape[0]
        columns = getattr(A, "toeplitz_columns", None)
        self.grid = self._shape or tuple(getattr(A, "shape_grid", (n,)))
        if any(m < 1 for m in self.grid) or int(np.prod(self.grid)) != n:
            raise InputError(f"tau: shape {self.grid} does not hold the {n} unknowns of A.")
        self._divisor: np.ndarray | None = None
        self.kind = "spd"
        if columns is None:
            eigenvalues = self._nearest(as_csr(A, self.name))
        else:
            eigenvalues = self._of_symbols(columns)
            scale = np.asarray(A.scale)
            if not np.all(scale > 0.0):
                raise InputError("tau divides by the factor in front of the Toeplitz matrix: expected it positive.")
            eigenvalues = eigenvalues + float(np.mean(A.shift / scale))
            self._divisor = scale
            if np.ptp(scale) > 0.0:
                self.kind = "linear"
        size = np.abs(eigenvalues)
        if not size.max() > 0.0:
            raise InputError("tau: A is zero in the basis of sines: use jacobi, or no preconditioner.")
        self._inverse = 1.0 / np.maximum(size, _FLOOR * size.max())

    def _of_symbols(self, columns: tuple[np.ndarray, ...]) -> np.ndarray:
        """Σ_d (t_0 + 2 Σ_j t_j cos jθ) on the tensor grid of θ = kπ/(n_d + 1), k = 1…n_d."""
        total: np.ndarray = np.zeros(())
        for column in columns:
            terms = np.zeros(column.size + 2)
            terms[: column.size] = column
            total = total[..., None] + scipy.fft.dct(terms, type=1)[1:-1]
        return total

    def _nearest(self, matrix: Any) -> np.ndarray:
        """s_kᵀ A s_k for all k: products of sines are cosines of i − j and i + j, so the entries are summed along these
        two and a cosine transform does the rest."""
        entries = matrix.tocoo()
        rows = np.unravel_index(entries.row, self.grid)
        others = np.unravel_index(entries.col, self.grid)
        table = np.zeros(tuple(m + 2 for m in self.grid))
        for signs in itertools.product((1.0, -1.0), repeat=len(self.grid)):
            place = []
            for sign, i, j, m in zip(signs, rows, others, self.grid, strict=True):
                k = np.abs(i - j) if sign > 0 else i + j + 2
                place.append(np.where(k > m + 1, 2 * (m + 1) - k, k))  # cos kθ is even about k = m + 1
            np.add.at(table, tuple(place), np.prod(signs) * entries.data.real)
        for axis, m in enumerate(self.grid):
            inner = [slice(None)] * table.ndim
            inner[axis] = slice(1, -1)
            table[tuple(inner)] *= 0.5  # DCT-I counts them twice
            table = scipy.fft.dct(table, type=1, axis=axis)[tuple(inner)] / (m + 1)
        return table

    def _apply(self, r: np.ndarray) -> np.ndarray:
        if self._divisor is not None:
            r = r / self._divisor
        if r.dtype.kind == "c":
            return self._transformed(r.real) + 1j * self._transformed(r.imag)
        return self._transformed(r)

    def _transformed(self, r: np.ndarray) -> np.ndarray:
        v = scipy.fft.dstn(r.reshape(self.grid), type=1, norm="ortho") * self._inverse
        return scipy.fft.dstn(v, type=1, norm="ortho").ravel()
