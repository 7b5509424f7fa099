"""State the contract of a semi-linear evolution equation on a periodic box, advanced by exponential integrators."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from resolvent.solvers import SCHEMES, FourierGrid, InputError, SolveResult, Status, TimeStepper
from resolvent.solvers.arguments import nonnegative_number, one_of, positive_integer, positive_number
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem

from ..certificates.spectral_replay import SpectralReplay
from ..format.digests import sample_digest
from ..format.field import Field
from ..grids import grid_shape
from ..random_fields.gaussian import GaussianRandomField
from .evolution import TimeDependentProblem, Trajectory

_PERTURBATION = 1e-7  # relative; differences of this size grow as smaller ones do
_HALVINGS = 10  # how often the first step is halved to measure the error of the start
_ENOUGH = 16.0  # independent numbers that determine a variance: 3 standard deviations of signs are then 5 of rounding
_SAFETY = 3.0  # factor in the bound on rounding, because true rounding errors have other signs


@dataclass(frozen=True)
class StepperSpec(SolverSpec):
    """Name the integrator in the place of a solver, and `rtol`, the largest defect of a stored trajectory."""

    name: str = "etdrk4"
    settings: Mapping[str, Any] = field(default_factory=lambda: {"rtol": 1e-10})
    preconditioner: str | None = None

    def __post_init__(self) -> None:
        one_of(self.name, SCHEMES, "scheme")
        for key in self.settings:
            one_of(key, ("rtol",), f"setting of {self.name}")
        object.__setattr__(self, "settings", {"rtol": positive_number(self.settings.get("rtol", 1e-10), "rtol")})


class SpectralEvolution(TimeDependentProblem):
    """Describe u_t = L u + N(u), periodic, with random parameters, by a Fourier method in space, without aliasing.

    **Steps.** Between two stored states lie `substeps` steps. A trajectory whose error estimate does not meet
    `tolerance` takes twice as many, or four times, and so on; the number is stored with each sample as the auxiliary
    field ``steps``. With ``tolerance=None`` all take `substeps`.

    **Certificate.** The residual of a stored trajectory is the largest defect ‖Φ(u_k) − u_{k+1}‖ / max_j ‖u_j‖, where
    Φ advances the stored state u_k by the stored number of steps. The integrator computes it for all intervals. For a
    share `audit` of the samples, chosen by their initial states, independent code computes it for one interval too
    (:mod:`~resolvent.data.certificates.spectral_replay`). These numbers are recorded and verified as well:

    - ``error_estimate``, the error in time by doubling the step twice, d / ((r − 1) max_j ‖u_j‖) with d = max_k ‖u_k −
      v_k‖ and r = max_k ‖v_k − w_k‖ / d between 2 and 2^p, v and w with steps two and four times as long from the
      stored u_0. p is the order on smooth solutions; r measures what it is on this one: stiff modes of rough initial
      states converge at lower orders, and 2^p in the place of r would claim errors up to seven times too small. (Where
      four steps do not fit between two stored times, w is compared at every other time; where there is no other one,
      r = 2. For data stored in float32 the estimate contains the rounding of u_0 and its growth.) Doubling does not see
      an error that hardly depends on the step, such as that of a rough u_0 whose stiff modes decay within the first
      one. Where there are stiff modes, ‖u_1 − s_1‖ / max_j ‖u_j‖ is added, s with a first step made of ever shorter
      ones that grow to its length.
    - ``unresolved``, a sign of the error in space: the largest part of a state, in L², that lies in the outer third
      of the modes kept along an axis or beyond them. Errors in space are mostly of this size or smaller, far smaller
      where only u_0 is rough; a trajectory of 0.1 is wrong however small its error in time.
    - the conserved quantities of :meth:`invariants`.

    Parameters
    ----------
    resolution
        Points along each axis, x_i = i ℓ/n.
    lengths : tuple of float
        Extents of the box.
    factors : int
        Degree of N, for de-aliasing: see :class:`~resolvent.solvers.FourierGrid`.
    scheme : str
        A key of ``resolvent.solvers.SCHEMES``.
    final_time, snapshots, substeps
        As in :class:`TimeDependentProblem`.
    tolerance : float or None
    max_substeps : int
        A trajectory that needs more is an error.
    audit : float
        Share of the samples, from 0 to 1.
    """

    boundary = "periodic"
    batch: ClassVar[int] = 8  # samples that generation hands to solve_many together
    state_name: ClassVar[str] = "u"
    random_state: GaussianRandomField  # the law of u_0

    def __init__(
        self,
        resolution: Any,
        lengths: tuple[float, ...],
        factors: int,
        scheme: str,
        final_time: float,
        snapshots: int,
        substeps: int,
        tolerance: float | None,
        max_substeps: int,
        audit: float,
    ) -> None:
        self.ndim = len(lengths)
        super().__init__(grid_shape(resolution, self.ndim, least=8), final_time, snapshots, substeps)
        self.grid = FourierGrid(self.shape, lengths, factors)
        self.scheme = one_of(scheme, SCHEMES, "scheme")
        self.tolerance = None if tolerance is None else positive_number(tolerance, "tolerance")
        self.max_substeps = positive_integer(max_substeps, "max_substeps")
        self.audit = nonnegative_number(audit, "audit")
        if self.audit > 1.0 or self.max_substeps < self.substeps:
            raise InputError(
                f"audit is {self.audit:g} and max_substeps {self.max_substeps}: expected audit of at most 1, and "
                f"max_substeps of at least substeps={self.substeps}"
            )
        self._stepper: TimeStepper | None = None
        self._last: tuple[bytes, np.ndarray, np.ndarray] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_stepper": None, "_last": None}

    @property
    def axes(self) -> tuple[np.ndarray, ...]:
        """The points are x_i = i ℓ/n along each axis."""
        return self.grid.points()

    @property
    def default_solver(self) -> SolverSpec:
        return StepperSpec(self.scheme)

    @property
    def stepper(self) -> TimeStepper:
        """The integrator that has the equation in it."""
        if self._stepper is None:
            self._stepper = TimeStepper(*self.equation(), self.scheme)
        return self._stepper

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"initial": self.random_state.evaluate(self.random_state.sample(rng), *self.axes)}

    @abstractmethod
    def equation(self) -> tuple[np.ndarray, Any]:
        """Return L on the modes kept, and N: see :class:`~resolvent.solvers.TimeStepper`."""

    @abstractmethod
    def replay(self) -> SpectralReplay:
        """Return the equation written a second time, for the certificate."""

    def constants(self) -> dict[str, Field]:
        """Return the fields that are the same in every sample, such as a forcing; none by default."""
        return {}

    def invariants(self, states: np.ndarray) -> dict[str, float]:
        """Return how far the stored states (T, *shape) violate what the equation conserves: by default, the mean."""
        means = states.mean(axis=tuple(range(1, states.ndim)))
        return {"balance_drift": float(np.abs(means - means[0]).max() / _largest_value(states))}

    def system(self, parameters: Mapping[str, Any]) -> LinearSystem:
        raise InputError(
            f"{self.name} is advanced by {self.scheme} and has no linear systems: `resolvent generate` makes its "
            "trajectories, with strategy=independent; solve and sweep take a problem such as heat or poisson"
        )

    def solution_size(self, parameters: Mapping[str, Any]) -> int:
        return len(self.times) * int(np.prod(self.shape)) + 1

    def solve_many(
        self, parameters: Sequence[Mapping[str, Any]], solver: SolverSpec | None = None
    ) -> list[SolveResult]:
        """Solve several samples together; each gets the bits that :meth:`solve` gives it.

        A result's x is of length T·n + 1: the last entry counts the steps.
        """
        self._only_stepper(solver)
        lengths = [self.final_time / self.snapshots] * self.snapshots
        return [result for _, result in self._march_all(parameters, lengths, [self.substeps] * self.snapshots)]

    def trajectory(
        self,
        parameters: Mapping[str, Any],
        times: np.ndarray | None = None,
        solver: SolverSpec | None = None,
        rtol: float | None = None,
    ) -> Trajectory:
        """Return the solution at `times`, to `tolerance`; `rtol` is not used.

        Raises
        ------
        InputError
            If the state ceases to be finite, or the tolerance asks for more steps than `max_substeps`.
        """
        self._only_stepper(solver)
        if times is None:
            ends, lengths = self.times, [self.final_time / self.snapshots] * self.snapshots
            counts = [self.substeps] * self.snapshots
        else:
            ends = self._checked_times(times)
            lengths = [float(each) for each in np.diff(ends)]
            counts = [2 * max(1, math.ceil(length / (2.0 * self.time_step) - 1e-9)) for length in lengths]
        states, result = self._march_all([parameters], lengths, counts)[0]
        return Trajectory(ends, states, result)

    def fields(self, parameters: Mapping[str, Any], solution: np.ndarray) -> dict[str, Field]:
        values = np.asarray(solution)[:-1].reshape(len(self.times), *self.shape)
        steps = np.full(self.shape, float(np.asarray(solution)[-1]))
        name = self.state_name
        return {
            "initial": Field(np.asarray(parameters["initial"]), "1", f"{name} at time 0", "input"),
            **self.constants(),
            "steps": Field(steps, "1", "steps between two stored times, the same number everywhere", "auxiliary"),
            "solution": Field(values, "1", f"{name} at the stored times", "output", time_varying=True),
        }

    def residual(self, fields: Mapping[str, np.ndarray]) -> float:
        """Return the largest defect between two stored states; infinite where the first is not the initial one."""
        read = self._read(fields)
        if read is None:
            return float("inf")
        states, steps = read
        after = self._advanced(fields, states, steps)
        defect = _norms(states[1:] - after).max()
        interval = self._audited(states)
        if interval is not None:
            replayed = self.replay().advance(states[interval], self.final_time / self.snapshots / steps, steps)
            defect = max(defect, float(_norms((states[interval + 1] - replayed)[None])[0]))
        relative = float(defect / _largest(states))
        return relative if math.isfinite(relative) else float("inf")

    def rounding(self, fields: Mapping[str, np.ndarray], dtype: Any) -> float:
        """Bound the effect of rounding both states of an interval by at most υ|u|: measure how the interval grows it.

        States changed by random signs times a multiple of υ|u| are advanced too; three times the outcome covers other
        signs. After an interval that damps all but a few modes, one draw of signs says little (the outcome may nearly
        vanish): then there are so many draws that draws times modes of the outcome make at least ``_ENOUGH`` numbers.
        """
        unit = float(np.finfo(dtype).eps) / 2.0
        read = self._read(fields)
        if read is None:
            return 0.0
        states, steps = read
        after, rng = self._advanced(fields, states, steps), np.random.default_rng(0)

        def change(draws: int) -> np.ndarray:
            signs = rng.choice((-1.0, 1.0), (draws, *states[:-1].shape))
            changed = states[:-1] * (1.0 + _PERTURBATION * signs)
            return self._step(changed.reshape(-1, *self.shape), steps)[0].reshape(changed.shape) - after

        changes = change(1)
        draws = math.ceil(_ENOUGH / self._modes_in(changes[0]))
        if draws > 1:
            changes = np.concatenate([changes, change(draws - 1)])
        squares = [_norms(each) ** 2 for each in changes]
        grown = np.sqrt(np.mean(squares, axis=0)) / _PERTURBATION
        return _SAFETY * unit * float((grown + _norms(states[1:])).max()) / _largest(states)

    def _modes_in(self, states: np.ndarray) -> float:
        """Count the modes that each state spreads over, (Σ|û|²)² / Σ|û|⁴; return the smallest count."""
        power = np.abs(self.grid.to_modes(states).reshape(len(states), -1)) ** 2
        power /= np.maximum(power.max(axis=1, keepdims=True), np.finfo(float).tiny)
        return max(1.0, float((power.sum(axis=1) ** 2 / np.maximum((power**2).sum(axis=1), 1.0)).min()))

    def certificate(self, fields: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Return ``error_estimate``, ``unresolved``, and what :meth:`invariants` finds."""
        read = self._read(fields)
        if read is None:
            raise InputError("steps is no even number, or the first state is not the initial one")
        states, steps = read
        modes, length = self.grid.to_modes(states[:1]), self.final_time / self.snapshots
        lengths, counts = [length] * self.snapshots, [steps] * self.snapshots
        coarse, _ = self._march(modes, lengths, [n // 2 for n in counts])
        coarser, every, _ = self._coarser(modes, lengths, counts)
        estimate = self._estimate(states, coarse[:, 0], None if coarser is None else coarser[:, 0], every)
        graded = self._graded_start(modes, length, steps)[0]
        if graded is not None:
            estimate += self._start_error(states, graded[0])
        return {"error_estimate": estimate, "unresolved": self._unresolved(states), **self.invariants(states)}

    def _coarser(
        self, modes: np.ndarray, lengths: Sequence[float], counts: Sequence[int]
    ) -> tuple[np.ndarray | None, int, int]:
        """Return states with steps four times as long, which of the times they are at (each one, or every second one),
        and how many steps they took."""
        if all(n % 4 == 0 for n in counts):
            fewer = [n // 4 for n in counts]
            return self._march(modes, lengths, fewer)[0], 1, sum(fewer)
        pairs = len(lengths) // 2
        if not pairs or len(set(lengths)) > 1 or len(set(counts)) > 1:
            return None, 1, 0
        fewer = [counts[0] // 2] * pairs
        return self._march(modes, [2.0 * lengths[0]] * pairs, fewer)[0], 2, sum(fewer)

    def _estimate(self, states: np.ndarray, coarse: np.ndarray, coarser: np.ndarray | None, every: int) -> float:
        """Estimate the error of `states` (fields) from modes with steps two and four times as long; see the class."""
        others = self.grid.to_fields(coarse)
        differences = _norms(states - others)
        differences[0] = 0.0  # the part of u_0 that the grid's modes leave out is no error in time
        distance, ratio = float(differences.max()), 2.0
        if coarser is not None:
            there = others[::every][: len(coarser)]
            least = max(float(differences[::every].max()), np.finfo(float).tiny)
            ratio = float(_norms(there - self.grid.to_fields(coarser)).max()) / least
            # If steps are so long that w is not finite, that says nothing against v.
            ratio = min(max(ratio, 2.0), 2.0**self.stepper.order) if math.isfinite(ratio) else 2.0**self.stepper.order
        return distance / (ratio - 1.0) / _largest(states)

    def _graded_start(self, modes: np.ndarray, length: float, count: int) -> tuple[np.ndarray | None, int]:
        """Advance the first `length` with the first of its `count` steps made of shorter ones, h/2^J, h/2^J, h/2^{J−1},
        …, h/2, which see the decay of the stiff modes.

        Returns the modes, None where no mode is stiff, and how many steps that took.
        """
        step = length / count
        halvings = min(math.ceil(math.log2(max(1.0, -step * float(self.stepper.linear.real.min())))), _HALVINGS)
        if not halvings:
            return None, 0
        for j in (halvings, *range(halvings, 0, -1)):
            modes = self.stepper.advance(modes, step / 2.0**j).modes
        if count > 1:
            modes = self.stepper.advance(modes, step, count - 1).modes
        return modes, halvings + count

    def _start_error(self, states: np.ndarray, graded: np.ndarray) -> float:
        distance = float(_norms(states[1:2] - self.grid.to_fields(graded[None]))[0]) / _largest(states)
        return distance if math.isfinite(distance) else math.inf

    def _unresolved(self, states: np.ndarray) -> float:
        """Return the largest part of a state in modes above 2/3 of the cutoff along an axis, or beyond the cutoff."""
        inner = np.ones(self.grid.modes_shape)
        for k, cutoff in zip(self.grid.frequencies(), self.grid.cutoff, strict=True):
            inner = inner * (3.0 * np.abs(k) <= 2.0 * cutoff)
        outer = _norms(states - self.grid.to_fields(self.grid.to_modes(states) * inner))
        return float((outer / np.maximum(_norms(states), np.finfo(float).tiny)).max())

    def _march_all(
        self, parameters: Sequence[Mapping[str, Any]], lengths: Sequence[float], counts: Sequence[int]
    ) -> list[tuple[np.ndarray, SolveResult]]:
        """March all samples to the tolerance: together those that need the same number of steps."""
        began = time.perf_counter()
        initial = np.stack([np.asarray(p["initial"], dtype=np.float64) for p in parameters])
        if initial.shape[1:] != self.shape:
            raise InputError(f"the initial state has the shape {initial.shape[1:]}: expected {self.shape}")
        if not np.isfinite(initial).all():
            raise InputError(f"the initial state of {self.name} holds NaN or infinite values: expected finite ones")
        modes = self.grid.to_modes(initial)
        refine = dict.fromkeys(range(len(parameters)), 1)  # the counts are multiplied by this
        spent = np.zeros(len(parameters), dtype=np.int64)
        done: dict[int, tuple[np.ndarray, SolveResult]] = {}
        while refine:
            factor = min(refine.values())
            chosen = [i for i, each in refine.items() if each == factor]
            fine, blown = self._march(modes[chosen], lengths, [factor * n for n in counts])
            spent[chosen] += self.stepper.stages * factor * sum(counts)
            if self.tolerance is None:
                estimates = np.where(blown > 0.0, np.inf, 0.0)
            else:
                steps = [factor * n for n in counts]
                coarse, lost = self._march(modes[chosen], lengths, [n // 2 for n in steps])
                coarser, every, fewer = self._coarser(modes[chosen], lengths, steps)
                graded, more = self._graded_start(modes[chosen], lengths[0], steps[0])
                spent[chosen] += self.stepper.stages * (sum(steps) // 2 + fewer + more)
                estimates = np.full(len(chosen), np.inf)
                for k in np.flatnonzero((blown == 0.0) & (lost == 0.0)):
                    states = self.grid.to_fields(fine[:, k])
                    third = None if coarser is None else coarser[:, k]
                    estimates[k] = self._estimate(states, coarse[:, k], third, every)
                    if graded is not None:
                        estimates[k] += self._start_error(states, graded[k])
            most = self.max_substeps // max(counts)
            for row, i in enumerate(chosen):
                if estimates[row] <= (self.tolerance or 0.0):
                    values = self.grid.to_fields(fine[:, row])
                    values[0] = initial[i]
                    seconds = (time.perf_counter() - began) / len(parameters)
                    done[i] = values, self._result(values, factor * counts[0], spent[i], estimates[row], seconds)
                    del refine[i]
                    continue
                if factor >= most or self.tolerance is None:
                    raise InputError(self._refusal(blown[row], estimates[row], factor * max(counts)))
                refine[i] = min(most, factor * self._refinement(estimates[row]))
        return [done[i] for i in range(len(parameters))]

    def _refinement(self, estimate: float) -> int:
        """Return how many times more steps an estimate asks for: 2, 4 or 8."""
        if not estimate <= 1.0:
            return 2  # the longer steps were unstable: their distance says nothing about the order
        assert self.tolerance is not None
        # Far from the tolerance the order says nothing: a solution that has nearly blown up would ask for the most.
        halvings = math.ceil(math.log2(estimate / self.tolerance) / self.stepper.order - 1e-9)
        return int(2 ** min(max(1, halvings), 3))

    def _march(
        self, modes: np.ndarray, lengths: Sequence[float], counts: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return states (T, samples, *modes) and, for each sample, when it ceased to be finite (0: it did not)."""
        out = np.empty((len(lengths) + 1, *modes.shape), complex)
        out[0] = modes
        blown = np.zeros(len(modes))
        start = 0.0
        for k, (length, count) in enumerate(zip(lengths, counts, strict=True)):
            out[k + 1], reached = self.stepper.advance(out[k], length / count, count)
            fresh = (reached < count) & (blown == 0.0)
            blown[fresh] = start + length * (reached[fresh] + 1) / count
            start += length
        return out, blown

    def _result(self, values: np.ndarray, steps: int, spent: int, estimate: float, seconds: float) -> SolveResult:
        return SolveResult(
            x=np.append(values.reshape(-1), float(steps)),
            status=Status.CONVERGED,
            iterations=steps * self.snapshots,
            residuals=np.array([estimate]),
            residual=float(estimate),
            rhs_norm=1.0,
            matvecs=int(spent),
            applies=0,
            setup_seconds=0.0,
            solve_seconds=seconds,
            message=f"{steps} steps of {self.scheme} between two stored times, error estimate {estimate:.1e}",
        )

    def _refusal(self, blown: float, estimate: float, count: int) -> str:
        length = self.final_time / self.snapshots / count
        if blown > 0.0:
            return (
                f"the field {self.state_name} blew up at time {blown:.6g} (step {round(blown / length)} of length "
                f"{length:.3g}, {count} between two stored times): raise substeps or max_substeps"
            )
        return (
            f"the error estimate {estimate:.1e} of {self.state_name} is above tolerance={self.tolerance:.1e} with "
            f"{count} steps between two stored times: raise max_substeps or tolerance"
        )

    def _only_stepper(self, solver: SolverSpec | None) -> None:
        if solver is not None and not isinstance(solver, StepperSpec):
            raise InputError(
                f"{self.name} is advanced by {self.scheme}, without linear systems: leave solver={solver.name} out"
            )

    def _read(self, fields: Mapping[str, np.ndarray]) -> tuple[np.ndarray, int] | None:
        """Return the states and the number of steps, or None where they cannot be those of this problem."""
        states = np.asarray(fields["solution"], dtype=np.float64)
        steps = np.unique(np.asarray(fields["steps"], dtype=np.float64))
        if len(steps) != 1 or steps[0] % 2.0 != 0.0 or not 2.0 <= steps[0] <= self.max_substeps:
            return None
        if np.any(states[0] != np.asarray(fields["initial"], dtype=np.float64)):
            return None
        for name, item in self.constants().items():
            stored = np.asarray(fields[name])
            if np.any(stored != item.values.astype(stored.dtype)):
                return None
        return states, int(steps[0])

    def _step(self, states: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
        length = self.final_time / self.snapshots
        modes, reached = self.stepper.advance(self.grid.to_modes(states), length / steps, steps)
        return self.grid.to_fields(modes), reached

    def _advanced(self, fields: Mapping[str, np.ndarray], states: np.ndarray, steps: int) -> np.ndarray:
        """Advance each stored state to the next stored time; the result for the last fields is remembered."""
        key = sample_digest(fields)
        if self._last is None or self._last[0] != key:
            self._last = key, *self._step(states[:-1], steps)
        return self._last[1]

    def _audited(self, states: np.ndarray) -> int | None:
        """Return which interval independent code advances; the initial state decides, the same in either precision."""
        draw = int.from_bytes(sample_digest({"initial": states[0].astype(np.float32)})[:8], "little")
        return draw // 1000 % self.snapshots if draw % 1000 < 1000.0 * self.audit else None


def increase(amounts: np.ndarray) -> float:
    """Return how far an amount that should only fall rises between two stored times, relative to the largest."""
    return float(max(0.0, np.diff(amounts).max()) / max(np.abs(amounts).max(), np.finfo(float).tiny))


def _norms(states: np.ndarray) -> np.ndarray:
    return np.linalg.norm(states.reshape(len(states), -1), axis=1)


def _largest(states: np.ndarray) -> float:
    return float(_norms(states).max()) or 1.0


def _largest_value(states: np.ndarray) -> float:
    return float(np.abs(states).max()) or 1.0
