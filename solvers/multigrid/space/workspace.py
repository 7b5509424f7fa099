"""Allocate once what one thread needs to solve problems on one three-dimensional grid."""

from __future__ import annotations

import math

import numpy as np

from ...kernels.alignment import aligned_empty, whole_lines
from ...matrices.box import Box
from ..hierarchy import grid_sizes
from ..smoothing import fourth_kind_steps
from .conjugate_gradients import MILD_REDUCTION, REDUCTION, solve
from .cycle import cycle
from .galerkin import LINES, TILE, galerkin_tables
from .grids import DIRECTIONS, INVERSE_DIAGONAL, PARTS, WEIGHTS, N, R, S, X, plan
from .interpolation import interpolation_tables
from .levels import coarsest_matrix, set_up_next
from .linear_transfers import end_weights
from .rediscretised import coarse_operator
from .sweeps import TILE as SWEEP_TILE
from .transmissibilities import faces3d, invert_diagonal_of_faces, single_faces

MILD = 16.0
"""Up to this contrast coarse operators are rediscretised: measured, up to 20 a solve is faster than with Galerkin
products on every kind of field tried (interfaces, rough fields, random cells and blocks, layers, fibres), although it
takes up to four iterations more at 10 and eight at 20; at 50 it takes twice the time on blocks of three cells."""

COARSE_STEPS = 3
"""Minimum of relaxation steps before and after on rediscretised levels: 2 cost an iteration, 4 save none."""


