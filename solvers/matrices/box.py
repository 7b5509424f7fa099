"""Describe the box of cells that operators, solvers and bases on grids share: cells, lengths, boundary conditions.

The order of axes, everywhere in `solvers`: axis 0 first. Shapes, lengths, sides, faces, bases and wave numbers are
listed in the order of the axes of the arrays, and unknowns are in C order. Letters differ: on boxes of cells the last
axis is x, (ny, nx) and (nz, ny, nx); in `spectral` and `timestepping` axis 0 is x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..errors import InputError

SIDES = ("dirichlet", "neumann", "periodic")
_AXES = "zyx"


@dataclass(frozen=True)
class Box:
    """Describe a box of cells.

    Attributes
    ----------
    shape : tuple of int
        Cells per axis, in C order: (ny, nx) or (nz, ny, nx).
    lengths : tuple of float
        Extents per axis.
    sides : tuple of pairs of str
        What holds at the low and the high side of each axis: 'dirichlet' (u = 0), 'neumann' (no flux) or 'periodic'.
    """

    shape: tuple[int, ...]
    lengths: tuple[float, ...]
    sides: tuple[tuple[str, str], ...]

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Return whether each axis is periodic."""
        return tuple(low == "periodic" for low, _ in self.sides)

    @property
    def walls(self) -> tuple[bool, ...]:
        """Return whether u = 0 at the low and the high side of each axis, in one row."""
        return tuple(side == "dirichlet" for pair in self.sides for side in pair)

    @property
    def singular(self) -> bool:
        """Return whether constants solve the homogeneous problem."""
        return not any(self.walls)

    @property
    def spacings(self) -> tuple[float, ...]:
        """Return the extent of a cell along each axis."""
        return tuple(length / n for length, n in zip(self.lengths, self.shape, strict=True))

    def __str__(self) -> str:
        grid, extents = "x".join(map(str, self.shape)), "x".join(f"{length:g}" for length in self.lengths)
        words = [low if low == high else f"{low}|{high}" for low, high in self.sides]
        return f"{grid} cells on {extents}, {words[0] if len(set(words)) == 1 else ' x '.join(words)}"


def read_box(shape: tuple[int, ...], lengths: Any, boundary: Any) -> Box:
    """Return the box of a grid.

    Parameters
    ----------
    shape : tuple of int
    lengths : None, a number or one number per axis
        None is the unit box.
    boundary : str, or one entry per axis
        'dirichlet', 'neumann' or 'periodic' for all sides; or for each axis, in the order of `shape`, one of them or a
        pair (low side, high side).

    Raises
    ------
    InputError
        If a length or a side does not fit.
    """
    dimension = len(shape)
    if lengths is None:
        extents = (1.0,) * dimension
    else:
        try:
            numbers = (lengths,) * dimension if isinstance(lengths, int | float) else tuple(lengths)
            extents = tuple(float(length) for length in numbers)
        except (TypeError, ValueError):
            extents = ()
        if len(extents) != dimension or not all(0.0 < length < math.inf for length in extents):
            raise InputError(f"lengths is {lengths!r}; expected {dimension} positive numbers, one an axis.")
    entries = (boundary,) * dimension if isinstance(boundary, str) else boundary
    if not isinstance(entries, tuple | list) or len(entries) != dimension:
        raise InputError(
            f"boundary is {boundary!r}; expected one of {', '.join(SIDES)}, or {dimension} entries, one an axis, "
            f"each of them one of those or a pair (low side, high side)."
        )
    sides = []
    for axis, entry in enumerate(entries):
        name = _AXES[axis - dimension]
        pair = (entry, entry) if isinstance(entry, str) else entry
        if not isinstance(pair, tuple | list) or len(pair) != 2 or any(side not in SIDES for side in pair):
            raise InputError(
                f"boundary in {name} is {entry!r}; expected one of {', '.join(SIDES)}, or a pair (low side, high side)."
            )
        if (pair[0] == "periodic") != (pair[1] == "periodic"):
            raise InputError(f"boundary in {name} is {entry!r}; a periodic axis is so on both sides: write 'periodic'.")
        sides.append((str(pair[0]), str(pair[1])))
    return Box(tuple(shape), extents, tuple(sides))
