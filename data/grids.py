"""Points of uniform grids on the unit interval.

Arrays are indexed ``[i, j, k]`` ↔ ``(x_i, y_j, z_k)``: axis 0 is x.
"""

from __future__ import annotations

import numpy as np

from .arguments import positive_integer

__all__ = ["AXES", "cell_centres", "nodes"]

AXES = ("x", "y", "z")
"""Names of the axes of a field, in the order in which they are stored."""


def cell_centres(n: int) -> np.ndarray:
    """Centres x_i = (i + ½)/n of n equal cells of (0, 1), float64, shape (n,)."""
    n = positive_integer(n, "number of cells")
    return (np.arange(n) + 0.5) / n


def nodes(n: int) -> np.ndarray:
    """n equally spaced points from 0 to 1, both included, x_i = i/(n−1), float64, shape (n,)."""
    n = positive_integer(n, "number of nodes")
    return np.linspace(0.0, 1.0, n) if n > 1 else np.zeros(1)
