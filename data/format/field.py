"""A stored field: its name, role, units, and where its values stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

CONSTANT = ("constant", "mesh")
"""Roles of what is the same in every sample and stored once a file."""


NODE = ("node",)
"""The axes of values at the nodes of a mesh."""


Role = Literal["input", "output", "constant", "auxiliary", "mesh"]


@dataclass(frozen=True)
class Field:
    """One stored field of a sample.

    Parameters
    ----------
    values : ndarray
        On the grid of the problem, indexed [x, y, …]; with `time_varying` a leading axis of the stored times.
    units : str
        '1' where the problem is non-dimensional.
    description : str
    role : {'input', 'output', 'constant', 'auxiliary', 'mesh'}
        'constant' is the same in every sample and stored once; 'auxiliary' is stored for the certificate alone; 'mesh'
        is both, of any shape and of its own dtype, whatever the other fields are stored in (triangles are integers).
    time_varying : bool
        Of an output: whether the first axis of `values` is time.
    """

    values: np.ndarray
    units: str
    description: str
    role: Role
    time_varying: bool = False
