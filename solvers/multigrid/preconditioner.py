"""Use one V-cycle as a preconditioner for any Krylov method."""

from __future__ import annotations

import math
import operator
from html import escape
from typing import Any

import numpy as np

from ..errors import InputError
from ..matrices.box import Box
from ..operands import as_csr
from ..preconditioner import Preconditioner
from ..preconditioners.hierarchy_summary import HierarchySummary
from .hierarchy import summary
from .plane.workspace import Workspace
from .sample import STEPS
from .space.workspace import COARSE_STEPS, Workspace3D


class Multigrid(Preconditioner):
    """Apply M = one V-cycle of black-box multigrid for −∇·(a∇u) on a grid of cells, in float32.

    Operator-dependent interpolation and Galerkin coarse stencils make the number of iterations independent of the grid,
    and nearly so of jumps in the coefficient; relaxation is fourth-kind Chebyshev–Jacobi, the same before and after, so
    that M is symmetric positive definite. It converges slowly with islands of high coefficient a few cells wide, which
    its coarse grids miss: use `amg` there. In three dimensions, where the contrast is at most 16, interpolation is
    linear and the coarse levels have the seven-point scheme of coarser cells: a few more iterations, at half the cost.

    A is a `Diffusion`, or a matrix of that form: five points on a grid, seven in three dimensions, links that
    are not positive, row sums zero but in the cells at the boundary. One instance serves one thread at a time. Print it
    for the levels.

    Settings
    --------
    shape : tuple of int, optional
        Cells per axis, (ny, nx) or (nz, ny, nx), C order; `A.shape_grid` by default.
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

    def __init__(self, shape: tuple[int, ...] | None = None, steps: int = STEPS) -> None:
        try:
            self._shape = None if shape is None else tuple(operator.index(m) for m in shape)
            self.steps = operator.index(steps)
        except TypeError as error:
            raise InputError(
                f"multigrid: shape is {shape!r} and steps {steps!r}; expected integers such as (64, 64) and 2."
            ) from error
        if not 1 <= self.steps <= 8:
            raise InputError(f"multigrid: steps is {steps}; expected an integer from 1 to 8.")
        self._workspace: Workspace | Workspace3D | None = None

    def _describe(self) -> dict[str, Any]:
        return {"grid": "x".join(map(str, self.sizes[0])), "levels": len(self.sizes), "steps": self.steps}

    def _summary(self) -> HierarchySummary:
        rediscretised = isinstance(self._workspace, Workspace3D) and self._workspace.rediscretised
        return summary(self.sizes, self.steps, rediscretised, max(self.steps, COARSE_STEPS))

    def __str__(self) -> str:
        return self._summary().text() if self._workspace is not None else repr(self)

    def _repr_html_(self) -> str:
        return self._summary().html() if self._workspace is not None else escape(repr(self))

    def _build(self, A: Any, again: bool) -> None:
        grid = getattr(A, "shape_grid", None) if self._shape is None else self._shape
        matrix = as_csr(A, self.name)
        n = matrix.shape[0]
        if matrix.dtype.kind == "c":
            raise InputError("multigrid solves real diffusion problems, but A is complex: use amg or jacobi.")
        if grid is None:
            raise InputError(
                f"multigrid needs the grid of the {n} unknowns: give shape=(ny, nx) or (nz, ny, nx), in C order."
            )
        if len(grid) not in (2, 3) or min(grid) < 1 or math.prod(grid) != n:
            raise InputError(
                f"multigrid: shape {tuple(grid)} does not hold the {n} unknowns of A; "
                f"expected (ny, nx) or (nz, ny, nx) with {n} cells in all."
            )
        shape = tuple(int(cells) for cells in grid)
        faces, walls = read_faces(matrix, shape)
        lengths = tuple(cells * spacing for cells, spacing in zip(shape, _spacings(faces), strict=True))
        box = Box(shape, lengths, (("neumann", "neumann"),) * len(shape))
        if self._workspace is None or self._workspace.box != box:
            self._workspace = Workspace(box, self.steps) if len(shape) == 2 else Workspace3D(box, self.steps)
        if isinstance(self._workspace, Workspace3D):
            definite = self._workspace.set_up_from_faces(faces, walls)
        else:
            north, east = faces
            ends = (bool(end.any()) for end in (north[0], north[-1], east[:, 0], east[:, -1]))
            definite = self._workspace.set_up_from_faces(east, north, (next(ends), next(ends), next(ends), next(ends)))
        if not definite:
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
        power = math.ldexp(1.0, min(max(math.frexp(size)[1], -1000), 1000))  # whose reciprocal is a number, too
        z = workspace.apply((r * (1.0 / power)).reshape(workspace.box.shape)).reshape(-1).astype(np.float64)
        z *= power * workspace.scale
        return z


def read_faces(matrix: Any, shape: tuple[int, ...]) -> tuple[tuple[np.ndarray, ...], tuple[bool, ...]]:
    """Read the transmissibilities off a five- or seven-point matrix; its row sums become links to walls.

    Returns
    -------
    faces : one array per axis
    walls : whether the low and the high side of each axis are walls, in one row
    """
    n, dimension = matrix.shape[0], len(shape)
    grid = "x".join(map(str, shape))
    points = {2: "five", 3: "seven"}[dimension]
    rest = f"multigrid takes the {points}-point matrix of a diffusion operator on the grid; use amg for others."
    diagonal = matrix.diagonal()
    walls = diagonal.reshape(shape).copy()
    counted = np.count_nonzero(diagonal)
    smallest = 0.0
    faces = []
    for axis, cells in enumerate(shape):
        distance = math.prod(shape[axis + 1 :])
        face = np.zeros((*shape[:axis], cells + 1, *shape[axis + 1 :]))
        faces.append(face)
        if cells == 1:
            continue
        links = np.zeros(n)
        links[: n - distance] = -matrix.diagonal(distance)
        if np.any(-matrix.diagonal(-distance) != links[: n - distance]):
            raise InputError(f"multigrid: A is not symmetric; {rest}")
        counted += 2 * np.count_nonzero(links)
        smallest = min(smallest, float(links.min()))
        ahead = np.moveaxis(links.reshape(shape), axis, 0)
        if ahead[-1].any():
            raise InputError(f"multigrid: A couples the ends of neighbouring rows of a {grid} grid; {rest}")
        np.moveaxis(face, axis, 0)[1:-1] = ahead[:-1]
        inner = np.moveaxis(face, axis, 0)
        np.moveaxis(walls, axis, 0)[...] -= inner[:-1] + inner[1:]
    if np.count_nonzero(matrix.data) != counted:
        raise InputError(f"multigrid: A couples cells that are no neighbours on a {grid} grid, or one way only; {rest}")
    if not (diagonal.min() > 0.0 and smallest >= 0.0):
        raise InputError(f"multigrid: A has a diagonal entry that is not positive, or a positive link; {rest}")
    walls[np.abs(walls) <= 1e-12 * diagonal.reshape(shape)] = 0.0
    if walls.min() < 0.0 or walls[(slice(1, -1),) * dimension].any():
        raise InputError(f"multigrid: rows of A do not sum to zero inside the grid; {rest}")
    layers = [np.moveaxis(walls, axis, 0)[end] for axis in range(dimension) for end in (0, -1)]
    sides = [bool(layer.all()) for layer in layers]
    if not any(sides):  # walls along a part of a side
        sides = [bool(layer.any()) for layer in layers]
    # A cell at an edge or a corner has one number for its walls; the last axis gets it.
    for axis in range(dimension - 1, -1, -1):
        for end in (0, -1):
            layer = np.moveaxis(walls, axis, 0)[end]
            np.moveaxis(faces[axis], axis, 0)[end] = layer
            layer[...] = 0.0
    return tuple(faces), tuple(sides)


def _spacings(faces: tuple[np.ndarray, ...]) -> list[float]:
    """Estimate the spacing of each axis, relative to the last one, from the mean links."""
    means = []
    for axis, face in enumerate(faces):
        inner = np.moveaxis(face, axis, 0)[1:-1]
        means.append(float(inner.mean()) if inner.size else 0.0)
    last = means[-1]
    return [math.sqrt(last / mean) if last > 0.0 and mean > 0.0 else 1.0 for mean in means]
