"""One V-cycle as a preconditioner for any Krylov method."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..errors import InputError
from ..operands import as_csr
from ..preconditioner import Preconditioner
from .batch import STEPS
from .geometry import Box
from .hierarchy import describe
from .workspace import Workspace


class Multigrid(Preconditioner):
    """M = one V-cycle of black-box multigrid for −∇·(a∇u) on a grid of cells, in float32.

    Operator-dependent interpolation and Galerkin coarse stencils make the number of iterations independent of the grid,
    and nearly so of jumps in the coefficient; relaxation is fourth-kind Chebyshev–Jacobi, the same before and after, so
    that M is symmetric positive definite. Islands of high coefficient a few cells wide are what it does not see:
    classical `amg` does.

    A is a `DiffusionStencil`, or a matrix of that form: five points on a grid, links that are not positive, row sums
    zero but in the cells at the boundary. One instance serves one thread at a time. Print it for the levels.

    Settings
    --------
    shape : tuple of int, optional
        Cells per axis (ny, nx), C order; `A.shape_grid` by default.
    steps : int
        Relaxation steps before and after.

    Attributes
    ----------
    sizes : list of tuple
        Cells per axis of each level, finest first.

    References
    ----------
    Dendy, J. Comput. Phys. 48 (1982) 366; Tatebe, NASA CP 3224 (1993) 621; Lottes, Numer. Linear Algebra Appl. 30
    (2023) e2518.
    """

    name = "multigrid"
    precision = np.dtype(np.float32)

    def __init__(self, shape: tuple[int, int] | None = None, steps: int = STEPS) -> None:
        try:
            self._shape = None if shape is None else tuple(operator.index(m) for m in shape)
            self.steps = operator.index(steps)
        except TypeError as error:
            raise InputError(
                f"multigrid: shape is {shape!r} and steps {steps!r}; expected integers such as (64, 64) and 2."
            ) from error
        if not 1 <= self.steps <= 8:
            raise InputError(f"multigrid: steps is {steps}; expected an integer from 1 to 8.")
        self._workspace: Workspace | None = None

    def __str__(self) -> str:
        return describe(self.sizes, self.steps)

    def _build(self, A: Any, again: bool) -> None:
        grid = getattr(A, "shape_grid", None) if self._shape is None else self._shape
        matrix = as_csr(A, self.name)
        n = matrix.shape[0]
        if matrix.dtype.kind == "c":
            raise InputError("multigrid solves real diffusion problems, but A is complex: use amg or jacobi.")
        if grid is None:
            raise InputError(f"multigrid needs the grid of the {n} unknowns: give shape=(ny, nx), in C order.")
        if len(grid) != 2 or min(grid) < 1 or math.prod(grid) != n:
            raise InputError(
                f"multigrid: shape {tuple(grid)} does not hold the {n} unknowns of A; expected (ny, nx), ny·nx = {n}."
            )
        ny, nx = int(grid[0]), int(grid[1])
        east, north = _faces(matrix, ny, nx)
        walls = (bool(north[0].any()), bool(north[-1].any()), bool(east[:, 0].any()), bool(east[:, -1].any()))
        stretch = _stretch(east, north)
        box = Box((ny, nx), (ny * stretch, float(nx)), (("neumann", "neumann"),) * 2)
        if self._workspace is None or self._workspace.box != box:
            self._workspace = Workspace(box, self.steps)
        if not self._workspace.set_up_from_faces(east, north, walls):
            raise InputError("multigrid: the coarsest matrix is not positive definite in float32: use amg or ic0.")
        self.sizes = self._workspace.sizes
        self.kind = "spd"

    def _apply(self, r: np.ndarray) -> np.ndarray:
        workspace = self._workspace
        assert workspace is not None
        size = float(np.abs(r).max())
        if not (size > 0.0 and math.isfinite(size)):
            return r * 0.0  # zero, or NaN where r is not finite
        # Residuals of any size fit into float32 once scaled by a power of two, which rounds nothing.
        power = math.ldexp(1.0, math.frexp(size)[1])
        z = workspace.apply((r * (1.0 / power)).reshape(workspace.box.shape)).reshape(-1).astype(np.float64)
        z *= power * workspace.scale
        return z


def _faces(matrix: Any, ny: int, nx: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the transmissibilities off a five-point matrix; what its rows sum to becomes links to walls."""
    n = ny * nx
    diagonal = matrix.diagonal()
    along_x = -matrix.diagonal(1) if nx > 1 else np.zeros(max(n - 1, 0))
    along_y = -matrix.diagonal(nx) if ny > 1 else np.zeros(0)
    counted = np.count_nonzero(diagonal) + 2 * (np.count_nonzero(along_x) + np.count_nonzero(along_y))
    rest = "multigrid takes the five-point matrix of a diffusion operator on the grid; use amg for others."
    if np.count_nonzero(matrix.data) != counted:
        raise InputError(
            f"multigrid: A couples cells that are no neighbours on a {ny}x{nx} grid, or one way only; {rest}"
        )
    if not (diagonal.min() > 0.0 and min(along_x.min(initial=0.0), along_y.min(initial=0.0)) >= 0.0):
        raise InputError(f"multigrid: A has a diagonal entry that is not positive, or a positive link; {rest}")
    if np.any(matrix.diagonal(-1) != matrix.diagonal(1)) or (ny > 1 and np.any(matrix.diagonal(-nx) != -along_y)):
        raise InputError(f"multigrid: A is not symmetric; {rest}")
    east, north = np.zeros((ny, nx + 1)), np.zeros((ny + 1, nx))
    row_ends = np.zeros((ny, nx))
    row_ends.reshape(-1)[: n - 1] = along_x
    if nx > 1 and row_ends[:, -1].any():
        raise InputError(f"multigrid: A couples the ends of neighbouring rows of a {ny}x{nx} grid; {rest}")
    east[:, 1:nx] = row_ends[:, : nx - 1]
    north[1:ny] = along_y.reshape(ny - 1, nx)
    walls = diagonal.reshape(ny, nx) - east[:, :-1] - east[:, 1:] - north[:-1] - north[1:]
    rounding = 1e-12 * diagonal.reshape(ny, nx)
    walls[np.abs(walls) <= rounding] = 0.0
    if walls.min() < 0.0 or walls[1:-1, 1:-1].any():
        raise InputError(f"multigrid: rows of A do not sum to zero inside the grid; {rest}")
    # A cell in a corner has one number for two walls; the one in x gets it.
    east[:, 0] = walls[:, 0]
    if nx > 1:
        east[:, -1] = walls[:, -1]
    north[0, 1:-1] = walls[0, 1:-1]
    if ny > 1:
        north[-1, 1:-1] = walls[-1, 1:-1]
    return east, north


def _stretch(east: np.ndarray, north: np.ndarray) -> float:
    """How much longer cells are in y than in x, from the mean links."""
    if east.shape[1] <= 2 or north.shape[0] <= 2:
        return 1.0
    x, y = float(east[:, 1:-1].mean()), float(north[1:-1].mean())
    return math.sqrt(x / y) if x > 0.0 and y > 0.0 else 1.0
