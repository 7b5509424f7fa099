"""Precondition by circulant matrices, which the Fourier transform diagonalises."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from ..matrices.symmetry import is_hermitian
from .transforms import DiagonalisedByTransform


class Circulant(DiagonalisedByTransform):
    """Apply M = C⁻¹, C the circulant matrix nearest to A in the Frobenius norm (T. Chan), along each axis of a grid.

    The entries of C are the means of A along its diagonals, wrapped around; C is positive definite when A is. For a
    :class:`~resolvent.solvers.ToeplitzOperator` diag(s) + diag(w) T it is D C(T + mean s/w) with D = diag(w), from the
    first columns of T alone. It costs O(n log n) to apply. `tau` takes fewer iterations for fractional diffusion, whose
    symbol has a zero at frequency zero that wrapping smears; on unstructured meshes neither is better than a diagonal.

    Kind 'spd' for a Hermitian positive definite C and no D, else 'linear'.

    Settings
    --------
    shape : tuple of int, optional
        Points per axis, C order; `A.shape_grid` by default, or one axis where A has none.

    References
    ----------
    T. F. Chan, SIAM J. Sci. Stat. Comput. 9 (1988) 766; Tyrtyshnikov, SIAM J. Matrix Anal. Appl. 13 (1992) 459.
    """

    name = "circulant"

    def _of_columns(self, columns: tuple[np.ndarray, ...]) -> np.ndarray:
        total: np.ndarray = np.zeros(())
        for t in columns:
            n = t.size
            m = np.arange(n)
            wrapped = ((n - m) * t + m * t[-m]) / n
            total = total[..., None] + scipy.fft.fft(wrapped).real
        return total

    def _nearest(self, matrix: Any) -> np.ndarray:
        """Return the eigenvalues of C: the Fourier transform of its first column."""
        entries = matrix.tocoo()
        rows = np.unravel_index(entries.row, self.grid)
        columns = np.unravel_index(entries.col, self.grid)
        first = np.zeros(self.grid, dtype=entries.data.dtype)
        offsets = tuple((i - j) % m for i, j, m in zip(rows, columns, self.grid, strict=True))
        np.add.at(first, offsets, entries.data)
        eigenvalues = scipy.fft.fftn(first / self.shape[0])
        return eigenvalues.real if is_hermitian(matrix) else eigenvalues

    def _divide(self, v: np.ndarray) -> np.ndarray:
        z = scipy.fft.ifftn(scipy.fft.fftn(v) * self._inverse)
        return z if self.dtype.kind == "c" or v.dtype.kind == "c" else np.ascontiguousarray(z.real)
