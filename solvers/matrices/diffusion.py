"""Represent steady diffusion with a variable coefficient on a box of cells as an operator."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from ..errors import InputError
from ..kernels import Kernel, Structure
from ..operands import is_gpu
from .box import Box, read_box
from .box_stencil import stencil_matrix
from .coefficient import read_coefficient
from .faces import along_axis, cell_sums, faces

_fill_faces = Kernel("face_transmissibilities", "struct f64*")
_stencil = Kernel("diffusion_stencil", "struct f64* f64*")


class Diffusion(LinearOperator):
    """Apply −∇·(a ∇u) on a box in one to three dimensions, by cell-centred finite volumes.

    The flux through the face between two cells is T (u₁ − u₂) with the harmonic mean T = 2 a₁a₂/(a₁ + a₂), which keeps
    the flux continuous where a jumps on a face; at a wall of value zero, half a cell away, T = 2a. Fluxes are divided
    by the cell's extent, so that ``A u = f`` with f the source per unit volume. The matrix is symmetric, and positive
    definite if one side at least is 'dirichlet'; otherwise the constants are its null space. The scheme is of second
    order in the maximum norm for smooth a.

    On the unit square with Dirichlet walls a product is one sweep over the transmissibilities, and no matrix is built
    (`matrix_free`). Elsewhere products use the CSR matrix, which is assembled at the first one.

    Parameters
    ----------
    coefficient : array, (nx,), (ny, nx) or (nz, ny, nx)
        Cell values of a, positive and finite.
    lengths : None, a number, one number per axis, or a Box
        Extents of the box; None is the unit box. A Box has the sides too.
    boundary : str, or one entry per axis
        'dirichlet' (u = 0), 'neumann' (no flux) or 'periodic', or pairs (low side, high side).

    Attributes
    ----------
    coefficient : ndarray, float64
    box : Box
    shape_grid : tuple of int
        Cells per axis; unknowns are in C order.
    matrix_free : bool
        Whether products need no matrix: on the unit square with Dirichlet walls.

    Raises
    ------
    InputError
        If the coefficient is not an array of positive finite numbers, or a setting does not fit.

    References
    ----------
    Eymard, Gallouët and Herbin, *Finite Volume Methods*, Handbook of Numerical Analysis VII (2000), §9.
    """

    def __init__(self, coefficient: Any, lengths: Any = None, boundary: Any = "dirichlet") -> None:
        if is_gpu(coefficient):
            raise InputError("Diffusion runs on the CPU, but the coefficient is a CuPy array: pass coefficient.get().")
        a = np.ascontiguousarray(
            read_coefficient(coefficient, (1, 2, 3), "one to three axes of cells, such as (ny, nx)")
        )
        super().__init__(np.dtype(np.float64), (a.size, a.size))
        self.coefficient = a
        self.box = lengths if isinstance(lengths, Box) else read_box(a.shape, lengths, boundary)
        if self.box.shape != a.shape:
            raise InputError(f"coefficient has shape {a.shape}; the box has {self.box.shape} cells.")
        self.shape_grid: tuple[int, ...] = a.shape
        self.matrix_free = self.box.lengths == (1.0, 1.0) and all(self.box.walls)

    @cached_property
    def _faces(self) -> tuple[np.ndarray, ...]:
        """Transmissibilities over the cells' extents; the multigrid solver, which has its own, never asks for them."""
        if not self.matrix_free:
            return faces(self.coefficient, self.box)
        return self._square.vertical, self._square.horizontal

    @cached_property
    def _square(self) -> Structure:
        """The faces as the compiled stencil takes them; `faces` makes the same, several times as slowly."""
        ny, nx = self.shape_grid
        square = Structure(
            "DiffusionFaces",
            ny=ny,
            nx=nx,
            horizontal=np.empty((ny, nx + 1)),
            vertical=np.empty((ny + 1, nx)),
            outside=np.zeros(nx),
        )
        _fill_faces(square, self.coefficient)
        return square

    @cached_property
    def _matrix(self) -> sp.csr_array:
        return self._assembled()

    def _assembled(self) -> sp.csr_array:
        return diffusion_matrix(self._faces, self.box.periodic, self.diagonal().reshape(self.shape_grid))

    def _matvec(self, u: np.ndarray) -> np.ndarray:
        if not self.matrix_free:
            return self._matrix @ np.reshape(u, -1)
        if np.iscomplexobj(u):
            return self._matvec(u.real) + 1j * self._matvec(u.imag)
        out = np.empty(self.shape[0])
        _stencil(self._square, np.ascontiguousarray(u, dtype=np.float64), out)
        return out

    def _rmatvec(self, u: np.ndarray) -> np.ndarray:
        return self._matvec(u)

    def _matmat(self, U: np.ndarray) -> np.ndarray:
        return np.stack([self._matvec(column) for column in U.T], axis=1) if self.matrix_free else self._matrix @ U

    def _adjoint(self) -> Diffusion:
        return self

    def __repr__(self) -> str:
        low, high = float(self.coefficient.min()), float(self.coefficient.max())
        form = "matrix-free" if self.matrix_free else "CSR"
        return f"Diffusion({self.box}, {low:.3g} ≤ a ≤ {high:.3g}, {form})"

    def diagonal(self) -> np.ndarray:
        """Return the diagonal of the matrix, (n,)."""
        # The order of the sums is part of the bits of stored solutions: x first on the unit square, last elsewhere.
        return cell_sums(self._faces, (1, 0) if self.matrix_free else None).reshape(-1)

    def tocsr(self) -> sp.csr_array:
        """Return the matrix in CSR form, with sorted indices."""
        return self._assembled() if self.matrix_free else self._matrix  # stored only where products use it


def diffusion_matrix(
    faces: tuple[np.ndarray, ...], periodic: tuple[bool, ...], diagonal: np.ndarray | None = None
) -> sp.csr_array:
    """Return the matrix of Σ T (u_cell − u_neighbour) in CSR form.

    Parameters
    ----------
    faces : one array per axis, in C order, with one entry more along its own axis than the grid
        Transmissibilities T; the outermost ones lead to walls of value zero, or around a periodic axis.
    periodic : tuple of bool
    diagonal : array, the shape of the grid
        `cell_sums(faces)` by default.
    """
    sums = cell_sums(faces) if diagonal is None else diagonal
    below, above = (
        [-face[along_axis(face.ndim, axis, which)] for axis, face in enumerate(faces)]
        for which in (slice(None, -1), slice(1, None))
    )
    return stencil_matrix(sums, below, above, periodic)
