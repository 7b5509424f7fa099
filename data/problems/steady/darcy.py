"""Pose Darcy flow through a random medium."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from resolvent.solvers import InputError
from resolvent.solvers.arguments import one_of, positive_number
from resolvent.solvers.choice import SolverSpec
from resolvent.solvers.linear_system import LinearSystem

from ...boundaries import is_singular, plain_sides, read_sides, well_words, without_mean
from ...certificates.diffusion import diffusion_residual, diffusion_rounding
from ...discretisations.finite_volumes import diffusion_system
from ...format.field import Field, at_centres
from ...grids import space_dimension
from ...published.darcy import published_darcy
from ...published.skr import SkrDarcy
from ...random_fields.gaussian import GaussianRandomField, default_modes
from ..problem import Problem

_WELL_RADIUS = 0.05


class Darcy(Problem):
    """Darcy flow is −∇·(a∇u) = f on the unit square or cube, with u = 0 on its boundary or other conditions.

    **Boundary conditions.** On each side u = 0 (``dirichlet``), no flux (``neumann``) or periodicity. f = 1
    (``source='uniform'``); or, for flow between two wells and where no side is Dirichlet (f must then have mean zero,
    and u does), f = exp(−|x − x₁|²/2r²) − exp(−|x − x₂|²/2r²) with r = 0.05, x₁ = (¼, …), x₂ = (¾, …)
    (``source='wells'``).

    **Parameters.** With a Gaussian field z ~ N(0, σ²(−Δ + τ²)^{−α}), Neumann boundary, mean mode zero:
    ``medium='binary'``: a = `high` where z ≥ 0, `low` elsewhere (the benchmark of Li et al. with 12 and 3; z's scale
    has no effect); ``medium='lognormal'``: a = exp(z), where `log_std`, if given, rescales z so that its variance
    averaged over the box is `log_std`².

    **Scheme.** Cell-centred finite volumes, flux through a face by the harmonic mean of its two coefficients (exact for
    uniform flow across a jump on the face), half cells at the walls. Second order in the discrete L² and maximum norms
    where a and u are smooth; first order near jumps that cut cells. Symmetric positive definite for any positive a
    (semidefinite without a Dirichlet side), condition number at most about (max a / min a) 4n²/π²; no stability limit.
    CG with the fast Poisson preconditioner takes a number of iterations bounded by a multiple of √(max a / min a),
    whatever n; where an axis has two different sides, algebraic multigrid takes its place.

    **Values that work.** Measured with the default solver at 64² and 128², rtol 1e-10: contrasts high/low of 4, 100,
    10³ and 10⁴ take about 23, 80, 120 and 170 iterations; log_std of 0.29, 1, 2 and 3 about 12, 20, 33 and 48.

    **legacy=True** solves and stores as the published MATLAB code of Li et al. did: node-centred differences between
    two spline interpolations, which leave values that are not zero next to the wall
    (:class:`~resolvent.data.published.darcy.PublishedDarcy`). `modes` equal to the resolution gives the law of the
    published field. **legacy='skr'** builds the matrices of the published experiments on Krylov recycling on
    `resolution`² points; :class:`~resolvent.data.published.skr.SkrDarcy` says what is wrong with them, and how
    ``legacy='skr_aligned'`` mends one of the defects.

    Parameters
    ----------
    resolution : int or a list of them
        Cells along each axis; points with legacy='skr'.
    medium : {'binary', 'lognormal'}
        legacy='skr' takes 'lognormal' whatever is given.
    low, high : float
        The two coefficients of the binary medium, positive. (The published ``demo.m`` says 12 and 4; the published data
        hold 12 and 3.)
    log_std : float or None
        Standard deviation of log a for the lognormal medium; None leaves z as it is (0.29 with the defaults).
    alpha, tau, sigma, modes
        Passed to :class:`~resolvent.data.GaussianRandomField`; the defaults are N(0, 9(−Δ + 9)^{−2}) on the square.
        `modes` None is 128 on the square and 32 in the cube.
    legacy : {False, True, 'skr', 'skr_aligned'}
    dimension : {2, 3}
    boundary : str or list
        'dirichlet', 'neumann' or 'periodic' for all sides, or one entry an axis, each of them one of those or a pair
        (low side, high side).
    source : {'uniform', 'wells'}

    Fields: ``coefficient`` (input), ``solution`` (output), ``source`` (constant); with legacy=True, ``nodal_solution``
    (auxiliary).

    References
    ----------
    Li et al., Fourier Neural Operator for Parametric Partial Differential Equations, ICLR 2021, appendix A.3.2.
    Eymard, Gallouët, Herbin, Finite Volume Methods, Handbook of Numerical Analysis VII, 2000, ch. II–III.
    Wang et al., Accelerating Data Generation for Neural Operators via Krylov Subspace Recycling, ICLR 2024
    (legacy='skr').
    """

    name = "darcy"

    def __init__(
        self,
        resolution: Any = 64,
        medium: str = "binary",
        low: float = 3.0,
        high: float = 12.0,
        log_std: float | None = None,
        alpha: float | None = None,
        tau: float | None = None,
        sigma: float | None = None,
        modes: int | None = None,
        legacy: bool | str | None = False,
        dimension: int = 2,
        boundary: Any = "dirichlet",
        source: str = "uniform",
    ) -> None:
        self.ndim = self.dimension = space_dimension(dimension)
        super().__init__(resolution)
        self.sides = read_sides(boundary, self.ndim)
        self.boundary = well_words(self.sides)
        self.source = one_of(source, ("uniform", "wells"), "source")
        plain = self.ndim == 2 and plain_sides(self.sides) == "dirichlet" and self.source == "uniform"
        if legacy and not plain:
            raise InputError(
                f"legacy={legacy!r} is on the square with u = 0 and f = 1: leave dimension, boundary and source alone"
            )
        self.legacy = legacy or False
        self.exact_outputs = bool(legacy)  # the values on the boundary and between nodes of published data must stay
        self._published = published_darcy(legacy, self.shape)
        skr = self._published if isinstance(self._published, SkrDarcy) else None
        self.medium = "lognormal" if skr else one_of(medium, ("binary", "lognormal"), "medium")
        self.low, self.high = positive_number(low, "low"), positive_number(high, "high")
        if log_std is not None and self.medium == "binary":
            raise InputError(
                f"log_std is {log_std!r} for the binary medium: it belongs to medium=lognormal; leave it out"
            )
        self.log_std = None if log_std is None else positive_number(log_std, "log_std")
        if is_singular(self.sides) and self.source == "uniform":
            raise InputError(
                "a uniform source has no steady flow without a dirichlet side: make one dirichlet, or use source=wells"
            )
        edge, usual_alpha, usual_tau = (skr.boundary, skr.alpha, skr.tau) if skr else ("neumann", 2.0, 3.0)
        alpha, tau = usual_alpha if alpha is None else alpha, usual_tau if tau is None else tau
        self.gaussian = field = GaussianRandomField(edge, self.ndim, alpha, tau, sigma, default_modes(modes, self.ndim))
        self.alpha, self.tau, self.sigma, self.modes = field.alpha, field.tau, field.sigma, field.modes

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "boundary": plain_sides(self.sides)}

    @property
    def axes(self) -> tuple[np.ndarray, ...]:
        return self._published.axes if self._published else super().axes

    def scalars(self) -> dict[str, float]:
        law = {"alpha": self.alpha, "tau": self.tau, "sigma": self.sigma}
        if self.medium == "binary":
            return {"low": self.low, "high": self.high, **law}
        return {"log_std": self.log_std or float(np.sqrt(self.gaussian.mean_variance)), **law}

    @property
    def default_solver(self) -> SolverSpec:
        if self._published:
            return self._published.solver
        # 3 to 10 times as fast as fast Poisson with CG, from 4² cells on
        return SolverSpec("cg", {"rtol": 1e-10}, "multigrid", {})

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        z = self.gaussian.evaluate(self.gaussian.sample(rng), *self.axes)
        if self.medium == "binary":
            return {"coefficient": np.where(z >= 0.0, self.high, self.low)}
        if self.log_std is not None:
            z *= self.log_std / np.sqrt(self.gaussian.mean_variance)
        return {"coefficient": np.exp(z)}

    def system(self, parameters: Mapping[str, Any]) -> LinearSystem:
        if self._published:
            return self._published.system(parameters)
        coefficient = np.ascontiguousarray(parameters["coefficient"], dtype=np.float64)
        return diffusion_system(coefficient, self._source(parameters), self.sides)

    def fields(self, parameters: Mapping[str, Any], solution: np.ndarray) -> dict[str, Field]:
        if self._published:
            return self._published.fields(parameters, solution)
        values = np.asarray(solution).reshape(self.shape)
        if is_singular(self.sides):
            values = without_mean(values)
        return {
            "coefficient": at_centres(parameters["coefficient"], "permeability a", "input"),
            "source": at_centres(self._source(parameters), "source term f", "constant"),
            "solution": at_centres(values, "pressure u", "output"),
        }

    def residual(self, fields: Mapping[str, np.ndarray]) -> float:
        if self._published:
            return self._published.residual(fields)
        return diffusion_residual(fields["coefficient"], fields["solution"], fields["source"], self.sides)

    def rounding(self, fields: Mapping[str, np.ndarray], dtype: Any) -> float:
        if self._published:
            return self._published.rounding(fields, dtype)
        return diffusion_rounding(fields["coefficient"], fields["solution"], fields["source"], self.sides, dtype)

    def _source(self, parameters: Mapping[str, Any]) -> np.ndarray:
        if "source" in parameters:
            return np.ascontiguousarray(parameters["source"], dtype=np.float64)
        if self.source == "uniform":
            return np.ones(self.shape)
        grids = np.meshgrid(*self.axes, indexing="ij", sparse=True)
        return sum(
            sign * np.exp(-sum((x - centre) ** 2 for x in grids) / (2.0 * _WELL_RADIUS**2))
            for sign, centre in ((1.0, 0.25), (-1.0, 0.75))
        )
