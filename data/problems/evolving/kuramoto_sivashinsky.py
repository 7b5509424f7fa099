"""Pose the Kuramoto–Sivashinsky equation: chaos in one dimension."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from resolvent.solvers import InputError, PolynomialTerm
from resolvent.solvers.arguments import positive_number

from ...certificates.spectral_replay import SpectralReplay, steepening
from ...random_fields.gaussian import GaussianRandomField
from ..spectral_evolution import SpectralEvolution


class KuramotoSivashinsky(SpectralEvolution):
    """The Kuramoto–Sivashinsky equation is ∂u/∂t + ∂(u²/2)/∂x + ∂²u/∂x² + ∂⁴u/∂x⁴ = 0, u(0) random.

    It lives on the unit interval stretched to `length`, with a periodic boundary.

    **Parameters.** u(0) is a periodic Gaussian random field N(0, σ²(−Δ + τ²)^{−α}) of few modes on the unit interval,
    read at x/ℓ, divided by its standard deviation √Σλ; its mean is zero.

    **Scheme.** Fourier in space with the 2/3 rule, spectral accuracy; ETDRK4 in time, order 4, two real transforms a
    stage. The fourth derivative, which limits the stability of explicit methods to Δt of about Δx⁴, is integrated
    exactly; its stiff modes hold the order between 3 and 4 until Δt is about 0.02 (measured).

    **Values that work.** ℓ = 64 with 128 points (two points a unit length resolve the active modes, wave numbers below
    about 1) and Δt of 0.1 to 0.25. Small differences grow tenfold in about 25 time units: an error estimate of 1e-5 at
    t = 50 is easy, at t = 300 out of reach in float64. The mean of u is conserved: ``balance_drift``.

    Parameters
    ----------
    resolution : int
        Points.
    length : float
        ℓ.
    final_time, snapshots, substeps, tolerance, max_substeps, audit
        As in :class:`~resolvent.data.SpectralEvolution`.
    alpha, tau, modes
        Passed to :class:`~resolvent.data.GaussianRandomField`.

    Fields: ``initial`` (input), ``solution`` (output, in time), ``steps`` (auxiliary).

    Raises
    ------
    InputError
        If none of the modes on the grid is damped: solutions would grow without bound.

    References
    ----------
    Kuramoto and Tsuzuki, Prog. Theor. Phys. 55 (1976) 356; Sivashinsky, Acta Astronautica 4 (1977) 1177.
    Kassam and Trefethen, SIAM J. Sci. Comput. 26 (2005) 1214 (the scheme on this equation).
    """

    name = "kuramoto_sivashinsky"

    def __init__(
        self,
        resolution: Any = 128,
        length: float = 64.0,
        final_time: float = 50.0,
        snapshots: int = 50,
        substeps: int = 8,
        tolerance: float | None = 1e-5,
        max_substeps: int = 4096,
        audit: float = 0.25,
        alpha: float = 2.0,
        tau: float = 20.0,
        modes: int = 8,
    ) -> None:
        self.length = positive_number(length, "length")
        super().__init__(
            resolution, (self.length,), 2, "etdrk4", final_time, snapshots, substeps, tolerance, max_substeps, audit
        )
        highest = 2.0 * np.pi * self.grid.cutoff[0] / self.length
        if highest <= 1.0:
            raise InputError(
                f"resolution={self.shape[0]} with length={self.length:g} keeps wave numbers up to {highest:.2g}, "
                f"which all grow (those above 1 are damped): take resolution={math.ceil(2.0 * self.length)}, two "
                "points a unit length"
            )
        self.random_state = field = GaussianRandomField("periodic", 1, alpha, tau, None, modes)
        self.alpha, self.tau, self.modes = field.alpha, field.tau, field.modes

    def scalars(self) -> dict[str, float]:
        return {"length": self.length}

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        z = self.random_state.evaluate(self.random_state.sample(rng), self.axes[0] / self.length)
        return {"initial": z / np.sqrt(self.random_state.mean_variance)}

    def equation(self) -> tuple[np.ndarray, Any]:
        laplacian = self.grid.laplacian()
        return -laplacian - laplacian**2, PolynomialTerm(self.grid, square=-0.5, derivative=0)

    def replay(self) -> SpectralReplay:
        return SpectralReplay(self.shape, (self.length,), 2, lambda k: k**2 * (1.0 - k**2), steepening, self.scheme)
