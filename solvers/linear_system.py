"""Hold a linear system: an operator, a right-hand side, and what is known of its null spaces."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class LinearSystem(NamedTuple):
    """Hold A u = f: the operator, the right-hand side (n,) or several (n, k), and the shape of the grid of unknowns.

    `nullspace`, (n,) or (n, m), spans the null space of a singular operator; None if A is regular. `near_nullspace`,
    (n, m), holds what A nearly annihilates, if that is known (the rigid body modes of elasticity), for smoothed
    aggregation.
    """

    operator: Any
    rhs: np.ndarray
    shape: tuple[int, ...]
    nullspace: np.ndarray | None = None
    near_nullspace: np.ndarray | None = None
