"""Apply linear interpolation and its transpose between three-dimensional levels, by planes, without stored weights.

Along each axis that is coarsened, even cells are coarse points and odd ones lie halfway between two of them. The last
cell of an even axis has a coarse point on one side only; its weight is that of linear interpolation towards the wall,
one at an insulated side. The transfers are products of three such one-dimensional ones.
"""

from __future__ import annotations

import numpy as np


def end_weights(sizes: list[tuple[int, ...]], periodic: tuple[bool, ...], walls: tuple[bool, ...]) -> np.ndarray:
    """Return, for each level but the coarsest and each axis, the weight of the last coarse point at the cell behind it.

    The distance between the last cell and a wall on the upper side is half a cell on the finest level; it grows where
    the last point of an even axis is left out.
    """
    weights = np.full((len(sizes), 3), 0.5, dtype=np.float32)
    for axis in range(3):
        distance = 0.5
        for level in range(len(sizes) - 1):
            fine, coarse = sizes[level][axis], sizes[level + 1][axis]
            if not periodic[axis]:
                weights[level, axis] = distance / (1.0 + distance) if walls[2 * axis + 1] else 1.0
            if coarse < fine:
                distance = 0.5 * (distance + 1.0) if fine % 2 == 0 else 0.5 * distance
    return weights
