"""Pose the Allen–Cahn equation: phases separate and coarsen."""

from __future__ import annotations

from typing import Any

import numpy as np

from resolvent.solvers import PolynomialTerm
from resolvent.solvers.arguments import positive_number

from ...certificates.spectral_replay import SpectralReplay
from ...random_fields.gaussian import GaussianRandomField
from ..spectral_evolution import SpectralEvolution, increase


class AllenCahn(SpectralEvolution):
    """The Allen–Cahn equation is ∂u/∂t = ε²Δu + u − u³ on the unit square, periodic boundary, u(0) random.

    **Parameters.** u(0) is a periodic Gaussian random field N(0, σ²(−Δ + τ²)^{−α}), scaled to the standard deviation
    `amplitude`; its mean is zero.

    **Scheme.** Fourier in space with the 1/2 rule, which the cube u³ needs: no aliasing, spectral accuracy. ETDRK4 in
    time, order 4, two real transforms a stage; ε²Δu + u is integrated exactly, and −u³, of rate 3, limits stability to
    Δt of about 1.

    **Values that work.** Interfaces are about 2√2 ε wide and need some eight points: ε = 0.02 at 128². The energy
    ∫ε²|∇u|²/2 + (1 − u²)²/4 falls: ``energy_increase``; max|u| stays below max(1, max|u(0)|): ``range_excess``.

    Parameters
    ----------
    resolution : int or (int, int)
        Points along x and y.
    epsilon, amplitude : float
    final_time, snapshots, substeps, tolerance, max_substeps, audit
        As in :class:`~resolvent.data.SpectralEvolution`.
    alpha, tau, modes
        Passed to :class:`~resolvent.data.GaussianRandomField`.

    Fields: ``initial`` (input), ``solution`` (output, in time), ``steps`` (auxiliary).

    References
    ----------
    Allen and Cahn, Acta Metallurgica 27 (1979) 1085.
    """

    name = "allen_cahn"

    def __init__(
        self,
        resolution: Any = 128,
        epsilon: float = 0.02,
        amplitude: float = 0.5,
        final_time: float = 10.0,
        snapshots: int = 20,
        substeps: int = 4,
        tolerance: float | None = 1e-5,
        max_substeps: int = 4096,
        audit: float = 0.25,
        alpha: float = 3.0,
        tau: float = 10.0,
        modes: int = 24,
    ) -> None:
        super().__init__(
            resolution, (1.0, 1.0), 3, "etdrk4", final_time, snapshots, substeps, tolerance, max_substeps, audit
        )
        self.epsilon = positive_number(epsilon, "epsilon")
        self.amplitude = positive_number(amplitude, "amplitude")
        self.random_state = field = GaussianRandomField("periodic", 2, alpha, tau, None, modes)
        self.alpha, self.tau, self.modes = field.alpha, field.tau, field.modes

    def scalars(self) -> dict[str, float]:
        return {"epsilon": self.epsilon}

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"initial": self.amplitude / np.sqrt(self.random_state.mean_variance) * super().sample(rng)["initial"]}

    def equation(self) -> tuple[np.ndarray, Any]:
        return self.epsilon**2 * self.grid.laplacian() + 1.0, PolynomialTerm(self.grid, cube=-1.0)

    def replay(self) -> SpectralReplay:
        def cube(spectrum: np.ndarray, waves: tuple[np.ndarray, ...]) -> np.ndarray:
            return -(np.fft.ifft2(spectrum).real ** 3)

        return SpectralReplay(
            self.shape, (1.0, 1.0), 3, lambda kx, ky: 1.0 - self.epsilon**2 * (kx**2 + ky**2), cube, self.scheme
        )

    def invariants(self, states: np.ndarray) -> dict[str, float]:
        energies = []
        waves = [2.0 * np.pi * np.fft.fftfreq(n, 1.0 / n) for n in self.shape]
        squared = waves[0][:, None] ** 2 + waves[1] ** 2
        for u in states:
            spectrum = np.fft.fft2(u) / u.size
            gradient = float((squared * np.abs(spectrum) ** 2).sum())
            energies.append(0.5 * self.epsilon**2 * gradient + 0.25 * float(((1.0 - u**2) ** 2).mean()))
        excess = float(np.abs(states).max() - max(1.0, float(np.abs(states[0]).max())))
        return {"energy_increase": increase(np.array(energies)), "range_excess": max(0.0, excess)}
