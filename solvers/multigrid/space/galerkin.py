"""List the links of a cube of the coarse grid, of which galerkin.hpp forms the Galerkin product."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np

from .grids import AXES, DIRECTIONS

TILE = 128
"""Cubes treated together: rows of P, differences and sums of a tile lie in the first-level cache."""

LINES = 58 + 28
_ZERO, _ONE, _SUMS = 0, 1, 58
_CORNERS = list(itertools.product((0, 1), repeat=3))
_PAIRS = list(itertools.combinations(range(8), 2))


@lru_cache(maxsize=2)
def galerkin_tables(diagonals: bool) -> tuple[np.ndarray, ...]:
    """Return the tables of gathers, links and scatters.

    - gathers, (64, 5): line, weight vector, shift along z, y, x: the entries of P in a cube that are not zero or one.
    - links, (·, 27): split vector, shift along z, y, x, number of corners it depends on; then for each of these corners
      where the entries of P at both ends begin in the tile; from column 21 on where the sums for pairs of corners begin
      (those for all eight lie in a row).
    - scatter, (28, 5): line, link vector of the coarse grid, shift of the cube's corner that keeps the link.
    """
    lines: dict[tuple[tuple[int, ...], int], int] = {}
    gathers: list[list[int]] = []
    for position in itertools.product((0, 1, 2), repeat=3):
        for number, corner in enumerate(_CORNERS):
            away = [p for p, c in zip(position, corner, strict=True) if p != 1 and p != 2 * c]
            if away:
                lines[position, number] = _ZERO
            elif 1 not in position:
                lines[position, number] = _ONE
            else:
                kind = [(1 + c) if p == 1 else 0 for p, c in zip(position, corner, strict=True)]
                lines[position, number] = 2 + len(gathers)
                shift = [int(p == 2) for p in position]
                gathers.append([2 + len(gathers), 9 * kind[0] + 3 * kind[1] + kind[2], *shift])
    links = []
    vectors = len(DIRECTIONS) if diagonals else len(AXES)
    for m in range(vectors):
        d = DIRECTIONS[m if diagonals else AXES[m]]
        for position in itertools.product((0, 1, 2), repeat=3):
            other = tuple(p + step for p, step in zip(position, d, strict=True))
            if not all(0 <= p <= 2 for p in other):
                continue
            if any(p == q == 2 for p, q in zip(position, other, strict=True)):
                continue  # it belongs to the next cube
            links.append(_link_row(8 * m, position, other, lines))
    for position in itertools.product((0, 1), repeat=3):
        if any(position):
            links.append(_link_row(8 * vectors, position, None, lines))
    scatter = []
    for line, (a, b) in enumerate(_PAIRS):
        for keeper, neighbour in ((a, b), (b, a)):
            step = tuple(q - p for p, q in zip(_CORNERS[keeper], _CORNERS[neighbour], strict=True))
            if step in DIRECTIONS:
                scatter.append([_SUMS + line, DIRECTIONS.index(step), *_CORNERS[keeper]])
    return tuple(np.array(rows, dtype=np.int64) for rows in (gathers, links, scatter))


def _link_row(
    vector: int,
    position: tuple[int, ...],
    other: tuple[int, ...] | None,
    lines: dict[tuple[tuple[int, ...], int], int],
) -> list[int]:
    """Return the row for the link between two positions in a cube, or between one and a wall (other None)."""
    kind = 4 * (position[0] & 1) + 2 * (position[1] & 1) + (position[2] & 1)
    ends = [(lines[position, c], lines[other, c] if other else _ZERO) for c in range(8)]
    # Each end depends on the corners of its own face or edge of the cube; two, four or all of them make simple loops.
    flat = [axis for axis in range(3) if position[axis] == 0 and (other is None or other[axis] == 0)]
    seen = [c for c in range(8) if not any(_CORNERS[c][axis] for axis in flat)]
    row = [vector + kind, *(int(p == 2) for p in position), len(seen)]
    row += [line * TILE for c in seen for line in ends[c]] + [0] * (16 - 2 * len(seen))
    sums = [(_SUMS + _PAIRS.index(pair)) * TILE for pair in itertools.combinations(seen, 2)]
    return row + (sums + [0] * 6)[:6]
