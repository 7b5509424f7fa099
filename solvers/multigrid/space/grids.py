"""Define how a three-dimensional level lies in memory.

Every array of a level has a rim of one cell and is one vector: cell (k, j, i) of an (nz, ny, nx) grid has the index
(k + 1) S + (j + 1) W + i + 1 with W = nx + 2 and S = (ny + 2) W. Neighbours lie at constant distances, so that a loop
runs over a whole plane or level. The rim holds zeros, or the cells of the other side where the box is periodic.

A level's operator is Σ t (x_cell − x_neighbour) + σ x_cell: thirteen vectors of links t, of which entry c of vector m
couples cell c with its neighbour in `DIRECTIONS[m]`, and the links σ to walls, where x = 0. The finest level and
rediscretised ones have three of the thirteen, `AXES`, in the order x, y, z; links to walls are among them, as links to
the rim.
"""

from __future__ import annotations

import numpy as np

from ...kernels.alignment import whole_lines

#: (z, y, x) towards half of the neighbours: along the row, then three in each of four neighbouring rows.
DIRECTIONS: list[tuple[int, ...]] = [(0, 0, -1)]
DIRECTIONS += [(z, y, x) for z, y in ((0, -1), (-1, -1), (-1, 0), (-1, 1)) for x in (-1, 0, 1)]
AXES = [DIRECTIONS.index(d) for d in ((0, 0, -1), (0, -1, 0), (-1, 0, 0))]

# Columns of the table of levels, as in grids.hpp: size, strides to the next level, row and plane length, entries;
# then offsets into the arena, the last one into the links by kinds of cells.
NZ, NY, NX, STRIDE_Z, STRIDE_Y, STRIDE_X, W, S, N, R, X, Z, INVERSE_DIAGONAL, GROUND = range(14)
LINKS, WEIGHTS, PARTS, SPREAD, KINDS = range(14, 19)
COLUMNS = 19

KINDS_MARGIN = 128
"""Entries behind the links of a level by kinds of cells, which whole tiles read."""


def plan(sizes: list[tuple[int, ...]]) -> tuple[np.ndarray, int, int]:
    """Return the table of the levels of the given sizes (finest first), and the lengths of the arena and of `kinds`."""
    table = np.zeros((len(sizes), COLUMNS), dtype=np.int64)
    end = kinds = 0

    def take(length: int) -> int:
        nonlocal end
        begin, end = end, end + whole_lines(length + 16, 16)
        return begin

    def with_rim(shape: tuple[int, ...]) -> int:
        return (shape[0] + 2) * (shape[1] + 2) * (shape[2] + 2)

    for level, shape in enumerate(sizes):
        row = table[level]
        row[NZ], row[NY], row[NX] = shape
        coarse = sizes[min(level + 1, len(sizes) - 1)]
        row[STRIDE_Z : STRIDE_X + 1] = [2 if c < n else 1 for c, n in zip(coarse, shape, strict=True)]
        row[W], row[S], row[N] = shape[2] + 2, (shape[1] + 2) * (shape[2] + 2), with_rim(shape)
        for column in range(R, LINKS):
            row[column] = take(row[N])
        row[LINKS] = take((13 if level else 3) * row[N])
        row[PARTS], row[SPREAD] = (take(4 * (coarse[1] + 2) * (coarse[2] + 2)) for _ in range(2))
        row[WEIGHTS] = take((shape[0] * shape[1] * shape[2]) ** 2 if shape is coarse else 27 * with_rim(coarse))
        row[KINDS] = kinds
        if shape is not coarse:
            kinds += 8 * (15 if level else 5) * with_rim(coarse) + KINDS_MARGIN
    return table, end, kinds
