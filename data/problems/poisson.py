"""Poisson's equation with a random source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from resolvent.solvers import DiffusionStencil

from ..fields import GaussianRandomField
from ..problem import Field, LinearSystem, Problem
from .diffusion import diffusion_residual, diffusion_rounding

__all__ = ["Poisson"]


class Poisson(Problem):
    """Poisson's equation −Δu = f on the unit square with u = 0 on its boundary.

    **Parameters.** The source is a Gaussian random field, f ~ N(0, σ²(−Δ + τ²)^{−α}), with the Laplacian's boundary
    condition `boundary`. For ``neumann`` and ``periodic`` the source has mean zero over the square.

    **Scheme.** Cell-centred finite volumes on n × n cells: five points inside, half cells at the walls, f by its value
    at the cell centre. Second order in the discrete L² and maximum norms for a smooth solution. The matrix is symmetric
    positive definite with condition number ≈ 4n²/π²; there is no stability limit. The fast Poisson preconditioner
    inverts it up to float32 rounding, so CG takes two or three iterations.

    **Values that work.** The defaults give a source that varies over the whole square, of standard deviation ≈ 0.3;
    raise `alpha` for smoother and `tau` for finer sources; scale with `sigma`.

    Parameters
    ----------
    resolution : int or (int, int)
        Cells along x and y.
    alpha, tau, sigma, boundary, modes
        Of :class:`~resolvent.data.GaussianRandomField`.

    Fields: ``source`` (input), ``solution`` (output).

    References
    ----------
    LeVeque, Finite Difference Methods for Ordinary and Partial Differential Equations, SIAM 2007, ch. 3.
    """

    name = "poisson"

    def __init__(
        self,
        resolution: Any = 64,
        alpha: float = 2.0,
        tau: float = 3.0,
        sigma: float | None = None,
        boundary: str = "neumann",
        modes: int = 128,
    ) -> None:
        super().__init__(resolution)
        self.source_field = GaussianRandomField(boundary, 2, alpha, tau, sigma, modes)

    def settings(self) -> dict[str, Any]:
        field = self.source_field
        return {
            "resolution": self.shape[0] if len(set(self.shape)) == 1 else list(self.shape),
            "alpha": field.alpha,
            "tau": field.tau,
            "sigma": field.sigma,
            "boundary": field.boundary,
            "modes": field.modes,
        }

    def scalars(self) -> dict[str, float]:
        return {"alpha": self.source_field.alpha, "tau": self.source_field.tau, "sigma": self.source_field.sigma}

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"source": self.source_field.evaluate(self.source_field.sample(rng), *self.axes)}

    def system(self, parameters: Mapping[str, Any]) -> LinearSystem:
        source = np.ascontiguousarray(parameters["source"], dtype=np.float64)
        return LinearSystem(DiffusionStencil(np.ones(self.shape)), source.ravel(), self.shape)

    def fields(self, parameters: Mapping[str, Any], solution: np.ndarray) -> dict[str, Field]:
        return {
            "source": Field(np.asarray(parameters["source"]), "1", "source term f at the cell centres", "input"),
            "solution": Field(
                np.asarray(solution).reshape(self.shape), "1", "solution u at the cell centres", "output"
            ),
        }

    def residual(self, fields: Mapping[str, np.ndarray]) -> float:
        return diffusion_residual(np.ones(self.shape), fields["solution"], fields["source"])

    def rounding(self, fields: Mapping[str, np.ndarray], dtype: Any) -> float:
        return diffusion_rounding(np.ones(self.shape), fields["solution"], fields["source"], dtype)
