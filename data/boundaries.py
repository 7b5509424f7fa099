"""Read what holds at the sides of a box."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from resolvent.solvers import InputError

from .grids import AXES

Sides = tuple[tuple[str, str], ...]
"""For each axis, axis 0 first: what holds at its low and at its high side."""

_KINDS = ("dirichlet", "neumann", "periodic")
_WELL = {"dirichlet": "wall", "neumann": "wall", "periodic": "periodic", "absorbing": "open"}


def read_sides(boundary: Any, ndim: int) -> Sides:
    """Read a `boundary` setting: one word for all sides, or for each axis a word or a pair (low side, high side).

    Raises
    ------
    InputError
        For an unknown word, another number of axes, or an axis that is periodic on one side only.
    """
    shape = f"expected {', '.join(_KINDS)}, or {ndim} entries, one an axis, each of them one of those or a pair"
    entries = [boundary] * ndim if isinstance(boundary, str) else boundary
    if not isinstance(entries, tuple | list) or len(entries) != ndim:
        raise InputError(f"boundary is {boundary!r}: {shape} (low side, high side)")
    sides = []
    for axis, entry in zip(AXES, entries, strict=False):
        pair = (entry, entry) if isinstance(entry, str) else entry
        if not isinstance(pair, tuple | list) or len(pair) != 2 or any(side not in _KINDS for side in pair):
            raise InputError(
                f"boundary in {axis} is {entry!r}: expected one of {', '.join(_KINDS)}, or a pair (low side, high side)"
            )
        if (pair[0] == "periodic") != (pair[1] == "periodic"):
            raise InputError(f"boundary in {axis} is {entry!r}: a periodic axis is so on both sides; write 'periodic'")
        sides.append((str(pair[0]), str(pair[1])))
    return tuple(sides)


def plain_sides(sides: Sides) -> str | list[str | list[str]]:
    """Return the shortest setting that :func:`read_sides` reads back: a word, or a list with one entry an axis."""
    entries: list[str | list[str]] = [low if low == high else [low, high] for low, high in sides]
    first = entries[0]
    return first if isinstance(first, str) and all(entry == first for entry in entries) else entries


def well_words(sides: Sides) -> tuple[str, ...]:
    """Return The Well's word for each axis: 'wall', 'open' or 'periodic'."""
    return tuple(_WELL[low] for low, _ in sides)


Walls = Mapping[tuple[int, int], np.ndarray]
"""Dirichlet data by (axis, 0 for the low or 1 for the high side), shaped like one layer of cells there; absent: 0."""


def is_singular(sides: Sides) -> bool:
    """Return whether constants solve the homogeneous problem: no side is Dirichlet."""
    return not any(side == "dirichlet" for pair in sides for side in pair)


def all_dirichlet(sides: Sides) -> bool:
    """Return whether every side is Dirichlet."""
    return all(side == "dirichlet" for pair in sides for side in pair)


def without_mean(values: np.ndarray) -> np.ndarray:
    """Subtract the mean over the cells."""
    return values - values.mean()
