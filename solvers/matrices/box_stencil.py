"""Operators that couple a cell of a box to its direct neighbours, as arrays of links, and as a CSR matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from ..errors import InputError
from ..operands import is_gpu
from .box import Box, read_box
from .faces import faces

__all__ = ["BoxDiffusion", "BoxStencil", "box_diffusion"]


class BoxStencil(LinearOperator):
    """(A u)_P = d_P u_P + Σ_axes (l_P u_W + r_P u_E) on a box of cells in any number of dimensions.

    W and E are the neighbours of cell P on the low and on the high side of an axis. Where the axis is periodic the
    first and the last cell are neighbours; where it is not, the links that would leave the box are ignored. The
    matrix may be nonsymmetric and complex.

    Parameters
    ----------
    diagonal : array, the shape of the grid
        d; what the walls contribute is in it.
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
        self._matrix = _assemble(np.asarray(diagonal, dtype=dtype), lower, upper, periodic)

    def _matvec(self, u: np.ndarray) -> np.ndarray:
        return self._matrix @ np.reshape(u, -1)

    def _matmat(self, U: np.ndarray) -> np.ndarray:
        return self._matrix @ U

    def _rmatvec(self, u: np.ndarray) -> np.ndarray:
        return self._matrix.conj().T @ np.reshape(u, -1)

    def diagonal(self) -> np.ndarray:
        """Return the diagonal of the matrix, (n,)."""
        return self._matrix.diagonal()

    def tocsr(self) -> sp.csr_array:
        """Return the matrix in CSR form, with sorted indices."""
        return self._matrix


def box_diffusion(coefficient: Any, lengths: Any = None, boundary: Any = "dirichlet") -> BoxDiffusion:
    """−∇·(a ∇u) on a box by cell-centred finite volumes: harmonic means between cells, half cells at Dirichlet walls.

    On the unit square with Dirichlet walls this is the matrix of :class:`DiffusionStencil`, which needs no entries.

    Parameters
    ----------
    coefficient : array
        a in the cells, positive and finite, of one to three dimensions.
    lengths : None, a number or one number per axis
        Extents of the box; None is the unit box.
    boundary : str, or one entry per axis
        'dirichlet' (u = 0), 'neumann' (no flux) or 'periodic', or pairs (low side, high side).

    Raises
    ------
    InputError
        If the coefficient is not positive and finite, or a setting does not fit.
    """
    if is_gpu(coefficient) or np.iscomplexobj(coefficient):
        raise InputError("box_diffusion takes a real coefficient on the CPU: pass coefficient.get() or its real part.")
    a = np.asarray(coefficient, dtype=np.float64)
    if not 1 <= a.ndim <= 3 or a.size == 0:
        raise InputError(f"coefficient has shape {a.shape}; expected one to three axes of cells.")
    if not (a.min() > 0.0 and np.isfinite(a.max())):
        bad = int(np.count_nonzero(~(np.isfinite(a) & (a > 0.0))))
        raise InputError(f"coefficient holds {bad} values that are not positive and finite; expected a > 0 everywhere.")
    return BoxDiffusion(a, read_box(a.shape, lengths, boundary))


class BoxDiffusion(BoxStencil):
    """The matrix of `box_diffusion`, assembled when its entries are first asked for.

    Attributes
    ----------
    coefficient : ndarray, float64
    box : Box
    """

    def __init__(self, coefficient: np.ndarray, box: Box) -> None:
        LinearOperator.__init__(self, np.dtype(np.float64), (coefficient.size, coefficient.size))
        self.shape_grid = coefficient.shape
        self.coefficient = coefficient
        self.box = box

    @cached_property
    def _matrix(self) -> sp.csr_array:
        a, box = self.coefficient, self.box
        diagonal, lower, upper = np.zeros(a.shape), [], []
        for axis, face in enumerate(faces(a, box)):
            low, high = _slices(a.ndim, axis, slice(None, -1)), _slices(a.ndim, axis, slice(1, None))
            diagonal += face[low]
            diagonal += face[high]
            lower.append(-face[low])
            upper.append(-face[high])
        return _assemble(diagonal, lower, upper, box.periodic)


def _slices(ndim: int, axis: int, which: slice) -> tuple[slice, ...]:
    return tuple(which if d == axis else slice(None) for d in range(ndim))


def _assemble(
    diagonal: np.ndarray, lower: Sequence[Any], upper: Sequence[Any], periodic: Sequence[bool]
) -> sp.csr_array:
    """The entries in CSR form. The pattern depends on the grid alone and is remembered for the last ones."""
    grid, dtype = diagonal.shape, diagonal.dtype
    values = [diagonal.ravel()]
    for axis, low_side, where in _links(grid, tuple(periodic)):
        links = (lower if low_side else upper)[axis]
        values.append(np.broadcast_to(links, grid)[where].astype(dtype, copy=False).ravel())
    order, columns, starts = _pattern(grid, tuple(periodic))
    # Copies of the pattern: it outlives this matrix, whose owner may change it.
    matrix = sp.csr_array((np.concatenate(values)[order], columns.copy(), starts.copy()), shape=(diagonal.size,) * 2)
    matrix.sum_duplicates()  # around a periodic axis of two cells
    return matrix


def _links(grid: tuple[int, ...], periodic: tuple[bool, ...]) -> list[tuple[int, bool, tuple[slice, ...]]]:
    """Axis, whether to the low side, and the cells that have such a neighbour; a cell is no neighbour of itself."""
    return [
        (axis, low_side, (slice(None),) * len(grid) if around else _slices(len(grid), axis, inside))
        for axis, around in enumerate(periodic)
        if grid[axis] > 1
        for low_side, inside in ((True, slice(1, None)), (False, slice(None, -1)))
    ]


@lru_cache(maxsize=4)
def _pattern(grid: tuple[int, ...], periodic: tuple[bool, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each entry of the rows, sorted by columns, comes from in the list of links; columns; starts of rows."""
    index = np.arange(math.prod(grid), dtype=np.int32).reshape(grid)
    rows, columns = [index.ravel()], [index.ravel()]
    for axis, low_side, where in _links(grid, periodic):
        rows.append(index[where].ravel())
        columns.append(np.roll(index, 1 if low_side else -1, axis=axis)[where].ravel())
    row, column = np.concatenate(rows), np.concatenate(columns)
    order = np.lexsort((column, row))
    starts = np.searchsorted(row[order], np.arange(index.size + 1)).astype(np.int32)
    return order, column[order], starts
