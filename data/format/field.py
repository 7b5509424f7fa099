"""Describe a stored field: its values, units, and role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

CONSTANT = ("constant", "mesh")
"""Roles of fields that are the same in every sample and are stored once in a file."""


NODE = ("node",)
"""The axes of values at the nodes of a mesh."""


Role = Literal["input", "output", "constant", "auxiliary", "mesh"]


@dataclass(frozen=True)
class Field:
    """Hold one field of a sample.

    Parameters
    ----------
    values : ndarray
        On the grid of the problem, indexed [x, y, …]; with `time_varying` a leading axis of the stored times.
    units : str
        '1' where the problem is non-dimensional.
    description : str
    role : {'input', 'output', 'constant', 'auxiliary', 'mesh'}
        'constant' is the same in every sample and stored once; 'auxiliary' is stored for the certificate only; 'mesh'
        is both, of any shape, and keeps its own dtype (triangles are integers).
    time_varying : bool
        For an output: whether the first axis of `values` is time.
    """

    values: np.ndarray
    units: str
    description: str
    role: Role
    time_varying: bool = False


def at_centres(values: Any, what: str, role: Role) -> Field:
    """Return a field without units whose values are those at the cell centres."""
    return Field(np.asarray(values), "1", f"{what} at the cell centres", role)
