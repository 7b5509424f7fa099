"""Pose steady convection and diffusion in a random flow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from resolvent.solvers import BoxStencil, InputError
from resolvent.solvers.arguments import one_of, positive_number
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem

from ...boundaries import Sides
from ...certificates import balance
from ...format.field import Field, Role, at_centres
from ...grids import AXES, space_dimension
from ...random_fields.gaussian import GaussianRandomField, default_modes
from ...random_fields.solenoidal import SolenoidalField
from ..problem import Problem

_FACTORABLE = {2: 20_000, 3: 4_000}
"""Unknowns up to which a sparse LU is the default, in two and in three dimensions."""

_MULTIGRID_PECLET = 2.0
"""Cell Péclet number at unit speed up to which central differences are left to multigrid."""


class ConvectionDiffusion(Problem):
    """Steady convection and diffusion is −ε Δu + w·∇u = f on the unit square or cube, with u = 0 on its boundary.

    **Parameters.** w is a random flow with ∇·w = 0 at every point: the curl of a stream function (three potentials in
    the cube), a Gaussian field with covariance ∝ (−Δ + τ²)^{−α} and boundary `flow` (``dirichlet``: a closed box,
    nothing crosses its sides; ``neumann``: the flow enters and leaves; ``periodic``), scaled so that |w|² has mean 1
    over draws and box (:class:`~resolvent.data.random_fields.SolenoidalField`). The Péclet number is log-uniform
    between `peclet_low` and `peclet_high`; with unit speed and length, ``peclet='global'``: ε = 1/Pe;
    ``peclet='cell'``: ε = h/Pe with h the longest side of a cell, so that ε falls with the grid. f = 1
    (``source='uniform'``) or a Gaussian field N(0, 9(−Δ + 9)^{−2}), Neumann boundary (``source='gaussian'``).

    **Scheme.** Cell-centred; −Δ by finite volumes with half cells at the walls, w·∇u by differences with w at the
    cell centre: ``central`` is of second order, ``upwind`` of first, in the discrete L² and maximum norms for a smooth
    solution. Upwind gives a nonsingular M-matrix for every ε > 0, hence a discrete maximum principle; central does so
    where the cell Péclet number |w_i| h/ε is at most 2 on every axis, and beyond oscillates next to layers, though
    stably for this closed box. There is no other stability limit. The matrix is nonsymmetric; the default solver is
    GMRES with a sparse LU up to 20 000 unknowns on the square and 4 000 in the cube, and beyond with algebraic
    multigrid (10 to 30 iterations), which does not converge for central differences at large cell Péclet numbers: these
    (peclet_high · h > 2) stay with the LU at every size.

    **Values that work.** With the defaults, Pe from 10 to 100 at 64² and central differences, |w|h/ε exceeds 2 in the
    fastest cells of a quarter of the samples (at most 5; the fastest cell of a sample has a speed of about 2). Upwind
    with Pe = 10⁴ at 128².

    Parameters
    ----------
    resolution : int or a list of them
        Cells along each axis.
    scheme : {'central', 'upwind'}
    peclet : {'global', 'cell'}
    peclet_low, peclet_high : float
        Positive.
    flow : {'dirichlet', 'neumann', 'periodic'}
    alpha, tau, modes
        Parameters of the stream function; α > 1 + d/2. `modes` None is 128 on the square and 32 in the cube.
    source : {'uniform', 'gaussian'}
    dimension : {2, 3}

    Fields: ``velocity_x``, ``velocity_y`` (and ``velocity_z``), ``diffusivity`` (ε in every cell), ``source`` (inputs;
    a uniform source is constant), ``solution`` (output).

    References
    ----------
    Roos, Stynes, Tobiska, Robust Numerical Methods for Singularly Perturbed Differential Equations, Springer 2008,
    part III; Elman, Silvester, Wathen, Finite Elements and Fast Iterative Solvers, Oxford 2014, ch. 6.
    """

    name = "convection_diffusion"

    def __init__(
        self,
        resolution: Any = 64,
        scheme: str = "central",
        peclet: str = "global",
        peclet_low: float = 10.0,
        peclet_high: float = 100.0,
        flow: str = "dirichlet",
        alpha: float = 4.0,
        tau: float = 5.0,
        modes: int | None = None,
        source: str = "uniform",
        dimension: int = 2,
    ) -> None:
        self.ndim = self.dimension = space_dimension(dimension)
        super().__init__(resolution)
        self.scheme = one_of(scheme, ("central", "upwind"), "scheme")
        self.peclet = one_of(peclet, ("global", "cell"), "peclet")
        self.peclet_low = positive_number(peclet_low, "peclet_low")
        self.peclet_high = positive_number(peclet_high, "peclet_high")
        if self.peclet_low > self.peclet_high:
            raise InputError(f"peclet_low is {peclet_low!r}, above peclet_high={peclet_high!r}: exchange them")
        if positive_number(alpha, "alpha") <= 1.0 + self.ndim / 2:
            raise InputError(
                f"alpha is {alpha:g}: expected alpha > {1.0 + self.ndim / 2:g}, or the velocity has infinite variance"
            )
        self.source = one_of(source, ("uniform", "gaussian"), "source")
        modes = default_modes(modes, self.ndim)
        self.velocity = field = SolenoidalField(self.ndim, flow, alpha, tau, modes)
        self.flow = field.boundary
        self.alpha, self.tau, self.modes = field.alpha, field.tau, field.modes
        self._source_field = GaussianRandomField("neumann", self.ndim, 2.0, 3.0, 3.0, modes)
        self.sides: Sides = (("dirichlet", "dirichlet"),) * self.ndim

    def scalars(self) -> dict[str, float]:
        law = {"alpha": self.alpha, "tau": self.tau}
        return {"peclet_low": self.peclet_low, "peclet_high": self.peclet_high, **law}

    @property
    def default_solver(self) -> SolverSpec:
        cell = self.peclet_high / (1.0 if self.peclet == "cell" else min(self.shape))
        if math.prod(self.shape) <= _FACTORABLE[self.ndim] or (self.scheme == "central" and cell > _MULTIGRID_PECLET):
            return SolverSpec("gmres", {"rtol": 1e-10}, "direct", {})
        return SolverSpec("gmres", {"rtol": 1e-10, "restart": 60}, "amg", {})

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        number = math.exp(rng.uniform(math.log(self.peclet_low), math.log(self.peclet_high)))
        length = 1.0 if self.peclet == "global" else 1.0 / min(self.shape)
        velocity = self.velocity.evaluate(self.velocity.sample(rng), *self.axes)
        parameters = {f"velocity_{axis}": w for axis, w in zip(AXES, velocity, strict=False)}
        parameters["diffusivity"] = np.full(self.shape, length / number)
        if self.source == "gaussian":
            parameters["source"] = self._source_field.evaluate(self._source_field.sample(rng), *self.axes)
        return parameters

    def system(self, parameters: Mapping[str, Any]) -> LinearSystem:
        epsilon = float(np.asarray(parameters["diffusivity"]).flat[0])
        diagonal, lower, upper = np.zeros(self.shape), [], []
        for axis, w in enumerate(self._velocity(parameters)):
            n = self.shape[axis]
            if self.scheme == "central":
                towards_low, towards_high = -epsilon * n**2 - w * (n / 2.0), -epsilon * n**2 + w * (n / 2.0)
            else:
                towards_low, towards_high = (
                    -epsilon * n**2 - n * np.maximum(w, 0),
                    -epsilon * n**2 + n * np.minimum(w, 0),
                )
            diagonal -= towards_low + towards_high
            # Behind a wall the value is minus the cell's: the link that leaves the box comes back with the other sign.
            for end, links in ((0, towards_low), (-1, towards_high)):
                np.moveaxis(diagonal, axis, 0)[end] -= np.moveaxis(links, axis, 0)[end]
            lower.append(towards_low)
            upper.append(towards_high)
        operator = BoxStencil(diagonal, lower, upper, (False,) * self.ndim)
        return LinearSystem(operator, self._source(parameters).ravel(), self.shape)

    def fields(self, parameters: Mapping[str, Any], solution: np.ndarray) -> dict[str, Field]:
        stored = {
            name: at_centres(w, f"velocity along {name[-1]}", "input")
            for name, w in zip(self._velocity_names(), self._velocity(parameters), strict=True)
        }
        epsilon = np.asarray(parameters["diffusivity"])
        role: Role = "constant" if self.source == "uniform" else "input"
        return {
            **stored,
            "diffusivity": Field(epsilon, "1", "diffusivity, one number a sample", "input"),
            "source": at_centres(self._source(parameters), "source term f", role),
            "solution": at_centres(np.reshape(solution, self.shape), "concentration u", "output"),
        }

    def residual(self, fields: Mapping[str, np.ndarray]) -> float:
        """Return ‖f − Au‖₂/‖f‖₂ in float64, A u summed face by face; infinite if the diffusivity is not one number."""
        epsilon = np.asarray(fields["diffusivity"], dtype=np.float64)
        if np.any(epsilon != epsilon.flat[0]):
            return float("inf")
        f, u, w = self._arrays(fields)
        action = epsilon.flat[0] * balance.diffusion(None, u, self.sides) + balance.convection(w, u, self.scheme)
        return float(np.linalg.norm(f - action) / np.linalg.norm(f))

    def rounding(self, fields: Mapping[str, np.ndarray], dtype: Any) -> float:
        """Bound what rounding ε, w, u and f to `dtype` can add: υ(2 + υ)|A||u|, and υ|f|."""
        unit = np.finfo(dtype).eps / 2.0
        f, u, w = self._arrays(fields)
        epsilon = np.asarray(fields["diffusivity"], dtype=np.float64)
        reach = epsilon * balance.diffusion_magnitude(None, u, self.sides)
        reach += balance.convection_magnitude(w, u, self.scheme)
        return float(1.01 * unit * ((2.0 + unit) * np.linalg.norm(reach) / np.linalg.norm(f) + 1.0))

    def _arrays(self, fields: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        f, u = (np.asarray(fields[name], dtype=np.float64) for name in ("source", "solution"))
        return f, u, self._velocity(fields)

    def _velocity_names(self) -> list[str]:
        return [f"velocity_{axis}" for axis in AXES[: self.ndim]]

    def _velocity(self, arrays: Mapping[str, Any]) -> list[np.ndarray]:
        return [np.asarray(arrays[name], dtype=np.float64) for name in self._velocity_names()]

    def _source(self, parameters: Mapping[str, Any]) -> np.ndarray:
        return np.asarray(parameters["source"]) if "source" in parameters else np.ones(self.shape)
