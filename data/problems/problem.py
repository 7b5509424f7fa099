"""State the contract of a problem: what every PDE of the zoo gives to generation, verification and the solvers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from resolvent.solvers import SolveResult
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem

from ..format.compression import Compression
from ..format.field import Field
from ..grids import AXES, cell_centres, grid_shape, plain_resolution
from ..settings import HasSettings


class Problem(HasSettings, ABC):
    """Describe a steady linear PDE with random parameters, discretised on a uniform grid of cells of the unit box.

    A subclass is one PDE in one file. Its class docstring states the equation, domain, boundary conditions, parameter
    distribution, scheme and order, stability, values that work, and the reference. Its constructor's first argument is
    `resolution`; every argument is kept in an attribute of its name (:class:`~resolvent.data.settings.HasSettings`).
    Instances hold settings only, can be pickled, and give the same sample for the same generator on every machine with
    the same numerical libraries.

    Attributes
    ----------
    name : str
        The key in ``PROBLEMS``; it enters the seed of every sample, so it must not change.
    shape : tuple of int
        Points of the stored fields along each axis.
    cells : tuple of int
        What `resolution` says of each axis. It is `shape`, unless a problem sets that to something else.
    boundary : str or tuple of str
        The Well's word for the sides, or one for each axis: 'wall', 'open' or 'periodic'.
    """

    name: ClassVar[str]
    ndim: int = 2
    boundary: str | tuple[str, ...] = "wall"
    default_dtype: ClassVar[str] = "float64"  # of the stored fields, unless generation is asked for another
    exact_outputs: bool = False  # whether the certificate needs some outputs to the last bit: no lossy compression
    batch: ClassVar[int] = 1  # samples of a shard that generation hands to `solve_many` together

    def __init__(self, resolution: Any) -> None:
        self.shape = self.cells = grid_shape(resolution, self.ndim)

    @property
    def resolution(self) -> tuple[int, ...]:
        """The number of points along each axis is `shape`."""
        return self.shape

    @property
    def axes(self) -> tuple[np.ndarray, ...]:
        """The points of the stored fields along each axis are cell centres, by default."""
        return tuple(cell_centres(n) for n in self.shape)

    @property
    def axis_names(self) -> tuple[str, ...]:
        """The axes are called x, y, z, or ``('node',)`` for values at the nodes of an unstructured mesh."""
        return AXES[: self.ndim]

    @property
    def boundary_masks(self) -> tuple[np.ndarray, ...]:
        """Masks say for each axis which of its points are at the boundary: the first and the last by default."""
        masks = tuple(np.zeros(len(points), dtype=bool) for points in self.axes)
        for mask in masks:
            mask[[0, -1]] = True
        return masks

    @property
    def times(self) -> np.ndarray:
        """The times that are stored; a steady problem has one, 0."""
        return np.zeros(1)

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "resolution": plain_resolution(self.cells)}

    def scalars(self) -> dict[str, float]:
        """Return the numbers that define the distribution, stored as The Well's scalars; none by default."""
        return {}

    @property
    def default_solver(self) -> SolverSpec:
        """The solver that generation uses unless it is given another."""
        return SolverSpec()

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw the parameters of one sample from `rng` alone."""

    @abstractmethod
    def system(self, parameters: Mapping[str, Any]) -> LinearSystem:
        """Discretise one sample: return its linear system. It also takes parameters that `sample` never draws."""

    def solve(
        self,
        parameters: Mapping[str, Any],
        solver: SolverSpec | None = None,
        x0: np.ndarray | None = None,
        rtol: float | None = None,
    ) -> SolveResult:
        """Solve one sample with `solver` (the default solver if None), from `x0`, to `rtol` (the solver's if None)."""
        system = self.system(parameters)
        return (solver or self.default_solver).solve(
            system.operator,
            system.rhs,
            x0=x0,
            rtol=rtol,
            nullspace=system.nullspace,
            near_nullspace=system.near_nullspace,
        )

    def solve_many(
        self, parameters: Sequence[Mapping[str, Any]], solver: SolverSpec | None = None
    ) -> list[SolveResult]:
        """Solve several samples, each with the bits that :meth:`solve` gives it."""
        return [self.solve(each, solver) for each in parameters]

    def solution_size(self, parameters: Mapping[str, Any]) -> int:
        """Return the length of the x that `solve` finds and `fields` takes."""
        return self.system(parameters).rhs.size

    def certificate(self, fields: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Return what is certified of the stored arrays besides the residual, by name; `verify` compares it."""
        return {}

    @abstractmethod
    def fields(self, parameters: Mapping[str, Any], solution: np.ndarray) -> dict[str, Field]:
        """Return what is stored of one sample; `solution` is the solver's x, of shape (n,)."""

    @abstractmethod
    def residual(self, fields: Mapping[str, np.ndarray]) -> float:
        """Return the relative residual ‖f − A(a)u‖₂ / ‖f‖₂ in float64, from the stored arrays of one sample alone.

        It must share no code with :meth:`system`: a mistake in one must show in the other.
        """

    @abstractmethod
    def rounding(self, fields: Mapping[str, np.ndarray], dtype: Any) -> float:
        """Bound what storing the fields in `dtype` can add to :meth:`residual`, from the stored arrays alone."""


def residual_floor(
    problem: Problem, fields: dict[str, np.ndarray], outputs: list[str], compression: Compression
) -> float:
    """Bound what the compression error of the outputs can add to the relative residual.

    :meth:`~.problem.Problem.rounding` bounds the effect of errors |δu| ≤ υ|u|, υ being float32's unit roundoff, and
    grows with |u|. For errors |δu| ≤ e it is evaluated at outputs of the constant magnitude e/υ.
    """
    if not compression.lossy:
        return 0.0
    unit = float(np.finfo(np.float32).eps) / 2.0
    inflated = dict(fields)
    for name in outputs:
        bound = compression.bound(fields[name])
        if compression.mode == "relative":  # to the exact values, which may be larger than the stored ones
            bound /= max(1.0 - (compression.error_bound or 0.0), 0.5)
        inflated[name] = np.full(fields[name].shape, bound / unit)
    return problem.rounding(inflated, np.float32)
