"""Solve by classical spectral methods made as coarse as an error allows: the rivals of networks in coefficients."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from resolvent.solvers import Fourier, FourierGrid, PolynomialTerm, SeparablePoisson, TensorBasis
from resolvent.solvers.spectral.bases import Basis
from resolvent.solvers.spectral.recombined_bases import Condition
from resolvent.solvers.timestepping.schemes import etdrk4


@dataclass(frozen=True)
class ClassicalSolver:
    """Hold a solver at one resolution.

    Attributes
    ----------
    name : str
        Such as '9² modes'.
    solve : callable
        Maps what a `SpectralProblem` drew, (count, …), and a shape to values at the centres of that many cells,
        (count, *shape).
    """

    name: str
    solve: Callable[[np.ndarray, tuple[int, ...]], np.ndarray]


class PoissonModes:
    """Solve −Δu = s by `SeparablePoisson` in `space`, from coefficients of s in `drawn_basis`.

    A source in the same kind of basis is cut to the modes of `space`, any other is projected.
    """

    def __init__(
        self, drawn_basis: TensorBasis, space: TensorBasis, conditions: tuple[tuple[Condition, ...], ...]
    ) -> None:
        self.drawn_basis, self.space, self.solver = drawn_basis, space, SeparablePoisson(space, conditions)

    def __call__(self, drawn: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        if type(self.drawn_basis.axes[0]) is type(self.space.axes[0]):
            source = self.drawn_basis.resize(drawn, self.space.shape)
        else:
            source, ndim = drawn, self.space.ndim
            for d, (drawn_axis, axis) in enumerate(zip(self.drawn_basis.axes, self.space.axes, strict=True)):
                projected = np.tensordot(source, _projection(drawn_axis, axis), (d - ndim, 1))
                source = np.moveaxis(projected, -1, d - ndim)
        return np.asarray(self.space.to_cells(self.solver.solve(source), shape))


@lru_cache(maxsize=32)
def _projection(drawn_axis: Basis, axis: Basis) -> np.ndarray:
    """Project coefficients in `drawn_axis` on `axis`, exactly: on as many points as both have functions together."""
    points = axis.points(drawn_axis.n + axis.n)
    return np.asarray(axis.analysis_matrix(len(points)) @ drawn_axis.evaluation_matrix(points))


class FisherSteps:
    """Solve u_t = ν u_xx + ρ u(1 − u) by ETDRK4 on `points` points in `steps` steps over (0, 1).

    Within a step û(t + s) = e^{Ls} û + ∫_0^s e^{L(s−τ)} N(τ) dτ with N the quadratic in τ through its values at the
    start, the middle (the mean of the two stages there) and the end of the step: stiff modes decay as they should.
    """

    def __init__(self, drawn_basis: TensorBasis, nu: float, rho: float, points: int, steps: int) -> None:
        self.drawn_basis, self.points, self.steps = drawn_basis, points, steps
        self.grid = FourierGrid((points,), (1.0,), 2)
        self.term = PolynomialTerm(self.grid, square=-rho)
        self.linear = nu * self.grid.laplacian() + rho
        self.scheme = etdrk4(self.linear, 1.0 / steps)
        self.space = TensorBasis(Fourier(points))
        self._dense: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __call__(self, drawn: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        grid = self.grid
        slots: list[np.ndarray] = [np.empty(0)] * self.scheme.slots
        slots[0] = grid.to_modes(self.space.to_values(self.drawn_basis.resize(drawn, (self.points,))))
        history = []  # for each step: the state at its start, N at its start and in its middle
        for _ in range(self.steps):
            state = slots[0]
            for stage in self.scheme.stages:
                slots[stage.target] = self.term(slots[stage.source])
                slots[stage.out] = sum(slots[slot] * c for slot, c in stage.terms)
            history.append((state, slots[1], 0.5 * (slots[3] + slots[5])))
        states, first, middle = (np.stack(parts, axis=1) for parts in zip(*history, strict=True))
        last = np.concatenate((first[:, 1:], self.term(slots[0])[:, None]), axis=1)
        step, weights = self._weights(shape[0])
        parts = (states, first, middle, last)
        inside = sum(w * part[:, step] for w, part in zip(weights, parts, strict=True))
        return np.asarray(grid.to_fields(inside) @ _cells_from_points(self.points, shape[1]).T)

    def _weights(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return for `count` cell centres in time the step of each, and weights (4, count, modes) of its history."""
        if count not in self._dense:
            times = (np.arange(count) + 0.5) / count * self.steps
            step = np.minimum(times.astype(int), self.steps - 1)
            theta = (times - step)[:, None]
            # θ^{k+1} k! φ_{k+1}(Lsθ)/steps integrates e^{L(s−τ)} against the power k of the position in the step.
            z = self.linear / self.steps * theta
            moments = [theta ** (k + 1) * math.factorial(k) * _phi(k + 1, z) / self.steps for k in range(3)]
            quadratics = ((1.0, -3.0, 2.0), (0.0, 4.0, -4.0), (0.0, -1.0, 2.0))
            weights = [sum(c * m for c, m in zip(row, moments, strict=True)) for row in quadratics]
            self._dense[count] = step, np.stack([np.exp(z), *weights])
        return self._dense[count]


def _phi(order: int, z: np.ndarray) -> np.ndarray:
    """Return φ_k(z) = (φ_{k−1}(z) − 1/(k−1)!)/z, φ_0 = exp, for real z; by its Taylor series where that cancels."""
    small = np.abs(z) < 1.0
    series = sum(np.where(small, z, 0.0) ** j / math.factorial(j + order) for j in range(20))
    large = np.where(small, 1.0, z)
    value = np.exp(large)
    for k in range(1, order + 1):
        value = (value - 1.0 / math.factorial(k - 1)) / large
    return np.asarray(np.where(small, series, value))


@lru_cache(maxsize=32)
def _cells_from_points(points: int, cells: int) -> np.ndarray:
    """Map values at i/points to the trigonometric interpolant at cell centres."""
    axis = Fourier(points)
    return np.asarray(axis.cell_synthesis_matrix(cells) @ axis.analysis_matrix(points))
