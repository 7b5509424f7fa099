"""State the contracts of time-dependent problems: what all share, and implicit schemes as sequences of systems."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from resolvent.solvers import InputError, SolveResult, Status
from resolvent.solvers.arguments import positive_integer, positive_number
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem

from .problem import Problem

Systems = Generator[LinearSystem, "np.ndarray | None", None]


class Trajectory(NamedTuple):
    """Hold the solution at `times` (T,), `values` (T, *shape), and what it cost over all steps, `result`.

    An implicit scheme counts iterations and products of its solvers, an explicit one steps and evaluations.
    """

    times: np.ndarray
    values: np.ndarray
    result: SolveResult


class TimeDependentProblem(Problem):
    """Describe a PDE in time: `snapshots` + 1 states are stored, at equal distances from 0 to `final_time`.

    Parameters
    ----------
    resolution
        As in :class:`Problem`.
    final_time : float
    snapshots : int
    substeps : int
        Steps between two stored states; even, so that a step twice as long fits.
    """

    default_dtype: ClassVar[str] = "float32"
    exact_outputs = True  # the first stored state is the initial one

    def __init__(self, resolution: Any, final_time: float, snapshots: int, substeps: int) -> None:
        super().__init__(resolution)
        self.final_time = positive_number(final_time, "final_time")
        self.snapshots = positive_integer(snapshots, "snapshots")
        self.substeps = positive_integer(substeps, "substeps")
        if self.substeps % 2:
            raise InputError(
                f"substeps is {self.substeps}: expected an even number, so that the error can be estimated with steps "
                "twice as long"
            )

    @property
    def times(self) -> np.ndarray:
        return np.linspace(0.0, self.final_time, self.snapshots + 1)

    @property
    def time_step(self) -> float:
        """The steps between the stored times are this long."""
        return self.final_time / (self.snapshots * self.substeps)

    @abstractmethod
    def trajectory(
        self,
        parameters: Mapping[str, Any],
        times: np.ndarray | None = None,
        solver: SolverSpec | None = None,
        rtol: float | None = None,
    ) -> Trajectory:
        """Return the solution at `times`: ascending, from 0; the stored times by default."""

    def solve(
        self,
        parameters: Mapping[str, Any],
        solver: SolverSpec | None = None,
        x0: np.ndarray | None = None,
        rtol: float | None = None,
    ) -> SolveResult:
        """Solve for the trajectory at the stored times, which x holds one after the other; `x0` is not used."""
        return self.trajectory(parameters, None, solver, rtol).result

    def _checked_times(self, times: np.ndarray) -> np.ndarray:
        checked = np.asarray(times, dtype=np.float64)
        if checked.ndim != 1 or len(checked) < 2 or checked[0] != 0.0 or not np.all(np.diff(checked) > 0.0):
            raise InputError(f"times are {times!r}: expected at least two ascending numbers, the first of them 0")
        return checked


class EvolutionProblem(TimeDependentProblem):
    """Describe a linear evolution equation with random parameters, advanced by an implicit one-step scheme.

    A step is a linear system; :meth:`systems` yields them in turn.

    **Certificate.** The residual of a stored trajectory is the largest defect ‖Φ(u_k) − u_{k+1}‖ / max_j ‖u_j‖, where Φ
    advances the stored state u_k by `substeps` steps with code and factors of its own. Two more numbers are recorded
    and verified. ``error_estimate`` is the error in time by doubling the step, max_k ‖u_k − v_k‖ /
    ((2^p − 1) max_j ‖u_j‖), with v the trajectory of steps twice as long and p the order of the scheme (it leaves out
    the error in space). ``balance_drift`` is the largest violation of what the equation conserves between two stored
    states, relative to the largest amount.
    """

    @abstractmethod
    def initial_state(self, parameters: Mapping[str, Any]) -> np.ndarray:
        """Return u at time 0, shape (n,)."""

    @abstractmethod
    def advance(self, parameters: Mapping[str, Any], steps: np.ndarray) -> Systems:
        """Yield the system of each step from `steps[i]` to `steps[i + 1]`; its solution is sent back in.

        The operator is the same object as long as the matrix does not change.
        """

    def systems(
        self, parameters: Mapping[str, Any], times: np.ndarray | None = None, solver: SolverSpec | None = None
    ) -> Systems:
        """Yield the linear systems of all steps in turn, for sweeps, bandits and recycling.

        The right-hand side of a step depends on the solution of the one before. Send that in by ``systems.send(x)``;
        otherwise, as in a plain ``for``, the system is solved here, with `solver` (the default solver if None).

        Parameters
        ----------
        parameters : mapping
        times : ndarray, optional
            Ascending, from 0; each interval is divided into equal steps, none longer than `time_step`. The stored
            times by default.

        Yields
        ------
        LinearSystem
        """
        spec = solver or self.default_solver
        inner = self.advance(parameters, self._steps(times)[0])
        system, operator, M = next(inner), None, None
        while True:
            solution = yield system
            if solution is None:
                if system.operator is not operator:
                    operator, M = system.operator, spec.setup(system.operator, system.near_nullspace)
                solution = spec.solve(system.operator, system.rhs, nullspace=system.nullspace, M=M).x
            try:
                system = inner.send(solution)
            except StopIteration:
                return

    def trajectory(
        self,
        parameters: Mapping[str, Any],
        times: np.ndarray | None = None,
        solver: SolverSpec | None = None,
        rtol: float | None = None,
    ) -> Trajectory:
        """Solve step by step; the preconditioner is set up again only when the matrix changes.

        A step starts from the state before it, and is solved to `rtol` over the number of steps between two times. When
        a step does not converge, the rest of the trajectory keeps its last state, and the result says so.
        """
        spec = solver or self.default_solver
        steps, stored = self._steps(times)
        between = int(np.diff(np.flatnonzero(stored)).max())
        target = (spec.rtol if rtol is None else rtol) / between
        state = self.initial_state(parameters)
        values = np.repeat(state[None], int(stored.sum()), axis=0)
        result, operator, M = None, None, None
        systems = self.advance(parameters, steps)
        system, row = next(systems), 0
        for reached in stored[1:]:
            unchanged = system.operator is operator
            if not unchanged:
                operator, M = system.operator, spec.setup(system.operator, system.near_nullspace)
            step = spec.solve(operator, system.rhs, x0=state, rtol=target, nullspace=system.nullspace, M=M)
            if unchanged and M is not None:
                step.setup_seconds -= M.setup_seconds  # spent once, and counted by the first step that used it
            result = step if result is None else _added(result, step)
            state = step.x
            row += int(reached)
            if reached:
                values[row] = state
            if not step.converged:
                values[row:] = state
                break
            try:
                system = systems.send(state)
            except StopIteration:
                break
        assert result is not None
        result.x = values.reshape(-1)
        return Trajectory(steps[stored], values.reshape(len(values), *self.shape), result)

    def system(self, parameters: Mapping[str, Any]) -> LinearSystem:
        """Return the system of the first step; :meth:`systems` has them all."""
        return next(self.systems(parameters))

    def solution_size(self, parameters: Mapping[str, Any]) -> int:
        return len(self.times) * int(np.prod(self.shape))

    def _steps(self, times: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of all steps, and which of them are asked for."""
        if times is None:
            ends, counts = self.times, [self.substeps] * self.snapshots
        else:
            ends = self._checked_times(times)
            counts = [max(1, int(np.ceil(length / self.time_step - 1e-9))) for length in np.diff(ends)]
        steps = [np.linspace(a, b, count + 1)[:-1] for a, b, count in zip(ends[:-1], ends[1:], counts, strict=True)]
        stored = np.zeros(sum(counts) + 1, dtype=bool)
        stored[np.cumsum([0, *counts])] = True
        return np.concatenate([*steps, ends[-1:]]), stored


def _added(total: SolveResult, step: SolveResult) -> SolveResult:
    """Add a step to the ledger: sum what the steps cost, keep the worst residual relative to its right-hand side."""
    worst = total if total.relative_residual > step.relative_residual else step
    costs = ("iterations", "matvecs", "applies", "setup_seconds", "solve_seconds")
    return replace(
        step,
        status=step.status if step.status is not Status.CONVERGED else total.status,
        residual=worst.residual,
        rhs_norm=worst.rhs_norm,
        **{cost: getattr(total, cost) + getattr(step, cost) for cost in costs},
    )
