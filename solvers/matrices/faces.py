"""Transmissibilities of the faces between cells: harmonic means of the coefficient."""

from __future__ import annotations

import numpy as np

from .box import Box


def faces(coefficient: np.ndarray, box: Box) -> tuple[np.ndarray, ...]:
    """Return the transmissibilities of the faces across each axis of a box, any dimension, in float64.

    One array per axis, with one entry more along its own axis than the grid: 2 a₁a₂/(a₁ + a₂)/h² between cells and
    around a periodic axis, 2a/h² at walls, 0 at insulated sides.
    """
    result = []
    for axis, spacing in enumerate(box.spacings):
        a = np.moveaxis(coefficient, axis, 0)
        weight = 2.0 / spacing**2
        face = np.zeros((a.shape[0] + 1, *a.shape[1:]))
        face[1:-1] = weight * a[:-1] * (a[1:] / (a[:-1] + a[1:]))
        if box.periodic[axis]:
            if a.shape[0] > 1:
                face[0] = face[-1] = weight * a[-1] * (a[0] / (a[-1] + a[0]))
        else:
            low, high = box.sides[axis]
            face[0] = weight * a[0] if low == "dirichlet" else 0.0
            face[-1] = weight * a[-1] if high == "dirichlet" else 0.0
        result.append(np.moveaxis(face, 0, axis))
    return tuple(result)
