"""Say how large the domain of a dataset is, and along which axes it is periodic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from resolvent.data.format.field import NODE

from .batches import GridDataset
from .draws import DrawnSamples
from .windows import WindowedDataset


@dataclass(frozen=True)
class Domain:
    """Hold a box's edge lengths and periodic axes, as the H¹ norms take them.

    Attributes
    ----------
    lengths : tuple of float
        For each axis the number of points times their mean distance, so that n/L is what differences are divided by.
    periodic : tuple of bool
    """

    lengths: tuple[float, ...]
    periodic: tuple[bool, ...]


def domain_of(dataset: GridDataset) -> Domain:
    """Return the domain of a dataset; the unit box, not periodic, where the dataset does not say.

    Values at the nodes of a mesh have no axes, and are taken as numbers on the unit interval.
    """
    source: Any = dataset.dataset if isinstance(dataset, WindowedDataset) else dataset
    if isinstance(source, DrawnSamples):
        axes = source.problem.basis.axes
        return Domain(tuple(float(axis.length) for axis in axes), tuple(axis.name == "fourier" for axis in axes))
    ndim = len(dataset.resolution)
    points = getattr(source, "axes", None)
    periodic = tuple(bool(wraps) for wraps in getattr(source, "periodic", (False,) * ndim))
    if points is None or tuple(getattr(source, "axis_names", ())) == NODE:
        return Domain((1.0,) * ndim, periodic)
    return Domain(tuple(_length(np.asarray(axis, dtype=np.float64)) for axis in points), periodic)


def _length(points: np.ndarray) -> float:
    """Return the length of an axis; 1 for a single point and for coordinates that do not tell points apart."""
    if len(points) < 2 or points[0] == points[-1]:
        return 1.0
    # Cell centres of the unit box make 1 up to rounding, whatever their number is.
    return float(f"{abs(points[-1] - points[0]) / (len(points) - 1) * len(points):.12g}")
