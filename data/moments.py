"""Compute mean and spread of numbers that come sample by sample.

Mean and sum of squared deviations are merged sample by sample, in order, in float64. So they do not depend on sharding,
and do not lose digits if the mean is large.

References
----------
Chan, Golub and LeVeque, Amer. Statist. 37 (1983) 242.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from resolvent.solvers.kernels import Kernel

__all__ = ["Moments", "same_moments", "sample_moments"]

_sample_moments = Kernel("sample_moments", "int f64* f64*")


def sample_moments(values: np.ndarray) -> tuple[float, float, float]:
    """Return mean, sum of squared deviations from it, and number of the values of one sample, in float64."""
    flat = np.ascontiguousarray(values, np.float64).reshape(-1)
    moments = np.empty(2)
    _sample_moments(flat.size, flat, moments)
    mean, spread = moments.tolist()
    return mean, spread, float(flat.size)


def same_moments(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether two moments differ by no more than the order of addition explains."""
    (mean, spread, size), (other_mean, other_spread, other_size) = map(float, one), map(float, other)
    squares = mean * mean * size + spread
    if not math.isfinite(squares):
        return not math.isfinite(other_mean * other_mean * size + other_spread)
    near = abs(mean - other_mean) <= 1e-9 * math.sqrt(squares / size)
    return size == other_size and near and abs(spread - other_spread) <= 1e-9 * squares


class Moments:
    """Accumulate mean and sum of squared deviations of numbers, sample by sample in order."""

    def __init__(self) -> None:
        self.count, self.mean, self.spread = 0, 0.0, 0.0

    def __repr__(self) -> str:
        return f"Moments({self.count} numbers, {', '.join(f'{k} {v:.4g}' for k, v in self.figures().items())})"

    def add(self, values: np.ndarray) -> None:
        """Add samples, values of shape (N, …)."""
        for sample in values:
            self.merge(*sample_moments(sample))

    def merge(self, mean: float, spread: float, size: float) -> None:
        """Add one sample by its moments."""
        shift = mean - self.mean
        self.spread += spread + shift * shift * self.count * size / (self.count + size)
        self.mean += shift * size / (self.count + size)
        self.count += int(size)

    def figures(self) -> dict[str, float]:
        """Return mean, std and rms; 0 if there were no numbers."""
        variance = self.spread / self.count if self.count else 0.0
        return {
            "mean": self.mean,
            "std": float(np.sqrt(variance)),
            "rms": float(np.sqrt(self.mean * self.mean + variance)),
        }