class Workspace3D:
    """Hold the memory for one three-dimensional sample at a time: faces, vectors of conjugate gradients, the hierarchy.

    Attributes
    ----------
    sizes : list of tuple
        Cells per axis of each level.
    scale : float
        A power of two that brings the transmissibilities over the cells' extents near one.
    rediscretised : bool
        Whether coarse operators are those of coarser cells, seven points, instead of Galerkin products.
    """

    def __init__(self, box: Box, steps: int) -> None:
        self.box = box
        self.sizes = grid_sizes(box)
        self.levels, length = plan(self.sizes)
        z, y, x = (periodic and n > 1 for periodic, n in zip(box.periodic, box.shape, strict=True))
        self.wraps = (z, y, x)
        self.walls = box.walls
        self.arena = aligned_empty((length,), np.float32)
        self.omegas = fourth_kind_steps(steps)
        self.omegas_below = self.omegas
        self._steps_below = fourth_kind_steps(max(steps, COARSE_STEPS))
        self.rediscretised = False
        self._ends = end_weights(self.sizes, self.wraps, self.walls)
        row = self.levels[0]
        plane, cells = int(row[S]), int(row[N])
        self.rings = np.zeros(4 * plane * (steps - 1) + plane, dtype=np.float32)
        self.work = np.zeros(max(plane, SWEEP_TILE), dtype=np.float32)
        self.tile = np.zeros(LINES * TILE, dtype=np.float32)
        # One block for all float64 vectors: several megabytes at once get huge pages, which single vectors would not.
        double = aligned_empty((3 * cells + 8 + whole_lines(cells, 8),), np.float64)
        self.faces, self.iterate = double[: 3 * cells], double[whole_lines(3 * cells, 8) :][:cells]
        self.directions = aligned_empty((3 * cells,), np.float32)
        kinds = [8 * (15 if level else 5) * int(coarse[N]) for level, coarse in enumerate(self.levels[1:])]
        self.kinds = [np.zeros(length, dtype=np.float32) for length in kinds]
        self._copy = np.zeros(math.prod(box.shape))
        self.history = np.zeros(1)
        self.scale = 1.0
        self._directions = np.array(DIRECTIONS, dtype=np.int64)

    def set_up(self, coefficient: np.ndarray) -> bool:
        """Set the hierarchy up for cell values (nz, ny, nx); return whether the coarsest matrix is definite."""
        inverse_squares = [spacing**-2 for spacing in self.box.spacings]
        largest = float(coefficient.max()) * 2.0 * max(inverse_squares)
        self.scale = math.ldexp(1.0, -math.frexp(largest)[1])
        z, y, x = (2.0 * self.scale * value for value in inverse_squares)
        faces3d(self._writeable(coefficient), self.levels[0], (z, y, x), self.wraps, self.walls, self.faces)
        return self._set_up_levels(float(coefficient.min()) * MILD >= float(coefficient.max()))

    def set_up_from_faces(self, faces: tuple[np.ndarray, ...], walls: tuple[bool, ...]) -> bool:
        """Set the hierarchy up from transmissibilities across z, y, x, with those to walls in the outermost entries."""
        largest = max(float(face.max()) for face in faces)
        self.scale = math.ldexp(1.0, -math.frexp(largest)[1])
        self.walls = walls
        self._ends = end_weights(self.sizes, self.wraps, self.walls)
        for inside, face in zip(self._inner_faces(), faces, strict=True):
            np.multiply(face, self.scale, out=inside)
        return self._set_up_levels(all(_mild(face, axis) for axis, face in enumerate(faces)))

    def unscaled_faces(self) -> tuple[np.ndarray, ...]:
        """Return the transmissibilities across z, y, x, without the scale."""
        z, y, x = (face / self.scale for face in self._inner_faces())
        return z, y, x

    def apply(self, r: np.ndarray) -> np.ndarray:
        """Apply one cycle to a right-hand side of the scaled operator, (nz, ny, nx); the result is a view."""
        self._cells(R)[...] = r
        self._cycle()
        return self._cells(X)

    def _cycle(self) -> float:
        energy: float = cycle(
            self.arena,
            self.levels,
            self.omegas,
            self.omegas_below,
            self.wraps,
            self.rings,
            self.work,
            self.rediscretised,
            self._ends,
        )
        return energy

    def solve(
        self, rhs: np.ndarray, factor: float, tolerance: float, maxiter: int, patience: int
    ) -> tuple[int, int, float]:
        """Run conjugate gradients on the scaled operator; see `space.conjugate_gradients.solve`."""
        if self.history.size <= maxiter:
            self.history = np.zeros(maxiter + 1)
        outcome: tuple[int, int, float] = solve(
            self._writeable(rhs),
            factor,
            tolerance,
            maxiter,
            patience,
            self.faces,
            self.iterate,
            self.directions,
            self.arena,
            self.levels[0],
            self.wraps,
            self._cycle,
            self._exchange if self.rediscretised else None,
            MILD_REDUCTION if self.rediscretised else REDUCTION,
            self.history,
        )
        return outcome

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

    def _writeable(self, values: np.ndarray) -> np.ndarray:
        """Return the values as one vector that may be written to: kernels are compiled for that type alone."""
        flat = values.reshape(-1)
        if flat.flags.writeable:
            return flat
        self._copy[:] = flat
        return self._copy

    def _set_up_levels(self, mild: bool) -> bool:
        if mild is not self.rediscretised:
            self._clear_below()
        self.rediscretised = mild
        single_faces(self.arena, self.levels[0], self.faces)
        invert_diagonal_of_faces(self.arena, self.levels[0])
        self.omegas_below = self._steps_below if mild else self.omegas
        for level in range(len(self.sizes) - 1):
            if mild:
                coarse_operator(self.arena, self.levels, level, self.wraps, self._ends[level])
                continue
            set_up_next(
                self.arena,
                self.levels,
                level,
                self.wraps,
                self.walls,
                self._directions,
                self.kinds[level],
                interpolation_tables(level > 0),
                galerkin_tables(level > 0),
                self.tile,
                self.work,
                self.faces,
            )
        return self._invert_coarsest()

    def _exchange(self) -> bool:
        """Replace the rediscretised hierarchy by Galerkin products; return whether that worked."""
        return self._set_up_levels(False)

    def _clear_below(self) -> None:
        """Clear all but the finest level and the weights: the two kinds of hierarchies use rims differently."""
        row = self.levels[0]
        self.arena[int(row[PARTS]) : int(row[WEIGHTS])] = 0.0
        if len(self.sizes) > 1:
            self.arena[int(self.levels[1, R]) :] = 0.0

    def _invert_coarsest(self) -> bool:
        """Store A⁻¹ of the coarsest level; without walls (A + s 1 1ᵀ)⁻¹, the same orthogonally to constants."""
        row = self.levels[-1]
        n = math.prod(self.sizes[-1])
        matrix = np.zeros((n, n))
        coarsest_matrix(
            self.arena, row, len(self.sizes) > 1 and not self.rediscretised, self._directions, self.wraps, matrix
        )
        if not any(self.walls):
            trace = float(np.trace(matrix))
            matrix += (trace if trace > 0.0 else 1.0) / (n * n)
        try:
            factor = np.linalg.inv(np.linalg.cholesky(matrix))
        except np.linalg.LinAlgError:
            return False
        begin = int(row[WEIGHTS])
        self.arena[begin : begin + n * n] = (factor.T @ factor).reshape(-1)
        return bool(np.isfinite(factor).all())


def _mild(faces: np.ndarray, axis: int) -> bool:
    """Return whether the links between cells along one axis are of mild contrast."""
    inner = np.moveaxis(faces, axis, 0)[1:-1]
    return not inner.size or float(inner.min()) * MILD >= float(inner.max()) > 0.0
