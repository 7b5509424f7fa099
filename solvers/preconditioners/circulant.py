"""Circulant preconditioners: what the Fourier transform diagonalises."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import scipy.fft

from ..errors import InputError
from ..matrices.symmetry import is_hermitian
from ..operands import as_csr
from ..preconditioner import Preconditioner

_FLOOR = 1e-14


class Circulant(Preconditioner):
    """M = C⁻¹ with the circulant matrix C nearest to A in the Frobenius norm (T. Chan's), along each axis of a grid.

    The entries of C are the means of A along its diagonals, wrapped around; C is positive definite when A is. For a
    :class:`~resolvent.solvers.ToeplitzOperator` diag(s) + diag(w) T it is D C(T + mean s/w) with D = diag(w), from the
    first columns of T alone. O(n log n) to apply. For fractional diffusion, whose zero at frequency zero the wrapping
    smears, `tau` takes fewer iterations; on unstructured meshes neither is better than a diagonal.

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

    def __init__(self, shape: tuple[int, ...] | None = None) -> None:
        try:
            self._shape = None if shape is None else tuple(operator.index(m) for m in shape)
        except TypeError as error:
            raise InputError(f"circulant: shape is {shape!r}; expected integers such as (64, 64).") from error

    def _build(self, A: Any, again: bool) -> None:
        n = self.shape[0]
        columns = getattr(A, "toeplitz_columns", None)
        self.grid = self._shape or tuple(getattr(A, "shape_grid", (n,)))
        if any(m < 1 for m in self.grid) or int(np.prod(self.grid)) != n:
            raise InputError(f"circulant: shape {self.grid} does not hold the {n} unknowns of A.")
        self._divisor: np.ndarray | None = None
        hermitian = True
        if columns is None:
            matrix = as_csr(A, self.name)
            hermitian = is_hermitian(matrix)
            eigenvalues = self._nearest(matrix)
        else:
            eigenvalues = self._of_columns(columns)
            scale = np.asarray(A.scale)
            if not np.all(scale > 0.0):
                raise InputError(
                    "circulant divides by the factor in front of the Toeplitz matrix: expected it positive."
                )
            eigenvalues = eigenvalues + float(np.mean(A.shift / scale))
            self._divisor = scale
        if hermitian:
            eigenvalues = np.abs(eigenvalues.real)
        size = np.abs(eigenvalues)
        if not size.max() > 0.0:
            raise InputError(
                "circulant: the means of A along its diagonals are zero: use jacobi, or no preconditioner."
            )
        small = size < _FLOOR * size.max()
        self._inverse = 1.0 / np.where(small, _FLOOR * size.max(), eigenvalues)
        scaled = self._divisor is not None and np.ptp(self._divisor) > 0.0
        self.kind = "spd" if hermitian and not scaled else "linear"

    def _of_columns(self, columns: tuple[np.ndarray, ...]) -> np.ndarray:
        total: np.ndarray = np.zeros(())
        for t in columns:
            n = t.size
            m = np.arange(n)
            wrapped = ((n - m) * t + m * t[-m]) / n
            total = total[..., None] + scipy.fft.fft(wrapped).real
        return total

    def _nearest(self, matrix: Any) -> np.ndarray:
        """The eigenvalues of C: the Fourier transform of its first column."""
        entries = matrix.tocoo()
        rows = np.unravel_index(entries.row, self.grid)
        others = np.unravel_index(entries.col, self.grid)
        first = np.zeros(self.grid, dtype=entries.data.dtype)
        place = tuple((i - j) % m for i, j, m in zip(rows, others, self.grid, strict=True))
        np.add.at(first, place, entries.data)
        return scipy.fft.fftn(first / self.shape[0])

    def _apply(self, r: np.ndarray) -> np.ndarray:
        if self._divisor is not None:
            r = r / self._divisor
        z = scipy.fft.ifftn(scipy.fft.fftn(r.reshape(self.grid)) * self._inverse).ravel()
        return z if self.dtype.kind == "c" or r.dtype.kind == "c" else np.ascontiguousarray(z.real)
