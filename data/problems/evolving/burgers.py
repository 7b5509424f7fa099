"""Pose Burgers' equation: the smallest model of advection against diffusion."""

from __future__ import annotations

from typing import Any

import numpy as np

from resolvent.solvers import PolynomialTerm
from resolvent.solvers.arguments import positive_number

from ...certificates.spectral_replay import SpectralReplay, steepening
from ...random_fields.gaussian import GaussianRandomField
from ..spectral_evolution import SpectralEvolution, increase


class Burgers(SpectralEvolution):
    """Burgers' equation is ∂u/∂t + ∂(u²/2)/∂x = ν ∂²u/∂x² on the unit interval, periodic boundary, u(0) random.

    **Parameters.** u(0) ~ N(0, σ²(−Δ + τ²)^{−α}), periodic, with mean zero; the defaults (ν = 0.1, α = 2, τ = 5, σ =
    25) are those of the FNO data, whose operator is u(0) ↦ u(1): ``final_time=1, snapshots=1, resolution=8192``.

    **Scheme.** Fourier in space, with the 2/3 rule: exact products, spectral accuracy. ETDRK4 in time, order 4: two
    real transforms a stage. Diffusion is integrated exactly; advection limits stability to about Δt max|u| π (2/3) n
    < 2.8, and the error estimate chooses shorter steps before that.

    **Values that work.** ν = 0.1 at 256 points and more; the layers are about 4ν/max|u| wide and need some ten points.
    The mean of u is conserved: ``balance_drift``.

    Parameters
    ----------
    resolution : int
        Points.
    nu : float
    alpha, tau, sigma, modes
        Passed to :class:`~resolvent.data.GaussianRandomField`.
    final_time, snapshots, substeps, tolerance, max_substeps, audit
        As in :class:`~resolvent.data.SpectralEvolution`.

    Fields: ``initial`` (input), ``solution`` (output, in time), ``steps`` (auxiliary).

    References
    ----------
    Li et al., Fourier Neural Operator for Parametric PDEs, ICLR 2021, section 5.1 and appendix A.3.1.
    Cole, Quart. Appl. Math. 9 (1951) 225; Hopf, Comm. Pure Appl. Math. 3 (1950) 201 (the exact solution).
    """

    name = "burgers"

    def __init__(
        self,
        resolution: Any = 1024,
        nu: float = 0.1,
        final_time: float = 1.0,
        snapshots: int = 1,
        substeps: int = 32,
        tolerance: float | None = 1e-7,
        max_substeps: int = 65536,
        audit: float = 0.25,
        alpha: float = 2.0,
        tau: float = 5.0,
        sigma: float | None = 25.0,
        modes: int = 128,
    ) -> None:
        super().__init__(
            resolution, (1.0,), 2, "etdrk4", final_time, snapshots, substeps, tolerance, max_substeps, audit
        )
        self.nu = positive_number(nu, "nu")
        self.random_state = field = GaussianRandomField("periodic", 1, alpha, tau, sigma, modes)
        self.alpha, self.tau, self.sigma, self.modes = field.alpha, field.tau, field.sigma, field.modes

    def scalars(self) -> dict[str, float]:
        return {"nu": self.nu}

    def equation(self) -> tuple[np.ndarray, Any]:
        return self.nu * self.grid.laplacian(), PolynomialTerm(self.grid, square=-0.5, derivative=0)

    def replay(self) -> SpectralReplay:
        return SpectralReplay(self.shape, (1.0,), 2, lambda k: -self.nu * k**2, steepening, self.scheme)

    def invariants(self, states: np.ndarray) -> dict[str, float]:
        return super().invariants(states) | {"energy_increase": increase((states**2).mean(axis=1))}
