"""Allocate once what one thread needs to solve problems on one three-dimensional grid."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from ...kernels import Kernel, Structure
from ...kernels.alignment import aligned_empty, whole_lines
from ...matrices.box import Box
from ..hierarchy import grid_sizes
from ..outcomes import INDEFINITE
from ..smoothing import fourth_kind_steps
from .galerkin import LINES, TILE, galerkin_tables
from .grids import INVERSE_DIAGONAL, N, R, S, X, plan
from .interpolation import interpolation_tables
from .linear_transfers import end_weights

_set_up = Kernel("space_set_up", "struct struct struct f64* float float float int", "int")
_set_up_levels = Kernel("space_set_up_levels", "struct struct struct int", "int")
_cycle = Kernel("space_cycle", "struct", "float")
_solve = Kernel("space_solve", "struct struct f64*", "int")
_go_on = Kernel("space_go_on", "struct struct f64*", "int")
_operator = Kernel("space_operator", "struct int int f64*")

_PAUSED = -1
"""What `_solve` and `_go_on` return where convergence is slow and another hierarchy may help."""

_PIECE = 1024
"""Entries of a coarse level treated together, as in sweeps.hpp."""

MILD = 16.0
"""Up to this contrast coarse operators are rediscretised: measured, up to 20 a solve is faster than with Galerkin
products on every kind of field tried (interfaces, rough fields, random cells and blocks, layers, fibres), although it
takes up to four iterations more at 10 and eight at 20; at 50 it takes twice the time on blocks of three cells."""

COARSE_STEPS = 3
"""Minimum of relaxation steps before and after on rediscretised levels: 2 cost an iteration, 4 save none."""

REDUCTION = 1e-3
"""Residuals are recomputed when they have shrunk by this factor. At a contrast of 10⁶ and a factor of 1e-5 the true
residual is as large as the recurrence says, but points in other directions, where A⁻¹ is large."""

MILD_REDUCTION = 1e-5
"""The same at mild contrast, where float32 holds two digits more on grids of interest."""


@cache
def _tables(diagonals: bool) -> Structure:
    """Return the tables for levels of thirteen vectors of links (`diagonals`) or of three."""
    weighing, counts = interpolation_tables(diagonals)
    gathers, links, scatter = galerkin_tables(diagonals)
    return Structure(
        "SpaceTables",
        weighing=weighing,
        weighing_counts=counts,
        gathers=gathers,
        gather_count=len(gathers),
        links=links,
        link_count=len(links),
        scatter=scatter,
        scatter_count=len(scatter),
    )


class Workspace3D:
    """Hold the memory for one three-dimensional sample at a time: faces, vectors of conjugate gradients, the hierarchy.

    Attributes
    ----------
    sizes : list of tuple
        Cells per axis of each level.
    scale : float
        A power of two that brings the transmissibilities over the cells' extents near one.
    """

    def __init__(self, box: Box, steps: int) -> None:
        self.box = box
        self.sizes = grid_sizes(box)
        self.levels, length, kinds = plan(self.sizes)
        z, y, x = (periodic and n > 1 for periodic, n in zip(box.periodic, box.shape, strict=True))
        self.wraps = (z, y, x)
        self.walls = box.walls
        self.arena = aligned_empty((length,), np.float32)
        row = self.levels[0]
        plane, cells = int(row[S]), int(row[N])
        # One block for all float64 vectors: several megabytes at once get huge pages, which single vectors would not.
        double = aligned_empty((3 * cells + 8 + whole_lines(cells, 8),), np.float64)
        self.faces, self.iterate = double[: 3 * cells], double[whole_lines(3 * cells, 8) :][:cells]
        self.directions = aligned_empty((3 * cells,), np.float32)
        self.rings = np.zeros(4 * plane * (steps - 1) + plane, dtype=np.float32)
        self.history = np.zeros(1)
        self.scale = 1.0
        omegas, omegas_below = fourth_kind_steps(steps), fourth_kind_steps(max(steps, COARSE_STEPS))
        self._space = Structure(
            "Space",
            arena=self.arena,
            levels=self.levels,
            level_count=len(self.sizes),
            wraps=np.array(self.wraps, dtype=np.int64),
            walls=np.array(self.walls, dtype=np.int64),
            ends=end_weights(self.sizes, self.wraps, self.walls),
            omegas=omegas,
            steps=omegas.size,
            omegas_below=omegas_below,
            steps_below=omegas_below.size,
            rediscretised=0,
            rings=self.rings,
            work=np.zeros(max(plane, _PIECE), dtype=np.float32),
            work_size=max(plane, _PIECE),
            tile=np.zeros(LINES * TILE, dtype=np.float32),
            kinds=np.zeros(kinds, dtype=np.float32),
            faces=self.faces,
            iterate=self.iterate,
            directions=self.directions,
            dense=np.zeros(2 * math.prod(self.sizes[-1]) ** 2),
        )
        numbers = ("norm", "start", "best", "goal", "energy", "first", "second")
        self._progress = Structure(
            "SpaceSolve",
            scale=1.0,
            tolerance=0.0,
            reduction=REDUCTION,
            maxiter=0,
            patience=1,
            exchangeable=0,
            history=self.history,
            iterations=0,
            **dict.fromkeys(numbers, 0.0),
            recomputed=0,
        )

    @property
    def rediscretised(self) -> bool:
        """Return whether coarse operators are those of coarser cells, seven points, instead of Galerkin products."""
        return bool(self._space.rediscretised)

    def set_up(self, coefficient: np.ndarray) -> bool:
        """Set the hierarchy up for cell values (nz, ny, nx); return whether the coarsest matrix is definite."""
        inverse_squares = [spacing**-2 for spacing in self.box.spacings]
        smallest, largest = float(coefficient.min()), float(coefficient.max())
        self.scale = math.ldexp(1.0, -math.frexp(largest * 2.0 * max(inverse_squares))[1])
        weights = [2.0 * self.scale * value for value in inverse_squares]
        return bool(
            _set_up(self._space, _tables(False), _tables(True), coefficient, *weights, smallest * MILD >= largest)
        )

    def set_up_from_faces(self, faces: tuple[np.ndarray, ...], walls: tuple[bool, ...]) -> bool:
        """Set the hierarchy up from transmissibilities across z, y, x, with those to walls in the outermost entries."""
        largest = max(float(face.max()) for face in faces)
        self.scale = math.ldexp(1.0, -math.frexp(largest)[1])
        self.walls = walls
        self._space.walls = np.array(walls, dtype=np.int64)
        self._space.ends = end_weights(self.sizes, self.wraps, walls)
        for inside, face in zip(self._inner_faces(), faces, strict=True):
            np.multiply(face, self.scale, out=inside)
        return self._set_up_levels(all(_mild(face, axis) for axis, face in enumerate(faces)))

    def _set_up_levels(self, rediscretised: bool) -> bool:
        return bool(_set_up_levels(self._space, _tables(False), _tables(True), rediscretised))

    def _exchange(self) -> bool:
        """Replace the rediscretised hierarchy by Galerkin products; return whether that worked."""
        return self._set_up_levels(False)

    def unscaled_faces(self) -> tuple[np.ndarray, ...]:
        """Return the transmissibilities across z, y, x, without the scale."""
        z, y, x = (face / self.scale for face in self._inner_faces())
        return z, y, x

    def operator(self, level: int) -> np.ndarray:
        """Return the scaled operator of a level as a dense matrix."""
        cells = math.prod(self.sizes[level])
        matrix = np.zeros((cells, cells))
        _operator(self._space, level, 3 if level == 0 or self.rediscretised else 13, matrix)
        return matrix

    def apply(self, r: np.ndarray) -> np.ndarray:
        """Apply one cycle to a right-hand side of the scaled operator, (nz, ny, nx); the result is a view."""
        self._cells(R)[...] = r
        _cycle(self._space)
        return self._cells(X)

    def solve(
        self, rhs: np.ndarray, factor: float, tolerance: float, maxiter: int, patience: int
    ) -> tuple[int, int, float]:
        """Solve A x = factor · rhs, A the scaled operator, to ‖r‖ ≤ tolerance from zero, by conjugate gradients.

        Where a rediscretised hierarchy converges slowly, it is exchanged for Galerkin products, once.

        Returns
        -------
        outcome : int
            See `outcomes`.
        iterations : int
        residual : float
            Its norm, computed in float64.
        """
        progress = self._progress
        if self.history.size <= maxiter:
            progress.history = self.history = np.zeros(maxiter + 1)
        progress.scale, progress.tolerance = factor, tolerance
        progress.maxiter, progress.patience = maxiter, patience
        progress.reduction = MILD_REDUCTION if self.rediscretised else REDUCTION
        progress.exchangeable = self.rediscretised
        outcome = _solve(self._space, progress, rhs)
        if outcome == _PAUSED:
            outcome = _go_on(self._space, progress, rhs) if self._exchange() else INDEFINITE
        return outcome, progress.iterations, progress.norm

    @property
    def x(self) -> np.ndarray:
        """Return the iterate of the last solve, (nz, ny, nx), a view."""
        return self._inner(self.iterate)

    def forget(self) -> None:
        """Clear all vectors: a failed solve may have left values in the rims of the grids."""
        self.arena[:] = 0.0
        self.rings[:] = 0.0
        self.directions[:] = 0.0
        self.iterate[:] = 0.0

    def largest_diagonal(self) -> float:
        """Return the largest diagonal entry of the scaled operator."""
        inverse = self._cells(INVERSE_DIAGONAL)
        return 1.0 / float(inverse[inverse > 0.0].min(initial=np.inf))

    def _inner(self, vector: np.ndarray) -> np.ndarray:
        nz, ny, nx = self.box.shape
        return vector.reshape(nz + 2, ny + 2, nx + 2)[1:-1, 1:-1, 1:-1]

    def _cells(self, column: int) -> np.ndarray:
        begin = int(self.levels[0, column])
        return self._inner(self.arena[begin : begin + int(self.levels[0, N])])

    def _inner_faces(self) -> tuple[np.ndarray, ...]:
        nz, ny, nx = self.box.shape
        x, y, z = self.faces.reshape(3, nz + 2, ny + 2, nx + 2)
        return z[1:, 1:-1, 1:-1], y[1:-1, 1:, 1:-1], x[1:-1, 1:-1, 1:]


def _mild(faces: np.ndarray, axis: int) -> bool:
    """Return whether the links between cells along one axis are of mild contrast."""
    inner = np.moveaxis(faces, axis, 0)[1:-1]
    return not inner.size or float(inner.min()) * MILD >= float(inner.max()) > 0.0
