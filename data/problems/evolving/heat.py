"""Pose heat conduction in time, by implicit steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp

from resolvent.solvers import InputError
from resolvent.solvers.arguments import one_of, positive_number
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem

from ...certificates.heat_replay import HeatReplay
from ...discretisations.implicit_heat import conduction_matrix
from ...format.digests import sample_digest
from ...format.field import Field
from ...published.heat import LEARNING_TO_RELAX_TIMES, LearningToRelax
from ...random_fields.gaussian import GaussianRandomField
from ..evolution import EvolutionProblem, Systems

_WALLS = {"dirichlet": 2.0, "neumann": 0.0}


class Heat(EvolutionProblem):
    """Heat conduction is ∂u/∂t = ∇·(κ∇u) + f on the unit square, u = 0 or ∂u/∂n = 0 on its boundary, u(0) random.

    **Parameters.** u(0) is a Gaussian random field N(0, σ²(−Δ + τ²)^{−α}) with the Laplacian's boundary condition
    `boundary`; with ``source='random'`` f is another one, constant in time, else f = 0. `coefficient` says how κ
    varies: ``constant`` (κ = `kappa`: one matrix for all steps and samples), ``random`` (κ(x) = `kappa` exp(s z/‖z‖), a
    Gaussian field z with s = `log_std`: one matrix a sample), ``oscillating`` (κ(x) (1 + 0.9 sin 2πt/`period`): a
    matrix a step).

    **Scheme.** Cell-centred finite volumes, harmonic means on faces, half cells at the walls: second order in space for
    smooth κ and u. In time `crank_nicolson`, second order, with κ and f at the middle of each step, or
    `backward_euler`, first order. No stability limit for either; Crank–Nicolson does not damp modes too fast for its
    step, and rough initial fields then oscillate, which the error estimate shows. A step is (I + θ Δt A) u = b,
    symmetric positive definite, condition number at most 1 + 8 θ Δt n² max κ.

    **Values that work.** With the defaults (40 steps to t = 0.5) the error estimate is about 1e-2 of the largest state,
    nearly all of it from the first steps. The matrix is factored once if it is the same in all steps; with
    ``oscillating``, conjugate gradients with ``ssor`` take about 24 iterations a step at 64², with ``jacobi`` 65.

    **legacy='learning_to_relax'** is the published sequence of systems, a time-dependent κ and a bump that moves, on
    the inner nodes i/n with n = `resolution` (:class:`~resolvent.data.published.heat.LearningToRelax`). It has no
    random parameter: all samples are alike.

    Parameters
    ----------
    resolution : int or (int, int)
        Cells along x and y.
    coefficient : {'random', 'constant', 'oscillating'}
    kappa, log_std, period : float
    boundary : {'dirichlet', 'neumann'}
    source : {'none', 'random'}
    scheme : {'crank_nicolson', 'backward_euler'}
    final_time : float
        0.5 by default, with legacy 5.
    snapshots : int
        Stored times after 0; 10 by default, with legacy 50.
    substeps : int
        Steps between two of them, even; 4 by default, with legacy 100.
    alpha, tau, modes
        Passed to :class:`~resolvent.data.GaussianRandomField`.
    legacy : {None, 'learning_to_relax'}

    Fields: ``initial``, with random κ ``coefficient`` (κ at t = 0), with a random source ``source`` (inputs);
    ``solution`` (output, in time).

    References
    ----------
    Hairer and Wanner, Solving Ordinary Differential Equations II, 2nd ed., 1996, ch. IV.
    Khodak, Chow, Balcan and Talwalkar, Learning to Relax, ICLR 2024 (arXiv 2310.02246), section 5.
    """

    name = "heat"

    def __init__(
        self,
        resolution: Any = 64,
        coefficient: str = "random",
        kappa: float = 0.1,
        log_std: float = 0.5,
        period: float = 0.5,
        boundary: str = "dirichlet",
        source: str = "none",
        scheme: str = "crank_nicolson",
        final_time: float | None = None,
        snapshots: int | None = None,
        substeps: int | None = None,
        alpha: float = 2.5,
        tau: float = 3.0,
        modes: int = 64,
        legacy: str | None = None,
    ) -> None:
        self.legacy = None if legacy is None else one_of(legacy, ("learning_to_relax",), "legacy setting of heat")
        stop, stored, between = LEARNING_TO_RELAX_TIMES if self.legacy else (0.5, 10, 4)
        super().__init__(
            resolution,
            stop if final_time is None else final_time,
            stored if snapshots is None else snapshots,
            between if substeps is None else substeps,
        )
        self.coefficient = one_of(coefficient, ("random", "constant", "oscillating"), "coefficient")
        self.kappa, self.log_std = positive_number(kappa, "kappa"), positive_number(log_std, "log_std")
        self.period = positive_number(period, "period")
        self.boundary_condition = one_of(boundary, tuple(_WALLS), "boundary condition")
        self.source = one_of(source, ("none", "random"), "source")
        self.scheme = one_of(scheme, ("crank_nicolson", "backward_euler"), "scheme")
        self.random_state = field = GaussianRandomField(self.boundary_condition, 2, alpha, tau, None, modes)
        self.alpha, self.tau, self.modes = field.alpha, field.tau, field.modes
        self.random_log = GaussianRandomField("neumann", 2, alpha, tau, None, modes)
        if self.legacy and (boundary, source, scheme) != ("dirichlet", "none", "crank_nicolson"):
            raise InputError(
                f"legacy={legacy} fixes boundary, source and scheme, which are {boundary!r}, {source!r} and "
                f"{scheme!r}: leave them or legacy out"
            )
        self._published = LearningToRelax(self.cells) if self.legacy else None
        self.shape = tuple(len(points) for points in self.axes)
        self.spacing = (1.0 / self.cells[0], 1.0 / self.cells[1])
        self.wall = self._published.wall if self._published else _WALLS[self.boundary_condition]
        self.theta = 0.5 if self.scheme == "crank_nicolson" else 1.0
        self._last: tuple[bytes, np.ndarray, np.ndarray] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "boundary": self.boundary_condition}

    def scalars(self) -> dict[str, float]:
        return {"kappa": self.kappa, "alpha": self.alpha, "tau": self.tau}

    @property
    def axes(self) -> tuple[np.ndarray, ...]:
        return self._published.axes if self._published else super().axes

    @property
    def order(self) -> int:
        """The scheme is of this order in time."""
        return 2 if self.scheme == "crank_nicolson" else 1

    @property
    def default_solver(self) -> SolverSpec:
        changing = self.coefficient == "oscillating" or self.legacy
        return SolverSpec("cg", {"rtol": 1e-10}, "ssor" if changing else "direct", {})

    def modulation(self, t: float) -> float:
        """Return μ(t) of κ(x, t) = μ(t) κ(x)."""
        if self._published:
            return self._published.modulation(t)
        if self.coefficient == "oscillating":
            return 1.0 + 0.9 * float(np.sin(2.0 * np.pi * t / self.period))
        return 1.0

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        if self._published:
            return {"initial": self._published.initial()}
        drawn = {"initial": self.random_state.evaluate(self.random_state.sample(rng), *self.axes)}
        if self.coefficient != "constant":
            z = self.random_log.evaluate(self.random_log.sample(rng), *self.axes)
            drawn["coefficient"] = self.kappa * np.exp(self.log_std / np.sqrt(self.random_log.mean_variance) * z)
        if self.source == "random":
            drawn["source"] = self.random_state.evaluate(self.random_state.sample(rng), *self.axes)
        return drawn

    def initial_state(self, parameters: Mapping[str, Any]) -> np.ndarray:
        return np.ascontiguousarray(parameters["initial"], dtype=np.float64).ravel()

    def advance(self, parameters: Mapping[str, Any], steps: np.ndarray) -> Systems:
        """Yield the systems as the contract says; `source` may be an array or a function of time that returns one."""
        conduction = conduction_matrix(self._kappa(parameters), self.spacing, self.wall)
        identity = sp.eye_array(conduction.shape[0], format="csr")
        source = self._source(parameters)
        state = self.initial_state(parameters)
        shift, operator = np.nan, identity
        for t, stop in pairwise(steps):
            length = float(stop - t)
            when = float(t) + self.theta * length
            weight = length * self.modulation(when)
            # Steps of a uniform grid differ in their last bits, which makes no new matrix.
            if not abs(self.theta * weight - shift) <= 1e-12 * abs(shift):
                shift = self.theta * weight
                operator = sp.csr_array(identity + shift * conduction)
            rhs = state + length * source(when).ravel()
            if self.theta < 1.0:
                rhs -= (1.0 - self.theta) / self.theta * shift * (conduction @ state)
            solution = yield LinearSystem(operator, rhs, self.shape)
            if solution is None:
                raise ValueError("advance got no solution: send it the one of each system, or use systems")
            state = solution

    def fields(self, parameters: Mapping[str, Any], solution: np.ndarray) -> dict[str, Field]:
        stored = {"initial": Field(np.asarray(parameters["initial"]), "1", "temperature u at time 0", "input")}
        if "coefficient" in parameters:
            text = "conductivity κ at the cell centres, at time 0"
            stored["coefficient"] = Field(np.asarray(parameters["coefficient"]), "1", text, "input")
        if self.source == "random":
            stored["source"] = Field(np.asarray(parameters["source"]), "1", "source f at the cell centres", "input")
        values = np.asarray(solution).reshape(len(self.times), *self.shape)
        stored["solution"] = Field(values, "1", "temperature u at the stored times", "output", time_varying=True)
        return stored

    def residual(self, fields: Mapping[str, np.ndarray]) -> float:
        """Return the largest defect between two stored states; infinite where the first is not the initial one."""
        states, replay = self._read(fields)
        if np.any(states[0] != np.asarray(fields["initial"], dtype=np.float64)):
            return float("inf")
        after, _ = self._replayed(states, replay, fields)
        return float(np.linalg.norm(states[1:] - after, axis=(1, 2)).max() / _largest(states))

    def rounding(self, fields: Mapping[str, np.ndarray], dtype: Any) -> float:
        """Bound the rounding of both states of an interval, υ‖u‖ each and not amplified by the scheme, of κ and of f.

        Rounding κ by υ changes a step by at most υ √(Δt μ) ‖u‖_A, as (I + sA)⁻¹ s A^{1/2} has the norm √s/2; rounding f
        adds υ Δt ‖f‖.
        """
        unit = float(np.finfo(dtype).eps) / 2.0
        states, replay = self._read(fields)
        largest = _largest(states)
        bound = 2.0 * unit * largest
        if "coefficient" in fields:
            steepest = max(replay.energy(state) for state in states)
            # Between two stored times the state moves towards that of the source: a factor of two covers it.
            bound += 2.0 * unit * self.substeps * float(np.sqrt(2.0 * self.time_step)) * steepest
        if "source" in fields:
            bound += unit * self.time_step * self.substeps * float(np.linalg.norm(fields["source"]))
        return 1.01 * bound / largest

    def certificate(self, fields: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Return ``error_estimate``, and ``balance_drift``: the heat in the square changes by what enters it."""
        states, replay = self._read(fields)
        _, inflow = self._replayed(states, replay, fields)
        drift = np.abs(np.diff(states.sum(axis=(1, 2))) - inflow).max()
        amount = np.abs(inflow).sum() + np.abs(states).sum(axis=(1, 2)).max()
        coarse, distance = states[0], 0.0
        for after, interval in zip(states[1:], self._intervals(), strict=True):
            coarse = replay.advance(coarse, *interval, self.substeps // 2)[0]
            distance = max(distance, float(np.linalg.norm(after - coarse)))
        return {
            "error_estimate": distance / (2**self.order - 1) / _largest(states),
            "balance_drift": float(drift / amount),
        }

    def _replayed(
        self, states: np.ndarray, replay: HeatReplay, fields: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Advance each stored state to the next stored time; return the ends, and the inflow meanwhile.

        The result for the last fields is remembered, as the residual and the certificate ask for the same.
        """
        key = sample_digest(fields)
        if self._last is None or self._last[0] != key:
            ends = [
                replay.advance(u, *interval, self.substeps)
                for u, interval in zip(states[:-1], self._intervals(), strict=True)
            ]
            self._last = key, np.array([end[0] for end in ends]), np.array([end[1] for end in ends])
        return self._last[1:]

    def _intervals(self) -> list[tuple[float, float]]:
        return list(pairwise(float(t) for t in self.times))

    def _read(self, fields: Mapping[str, np.ndarray]) -> tuple[np.ndarray, HeatReplay]:
        states = np.asarray(fields["solution"], dtype=np.float64)
        kappa = np.asarray(self._kappa(fields), dtype=np.float64)
        source = self._source({name: fields[name] for name in fields if name == "source"})
        return states, HeatReplay(kappa, self.spacing, self.wall, self.theta, self.modulation, source)

    def _kappa(self, parameters: Mapping[str, Any]) -> np.ndarray:
        if "coefficient" in parameters:
            kappa = np.asarray(parameters["coefficient"], dtype=np.float64)
            if not (kappa.min() > 0.0 and np.isfinite(kappa.max())):
                raise InputError(
                    f"the coefficient lies between {kappa.min():.3g} and {kappa.max():.3g}: expected positive values"
                )
            return kappa
        return np.full(self.shape, self._published.kappa if self._published else self.kappa)

    def _source(self, parameters: Mapping[str, Any]) -> Callable[[float], np.ndarray]:
        source = parameters.get("source")
        if callable(source):
            return source
        if self._published:
            return self._published.source
        values = np.zeros(self.shape) if source is None else np.asarray(source, dtype=np.float64)
        return lambda t: values


def _largest(states: np.ndarray) -> float:
    return float(np.linalg.norm(states, axis=(1, 2)).max())
