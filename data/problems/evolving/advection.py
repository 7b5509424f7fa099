"""Pose advection at a constant speed: a translation."""

from __future__ import annotations

from typing import Any

import numpy as np

from resolvent.solvers import NoTerm
from resolvent.solvers.arguments import finite_number

from ...certificates.spectral_replay import SpectralReplay
from ...random_fields.gaussian import GaussianRandomField
from ..spectral_evolution import SpectralEvolution, increase


class Advection(SpectralEvolution):
    """Advection is ∂u/∂t + c ∂u/∂x = 0 on the unit interval, periodic boundary, u(0) random: u(x, t) = u(x − ct, 0).

    **Parameters.** u(0) ~ N(0, σ²(−Δ + τ²)^{−α}), periodic, with mean zero.

    **Scheme.** Fourier in space: every mode but that of Nyquist turns by e^{−2πikct}. ETDRK4, of order 4 in time, is
    exact for a linear equation: any step will do, and there is no limit of stability.

    **Values that work.** All; at even numbers of points the Nyquist mode of u(0) is left out. The mean and ∫u² are
    conserved: ``balance_drift``, ``energy_drift``.

    Parameters
    ----------
    resolution : int
        Points.
    speed : float
        c, of either sign.
    final_time, snapshots, substeps, tolerance, max_substeps, audit
        As in :class:`~resolvent.data.SpectralEvolution`.
    alpha, tau, modes
        Passed to :class:`~resolvent.data.GaussianRandomField`.

    Fields: ``initial`` (input), ``solution`` (output, in time), ``steps`` (auxiliary).

    References
    ----------
    Takamoto et al., PDEBench, NeurIPS Datasets and Benchmarks 2022, section 4 (the task).
    """

    name = "advection"

    def __init__(
        self,
        resolution: Any = 256,
        speed: float = 1.0,
        final_time: float = 1.0,
        snapshots: int = 20,
        substeps: int = 2,
        tolerance: float | None = 1e-9,
        max_substeps: int = 2,
        audit: float = 0.25,
        alpha: float = 2.0,
        tau: float = 5.0,
        modes: int = 32,
    ) -> None:
        super().__init__(
            resolution, (1.0,), 1, "etdrk4", final_time, snapshots, substeps, tolerance, max_substeps, audit
        )
        self.speed = finite_number(speed, "speed")
        self.random_state = field = GaussianRandomField("periodic", 1, alpha, tau, None, modes)
        self.alpha, self.tau, self.modes = field.alpha, field.tau, field.modes

    def scalars(self) -> dict[str, float]:
        return {"speed": self.speed}

    def equation(self) -> tuple[np.ndarray, Any]:
        return -1j * self.speed * self.grid.wave_numbers()[0], NoTerm(self.grid)

    def replay(self) -> SpectralReplay:
        def nothing(spectrum: np.ndarray, waves: tuple[np.ndarray, ...]) -> np.ndarray:
            return np.zeros(self.shape)

        return SpectralReplay(self.shape, (1.0,), 1, lambda k: -1j * self.speed * k, nothing, self.scheme)

    def invariants(self, states: np.ndarray) -> dict[str, float]:
        energy = (states[1:] ** 2).mean(axis=1)  # the first state may hold the Nyquist mode
        drift = max(increase(energy), increase(energy[::-1])) if len(energy) > 1 else 0.0
        return super().invariants(states) | {"energy_drift": drift}
