"""Allocate once what one thread needs to solve problems on one two-dimensional grid."""

from __future__ import annotations

import math

import numpy as np

from ...kernels.alignment import aligned_empty, whole_lines
from ...matrices.box import Box
from ..hierarchy import grid_sizes
from ..smoothing import fourth_kind_steps
from .conjugate_gradients import solve
from .cycle import EAST, INVERSE_DIAGONAL, NORTH, NX, NY, R, cells, cycle, plan, set_up_levels
from .galerkin import LINES
from .transmissibilities import faces2d

MILD = 16.0
"""Up to this contrast conjugate gradients have float32 directions: they then take as many iterations as with float64;
at 100 one more, at 10⁴ many."""


class Workspace:
    """Hold the memory for one two-dimensional sample at a time: faces, vectors of conjugate gradients, the hierarchy.

    Attributes
    ----------
    east, north : ndarray, (ny, nx + 1), (ny + 1, nx), float64
        Transmissibilities over the cells' extents, times `scale`, a power of two that brings them near one.
    sizes : list of tuple
        Cells per axis of each level.
    mild : bool
        Whether a solve begins with directions in float32.
    """

    def __init__(self, box: Box, steps: int) -> None:
        self.box = box
        ny, nx = box.shape
        self.sizes = grid_sizes(box)
        self.levels, length = plan([(shape[0], shape[1]) for shape in self.sizes])
        self.periodic = (box.periodic[0], box.periodic[1])
        self.walls = (box.walls[0], box.walls[1], box.walls[2], box.walls[3])
        self.arena = aligned_empty((length,), np.float32)
        self.omegas = fourth_kind_steps(steps)
        self.rings = aligned_empty((steps + 1, 4, whole_lines(nx + 2, 16)), np.float32, lead=1)
        self.lines = aligned_empty((LINES, whole_lines(nx + 2, 16)), np.float32)
        self.east = aligned_empty((ny, nx + 1), np.float64)
        self.north = aligned_empty((ny + 1, nx), np.float64)
        self.vectors: tuple[np.ndarray, ...] = ()
        self.directions = np.zeros((2, 1, 1), dtype=np.float32)
        self.product = np.zeros((1, 1), dtype=np.float32)
        self.mild = False
        self.history = np.zeros(1)
        self.scale = 1.0

    def set_up(self, coefficient: np.ndarray) -> bool:
        """Set the hierarchy up for cell values (ny, nx), float64; return whether the coarsest matrix is definite."""
        hy, hx = self.box.spacings
        highest = float(coefficient.max())
        self.mild = highest <= MILD * float(coefficient.min())
        largest = highest * 2.0 * max(hy**-2, hx**-2)
        self.scale = math.ldexp(1.0, -math.frexp(largest)[1])
        weights = (2.0 * self.scale * hy**-2, 2.0 * self.scale * hx**-2)
        east, north = self._single_faces()
        faces2d(coefficient, weights, self.periodic, self.walls, self.east, self.north, east, north)
        return self._set_up_levels()

    def set_up_from_faces(self, east: np.ndarray, north: np.ndarray, walls: tuple[bool, bool, bool, bool]) -> bool:
        """Set the hierarchy up from transmissibilities, with those to walls in the outermost entries."""
        largest = max(float(east.max()), float(north.max()))
        self.scale = math.ldexp(1.0, -math.frexp(largest)[1])
        self.mild = False
        self.walls = walls
        np.multiply(east, self.scale, out=self.east)
        np.multiply(north, self.scale, out=self.north)
        for single, double in zip(self._single_faces(), (self.east, self.north), strict=True):
            single[...] = double
        return self._set_up_levels()

    def apply(self, r: np.ndarray) -> np.ndarray:
        """Apply one cycle to a right-hand side of the scaled operator, (ny, nx); the result is a view."""
        cells(self.arena, self.levels, 0, R)[...] = r
        offset, _ = cycle(self.arena, self.levels, self.periodic, self.omegas, self.rings, self.lines)
        return self.arena[offset : offset + r.size].reshape(r.shape)

    def solve(
        self, rhs: np.ndarray, factor: float, tolerance: float, maxiter: int, patience: int
    ) -> tuple[int, int, float]:
        """Run conjugate gradients on the scaled operator; see `plane.conjugate_gradients.solve`."""
        if not self.vectors:
            ny, nx = self.box.shape
            padded = (ny + 2, whole_lines(nx + 2, 8))
            x, p = (aligned_empty(padded, np.float64, lead=1) for _ in range(2))
            self.vectors = (x, p, aligned_empty((ny, nx), np.float64), aligned_empty((ny, nx), np.float64))
            self.directions = aligned_empty((2, ny + 2, whole_lines(nx + 2, 16)), np.float32, lead=1)
            self.product = aligned_empty((ny, nx), np.float32)
        if self.history.size <= maxiter:
            self.history = np.zeros(maxiter + 1)
        outcome: tuple[int, int, float] = solve(
            rhs,
            factor,
            tolerance,
            maxiter,
            patience,
            self.east,
            self.north,
            self.vectors,
            self.directions,
            self.product,
            self.mild,
            self.arena,
            self.levels,
            self.periodic,
            self.omegas,
            self.rings,
            self.lines,
            self.history,
        )
        return outcome

    @property
    def x(self) -> np.ndarray:
        """Return the iterate of the last solve, (ny, nx), a view."""
        ny, nx = self.box.shape
        return self.vectors[0][1 : ny + 1, 1 : nx + 1]

    def forget(self) -> None:
        """Clear all vectors: a failed solve may have left values in the rims of the grids."""
        self.arena[:] = 0.0
        self.rings[:] = 0.0
        for vector in (*self.vectors, self.directions):
            vector[...] = 0.0

    def largest_diagonal(self) -> float:
        """Return the largest diagonal entry of the scaled operator."""
        inverse = cells(self.arena, self.levels, 0, INVERSE_DIAGONAL)
        return 1.0 / float(inverse[inverse > 0.0].min(initial=np.inf))

    def _single_faces(self) -> tuple[np.ndarray, np.ndarray]:
        row = self.levels[0]
        ny, nx = int(row[NY]), int(row[NX])
        east, north = int(row[EAST]), int(row[NORTH])
        return (
            self.arena[east : east + ny * (nx + 1)].reshape(ny, nx + 1),
            self.arena[north : north + (ny + 1) * nx].reshape(ny + 1, nx),
        )

    def _set_up_levels(self) -> bool:
        return bool(set_up_levels(self.arena, self.levels, self.periodic, self.walls, self.lines))
