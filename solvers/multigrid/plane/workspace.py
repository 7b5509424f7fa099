"""Allocate once what one thread needs to solve problems on one two-dimensional grid, and call what is compiled.

The kernels are C++: `workspace.cpp`, with a header for each of their parts.
"""

from __future__ import annotations

import math

import numpy as np

from ...kernels import Kernel, Structure
from ...kernels.alignment import aligned_empty, whole_lines
from ...matrices.box import Box
from ..hierarchy import grid_sizes
from ..smoothing import fourth_kind_steps
from .layout import INVERSE_DIAGONAL, R, cells, plan

MILD = 16.0
"""Up to this contrast conjugate gradients have float32 directions: they then take as many iterations as with float64;
at 100 one more, at 10⁴ many."""

ENOUGH = 40
"""Iterations with float32 directions before float64 ones take over: where float32 suffices, half of them do."""

REDUCTION = 3e-4
"""Residuals are recomputed at the latest when they have shrunk by this factor: measured, as many iterations as with
float64 directions up to 2048² cells; at 1e-5 one or two more."""

LINES = 9
"""Rows of working memory, as many as in grids.hpp."""

_set_up = Kernel("plane_set_up", "struct f64* float float", "int")
_set_up_from_faces = Kernel("plane_set_up_from_faces", "struct f64* f64*", "int")
_cycle = Kernel("plane_cycle", "struct")
_solve = Kernel("plane_solve", "struct f64* float float int int", "int")


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
        self.arena = aligned_empty((length,), np.float32)
        self.east = aligned_empty((ny, nx + 1), np.float64)
        self.north = aligned_empty((ny + 1, nx), np.float64)
        self.history = np.zeros(1)
        self._vectors: tuple[np.ndarray, ...] = ()
        hy, hx = box.spacings
        self._weights = (2.0 * hy**-2, 2.0 * hx**-2)
        row_width, coarsest = whole_lines(nx + 2, 16), math.prod(self.sizes[-1])
        none, single_none = np.zeros(1), np.zeros(1, dtype=np.float32)
        self._plane = Structure(
            "Plane",
            arena=self.arena,
            arena_size=length,
            levels=self.levels,
            count=len(self.sizes),
            periodic_y=int(box.periodic[0]),
            periodic_x=int(box.periodic[1]),
            south=int(box.walls[0]),
            north=int(box.walls[1]),
            west=int(box.walls[2]),
            east=int(box.walls[3]),
            omegas=fourth_kind_steps(steps),
            steps=steps,
            rings=aligned_empty((steps + 1, 4, row_width), np.float32, lead=1),
            lines=aligned_empty((LINES, row_width), np.float32),
            row_width=row_width,
            coarsest=aligned_empty((2, coarsest, coarsest), np.float64),
            faces_east=self.east,
            faces_north=self.north,
            x=none,
            p=none,
            wide_width=whole_lines(nx + 2, 8),
            q=none,
            r=none,
            pair=single_none,
            product=single_none,
            history=self.history,
            mild_contrast=MILD,
            enough=ENOUGH,
            reduction=REDUCTION,
            mild=0,
            scale=1.0,
            place=0,
            energy=0.0,
            iterations=0,
            residual=0.0,
        )

    def set_up(self, coefficient: np.ndarray) -> bool:
        """Set the hierarchy up for cell values (ny, nx), float64; return whether the coarsest matrix is definite."""
        self._plane.mild_contrast = MILD
        return bool(_set_up(self._plane, coefficient, *self._weights))

    def set_up_from_faces(self, east: np.ndarray, north: np.ndarray, walls: tuple[bool, bool, bool, bool]) -> bool:
        """Set the hierarchy up from transmissibilities, with those to walls in the outermost entries."""
        for side, wall in zip(("south", "north", "west", "east"), walls, strict=True):
            setattr(self._plane, side, int(wall))
        return bool(_set_up_from_faces(self._plane, np.ascontiguousarray(east), np.ascontiguousarray(north)))

    def apply(self, r: np.ndarray) -> np.ndarray:
        """Apply one cycle to a right-hand side of the scaled operator, (ny, nx); the result is a view."""
        cells(self.arena, self.levels, 0, R)[...] = r
        _cycle(self._plane)
        place = self._plane.place
        return self.arena[place : place + r.size].reshape(r.shape)

    def solve(
        self, rhs: np.ndarray, factor: float, tolerance: float, maxiter: int, patience: int
    ) -> tuple[int, int, float]:
        """Solve A x = factor·rhs to ‖r‖ ≤ tolerance with the scaled operator, from zero, by conjugate gradients.

        Parameters
        ----------
        rhs : (ny, nx), float64
        factor : float
            Brings the norm of the right-hand side near one, where float32 neither overflows nor underflows.
        maxiter, patience : int
            Iterations allowed. From the hundredth on, every fifty iterations, the solve gives up as slow if at its mean
            rate so far it would need more than `patience` iterations.

        Returns
        -------
        The outcome (see `outcomes`), the iterations and the true residual; `history` holds the norms of the residuals.
        """
        plane = self._plane
        if not self._vectors:
            self._allocate_vectors()
        if self.history.size <= maxiter:
            self.history = plane.history = np.zeros(maxiter + 1)
        outcome = _solve(plane, rhs, factor, tolerance, maxiter, patience)
        return outcome, plane.iterations, plane.residual

    @property
    def x(self) -> np.ndarray:
        """Return the iterate of the last solve, (ny, nx), a view."""
        ny, nx = self.box.shape
        return self._vectors[0][1 : ny + 1, 1 : nx + 1]

    @property
    def mild(self) -> bool:
        """Return whether a solve begins with directions in float32."""
        return bool(self._plane.mild)

    @property
    def scale(self) -> float:
        """Return the power of two by which the operator is scaled."""
        return float(self._plane.scale)

    def forget(self) -> None:
        """Clear all vectors: a failed solve may have left values in the rims of the grids."""
        self.arena[:] = 0.0
        self._plane.rings[:] = 0.0
        for vector in self._vectors:
            vector[...] = 0.0

    def largest_diagonal(self) -> float:
        """Return the largest diagonal entry of the scaled operator."""
        inverse = cells(self.arena, self.levels, 0, INVERSE_DIAGONAL)
        return 1.0 / float(inverse[inverse > 0.0].min(initial=np.inf))

    def _allocate_vectors(self) -> None:
        (ny, nx), plane = self.box.shape, self._plane
        padded = (ny + 2, plane.wide_width)
        x, p = (aligned_empty(padded, np.float64, lead=1) for _ in range(2))
        q, r = (aligned_empty((ny, nx), np.float64) for _ in range(2))
        pair = aligned_empty((2, ny + 2, plane.row_width), np.float32, lead=1)
        self._vectors = (x, p, q, r, pair)
        plane.x, plane.p, plane.q, plane.r, plane.pair = self._vectors
        plane.product = aligned_empty((ny, nx), np.float32)
