"""List the products that interpolation in three dimensions is made of, for interpolation.hpp."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np

from .grids import AXES, DIRECTIONS

_ADD, _CLIP, _TIMES, _CLOSE, _FINISH = range(5)


@lru_cache(maxsize=2)
def interpolation_tables(diagonals: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the instructions for cells between two, four and eight coarse points, and how many each of the three have.

    Rows are operations with five operands. Three of them gather the links in one direction: add split vector a, with a
    shift along z, y, x; clip the sum at zero; multiply it with weight vector b, shifted, and add that to the share of
    corner a. Then the sum is closed, and after all directions the shares of a kind of cells are divided by the sum over
    all of them.
    """
    stages: list[list[tuple[int, ...]]] = [[], [], []]
    directions = [d for d in itertools.product((-1, 0, 1), repeat=3) if any(d)]
    for parity in itertools.product((0, 1), repeat=3):
        gaps = [axis for axis in range(3) if parity[axis]]
        if not gaps:
            continue
        rows = stages[len(gaps) - 1]
        for along in itertools.product(*((-1, 0, 1) if p else (0,) for p in parity)):
            if not any(along):
                continue
            collapsed = [d for d in directions if all(d[axis] == along[axis] for axis in gaps)]
            terms = [_directed_link(parity, d, diagonals) for d in collapsed]
            if not any(terms):
                continue
            rows += [(_ADD, *term) for term in terms if term]
            if len(gaps) == 1:
                rows.append((_CLIP, 0, 0, 0, 0, 0))
            # The neighbour lies between the coarse points along the axes on which it does not step.
            shift = tuple(int(step > 0) for step in along)
            for corner in itertools.product(*((1, 2) if p else (0,) for p in parity)):
                if all(along[axis] == 0 or (along[axis] > 0) == (corner[axis] == 2) for axis in gaps):
                    source = tuple(corner[axis] if along[axis] == 0 else 0 for axis in range(3))
                    rows.append((_TIMES, _corner(corner), _kind(source), *shift))
            rows.append((_CLOSE, 0, 0, 0, 0, 0))
        corners = list(itertools.product(*((1, 2) if p else (0,) for p in parity)))
        rows += [(_FINISH, _corner(c), _kind(c), _parity(parity), len(gaps), c == corners[-1]) for c in corners]
    counts = np.array([len(rows) for rows in stages], dtype=np.int64)
    return np.array([row for rows in stages for row in rows], dtype=np.int64), counts


def _kind(s: tuple[int, ...]) -> int:
    return 9 * s[0] + 3 * s[1] + s[2]


def _corner(s: tuple[int, ...]) -> int:
    return 4 * (s[0] == 2) + 2 * (s[1] == 2) + (s[2] == 2)


def _parity(p: tuple[int, ...]) -> int:
    return 4 * p[0] + 2 * p[1] + p[2]


def _directed_link(parity: tuple[int, ...], d: tuple[int, ...], diagonals: bool) -> tuple[int, ...] | None:
    """Return split vector and shift of the link of a kind of cell in one direction; None where there is none."""
    lower = d in DIRECTIONS
    m = DIRECTIONS.index(d if lower else tuple(-step for step in d))
    if not diagonals:
        if m not in AXES:
            return None
        m = AXES.index(m)
    if lower:
        return (8 * m + _parity(parity), 0, 0, 0, 0)
    # The neighbour stores it: it is of the other kind along the axes of the step, in the next coarse cell behind a gap.
    other = tuple(p ^ (step != 0) for p, step in zip(parity, d, strict=True))
    shift = tuple(
        1 if (p and step > 0) else -1 if (not p and step < 0) else 0 for p, step in zip(parity, d, strict=True)
    )
    return (8 * m + _parity(other), 0, *shift)
