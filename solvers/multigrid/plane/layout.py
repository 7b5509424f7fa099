"""Lay the two-dimensional hierarchy out in one block of memory, and view its arrays.

All arrays of all levels lie in one float32 `arena`; a row of the table `levels` says where. So one compiled function
serves every grid, and a thread allocates once for all its samples.
"""

from __future__ import annotations

import numpy as np

from ...kernels.alignment import whole_lines

# Columns of the table, in the order of `Level` (grids.hpp): size, then offsets into the arena.
NY, NX, R, X, Z, INVERSE_DIAGONAL, EAST, NORTH, RISING, FALLING, WEIGHTS, WORK, COLUMNS = range(13)


def plan(sizes: list[tuple[int, int]]) -> tuple[np.ndarray, int]:
    """Return the table of the levels of the given sizes (finest first), and the length of the arena."""
    table = np.zeros((len(sizes), COLUMNS), dtype=np.int64)
    end = 0

    def take(cells: int) -> int:
        nonlocal end
        begin, end = end, end + whole_lines(cells, 16)
        return begin

    for level, (ny, nx) in enumerate(sizes):
        row = table[level]
        row[NY], row[NX] = ny, nx
        last = level == len(sizes) - 1
        cy, cx = sizes[level] if last else sizes[level + 1]
        # Coarse levels have a rim of one cell, and one spare row.
        tight = [ny * nx] * 4 + [ny * (nx + 1), (ny + 1) * nx, 1, 1]
        lengths = [(ny + 3) * (nx + 2)] * 8 if level else tight
        for column, length in zip(range(R, WEIGHTS), lengths, strict=True):
            row[column] = take(length)
        gaps_y, gaps_x = (ny // 2 if cy < ny else 0), (nx // 2 if cx < nx else 0)
        row[WEIGHTS] = take((ny * nx) ** 2 if last else 2 * cy * gaps_x + 2 * gaps_y * cx + 4 * gaps_y * gaps_x)
    work = max(((ny + 3) * (nx + 2) for ny, nx in sizes[1:]), default=1)
    table[:, WORK] = take(work)
    return table, end


def grid(arena: np.ndarray, offset: int, rows: int, columns: int) -> np.ndarray:
    """Return a (rows, columns) array inside the arena."""
    return arena[offset : offset + rows * columns].reshape(rows, columns)


def inside_rim(arena: np.ndarray, offset: int, rows: int, nx: int) -> np.ndarray:
    """Return the rows of an array with a rim, from its first inner cell on; entries from nx on belong to the rim."""
    return grid(arena, offset + nx + 3, rows, nx + 2)


def cells(arena: np.ndarray, levels: np.ndarray, level: int, column: int) -> np.ndarray:
    """Return a field of a level as rows of at least nx cells."""
    row = levels[level]
    return (grid if level == 0 else inside_rim)(arena, row[column], row[NY], row[NX])


def links_of(arena: np.ndarray, levels: np.ndarray, level: int) -> tuple[np.ndarray, ...]:
    """Return the east and north links of a level, and on coarse ones the rising and falling links.

    Entry (j, i) of the east links couples the cells (j, i − 1) and (j, i); of the north links (j − 1, i) and (j, i); of
    the rising links (j − 1, i − 1) and (j, i); of the falling links (j − 1, i) and (j, i − 1).
    """
    row = levels[level]
    ny, nx = row[NY], row[NX]
    if level == 0:
        return grid(arena, row[EAST], ny, nx + 1), grid(arena, row[NORTH], ny + 1, nx)
    return tuple(inside_rim(arena, row[column], ny + 1, nx) for column in (EAST, NORTH, RISING, FALLING))


def weights_of(arena: np.ndarray, levels: np.ndarray, level: int) -> tuple[np.ndarray, ...]:
    """Return the weights of interpolation from the next level: west, east, south, north, sw, se, nw, ne."""
    row, coarse = levels[level], levels[level + 1]
    ny, nx, cy, cx = row[NY], row[NX], coarse[NY], coarse[NX]
    gaps_y = ny // 2 if cy < ny else 0
    gaps_x = nx // 2 if cx < nx else 0
    shapes = [(cy, gaps_x)] * 2 + [(gaps_y, cx)] * 2 + [(gaps_y, gaps_x)] * 4
    starts = row[WEIGHTS] + np.cumsum([0] + [rows * columns for rows, columns in shapes[:-1]])
    return tuple(grid(arena, start, *shape) for start, shape in zip(starts, shapes, strict=True))
