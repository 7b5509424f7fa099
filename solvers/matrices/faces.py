"""Compute transmissibilities of the faces between cells: harmonic means of the coefficient."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from .box import Box


def along_axis(dimension: int, axis: int, which: slice) -> tuple[slice, ...]:
    """Return the index that applies a slice to one axis."""
    return tuple(which if d == axis else slice(None) for d in range(dimension))


def faces(coefficient: np.ndarray, box: Box) -> tuple[np.ndarray, ...]:
    """Return the transmissibilities of the faces across each axis of a box, any dimension, in float64.

    One array per axis, with one entry more along its own axis than the grid: 2 a₁a₂/(a₁ + a₂)/h² between cells and
    around a periodic axis, 2a/h² at walls, 0 at insulated sides.
    """
    result = []
    for axis, spacing in enumerate(box.spacings):
        part = partial(along_axis, coefficient.ndim, axis)
        weight = 2.0 / spacing**2
        cells = coefficient.shape[axis]
        face = np.zeros([n + (d == axis) for d, n in enumerate(coefficient.shape)])
        first, last = part(slice(0, 1)), part(slice(-1, None))
        low, high = coefficient[part(slice(None, -1))], coefficient[part(slice(1, None))]
        face[part(slice(1, -1))] = weight * low * (high / (low + high))
        if box.periodic[axis]:
            if cells > 1:
                low, high = coefficient[last], coefficient[first]
                face[first] = face[last] = weight * low * (high / (low + high))
        else:
            for end, side in zip((first, last), box.sides[axis], strict=True):
                face[end] = weight * coefficient[end] if side == "dirichlet" else 0.0
        result.append(face)
    return tuple(result)


def cell_sums(faces: tuple[np.ndarray, ...], axes: Sequence[int] | None = None) -> np.ndarray:
    """Return Σ T over the faces of each cell: the diagonal of the matrix.

    `axes` is the order of the sums, axis 0 first by default; the last bits depend on it.
    """
    total = np.zeros([n - (axis == 0) for axis, n in enumerate(faces[0].shape)])
    for axis in range(len(faces)) if axes is None else axes:
        for which in (slice(None, -1), slice(1, None)):
            total += faces[axis][along_axis(total.ndim, axis, which)]
    return total
