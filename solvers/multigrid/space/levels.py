"""Set up one three-dimensional level from the one above it, and the coarsest matrix."""

from __future__ import annotations

import numba
import numpy as np

from ...kernels.unaliased import no_inline
from .galerkin import coarse_links, invert_diagonal, links_to_walls
from .grids import AXES, GROUND, LINKS, NX, NY, NZ, N, S, W
from .interpolation import clear_gaps, interpolate, split_level
from .transmissibilities import part_walls, single_faces


def set_up_next(
    arena: np.ndarray,
    levels: np.ndarray,
    level: int,
    wraps: tuple,
    walls: tuple,
    directions: np.ndarray,
    kinds: np.ndarray,
    weighing: tuple,
    coupling: tuple,
    tile: np.ndarray,
    work: np.ndarray,
    faces: np.ndarray,
) -> None:
    """Fill the interpolation weights of a level, and the operator and smoother of the next.

    `directions` are the thirteen, `weighing` and `coupling` the tables of interpolation and of the Galerkin product for
    the stencil of the level; `faces` are those of the finest.
    """
    row, coarse = levels[level], levels[level + 1]
    vectors = 13 if level > 0 else 3
    if level == 0:
        part_walls(arena, row, wraps)
    split_level(arena, row, coarse, vectors, wraps, walls, directions, kinds)
    if level == 0:
        single_faces(arena, row, faces)
    interpolate(arena, row, coarse, kinds, vectors, wraps, weighing, tile)
    clear_gaps(kinds, vectors, row, coarse, directions)
    coarse_links(arena, row, coarse, kinds, wraps, coupling, tile)
    if any(walls):
        links_to_walls(arena, levels, level, wraps, work)
    else:
        arena[coarse[GROUND] : coarse[GROUND] + coarse[N]] = 0.0
    invert_diagonal(arena, coarse, directions, work)


_AXES = np.array(AXES)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _walls(arena: np.ndarray, row: np.ndarray, c: int, k: int, j: int, i: int, wraps: tuple) -> float:
    """Return the sum of the links to walls of a cell of a level of seven points."""
    no_inline()
    n, total = row[N], np.float64(0.0)
    x = row[LINKS] + c
    y, z = x + n, x + 2 * n
    if not wraps[2]:
        total += (arena[x] if i == 0 else 0.0) + (arena[x + 1] if i == row[NX] - 1 else 0.0)
    if not wraps[1]:
        total += (arena[y] if j == 0 else 0.0) + (arena[y + row[W]] if j == row[NY] - 1 else 0.0)
    if not wraps[0]:
        total += (arena[z] if k == 0 else 0.0) + (arena[z + row[S]] if k == row[NZ] - 1 else 0.0)
    return total


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def coarsest_matrix(
    arena: np.ndarray, row: np.ndarray, diagonals: bool, directions: np.ndarray, wraps: tuple, matrix: np.ndarray
) -> None:
    """Add the operator of a level, of twenty-seven points (`diagonals`) or of seven, to a dense matrix."""
    nz, ny, nx = row[NZ], row[NY], row[NX]
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                me = (k * ny + j) * nx + i
                c = (k + 1) * row[S] + (j + 1) * row[W] + i + 1
                if diagonals:
                    matrix[me, me] += arena[row[GROUND] + c]
                else:
                    matrix[me, me] += _walls(arena, row, c, k, j, i, wraps)
                for v in range(13 if diagonals else 3):
                    m = v if diagonals else _AXES[v]
                    kk, jj, ii = k + directions[m, 0], j + directions[m, 1], i + directions[m, 2]
                    if wraps[0]:
                        kk %= nz
                    if wraps[1]:
                        jj %= ny
                    if wraps[2]:
                        ii %= nx
                    if kk < 0 or jj < 0 or ii < 0 or kk >= nz or jj >= ny or ii >= nx:
                        continue
                    t = np.float64(arena[row[LINKS] + v * row[N] + c])
                    other = (kk * ny + jj) * nx + ii
                    matrix[me, me] += t
                    matrix[other, other] += t
                    matrix[me, other] -= t
                    matrix[other, me] -= t
