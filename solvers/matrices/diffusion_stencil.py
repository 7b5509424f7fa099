"""The matrix-free operator of steady diffusion on the unit square."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from ..errors import InputError
from ..operands import is_gpu
from .diffusion_kernels import diffusion_stencil, face_transmissibilities


class DiffusionStencil(LinearOperator):
    """−∇·(a ∇u) on the unit square with u = 0 on its boundary, by cell-centred finite volumes.

    Cell (j, i) has its centre at ((i + ½)/nx, (j + ½)/ny). The flux through the face between two cells is T (u₁ − u₂)
    with the harmonic mean T = 2 a₁a₂/(a₁ + a₂), which keeps the flux continuous where a jumps on a face; at the wall,
    half a cell away, T = 2a. Fluxes are divided by the cell's extent, so that ``A u = f`` with f the source per unit
    area. The matrix is symmetric positive definite; the scheme is of second order in the maximum norm for smooth a.

    No matrix is built: a product reads the transmissibilities once, in one sweep.

    Parameters
    ----------
    coefficient : array, (ny, nx)
        Cell values of a, positive and finite.

    Attributes
    ----------
    coefficient : ndarray, (ny, nx), float64
    shape_grid : tuple of int
        (ny, nx); unknowns are in C order.

    Raises
    ------
    InputError
        If the coefficient is not a two-dimensional array of positive finite numbers.

    References
    ----------
    Eymard, Gallouët and Herbin, *Finite Volume Methods*, Handbook of Numerical Analysis VII (2000), §9.
    """

    def __init__(self, coefficient: Any) -> None:
        if is_gpu(coefficient):
            raise InputError(
                "DiffusionStencil runs on the CPU, but the coefficient is a CuPy array: pass coefficient.get()."
            )
        if np.iscomplexobj(coefficient):
            raise InputError("coefficient is complex; expected positive real numbers: pass coefficient.real.")
        try:
            a = np.ascontiguousarray(coefficient, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"coefficient is not an array of real numbers ({error}); expected shape (ny, nx)."
            ) from error
        if np.ndim(coefficient) != 2 or a.size == 0:
            raise InputError(f"coefficient has shape {np.shape(coefficient)}; expected (ny, nx), one value per cell.")
        if not (a.min() > 0.0 and np.isfinite(a.max())):
            bad = int(np.count_nonzero(~(np.isfinite(a) & (a > 0.0))))
            raise InputError(
                f"coefficient holds {bad} values that are not positive and finite; "
                f"expected a > 0 in every cell, without which −∇·(a∇u) is not elliptic."
            )
        super().__init__(np.dtype(np.float64), (a.size, a.size))
        self.coefficient = a
        self.shape_grid: tuple[int, int] = (a.shape[0], a.shape[1])

    @cached_property
    def _faces(self) -> tuple[np.ndarray, np.ndarray]:
        """Transmissibilities over the cells' extents; the multigrid solver, which has its own, never asks for them."""
        horizontal, vertical = face_transmissibilities(self.coefficient)
        return horizontal, vertical

    def _matvec(self, u: np.ndarray) -> np.ndarray:
        if np.iscomplexobj(u):
            return self._matvec(u.real) + 1j * self._matvec(u.imag)
        grid = np.ascontiguousarray(u, dtype=np.float64).reshape(self.shape_grid)
        out = np.empty(self.shape_grid)
        diffusion_stencil(*self._faces, grid, out)
        return out.reshape(-1)

    def _rmatvec(self, u: np.ndarray) -> np.ndarray:
        return self._matvec(u)

    def _matmat(self, U: np.ndarray) -> np.ndarray:
        return np.stack([self._matvec(column) for column in U.T], axis=1)

    def _adjoint(self) -> DiffusionStencil:
        return self

    def diagonal(self) -> np.ndarray:
        """Return the diagonal of the matrix, (n,)."""
        tx, ty = self._faces
        return (tx[:, :-1] + tx[:, 1:] + ty[:-1] + ty[1:]).reshape(-1)

    def tocsr(self) -> sp.csr_array:
        """Return the matrix in CSR form, with sorted indices."""
        ny, nx = self.shape_grid
        horizontal, vertical = self._faces
        east = horizontal[:, 1:].copy()
        east[:, -1] = 0.0  # the last cell of a row has no neighbour in the next row
        off_x, off_y = -east.reshape(-1)[:-1], -vertical[1:-1].reshape(-1)
        diagonals, offsets = [self.diagonal()], [0]
        if nx > 1:
            diagonals += [off_x, off_x]
            offsets += [1, -1]
        if ny > 1:
            diagonals += [off_y, off_y]
            offsets += [nx, -nx]
        if nx == 1 and ny > 1:
            diagonals, offsets = [self.diagonal(), off_y, off_y], [0, 1, -1]
        matrix = sp.csr_array(sp.diags_array(diagonals, offsets=offsets, shape=self.shape))
        matrix.eliminate_zeros()
        matrix.sort_indices()
        return matrix
