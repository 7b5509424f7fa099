"""Share what the preconditioners that a fast transform diagonalises have in common."""

from __future__ import annotations

import operator
from abc import abstractmethod
from typing import Any

import numpy as np

from ..errors import InputError
from ..operands import as_csr
from ..preconditioner import Preconditioner

_FLOOR = 1e-14


class DiagonalisedByTransform(Preconditioner):
    """Apply M = D⁻¹ F⁻¹ Λ⁻¹ F with a fast transform F along each axis of a grid.

    For a :class:`~resolvent.solvers.ToeplitzOperator` diag(s) + diag(w) T, Λ holds the eigenvalues of an approximation
    of T, from its first columns alone, plus the mean of s/w, and D = diag(w). For any other matrix F⁻¹ Λ F is the
    matrix of this form nearest to it in the Frobenius norm, and D = I. Real eigenvalues enter by their absolute values.

    A member writes `_of_columns`, `_nearest` and `_divide`.

    Settings
    --------
    shape : tuple of int, optional
        Points per axis, C order; `A.shape_grid` by default, or one axis where A has none.
    """

    def __init__(self, shape: tuple[int, ...] | None = None) -> None:
        try:
            self._shape = None if shape is None else tuple(operator.index(m) for m in shape)
        except TypeError as error:
            raise InputError(f"{self.name}: shape is {shape!r}; expected integers such as (64, 64).") from error

    @abstractmethod
    def _of_columns(self, columns: tuple[np.ndarray, ...]) -> np.ndarray:
        """Return the eigenvalues that approximate those of a Toeplitz matrix, from the first columns of its axes."""

    @abstractmethod
    def _nearest(self, matrix: Any) -> np.ndarray:
        """Return the eigenvalues of the nearest matrix, real if that is Hermitian."""

    @abstractmethod
    def _divide(self, v: np.ndarray) -> np.ndarray:
        """Return F⁻¹ Λ⁻¹ F v on the grid."""

    def _build(self, A: Any, again: bool) -> None:
        n = self.shape[0]
        self.grid = self._shape or tuple(getattr(A, "shape_grid", (n,)))
        if any(m < 1 for m in self.grid) or int(np.prod(self.grid)) != n:
            raise InputError(f"{self.name}: shape {self.grid} does not hold the {n} unknowns of A.")
        self._divisor: np.ndarray | None = None
        columns = getattr(A, "toeplitz_columns", None)
        if columns is None:
            eigenvalues = self._nearest(as_csr(A, self.name))
        else:
            scale = np.asarray(A.scale)
            if not np.all(scale > 0.0):
                raise InputError(
                    f"{self.name} divides by the factor in front of the Toeplitz matrix: expected it positive."
                )
            eigenvalues = self._of_columns(columns) + float(np.mean(A.shift / scale))
            self._divisor = scale
        size = np.abs(eigenvalues)
        if not size.max() > 0.0:
            raise InputError(f"{self.name}: A is zero in the basis of the transform: use jacobi, or no preconditioner.")
        real = np.isrealobj(eigenvalues)
        floor = _FLOOR * size.max()
        self._inverse = 1.0 / np.where(size < floor, floor, size if real else eigenvalues)
        scaled = self._divisor is not None and np.ptp(self._divisor) > 0.0
        self.kind = "spd" if real and not scaled else "linear"

    def _describe(self) -> dict[str, Any]:
        return {"grid": "x".join(map(str, self.grid))}

    def _apply(self, r: np.ndarray) -> np.ndarray:
        if self._divisor is not None:
            r = r / self._divisor
        return self._divide(r.reshape(self.grid)).reshape(-1)
