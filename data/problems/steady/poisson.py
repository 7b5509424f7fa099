"""Pose Poisson's equation with a random source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from resolvent.solvers import InputError
from resolvent.solvers.arguments import one_of, positive_integer, positive_number
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem

from ...boundaries import is_singular, plain_sides, read_sides, well_words, without_mean
from ...certificates.diffusion import diffusion_residual, diffusion_rounding
from ...discretisations.finite_volumes import diffusion_solver, diffusion_system
from ...format.field import Field, at_centres
from ...grids import AXES, space_dimension
from ...published.poisson import skr_poisson_sample
from ...random_fields.chebyshev_series import ChebyshevSeries
from ...random_fields.gaussian import GaussianRandomField, default_modes
from ...random_fields.kernel import KernelField
from ..problem import Problem


class Poisson(Problem):
    """Poisson's equation is −Δu = f on the unit square or cube.

    **Boundary conditions.** On each side u = 0 (``dirichlet``), ∂u/∂n = 0 (``neumann``) or periodicity; with
    ``walls='chebyshev'``, u = g on each Dirichlet side. Without a Dirichlet side the equation has a solution only for a
    source of mean zero, and then up to a constant: −Δu = f − mean f is solved, and u has mean zero.

    **Parameters.** ``source='gaussian'``: a Gaussian random field, f ~ N(0, σ²(−Δ + τ²)^{−α}), with the Laplacian's
    boundary condition `source_boundary`; for ``neumann`` and ``periodic`` it has mean zero over the box.
    ``source='chebyshev'``: a truncated Chebyshev series, Σ a_k ∏ T_{k_i}(2x_i − 1) over |k| ≤ `degree` with a_k
    uniform on (−1, 1). ``source='kernel'``: a :class:`~resolvent.data.KernelField` on `points` points an axis, the
    sources of Neural Spectral Methods; periodic and of mean zero where all sides are periodic, else squared
    exponential. ``walls='chebyshev'``: g is such a series in the coordinates along each Dirichlet side.

    **Scheme.** Cell-centred finite volumes: five points inside (seven in three dimensions), half cells at the walls, f
    by its value at the cell centre. Second order in the discrete L² and maximum norms for a smooth solution (values on
    the walls can cost the maximum norm a factor log n at the corners). The matrix
    is symmetric positive definite (semidefinite without a Dirichlet side) with condition number ≈ 4n²/π²; there is no
    stability limit. Where both sides of each axis are alike, the fast Poisson preconditioner inverts it up to float32
    rounding, so CG takes two or three iterations; else algebraic multigrid.

    **Values that work.** The defaults give a source that varies over the whole square, of standard deviation ≈ 0.3;
    raise `alpha` for smoother and `tau` for finer sources; scale with `sigma`. Up to 128³ cells a sample takes seconds.

    **legacy='skr'** draws f and the data of all four sides as the published generator for Krylov recycling did;
    :func:`~resolvent.data.published.poisson.skr_poisson_sample` says what is wrong with them. The matrix is that of
    this class: the published ones cannot be rebuilt.

    Parameters
    ----------
    resolution : int or a list of them
        Cells along each axis.
    alpha, tau, sigma, source_boundary, modes
        Passed to :class:`~resolvent.data.GaussianRandomField`; `modes` None is 128 on the square and 32 in the cube.
    boundary : str or list
        'dirichlet', 'neumann' or 'periodic' for all sides, or one entry an axis, each of them one of those or a pair
        (low side, high side).
    dimension : {2, 3}
    source : {'gaussian', 'chebyshev', 'kernel'}
    degree : int
        Total degree of the Chebyshev series.
    length, points : float, int
        Length and points of the kernel field.
    walls : {'zero', 'chebyshev'}
        Values on the Dirichlet sides.
    legacy : {None, 'skr'}

    Fields: ``source`` (input), ``solution`` (output); with values on the walls one field for each Dirichlet side,
    ``wall_x_low`` … (input), which repeats the side's values along its normal.

    References
    ----------
    LeVeque, Finite Difference Methods for Ordinary and Partial Differential Equations, SIAM 2007, ch. 3.
    Wang et al., Accelerating Data Generation for Neural Operators via Krylov Subspace Recycling, ICLR 2024 (legacy).
    """

    name = "poisson"

    def __init__(
        self,
        resolution: Any = 64,
        alpha: float = 2.0,
        tau: float = 3.0,
        sigma: float | None = None,
        boundary: Any = "dirichlet",
        modes: int | None = None,
        dimension: int = 2,
        source: str = "gaussian",
        source_boundary: str = "neumann",
        degree: int = 5,
        walls: str = "zero",
        legacy: str | None = None,
        length: float = 0.2,
        points: int = 16,
    ) -> None:
        self.ndim = self.dimension = space_dimension(dimension)
        super().__init__(resolution)
        self.sides = read_sides(boundary, self.ndim)
        self.boundary = well_words(self.sides)
        self.source = one_of(source, ("gaussian", "chebyshev", "kernel"), "source")
        self.walls = one_of(walls, ("zero", "chebyshev"), "walls")
        self.legacy = None if legacy in (None, False) else one_of(legacy, ("skr",), "legacy")
        if self.legacy and (self.ndim != 2 or plain_sides(self.sides) != "dirichlet"):
            raise InputError(
                "legacy='skr' is on the square with values on all sides: use dimension=2, boundary=dirichlet"
            )
        if self.walls != "zero" and is_singular(self.sides):
            raise InputError("walls='chebyshev' without a dirichlet side: make one dirichlet, or use walls=zero")
        self.source_field = field = GaussianRandomField(
            source_boundary, self.ndim, alpha, tau, sigma, default_modes(modes, self.ndim)
        )
        self.alpha, self.tau, self.sigma, self.modes = field.alpha, field.tau, field.sigma, field.modes
        self.source_boundary = field.boundary
        self.series = ChebyshevSeries(degree, 1 if self.legacy else self.ndim)
        self.degree = self.series.degree
        periodic = all(side == "periodic" for pair in self.sides for side in pair)
        kernel = "periodic" if periodic else "squared_exponential"
        self.length, self.points = positive_number(length, "length"), positive_integer(points, "points")
        self.kernel_field = KernelField(kernel, self.ndim, self.length, self.points, mean_free=periodic)
        self._wall_series = ChebyshevSeries(degree, self.ndim - 1)

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "boundary": plain_sides(self.sides)}

    def scalars(self) -> dict[str, float]:
        if self.source == "chebyshev" or self.legacy:
            return {"degree": float(self.degree)}
        if self.source == "kernel":
            return {"length": self.length}
        return {"alpha": self.alpha, "tau": self.tau, "sigma": self.sigma}

    @property
    def default_solver(self) -> SolverSpec:
        return diffusion_solver(self.shape, self.sides)

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        if self.legacy:
            return skr_poisson_sample(self.series, self.axes, rng)
        laws = {"gaussian": self.source_field, "chebyshev": self.series, "kernel": self.kernel_field}
        law: Any = laws[self.source]
        parameters = {"source": law.evaluate(law.sample(rng), *self.axes)}
        for axis, name in self._wall_fields().values():
            tangential = [points for d, points in enumerate(self.axes) if d != axis]
            values = self._wall_series.evaluate(self._wall_series.sample(rng), *tangential)
            parameters[name] = np.broadcast_to(np.expand_dims(values, axis), self.shape).copy()
        return parameters

    def system(self, parameters: Mapping[str, Any]) -> LinearSystem:
        return diffusion_system(np.ones(self.shape), parameters["source"], self.sides, self._wall_values(parameters))

    def fields(self, parameters: Mapping[str, Any], solution: np.ndarray) -> dict[str, Field]:
        values = np.asarray(solution).reshape(self.shape)
        if is_singular(self.sides):
            values = without_mean(values)
        stored = {
            "source": at_centres(parameters["source"], "source term f", "input"),
            "solution": at_centres(values, "solution u", "output"),
        }
        for (_, number), (axis, name) in self._wall_fields().items():
            text = (
                f"u on the wall at the {'high' if number else 'low'} end of {AXES[axis]}, the same along {AXES[axis]}"
            )
            stored[name] = Field(np.asarray(parameters.get(name, np.zeros(self.shape))), "1", text, "input")
        return stored

    def residual(self, fields: Mapping[str, np.ndarray]) -> float:
        """Return :func:`~.diffusion.diffusion_residual`; infinite where a wall's values differ along its normal."""
        for axis, name in self._wall_fields().values():
            values = np.asarray(fields[name])
            if np.any(values != np.take(values, [0], axis=axis)):
                return float("inf")
        return diffusion_residual(None, fields["solution"], fields["source"], self.sides, self._wall_values(fields))

    def rounding(self, fields: Mapping[str, np.ndarray], dtype: Any) -> float:
        walls = self._wall_values(fields)
        return diffusion_rounding(None, fields["solution"], fields["source"], self.sides, dtype, walls)

    def _wall_fields(self) -> dict[tuple[int, int], tuple[int, str]]:
        """Map each Dirichlet side with values, (axis, 0 low or 1 high), to its axis and the field's name."""
        if self.walls == "zero" and not self.legacy:
            return {}
        return {
            (axis, number): (axis, f"wall_{AXES[axis]}_{('low', 'high')[number]}")
            for axis, pair in enumerate(self.sides)
            for number, side in enumerate(pair)
            if side == "dirichlet"
        }

    def _wall_values(self, arrays: Mapping[str, np.ndarray]) -> dict[tuple[int, int], np.ndarray]:
        return {
            side: np.take(np.asarray(arrays[name], dtype=np.float64), [0], axis=axis)
            for side, (axis, name) in self._wall_fields().items()
            if name in arrays
        }
