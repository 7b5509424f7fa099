"""Apply symmetric Toeplitz operators on grids by fast Fourier transforms."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import scipy.fft
import scipy.linalg
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from ..errors import InputError

_ENTRIES_LIMIT = 4096


class ToeplitzOperator(LinearOperator):
    """Apply A = diag(shift) + diag(scale) Σ_d I ⊗ T_d ⊗ I, T_d symmetric Toeplitz along axis d of a grid.

    A product embeds each T_d in a circulant matrix of twice its size and costs O(n log n); only the first columns are
    stored. A is symmetric where `scale` is constant.

    Parameters
    ----------
    columns : sequence of array, (n_d,)
        The first column of T_d, one an axis; the unknowns are in C order.
    shift, scale : float or array of n values
        0 and 1 by default.

    Attributes
    ----------
    toeplitz_columns : tuple of ndarray
    shift, scale : ndarray, (n,)
    shape_grid : tuple of int
        (n_1, …, n_d).

    References
    ----------
    Chan and Ng, SIAM Review 38 (1996) 427; Golub and Van Loan, *Matrix Computations*, 4th ed., §4.7.
    """

    def __init__(self, columns: Any, shift: Any = 0.0, scale: Any = 1.0) -> None:
        self.toeplitz_columns = tuple(np.ascontiguousarray(column, dtype=np.float64) for column in columns)
        if not self.toeplitz_columns or any(c.ndim != 1 or c.size == 0 for c in self.toeplitz_columns):
            raise InputError("ToeplitzOperator expects a first column for each axis, one-dimensional and not empty.")
        self.shape_grid = tuple(column.size for column in self.toeplitz_columns)
        n = int(np.prod(self.shape_grid))
        self.shift, self.scale = (np.broadcast_to(np.asarray(v, dtype=np.float64).ravel(), n) for v in (shift, scale))
        for name, values in (("columns", np.concatenate(self.toeplitz_columns)), ("shift", shift), ("scale", scale)):
            if not np.isfinite(values).all():
                raise InputError(f"ToeplitzOperator: {name} hold values that are not finite.")
        super().__init__(np.float64, (n, n))
        self._spectra = []
        for column in self.toeplitz_columns:
            length = scipy.fft.next_fast_len(2 * column.size - 1, real=True)
            kernel = np.zeros(length)
            kernel[: column.size] = column
            kernel[length - column.size + 1 :] = column[:0:-1]
            self._spectra.append((length, scipy.fft.rfft(kernel).real))

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        x = x.ravel()
        if np.iscomplexobj(x):
            return self._matvec(x.real) + 1j * self._matvec(x.imag)
        values = x.reshape(self.shape_grid)
        total = np.zeros(self.shape_grid)
        for axis, (length, spectrum) in enumerate(self._spectra):
            on_axis = [1] * values.ndim
            on_axis[axis] = -1
            transformed = scipy.fft.rfft(values, length, axis=axis) * spectrum.reshape(on_axis)
            back = scipy.fft.irfft(transformed, length, axis=axis)
            total += np.take(back, np.arange(values.shape[axis]), axis=axis)
        return self.shift * x + self.scale * total.ravel()

    def _adjoint(self) -> LinearOperator:
        if np.ptp(self.scale) == 0.0:
            return self
        unscaled = ToeplitzOperator(self.toeplitz_columns)
        return LinearOperator(
            self.shape, matvec=lambda x: self.shift * x.ravel() + unscaled @ (self.scale * x.ravel()), dtype=self.dtype
        )

    def __repr__(self) -> str:
        return f"ToeplitzOperator(grid {'x'.join(map(str, self.shape_grid))})"

    def diagonal(self) -> np.ndarray:
        """Return the diagonal, (n,)."""
        return self.shift + self.scale * sum(float(column[0]) for column in self.toeplitz_columns)

    def toarray(self) -> np.ndarray:
        """Return all entries, (n, n)."""
        parts = [scipy.linalg.toeplitz(column) for column in self.toeplitz_columns]
        total = np.zeros(self.shape)
        for axis, part in enumerate(parts):
            factors = [part if d == axis else np.eye(n) for d, n in enumerate(self.shape_grid)]
            total += reduce(np.kron, factors)
        return np.diag(self.shift) + self.scale[:, None] * total

    def tocsr(self) -> sp.csr_array:
        """Return all entries in CSR form, for methods that need them.

        Raises
        ------
        InputError
            If A has more than 4096 rows.
        """
        if self.shape[0] > _ENTRIES_LIMIT:
            raise InputError(
                f"A is a dense Toeplitz matrix of {self.shape[0]} rows, whose entries are only formed up to "
                f"{_ENTRIES_LIMIT}: use cg or gmres alone, or with tau or circulant."
            )
        return sp.csr_array(self.toarray())
