"""Advance a semi-linear evolution on a periodic box once more, for certificates: plain NumPy, formulas of its own.

It shares nothing with the time steppers that make the data: full complex transforms, masks instead of truncation,
nonlinear terms as products with derivatives taken one by one, coefficients from φ functions instead of contours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Symbol = Callable[..., np.ndarray]
Tendency = Callable[[np.ndarray, tuple[np.ndarray, ...]], np.ndarray]


class SpectralReplay:
    """Advance u_t = L u + N(u) by the scheme of the stored trajectory.

    Parameters
    ----------
    shape, lengths
        Points and extents along each axis.
    factors : int
        Factors of the products in N: modes above (n − 1) // (factors + 1) are masked.
    symbol : callable
        L as a function of the wave numbers along each axis.
    tendency : callable
        N at the points, from the transform of u (np.fft.fftn) and the wave numbers.
    scheme : {'etdrk4', 'cn_heun', 'cn_euler'}
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        lengths: tuple[float, ...],
        factors: int,
        symbol: Symbol,
        tendency: Tendency,
        scheme: str,
    ) -> None:
        self.scheme, self.tendency = scheme, tendency
        integers = np.meshgrid(*[np.fft.fftfreq(n, 1.0 / n) for n in shape], indexing="ij")
        self.waves = tuple(2.0 * np.pi * k / ell for k, ell in zip(integers, lengths, strict=True))
        self.mask = np.ones(shape, dtype=bool)
        for k, n in zip(integers, shape, strict=True):
            self.mask &= np.abs(k) <= (n - 1) // (factors + 1)
        self.symbol = symbol(*self.waves) * self.mask

    def advance(self, u: np.ndarray, dt: float, steps: int) -> np.ndarray:
        """Return the field after `steps` steps of length `dt`."""
        step = {"etdrk4": self._exponential, "cn_heun": self._heun, "cn_euler": self._euler}[self.scheme](dt)
        spectrum = np.fft.fftn(u) * self.mask
        for _ in range(steps):
            spectrum = step(spectrum)
        return np.fft.ifftn(spectrum).real

    def _N(self, spectrum: np.ndarray) -> np.ndarray:
        return np.fft.fftn(self.tendency(spectrum, self.waves)) * self.mask

    def _exponential(self, dt: float) -> Callable[[np.ndarray], np.ndarray]:
        z = dt * self.symbol
        whole, half = np.exp(z), np.exp(0.5 * z)
        inner = 0.5 * dt * _phi(0.5 * z)[0]
        one, two, three = _phi(z)
        first, middle, last = one - 3 * two + 4 * three, 2 * two - 4 * three, 4 * three - two

        def step(u: np.ndarray) -> np.ndarray:
            at_start = self._N(u)
            a = half * u + inner * at_start
            at_a = self._N(a)
            at_b = self._N(half * u + inner * at_a)
            at_c = self._N(half * a + inner * (2.0 * at_b - at_start))
            return whole * u + dt * (first * at_start + middle * (at_a + at_b) + last * at_c)

        return step

    def _euler(self, dt: float) -> Callable[[np.ndarray], np.ndarray]:
        plus, minus = 1.0 + 0.5 * dt * self.symbol, 1.0 - 0.5 * dt * self.symbol
        return lambda u: (plus * u + dt * self._N(u)) / minus

    def _heun(self, dt: float) -> Callable[[np.ndarray], np.ndarray]:
        plus, minus = 1.0 + 0.5 * dt * self.symbol, 1.0 - 0.5 * dt * self.symbol

        def step(u: np.ndarray) -> np.ndarray:
            before = self._N(u)
            after = self._N((plus * u + dt * before) / minus)
            return (plus * u + 0.5 * dt * (before + after)) / minus

        return step


def steepening(spectrum: np.ndarray, waves: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return −u ∂u/∂x in one dimension, at the points: the tendency of Burgers' equation."""
    return -np.fft.ifft(spectrum).real * np.fft.ifft(1j * waves[0] * spectrum).real


def _phi(z: np.ndarray) -> tuple[Any, Any, Any]:
    """Return φ₁, φ₂, φ₃: (e^z − 1)/z, (φ₁ − 1)/z, (φ₂ − ½)/z; below |z| = 1 by their Taylor series."""
    small = np.abs(z) < 1.0
    safe = np.where(small, 1.0, z)
    one = (np.exp(safe) - 1.0) / safe
    two = (one - 1.0) / safe
    three = (two - 0.5) / safe
    inside = np.where(small, z, 0.0)
    out = []
    for k, far in ((1, one), (2, two), (3, three)):
        series = np.zeros_like(inside)
        for j in range(20, -1, -1):  # Horner; 1/(j + k)!
            series = series * inside + 1.0 / np.prod(np.arange(1.0, j + k + 1.0))
        out.append(np.where(small, series, far))
    return out[0], out[1], out[2]
