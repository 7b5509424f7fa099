"""Compute the usual physics-informed loss for Poisson's equation, by second differences on a uniform grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from resolvent.data import SpectralProblem
from resolvent.solvers import Fourier, TensorBasis
from resolvent.solvers.spectral.tensor_basis import apply_along


class DifferenceLoss:
    """Compute the mean square of s + Δ_h u from values on a periodic grid, Δ_h the five-point Laplacian."""

    def __init__(self) -> None:
        self.config = {"loss": "differences"}

    def __call__(self, inputs: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        return (inputs + _periodic_laplacian(outputs)).square().mean()


class SampledDifferenceLoss:
    """Compute the same from series on the unit square, evaluated at the nodes i/n.

    A periodic axis has differences at all n nodes, another axis at the n − 1 inner nodes.
    """

    def __init__(self, problem: SpectralProblem, cells: int) -> None:
        self.periodic = all(axis.periodic for axis in problem.basis.axes)
        nodes = np.arange(cells if self.periodic else cells + 1) / cells
        self._matrices = [
            torch.as_tensor(axis.evaluation_matrix(nodes), dtype=torch.float32) for axis in problem.basis.axes
        ]
        self.cells = cells
        self.config: dict[str, Any] = {"loss": "differences", "nodes": cells}

    def __call__(self, inputs: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        source, u = self._at_nodes(inputs), self._at_nodes(outputs)
        if self.periodic:
            return (source + _periodic_laplacian(u)).square().mean()
        inside = u[..., 1:-1, 1:-1]
        around = u[..., 2:, 1:-1] + u[..., :-2, 1:-1] + u[..., 1:-1, 2:] + u[..., 1:-1, :-2]
        return (source[..., 1:-1, 1:-1] + (around - 4.0 * inside) * float(self.cells**2)).square().mean()

    def _at_nodes(self, coefficients: Tensor) -> Tensor:
        for d, matrix in enumerate(self._matrices):
            coefficients = apply_along(matrix.to(coefficients), coefficients, d - 2)
        return coefficients


def _periodic_laplacian(u: Tensor) -> Tensor:
    neighbours = torch.stack([torch.roll(u, shift, dims=axis) for axis in (-1, -2) for shift in (1, -1)]).sum(dim=0)
    return (neighbours - 4.0 * u) * float(u.shape[-1] ** 2)


def five_point_errors(basis: TensorBasis, sources: np.ndarray, cells: int) -> np.ndarray:
    """Return relative L² errors of the five-point scheme's periodic solutions: the least that its loss can reach.

    A wave of frequency ω is an eigenfunction, with (2n sin(ω/2n))² in place of ω² along each axis.
    """
    omega = np.array([axis.frequencies for axis in basis.axes if isinstance(axis, Fourier)])
    exact, discrete = (
        np.add.outer(first, second) for first, second in (omega**2, (2.0 * cells * np.sin(omega / (2.0 * cells))) ** 2)
    )
    exact[0, 0] = discrete[0, 0] = np.inf
    u, v = sources / exact, sources / discrete
    return np.asarray(np.sqrt(basis.inner(v - u, v - u) / basis.inner(u, u)))
