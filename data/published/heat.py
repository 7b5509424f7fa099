"""Give the sequence of heat conduction systems of the published Learning to Relax experiments."""

from __future__ import annotations

import numpy as np

from resolvent.solvers import InputError

from ..grids import plain_resolution

LEARNING_TO_RELAX_TIMES = (5.0, 50, 100)
"""Final time, stored times and Crank–Nicolson steps between two of them: 5000 steps to t = 5."""


class LearningToRelax:
    """Give κ, f and u(0) of the published sequence, on the (n − 1)² inner nodes i/n, u = 0 on the boundary.

    κ(t) = max(0.1 sin 2πt, −10 sin 2πt), f = 32 b(|x − c(t)|/(1/8)), c = (½ + ¼ cos 16πt, ½ + ¼ sin 16πt),
    u(0) = b(|x − (½, ½)|/(1/4)), b(r) = exp(1 − 1/(1 − r²)) for r < 1, else 0, all as in the published code (the paper
    prints 0.01 sin and twice a cosine). There is no random parameter: all samples are alike.

    Parameters
    ----------
    cells : (int, int)
        n twice, at least 3.

    References
    ----------
    Khodak, Chow, Balcan and Talwalkar, Learning to Relax, ICLR 2024 (arXiv 2310.02246), section 5.
    """

    kappa = 1.0
    wall = 1.0  # u = 0 a whole cell away

    def __init__(self, cells: tuple[int, ...]) -> None:
        if len(set(cells)) > 1 or cells[0] < 3:
            raise InputError(
                f"resolution is {plain_resolution(cells)}: with legacy, expected one integer of at least 3"
            )
        self.axes = tuple(np.arange(1, n) / n for n in cells)

    def modulation(self, t: float) -> float:
        """Return κ(t)."""
        wave = float(np.sin(2.0 * np.pi * t))
        return max(0.1 * wave, -10.0 * wave)

    def initial(self) -> np.ndarray:
        """Return u(0) at the inner nodes."""
        return self._bump((0.5, 0.5), 0.25)

    def source(self, t: float) -> np.ndarray:
        """Return f at time t at the inner nodes."""
        return 32.0 * self._bump((0.5 + np.cos(16.0 * np.pi * t) / 4.0, 0.5 + np.sin(16.0 * np.pi * t) / 4.0), 0.125)

    def _bump(self, centre: tuple[float, float], radius: float) -> np.ndarray:
        """Return exp(1 − 1/(1 − r²)) for r = |x − centre|/radius < 1, else 0."""
        x, y = np.meshgrid(*self.axes, indexing="ij")
        squared = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / radius**2
        inside = squared < 1.0
        return np.where(inside, np.exp(1.0 - 1.0 / (1.0 - np.where(inside, squared, 0.0))), 0.0)
