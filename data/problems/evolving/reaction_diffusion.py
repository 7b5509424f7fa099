"""Pose reaction and diffusion: fronts of a logistic population."""

from __future__ import annotations

from typing import Any

import numpy as np

from resolvent.solvers import PolynomialTerm
from resolvent.solvers.arguments import positive_number

from ...certificates.spectral_replay import SpectralReplay
from ...random_fields.gaussian import PeriodicKernelField
from ..spectral_evolution import SpectralEvolution

_NORMALISED_ON = 64  # points on which the minimum and the maximum of a draw are taken, at every resolution


class ReactionDiffusion(SpectralEvolution):
    """Fisher's equation is ∂u/∂t = ν ∂²u/∂x² + ρ u(1 − u) on the unit interval, periodic boundary, u(0) random.

    **Parameters.** u(0) is drawn as in the NSM data: a Gaussian field of covariance exp(−sin²(πΔ)/(2l²)), l = 0.2, on
    64 points, then scaled so that its smallest value there is 0 and its largest 1. ρ = 5, ν ∈ {0.005, 0.01, 0.05,
    0.1}.

    **Scheme.** Fourier in space with the 2/3 rule, spectral accuracy; ETDRK4 in time, order 4, two real transforms a
    stage; νu_xx + ρu is integrated exactly, and −ρu², of rate 2ρ, limits stability to Δt of about 0.25. The published
    reference is Lie splitting, of order 1 in time.

    **Values that work.** 128 points and steps of 1/128 for all four ν. u stays in [0, 1], except where u(0) exceeds it
    between the 64 points: ``range_excess``.

    Parameters
    ----------
    resolution : int
        Points.
    nu, rho : float
    kernel_length : float
        l.
    final_time, snapshots, substeps, tolerance, max_substeps, audit
        As in :class:`~resolvent.data.SpectralEvolution`.
    modes : int
        Frequencies of the random field.

    Fields: ``initial`` (input), ``solution`` (output, in time), ``steps`` (auxiliary).

    References
    ----------
    Du, Chalapathi and Krishnapriyan, Neural Spectral Methods, ICLR 2024, section 5.2.
    Fisher, Annals of Eugenics 7 (1937) 355.
    """

    name = "reaction_diffusion"

    def __init__(
        self,
        resolution: Any = 256,
        nu: float = 0.005,
        rho: float = 5.0,
        kernel_length: float = 0.2,
        final_time: float = 1.0,
        snapshots: int = 64,
        substeps: int = 2,
        tolerance: float | None = 1e-7,
        max_substeps: int = 4096,
        audit: float = 0.25,
        modes: int = 32,
    ) -> None:
        super().__init__(
            resolution, (1.0,), 2, "etdrk4", final_time, snapshots, substeps, tolerance, max_substeps, audit
        )
        self.nu, self.rho = positive_number(nu, "nu"), positive_number(rho, "rho")
        self.random_state = PeriodicKernelField(1, kernel_length, modes)
        self.kernel_length, self.modes = self.random_state.length, self.random_state.modes

    def scalars(self) -> dict[str, float]:
        return {"nu": self.nu, "rho": self.rho}

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        drawn = self.random_state.sample(rng)
        there = self.random_state.evaluate(drawn, np.arange(_NORMALISED_ON) / _NORMALISED_ON)
        values = self.random_state.evaluate(drawn, *self.axes)
        return {"initial": (values - there.min()) / np.ptp(there)}

    def equation(self) -> tuple[np.ndarray, Any]:
        return self.nu * self.grid.laplacian() + self.rho, PolynomialTerm(self.grid, square=-self.rho)

    def replay(self) -> SpectralReplay:
        def crowding(spectrum: np.ndarray, waves: tuple[np.ndarray, ...]) -> np.ndarray:
            return -self.rho * np.fft.ifft(spectrum).real ** 2

        return SpectralReplay(self.shape, (1.0,), 2, lambda k: self.rho - self.nu * k**2, crowding, self.scheme)

    def invariants(self, states: np.ndarray) -> dict[str, float]:
        top, bottom = max(1.0, float(states[0].max())), min(0.0, float(states[0].min()))
        return {"range_excess": max(0.0, float(states.max()) - top, bottom - float(states.min()))}
