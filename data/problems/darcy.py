"""Darcy flow through a random medium."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from resolvent.solvers import DiffusionStencil, InputError

from ..arguments import one_of, positive_number
from ..fields import GaussianRandomField
from ..problem import Field, LinearSystem, Problem
from ..solver_choice import SolverSpec
from .diffusion import diffusion_residual, diffusion_rounding
from .published_darcy import PublishedScheme

__all__ = ["Darcy"]


class Darcy(Problem):
    """Darcy flow −∇·(a∇u) = f on the unit square, f = 1, with u = 0 on its boundary.

    **Parameters.** With a Gaussian field z ~ N(0, σ²(−Δ + τ²)^{−α}), Neumann boundary, mean mode zero:
    ``medium='binary'``: a = `high` where z ≥ 0, `low` elsewhere (the benchmark of Li et al. with 12 and 3; z's scale
    has no effect); ``medium='lognormal'``: a = exp(z), where `log_std`, if given, rescales z so that its variance
    averaged over the square is `log_std`².

    **Scheme.** Cell-centred finite volumes on n × n cells, flux through a face by the harmonic mean of its two
    coefficients (exact for uniform flow across a jump on the face), half cells at the walls. Second order in the
    discrete L² and maximum norms where a and u are smooth; first order near jumps that cut cells. Symmetric positive
    definite for any positive a, condition number at most about (max a / min a) 4n²/π²; no stability limit. CG with the
    fast Poisson preconditioner takes a number of iterations bounded by a multiple of √(max a / min a), whatever n.

    **Values that work.** Measured with the default solver at 64² and 128², rtol 1e-10: contrasts high/low of 4, 100,
    10³ and 10⁴ take about 23, 80, 120 and 170 iterations; log_std of 0.29, 1, 2 and 3 about 12, 20, 33 and 48.

    **legacy=True** solves and stores as the published MATLAB code did (see
    :class:`~resolvent.data.problems.published_darcy.PublishedScheme`): node-centred differences between two spline
    interpolations, which leave values that are not zero next to the wall. The nodal solution is stored too, so that the
    residual can be recomputed from the file. `modes` equal to the resolution gives the law of the published field.

    Parameters
    ----------
    resolution : int or (int, int)
        Cells along x and y.
    medium : {'binary', 'lognormal'}
    low, high : float
        The two coefficients of the binary medium, positive. (The published ``demo.m`` says 12 and 4; the published data
        hold 12 and 3.)
    log_std : float or None
        Standard deviation of log a for the lognormal medium; None leaves z as it is (0.29 with the defaults).
    alpha, tau, sigma, modes
        Of :class:`~resolvent.data.GaussianRandomField`; the defaults are N(0, 9(−Δ + 9)^{−2}).
    legacy : bool

    Fields: ``coefficient`` (input), ``solution`` (output), ``source`` (constant); with legacy, ``nodal_solution``
    (auxiliary).

    References
    ----------
    Li et al., Fourier Neural Operator for Parametric Partial Differential Equations, ICLR 2021, appendix A.3.2.
    Eymard, Gallouët, Herbin, Finite Volume Methods, Handbook of Numerical Analysis VII, 2000, ch. II–III.
    """

    name = "darcy"

    def __init__(
        self,
        resolution: Any = 64,
        medium: str = "binary",
        low: float = 3.0,
        high: float = 12.0,
        log_std: float | None = None,
        alpha: float = 2.0,
        tau: float = 3.0,
        sigma: float | None = None,
        modes: int = 128,
        legacy: bool = False,
    ) -> None:
        super().__init__(resolution)
        self.medium = one_of(medium, ("binary", "lognormal"), "medium")
        self.low, self.high = positive_number(low, "low"), positive_number(high, "high")
        if log_std is not None and self.medium == "binary":
            raise InputError(
                f"log_std is {log_std!r} for the binary medium: it belongs to medium=lognormal; leave it out"
            )
        self.log_std = None if log_std is None else positive_number(log_std, "log_std")
        if not isinstance(legacy, bool):
            raise InputError(f"legacy is {legacy!r}: expected true or false")
        self.legacy = legacy
        self.gaussian = GaussianRandomField("neumann", 2, alpha, tau, sigma, modes)
        self._published = PublishedScheme(self.shape) if legacy else None

    def settings(self) -> dict[str, Any]:
        return {
            "resolution": self.shape[0] if len(set(self.shape)) == 1 else list(self.shape),
            "medium": self.medium,
            "low": self.low,
            "high": self.high,
            "log_std": self.log_std,
            "alpha": self.gaussian.alpha,
            "tau": self.gaussian.tau,
            "sigma": self.gaussian.sigma,
            "modes": self.gaussian.modes,
            "legacy": self.legacy,
        }

    def scalars(self) -> dict[str, float]:
        law = {"alpha": self.gaussian.alpha, "tau": self.gaussian.tau, "sigma": self.gaussian.sigma}
        if self.medium == "binary":
            return {"low": self.low, "high": self.high, **law}
        return {"log_std": self.log_std or float(np.sqrt(self.gaussian.mean_variance)), **law}

    @property
    def default_solver(self) -> SolverSpec:
        if self.legacy:
            # The splines overshoot at jumps, so the published matrix need not be positive definite.
            return SolverSpec("gmres", {"rtol": 1e-10}, "direct", {})
        if self.medium == "lognormal":
            return SolverSpec(preconditioner_settings={"scaling": "sqrt_diagonal"})
        return SolverSpec()

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        z = self.gaussian.evaluate(self.gaussian.sample(rng), *self.axes)
        if self.medium == "binary":
            return {"coefficient": np.where(z >= 0.0, self.high, self.low)}
        if self.log_std is not None:
            z *= self.log_std / np.sqrt(self.gaussian.mean_variance)
        return {"coefficient": np.exp(z)}

    def system(self, parameters: Mapping[str, Any]) -> LinearSystem:
        coefficient = np.ascontiguousarray(parameters["coefficient"], dtype=np.float64)
        source = self._source(parameters)
        if self._published is not None:
            matrix, rhs = self._published.system(coefficient, source)
            return LinearSystem(matrix, rhs, tuple(n - 2 for n in self.shape))
        return LinearSystem(DiffusionStencil(coefficient), source.ravel(), self.shape)

    def fields(self, parameters: Mapping[str, Any], solution: np.ndarray) -> dict[str, Field]:
        stored = {
            "coefficient": Field(
                np.asarray(parameters["coefficient"]), "1", "permeability a at the cell centres", "input"
            ),
            "source": Field(self._source(parameters), "1", "source term f at the cell centres", "constant"),
        }
        text = "pressure u at the cell centres"
        if self._published is None:
            values = np.asarray(solution).reshape(self.shape)
            return {**stored, "solution": Field(values, "1", text, "output")}
        nodal = self._published.nodal(np.asarray(solution))
        return {
            **stored,
            "solution": Field(self._published.to_cells(nodal), "1", f"{text}, by spline from the nodes", "output"),
            "nodal_solution": Field(nodal, "1", "pressure u at the nodes i/(n-1), boundary included", "auxiliary"),
        }

    def residual(self, fields: Mapping[str, np.ndarray]) -> float:
        if self._published is not None:
            return self._published.residual(fields)
        return diffusion_residual(fields["coefficient"], fields["solution"], fields["source"])

    def rounding(self, fields: Mapping[str, np.ndarray], dtype: Any) -> float:
        if self._published is not None:
            return self._published.rounding(fields, dtype)
        return diffusion_rounding(fields["coefficient"], fields["solution"], fields["source"], dtype)

    def _source(self, parameters: Mapping[str, Any]) -> np.ndarray:
        if "source" in parameters:
            return np.ascontiguousarray(parameters["source"], dtype=np.float64)
        return np.ones(self.shape)
