"""Represent operators that couple a cell of a box to its direct neighbours, given as arrays of links."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from ..errors import InputError
from .faces import along_axis


class BoxStencil(LinearOperator):
    """Apply (A u)_P = d_P u_P + Σ_axes (l_P u_W + r_P u_E) on a box of cells in any number of dimensions.

    W and E are the neighbours of cell P on the low and on the high side of an axis. Where the axis is periodic the
    first and the last cell are neighbours; where it is not, the links that would leave the box are ignored. The
    matrix may be nonsymmetric and complex; for diffusion see :class:`Diffusion`.

    Parameters
    ----------
    diagonal : array, the shape of the grid
        d, including the contribution of the walls.
    lower, upper : sequence of arrays, one an axis
        l and r, broadcastable to the shape of the grid.
    periodic : sequence of bool, one an axis

    Attributes
    ----------
    shape_grid : tuple of int
        Cells per axis; unknowns are in C order.
    """

    def __init__(
        self, diagonal: np.ndarray, lower: Sequence[Any], upper: Sequence[Any], periodic: Sequence[bool]
    ) -> None:
        grid = np.shape(diagonal)
        if not len(lower) == len(upper) == len(periodic) == len(grid):
            raise InputError(
                f"{len(lower)}, {len(upper)} and {len(periodic)} axes of links came for a grid of shape {grid}: "
                f"give {len(grid)} of each."
            )
        self.shape_grid: tuple[int, ...] = tuple(grid)
        dtype = np.result_type(np.float64, diagonal, *lower, *upper)
        super().__init__(dtype, (diagonal.size, diagonal.size))
        self._matrix = stencil_matrix(np.asarray(diagonal, dtype=dtype), lower, upper, periodic)

    def _matvec(self, u: np.ndarray) -> np.ndarray:
        return self._matrix @ np.reshape(u, -1)

    def _matmat(self, U: np.ndarray) -> np.ndarray:
        return self._matrix @ U

    def _rmatvec(self, u: np.ndarray) -> np.ndarray:
        return self._matrix.conj().T @ np.reshape(u, -1)

    def __repr__(self) -> str:
        return f"BoxStencil({'x'.join(map(str, self.shape_grid))} cells, {self.dtype})"

    def diagonal(self) -> np.ndarray:
        """Return the diagonal of the matrix, (n,)."""
        return self._matrix.diagonal()

    def tocsr(self) -> sp.csr_array:
        """Return the matrix in CSR form, with sorted indices."""
        return self._matrix


def stencil_matrix(
    diagonal: np.ndarray, lower: Sequence[Any], upper: Sequence[Any], periodic: Sequence[bool]
) -> sp.csr_array:
    """Return the matrix of a `BoxStencil` in CSR form; the patterns of the last grids are remembered."""
    grid, dtype = diagonal.shape, diagonal.dtype
    values = [diagonal.ravel()]
    for axis, low_side, where in _links(grid, tuple(periodic)):
        links = (lower if low_side else upper)[axis]
        values.append(np.broadcast_to(links, grid)[where].astype(dtype, copy=False).ravel())
    order, columns, starts = _pattern(grid, tuple(periodic))
    # Copies of the pattern: the cache outlives this matrix, whose owner may change it.
    matrix = sp.csr_array((np.concatenate(values)[order], columns.copy(), starts.copy()), shape=(diagonal.size,) * 2)
    matrix.sum_duplicates()  # around a periodic axis of two cells
    return matrix


def _links(grid: tuple[int, ...], periodic: tuple[bool, ...]) -> list[tuple[int, bool, tuple[slice, ...]]]:
    """Return axis, whether to the low side, and the cells with such a neighbour; a cell is no neighbour of itself."""
    return [
        (axis, low_side, (slice(None),) * len(grid) if around else along_axis(len(grid), axis, inside))
        for axis, around in enumerate(periodic)
        if grid[axis] > 1
        for low_side, inside in ((True, slice(1, None)), (False, slice(None, -1)))
    ]


@lru_cache(maxsize=4)
def _pattern(grid: tuple[int, ...], periodic: tuple[bool, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the order of the links by rows and columns, the columns, and the starts of rows."""
    index = np.arange(math.prod(grid), dtype=np.int32).reshape(grid)
    rows, columns = [index.ravel()], [index.ravel()]
    for axis, low_side, where in _links(grid, periodic):
        rows.append(index[where].ravel())
        columns.append(np.roll(index, 1 if low_side else -1, axis=axis)[where].ravel())
    row, column = np.concatenate(rows), np.concatenate(columns)
    order = np.lexsort((column, row))
    starts = np.searchsorted(row[order], np.arange(index.size + 1)).astype(np.int32)
    return order, column[order], starts
