"""Make sources concentrated at a point of the unit box."""

from __future__ import annotations

import math

import numpy as np


def gaussian_source(centre: np.ndarray, width: float, *axes: np.ndarray) -> np.ndarray:
    """Return exp(−|x − c|²/2r²)/(2πr²)^{d/2} on the tensor grid of `axes`: unit strength, r = `width`."""
    grids = np.meshgrid(*axes, indexing="ij", sparse=True)
    squared = sum((x - c) ** 2 for x, c in zip(grids, centre, strict=True))
    return np.exp(squared * (-0.5 / width**2)) / (math.sqrt(2.0 * math.pi) * width) ** len(axes)


def point_source(centre: np.ndarray, *axes: np.ndarray) -> np.ndarray:
    """Return unit strength, shared linearly between the 2^d cell centres around c, over a cell's volume: δ(x − c).

    c lies at least half a cell from the sides.
    """
    values = np.ones(())
    for c, points in zip(centre, axes, strict=True):
        n = points.size
        weights = np.maximum(0.0, 1.0 - n * np.abs(points - c))  # the hat function of one cell's width
        values = values[..., None] * (n * weights)
    return values
