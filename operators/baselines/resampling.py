"""Move cell-centred values from one grid to another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def interpolation_matrix(source: int, target: int) -> np.ndarray:
    """Return the matrix (target, source) of linear interpolation between the cell centres of one axis.

    Between the first and the last centre it is second-order accurate; beyond them, within half a cell of the boundary,
    it extrapolates from the two nearest centres. Halving a grid gives the mean of two cells. Rows sum to one.
    """
    if source == 1:
        return np.ones((target, 1))
    position = (np.arange(target) + 0.5) * (source / target) - 0.5
    left = np.clip(np.floor(position).astype(int), 0, source - 2)
    fraction = position - left
    matrix = np.zeros((target, source))
    matrix[np.arange(target), left] = 1.0 - fraction
    matrix[np.arange(target), left + 1] = fraction
    return matrix


def resample(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Return cell-centred `values` (samples, channels, *space) on a grid of `shape`, by linear interpolation."""
    for axis, n in enumerate(shape, start=2):
        if values.shape[axis] != n:
            matrix = interpolation_matrix(values.shape[axis], n)
            values = np.moveaxis(np.tensordot(values, matrix, axes=(axis, 1)), -1, axis)
    return values
