"""Classical spectral solvers made as coarse as an error allows: the rivals of what is learned in coefficients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from resolvent.solvers import Fourier, FourierGrid, PolynomialTerm, SeparablePoisson, TensorBasis, TimeStepper
from resolvent.solvers.bases import Basis
from resolvent.solvers.recombined_bases import Condition

__all__ = ["ClassicalSolver", "FisherSteps", "PoissonModes"]


@dataclass(frozen=True)
class ClassicalSolver:
    """A solver at one resolution.

    Attributes
    ----------
    name : str
        Such as '9² modes'.
    solve : callable
        Maps what a `SpectralProblem` drew, (count, …), and a shape to values at the centres of so many cells,
        (count, *shape).
    """

    name: str
    solve: Callable[[np.ndarray, tuple[int, ...]], np.ndarray]


class PoissonModes:
    """−Δu = s by `SeparablePoisson` in `space`, from coefficients of s in `own`.

    A source in the same kind of basis is cut to the modes of `space`, any other is projected.
    """

    def __init__(self, own: TensorBasis, space: TensorBasis, conditions: tuple[tuple[Condition, ...], ...]) -> None:
        self.own, self.space, self.solver = own, space, SeparablePoisson(space, conditions)

    def __call__(self, drawn: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        if type(self.own.axes[0]) is type(self.space.axes[0]):
            source = self.own.resize(drawn, self.space.shape)
        else:
            source = drawn
            for d, (own, axis) in enumerate(zip(self.own.axes, self.space.axes, strict=True)):
                source = np.moveaxis(
                    np.tensordot(source, _projection(own, axis), (d - self.own.ndim, 1)), -1, d - self.own.ndim
                )
        return np.asarray(self.space.to_cells(self.solver.solve(source), shape))


@lru_cache(maxsize=32)
def _projection(own: Basis, axis: Basis) -> np.ndarray:
    """From coefficients in `own` to those of the projection on `axis`, exact: on as many points as both together."""
    points = axis.points(own.n + axis.n)
    return np.asarray(axis.analysis_matrix(len(points)) @ own.evaluation_matrix(points))


class FisherSteps:
    """u_t = ν u_xx + ρ u(1 − u) by ETDRK4 on `points` points in `steps` steps over (0, 1).

    Between the steps u is the cubic that has their values and slopes, of order 4 like the steps.
    """

    def __init__(self, own: TensorBasis, nu: float, rho: float, points: int, steps: int) -> None:
        self.own, self.points, self.steps = own, points, steps
        grid = FourierGrid((points,), (1.0,), 2)
        # In the array library: such short grids are not worth a compiled program.
        self.stepper = TimeStepper(
            nu * grid.laplacian() + rho, PolynomialTerm(grid, square=-rho), "etdrk4", compiled=False
        )
        self.space = TensorBasis(Fourier(points))

    def __call__(self, drawn: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        grid, stepper = self.stepper.grid, self.stepper
        modes = grid.to_modes(self.space.to_values(self.own.resize(drawn, (self.points,))))
        states, slopes = [], []
        for step in range(self.steps + 1):
            states.append(modes)
            slopes.append(stepper.linear * modes + stepper.term(modes))
            if step < self.steps:
                modes = stepper.advance(modes, 1.0 / self.steps).modes
        nodal = grid.to_fields(np.stack((*states, *slopes), axis=1))
        times, x = shape
        synthesis = _cells_from_points(self.points, x)
        return np.asarray(_hermite(self.steps, times) @ nodal @ synthesis.T)


@lru_cache(maxsize=32)
def _hermite(steps: int, count: int) -> np.ndarray:
    """From values and slopes at k/steps to the piecewise cubic at `count` cell centres, (count, 2 steps + 2)."""
    times = (np.arange(count) + 0.5) / count * steps
    first = np.minimum(times.astype(int), steps - 1)
    s, row = times - first, np.arange(count)
    matrix = np.zeros((count, 2 * steps + 2))
    matrix[row, first], matrix[row, first + 1] = (1 + 2 * s) * (1 - s) ** 2, s**2 * (3 - 2 * s)
    slopes = steps + 1 + first
    matrix[row, slopes], matrix[row, slopes + 1] = s * (1 - s) ** 2 / steps, s**2 * (s - 1) / steps
    return matrix


@lru_cache(maxsize=32)
def _cells_from_points(points: int, cells: int) -> np.ndarray:
    """From values at i/points to the trigonometric interpolant at cell centres."""
    axis = Fourier(points)
    return np.asarray(axis.cell_synthesis_matrix(cells) @ axis.analysis_matrix(points))
