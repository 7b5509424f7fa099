"""Draw random velocity fields without divergence, as continuous functions on the unit box."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..settings import HasSettings
from .gaussian import GaussianRandomField


class SolenoidalField(HasSettings):
    """Draw w = curl ψ of Gaussian random fields: ∇·w = 0 at every point, and |w|² has mean 1 over draws and box.

    On the square ψ is one stream function and w = (∂ψ/∂y, −∂ψ/∂x); in the cube ψ is a vector of three independent
    potentials. Each potential is a field N(0, σ²(−Δ + τ²)^{−α}) of the given boundary condition: with ``dirichlet`` no
    fluid crosses the sides of the square, with ``neumann`` it flows in and out, with ``periodic`` it repeats. (In the
    cube ``dirichlet`` potentials vanish on all sides too, and with them the velocity across these.)

    Parameters
    ----------
    ndim : {2, 3}
    boundary, alpha, tau, modes
        Passed to :class:`~resolvent.data.GaussianRandomField`; α > 1 + d/2, so that w has finite variance.
    """

    def __init__(self, ndim: int, boundary: str, alpha: float, tau: float, modes: int) -> None:
        self.potential = field = GaussianRandomField(boundary, ndim, alpha, tau, None, modes)
        self.ndim, self.boundary = field.ndim, field.boundary
        self.alpha, self.tau, self.modes = field.alpha, field.tau, field.modes
        # On average |∇ψ|² is Σ λ_k μ_k; a curl of three independent potentials takes two derivatives of each.
        gradient = float((self.potential.eigenvalues * self.potential.laplacian_eigenvalues).sum())
        self._scale = 1.0 / np.sqrt(gradient if ndim == 2 else 2.0 * gradient)

    def sample(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Draw the coefficients of the potentials: one on the square, three in the cube."""
        return [self.potential.sample(rng) for _ in range(1 if self.ndim == 2 else 3)]

    def evaluate(self, coefficients: list[np.ndarray], *points: np.ndarray) -> list[np.ndarray]:
        """Return the components of w on the tensor grid of `points`, one array an axis."""

        def slope(number: int, axis: int) -> Any:
            return self._scale * self.potential.derivative(coefficients[number], axis, *points)

        if self.ndim == 2:
            return [slope(0, 1), -slope(0, 0)]
        return [slope((d + 2) % 3, (d + 1) % 3) - slope((d + 1) % 3, (d + 2) % 3) for d in range(3)]
