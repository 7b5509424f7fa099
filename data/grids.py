"""Make the points of uniform grids on the unit interval.

Fields are indexed ``[i, j, k]`` ↔ ``(x_i, y_j, z_k)``, and shapes, lengths and boundaries stand in the order of the
array's axes: axis 0 first, here x (`solvers/matrices/box.py` says what the solvers call it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from resolvent.solvers import InputError
from resolvent.solvers.arguments import integer, positive_integer

AXES = ("x", "y", "z")
"""Names of the axes of a field, in the order in which they are stored."""


def cell_centres(n: int) -> np.ndarray:
    """Return the centres x_i = (i + ½)/n of n equal cells of (0, 1), float64, shape (n,)."""
    n = positive_integer(n, "number of cells")
    return (np.arange(n) + 0.5) / n


def nodes(n: int) -> np.ndarray:
    """Return n equally spaced points from 0 to 1, both included, x_i = i/(n−1), float64, shape (n,)."""
    n = positive_integer(n, "number of nodes")
    return np.linspace(0.0, 1.0, n) if n > 1 else np.zeros(1)


def grid_shape(resolution: Any, ndim: int, least: int = 2) -> tuple[int, ...]:
    """Return the cells per axis for one integer (the same on every axis) or `ndim` of them.

    Raises
    ------
    InputError
        For another number of axes, or fewer than `least` cells on one.
    """
    if isinstance(resolution, str) or not isinstance(resolution, Sequence):
        values: list[Any] = [resolution] * ndim
    else:
        values = list(resolution)
    if len(values) != ndim:
        raise InputError(f"resolution {resolution!r} has {len(values)} axes: expected one integer or {ndim} of them")
    return tuple(integer(value, "resolution", least) for value in values)


def plain_resolution(shape: tuple[int, ...]) -> int | list[int]:
    """Return the shortest setting that :func:`grid_shape` reads back: one integer if all axes have as many cells."""
    return shape[0] if len(set(shape)) == 1 else list(shape)


def space_dimension(value: Any) -> int:
    """Return a `dimension` setting, 2 or 3, or raise InputError."""
    number = integer(value, "dimension", 1)
    if number not in (2, 3):
        raise InputError(f"dimension is {number}: expected 2 (the square) or 3 (the cube)")
    return number
