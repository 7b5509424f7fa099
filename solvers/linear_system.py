"""A linear system: an operator, a right-hand side, and what is known of its null spaces."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class LinearSystem(NamedTuple):
    """A u = f: the operator, the right-hand side of shape (n,), and the shape of the grid the unknowns live on.

    `nullspace`, (n,) or (n, m), spans what a singular operator annihilates; None where it is regular. `near_nullspace`,
    (n, m), where a problem knows it (the rigid body modes of elasticity), goes to smoothed aggregation.
    """

    operator: Any
    rhs: np.ndarray
    shape: tuple[int, ...]
    nullspace: np.ndarray | None = None
    near_nullspace: np.ndarray | None = None
