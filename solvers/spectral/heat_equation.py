"""Solve the heat equation in space and time at once, by series of polynomials in time and waves in space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import array_api_compat
import numpy as np

from ..errors import InputError
from .bases import Basis, Fourier, on_device_of
from .tensor_basis import TensorBasis


class HeatEquation:
    """Solve ∂u/∂t = κΔu + g on a basis of (t, x, …): polynomials in time, Fourier axes in space; one matrix a wave.

    For a source of n − 1 polynomials in time the solution has n. It satisfies the initial value exactly, and the
    equation at the n − 1 collocation points in time. Where the decay is resolved the error falls faster than any power
    of n; elsewhere the solution stays bounded.

    Parameters
    ----------
    basis : TensorBasis
        The basis of the solution; axis 0 is time.
    diffusivity : float
        κ.

    Raises
    ------
    InputError
        For a basis with other axes.
    """

    def __init__(self, basis: TensorBasis, diffusivity: float) -> None:
        time, *space = basis.axes
        waves = tuple(axis for axis in space if isinstance(axis, Fourier))
        if time.periodic or time.n < 2 or len(waves) < len(space) or not space:
            raise InputError(
                f"the heat equation on {basis}: expected two polynomials or more in time, then Fourier axes"
            )
        self.basis, self.diffusivity = basis, float(diffusivity)
        self.source_basis = TensorBasis(time.resized(time.n - 1), *waves)
        self._matrices = _Responses(time.resized(time.n - 1), waves, self.diffusivity)

    def __repr__(self) -> str:
        return f"HeatEquation({self.basis}, diffusivity={self.diffusivity})"

    def response(self, source: Any) -> Any:
        """Return u with u = 0 at t = 0, from coefficients of g in (t, x, …); those beyond n − 1 in t are cut off."""
        xp, axes = array_api_compat.array_namespace(source), self.basis.ndim
        source = source[(..., slice(0, self.basis.axes[0].n - 1), *(slice(None),) * (axes - 1))]
        batch = source.shape[:-axes]
        flat = xp.permute_dims(xp.reshape(source, (-1, *source.shape[-axes:])), (*range(2, axes + 1), 1, 0))
        flat = xp.reshape(
            xp.reshape(flat, (-1,)), flat.shape
        )  # contiguous: torch multiplies strided matrices one by one
        solved = xp.matmul(on_device_of(self._matrices, "matrices", like=source), flat)
        return xp.reshape(xp.permute_dims(solved, (axes, axes - 1, *range(axes - 1))), (*batch, *self.basis.shape))

    def evolved(self, initial: Any, source: Any = None) -> Any:
        """Return u from its initial value, extended constantly in time, and a source, none by default."""
        right = sum(self.basis.derivative(initial, d, 2) for d in range(1, self.basis.ndim)) * self.diffusivity
        return initial + self.response(right if source is None else right + source)


@dataclass(frozen=True)
class _Responses:
    time: Basis
    waves: tuple[Fourier, ...]
    diffusivity: float

    def matrices(self) -> np.ndarray:
        """Return the response of each wave, shape (n_x, …, n_t + 1, n_t)."""
        points = self.time.points()
        larger = self.time.resized(self.time.n + 1)
        values, slopes = larger.evaluation_matrix(points), larger.evaluation_matrix(points, 1)
        first = larger.evaluation_matrix(np.array([self.time.low]))
        rates: np.ndarray = np.zeros(())
        for axis in self.waves:
            rates = np.add.outer(rates, self.diffusivity * axis.frequencies**2)
        distinct, where = np.unique(rates, return_inverse=True)
        synthesis = self.time.synthesis_matrix()
        inverses = [np.linalg.inv(np.concatenate((first, slopes + k * values)))[:, 1:] @ synthesis for k in distinct]
        return np.stack(inverses)[where.reshape(rates.shape)]
