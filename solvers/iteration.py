"""Drive every iterative solver: a method supplies its recurrence, everything else happens here.

A recurrence is a generator function ``recurrence(column, x, r, **settings)``. It iterates on one right-hand side from
the iterate x with residual r = b − A x, updates both arrays in place and yields ‖r_k‖₂ after each iteration::

    def steepest_descent(column, x, r):
        while True:
            z = column.M(r)  # r itself without a preconditioner
            q = column.A(z)
            alpha = column.dot(z, r) / column.dot(z, q)
            x += alpha * z
            r -= alpha * q
            yield column.norm(r)

    method = Method("steepest_descent", steepest_descent, hermitian=True)
    result = run(method, A, b, x0, rtol=…, atol=…, maxiter=…, M=M, callback=callback)

The driver checks the input, loops over columns, counts products, records the history, applies the one stopping rule on
the recomputed residual, restarts a recurrence that has drifted from it, and names how the solve ended. A recurrence
that returns has finished a cycle and is started again from the true residual (restarted GMRES). One that forms x only
at its end does so in a ``finally`` block, which runs when the driver closes the generator. One that cannot continue
raises `Breakdown`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from .diagnosis import Diagnosis
from .errors import InputError
from .initial_guess import read_guess
from .limits import Callback, CallbackType, Counting, Limits, check_limits
from .magnitudes import exponent_of_vector, norm_of, shown, times_two_to
from .nullspace import NullSpace, read_nullspace
from .operands import CountedOperator, read_operator, read_preconditioner, read_vectors
from .preconditioner import Kind
from .result import SEVERITY, SolveResult, Status, counted
from .scaled_system import Scaling, certified_again
from .stopping import EPSILON, Floor, Progress, check_tolerances
from .wide_residual import HIDDEN, residual_hidden

_INSPECTION_INTERVAL = 50
"""Iterations between checks of the recurrence against the true residual: 2 % more products at most."""

FAR_OFF = 1e140
"""A guess with a residual of this size, or one that overflows, is dropped: nothing of b is left in it."""


class Breakdown(Exception):
    """Raised by a recurrence that cannot continue; x and r must be those of the last valid iterate."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Method:
    """Describe a method: its recurrence, the systems that it is for, and what the driver must know of it.

    Attributes
    ----------
    name : str
        The solver's name in `SOLVERS`.
    recurrence : generator function
        See the module's docstring.
    accepts : tuple of {'spd', 'linear', 'nonlinear'}
        The kinds of preconditioner that its theory covers; empty if it takes none.
    hermitian : bool
        Whether A must be Hermitian.
    nullspace : bool
        Whether the solver takes ``nullspace=`` of a singular A.
    explicit : bool
        Whether x and r are current at each yield; if not, they are after the generator is closed.
    exact : bool
        Whether it yields norms of true residuals, which cannot drift.
    growth : float
        ‖r_k‖ > growth·‖r_0‖ ends the solve as diverged.
    callback : {'x', 'pr_norm', 'cycle'}
        What the user's callback is handed: the iterate or ‖r_k‖/‖b‖ after each iteration, or the iterate after each
        cycle.
    maxiter : {'iterations', 'cycles', 'checked cycles'}
        What ``maxiter=`` of the solver counts, as in SciPy. Solvers that count cycles take ``iterations=`` too. With
        'checked cycles' the residual is looked at where a cycle begins: `info` does not see what the last one reached.
    configured : mapping
        Settings of a solver that is named in a configuration without them; defaults of its function are SciPy's.
    square : bool
        Whether A must be square; if not, b and r are of length m, x is of length n, and A has to have an adjoint.
    certificate : function, optional
        A second rule beside that of the residual: ``certificate(column, x, r, **settings)`` returns how the solve has
        ended, and why, from a recomputed residual r; None if it goes on.
    """

    name: str
    recurrence: Callable[..., Generator[Any, None, None]]
    accepts: tuple[Kind, ...] = ("spd",)
    hermitian: bool = False
    nullspace: bool = False
    explicit: bool = True
    exact: bool = False
    growth: float = 1e9
    callback: CallbackType = "x"
    maxiter: Counting = "iterations"
    configured: Mapping[str, Any] = field(default_factory=dict)
    square: bool = True
    certificate: Callable[..., tuple[Status, str] | None] | None = None

    def __post_init__(self) -> None:
        _ACCEPTED[self.name] = self.accepts

    def check_kind(self, M: Any) -> None:
        """Refuse a preconditioner whose `kind` the method's theory does not cover.

        An object without `kind` (a plain LinearOperator, an array, a callable) is trusted.

        Raises
        ------
        InputError
            Naming the kind of M, those that the method accepts and solvers that take this kind.
        """
        accepted = " or ".join(repr(kind) for kind in self.accepts)
        if not accepted:
            takers = _takers("spd")
            raise InputError(
                f"{self.name} takes no preconditioner, but M was given: leave M out, or use {takers} with M."
            )
        kind = getattr(M, "kind", None)
        if kind is None or kind in self.accepts:
            return
        takers = _takers(kind)
        fix = f"use {takers}" if takers else f"no solver here takes that kind; give one of kind {accepted}"
        raise InputError(
            f"{self.name} takes a preconditioner of kind {accepted}, but M ({type(M).__name__}) is {kind!r}: {fix}."
        )

    def keywords(self, settings: Mapping[str, Any], n: int) -> dict[str, Any]:
        """Return the solver's keyword arguments for settings in which ``maxiter`` is the number of iterations.

        Configurations mean iterations whatever the solver's function counts; None stands for 10 n of them.
        """
        keywords = {**self.configured, **settings}
        if self.maxiter != "iterations":
            limit = keywords.pop("maxiter", None)
            keywords["iterations"] = 10 * n if limit is None else limit
        return keywords


_ACCEPTED: dict[str, tuple[Kind, ...]] = {}  # of the methods that have been imported

# Named first, whatever has been imported.
_SUITED = {"spd": ("cg", "gmres"), "linear": ("gmres",), "nonlinear": ("fcg", "fgmres")}


def _takers(kind: str) -> str:
    imported = [name for name, kinds in _ACCEPTED.items() if kind in kinds]
    names = list(dict.fromkeys([*_SUITED.get(kind, ()), *imported]))
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


class Column:
    """Hold what a recurrence needs of one system: the operators, the inner product and the norm.

    Attributes
    ----------
    A : CountedOperator
    M : callable
        The preconditioner; the identity (its argument itself, not a copy) without one.
    xp : array namespace
    b : array, (n,)
        The right-hand side.
    budget : int
        Iterations that are left when the recurrence starts.
    memory : dict
        State of the method from one cycle to the next; empty at the start of each right-hand side.
    nullspace : NullSpace or None
        The null space of a singular A: residuals, and what M returns, are orthogonal to it.
    """

    __slots__ = ("A", "M", "_preconditioner", "b", "budget", "dtype", "memory", "nullspace", "xp")

    def __init__(
        self, A: CountedOperator, M: CountedOperator | None, xp: Any, dtype: Any, nullspace: NullSpace | None = None
    ) -> None:
        self.A = A
        self.M: Callable[[Any], Any] = M if M is not None else _identity
        if nullspace is not None:
            self.M = nullspace.project if M is None else lambda r: nullspace.project(M(nullspace.project(r)))
        self._preconditioner = M
        self.nullspace = nullspace
        self.memory: dict[str, Any] = {}
        self.xp = xp
        self.dtype = dtype
        self.b: Any = None
        self.budget = 0

    @property
    def preconditioned(self) -> bool:
        """Return whether the solve has a preconditioner."""
        return self._preconditioner is not None

    def counts(self) -> tuple[int, int]:
        """Return the products with A and the applications of M so far."""
        return self.A.count, 0 if self._preconditioner is None else self._preconditioner.count

    def dot(self, u: Any, v: Any) -> Any:
        """Return uᴴ v, real for real vectors."""
        return self.xp.vdot(u, v)

    def norm(self, u: Any) -> float:
        """Return ‖u‖₂."""
        return math.sqrt(self.xp.vdot(u, u).real)


def _identity(r: Any) -> Any:
    return r


def run(
    method: Method,
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float,
    atol: float,
    maxiter: int | None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
    callback_type: CallbackType | None = None,
    nullspace: Any = None,
    cycles: int | None = None,
    **settings: Any,
) -> SolveResult:
    """Solve A x = b by a method, for each column of b.

    Parameters are those of `cg`, where `maxiter` counts iterations; `cycles` limits the cycles, `callback_type` takes
    the place of the method's `callback`, and `settings` go to the recurrence.

    Raises
    ------
    InputError
        If an argument does not fit; never for slow convergence.
    """
    check_limits(method.maxiter, maxiter, cycles)
    # Overflow in a failing iteration appears in its norms, and is reported as a status.
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        system = read_system(method, A, b, x0, rtol, atol, maxiter, M, callback, nullspace)
        rhs, guess, column = system.rhs, system.guess, system.column
        tolerances = (system.rtol, system.atol, system.maxiter, column.A.n)
        limits = Limits.read(method.maxiter, *tolerances, iterations=maxiter, cycles=cycles)
        reporting = Callback(callback, callback_type or method.callback)
        floor = Floor(column.A)
        diagnosis = Diagnosis(method.name, method.hermitian, column.A, column.preconditioned)
        if rhs.ndim == 1:
            result = _ColumnSolve(method, column, floor, rhs, guess, limits, reporting).run(settings)
            result.setup_seconds = system.setup_seconds
            return diagnosis.of(result)
        columns = []
        for j in range(rhs.shape[1]):
            x_j = None if guess is None else guess[:, j]
            solve = _ColumnSolve(method, column, floor, rhs[:, j], x_j, limits, reporting)
            columns.append(diagnosis.of(solve.run(settings)))
    return combined(tuple(columns), column.xp, system.setup_seconds)


@dataclass(frozen=True)
class System:
    """Hold the arguments of `run`, checked and converted."""

    column: Column
    rhs: Any
    guess: Any
    rtol: float
    atol: float
    maxiter: int
    setup_seconds: float


def read_system(
    method: Method,
    A: Any,
    b: Any,
    x0: Any,
    rtol: float,
    atol: float,
    maxiter: int | None,
    M: Any,
    callback: Any,
    nullspace: Any,
) -> System:
    """Check a solver's arguments and convert them to double precision; InputError if one does not fit."""
    began = time.perf_counter()
    operator = read_operator(A, square=method.square, scaled=True)
    n, xp = operator.n, operator.xp
    rhs = read_vectors(b, operator.m, "b")
    rtol, atol, maxiter = check_tolerances(rtol, atol, maxiter, max(operator.m, n))
    if callback is not None and not callable(callback):
        raise InputError(f"callback is a {type(callback).__name__}; expected a function of one argument, or None.")
    preconditioner = None
    if M is not None:
        method.check_kind(M)
        preconditioner = read_preconditioner(M, n)
    guess = read_guess(x0, rhs, operator, preconditioner)
    _check_devices(xp, rhs, guess)
    if preconditioner is not None and operator.exponent:
        preconditioner = preconditioner.times_two_to(operator.exponent, xp)
    dtype = np.result_type(operator.dtype, rhs.dtype)
    if guess is not None:
        dtype = np.result_type(dtype, guess.dtype)
    if preconditioner is not None:
        dtype = np.result_type(dtype, preconditioner.dtype)
    space = None if nullspace is None else read_nullspace(nullspace, operator)
    if space is not None:
        dtype = np.result_type(dtype, space.basis.dtype)
    column = Column(operator, preconditioner, xp, dtype, space)
    setup_seconds = time.perf_counter() - began + float(getattr(M, "setup_seconds", 0.0))
    return System(column, rhs, guess, rtol, atol, maxiter, setup_seconds)


class _ColumnSolve:
    """Solve for one right-hand side; all vectors and norms are those of the scaled system.

    With A' = A·2^-m and b' = b·2^-k, x = x'·2^(k − m).
    """

    def __init__(
        self,
        method: Method,
        column: Column,
        floor: Floor,
        b: Any,
        x0: Any,
        limits: Limits,
        callback: Callback,
    ) -> None:
        self.began = time.perf_counter()
        self.method, self.column, self.floor = method, column, floor
        self.limits, self.maxiter, self.callback, self.cycles = limits, limits.maxiter, callback, 0
        self.counts = column.counts()
        column.memory = {}
        xp, A = column.xp, column.A
        self.scaling = Scaling(xp, exponent_of_vector(xp, b), A.exponent)
        self.b = self.scaling.down(xp.ascontiguousarray(b, dtype=column.dtype))
        self.rhs_norm = column.norm(self.b)
        relative = limits.rtol * self.rhs_norm if self.rhs_norm else 0.0  # ∞·0 is no number
        self.threshold = max(relative, times_two_to(limits.atol, -self.scaling.rhs))
        # ‖b‖ ≤ ‖A‖‖x‖, so nothing below ε‖b‖ is attainable, and no recurrence is followed below it.
        self.target = max(self.threshold, EPSILON * self.rhs_norm)
        if column.nullspace is not None:
            column.nullspace.check_consistent(self.b, self.rhs_norm, self.target)
        guessed = x0 is not None and self.rhs_norm > 0.0  # x = 0 solves A x = 0 whatever the guess was
        if guessed:
            self.x = self.scaling.guess(xp.array(x0, dtype=column.dtype))
            if column.nullspace is not None:
                self.x = column.nullspace.project(self.x)
            self.r = self.b - A(self.x.copy())
            self.residual = norm_of(xp, self.r)
            guessed = self.residual < FAR_OFF
        if not guessed:
            self.x, self.r, self.residual = self._zero(), self.b.copy(), self.rhs_norm
        self.history = [self.residual]
        self.iterations = 0
        self.best_residual = self.residual
        self.best_x = self.x.copy() if guessed else None  # None stands for zero

    def run(self, settings: dict[str, Any]) -> SolveResult:
        """Restart the recurrence from true residuals until there is a reason to stop."""
        progress = Progress(self.residual)
        claimed, failure = False, None
        while True:
            ended = verdict(self.residual, self.threshold, self.iterations, self.maxiter, progress, claimed, failure)
            if ended is None and self.cycles == self.limits.cycles:
                ended = Status.MAXITER, "the cycles allowed are used up"
            if self.method.certificate is not None and (ended is None or ended[0] is not Status.CONVERGED):
                ended = self.method.certificate(self.column, self.x, self.r, **settings) or ended
            if ended is not None:
                return self._result(*ended)
            if self.residual < self.best_residual:
                self.best_residual, self.best_x = self.residual, self.x.copy()
            claimed, failure = self._advance(settings)
            self.cycles += 1
            if self.callback.each_cycle:
                try:
                    self._call_back(0.0)
                except Breakdown as asked:
                    failure = failure or asked
            self.r = self.b - self.column.A(self.x.copy())
            self.residual = self.history[-1] = self.column.norm(self.r)

    def _advance(self, settings: dict[str, Any]) -> tuple[bool, Breakdown | None]:
        """Follow the recurrence from (x, r); return whether its residual may be below the true one, and its failure."""
        self.column.b = self.b
        self.column.budget = self.maxiter - self.iterations
        if self.column.nullspace is not None:
            self.r = self.column.nullspace.project(self.r)
        each_iteration = self.callback.each_iteration
        ceiling = self.method.growth * self.history[0]
        inspected = self.residual
        steps = self.method.recurrence(self.column, self.x, self.r, **settings)
        try:
            for norm in steps:
                self.iterations += 1
                self.history.append(norm)
                if each_iteration:
                    self._call_back(norm)
                if norm <= self.target:
                    return True, None
                if not norm <= ceiling:
                    if math.isfinite(norm):
                        first, last = (shown(size, self.scaling.rhs) for size in (self.history[0], norm))
                        grown = f"the residual grew from {first} to {last}"
                        return False, Breakdown(Status.DIVERGED, grown)
                    return False, Breakdown(Status.NONFINITE, "the residual is not finite")
                if self.iterations >= self.maxiter:
                    return False, None
                if self.iterations % _INSPECTION_INTERVAL == 0 and self.method.explicit:
                    if self.method.exact:
                        if self._flat(norm, inspected):
                            return False, Breakdown(Status.STAGNATED, "the true residual stopped falling")
                        inspected = norm
                    elif norm < 0.5 * self.column.norm(self.b - self.column.A(self.x.copy())):
                        return True, None
        except Breakdown as failure:
            return False, failure
        finally:
            steps.close()
        if self.column.budget == self.maxiter - self.iterations:
            return False, Breakdown(Status.BREAKDOWN, "the recurrence made no step")
        return False, None

    def _zero(self) -> Any:
        return self.column.xp.zeros(self.column.A.n, dtype=self.column.dtype)

    def _flat(self, norm: float, before: float) -> bool:
        """Return whether a stationary iteration, whose residuals are true ones, no longer moves."""
        if abs(norm - before) <= 1e-8 * before:
            return True
        return norm >= 0.9 * before and norm <= 10.0 * self.floor(self.x)

    def _call_back(self, norm: float) -> None:
        self.callback.call(lambda: self.scaling.up(self.x.copy()), norm / self.rhs_norm)

    def _result(self, status: Status, reason: str) -> SolveResult:
        x, residual, scaling = self.x, self.residual, self.scaling
        failed = status in (Status.STAGNATED, Status.DIVERGED, Status.NONFINITE)
        if failed and not residual <= self.best_residual:
            residual = self.best_residual
            x = self._zero() if self.best_x is None else self.best_x
        held, changed = scaling.returned(x)
        if changed is not None:
            x, before = changed, residual
            self.history[-1] = residual = norm_of(self.column.xp, self.b - self.column.A(x))
            status, reason = certified_again(status, reason, before, residual, self.threshold)
        if status is Status.CONVERGED:
            hidden = residual_hidden(self.column.A, x, self.b, self.rhs_norm, self.threshold)
            if hidden is not None:
                status, reason, self.history[-1] = Status.STAGNATED, HIDDEN, hidden
                residual = hidden
        floor = self.floor(x) if status is Status.STAGNATED else 0.0
        matvecs, applies = (after - before for after, before in zip(self.column.counts(), self.counts, strict=True))
        return SolveResult(
            x=held,
            status=status,
            iterations=self.iterations,
            matvecs=matvecs,
            applies=applies,
            setup_seconds=0.0,
            solve_seconds=time.perf_counter() - self.began,
            message=describe(status, self.iterations, residual, self.threshold, reason, floor, scaling.rhs),
            code=self.limits.code(status is Status.CONVERGED, self.cycles),
            **scaling.norms(self.history, residual, self.rhs_norm),
        )


def verdict(
    residual: float,
    threshold: float,
    iterations: int,
    maxiter: int,
    progress: Progress,
    claimed: bool,
    failure: Breakdown | None,
) -> tuple[Status, str] | None:
    """Return how a solve has ended, and why, from a recomputed residual; None if it goes on."""
    if residual <= threshold:
        return Status.CONVERGED, ""
    if failure is not None:
        # Near the floor the signs of small inner products are rounding errors and tell nothing about A or M.
        noise = failure.status is Status.INDEFINITE and progress.claims > 0
        return (Status.STAGNATED if noise else failure.status), failure.reason
    if not math.isfinite(residual):
        return Status.NONFINITE, "the residual is not finite"
    if iterations >= maxiter:
        return Status.MAXITER, "the iterations allowed are used up"
    if iterations and progress.stalled(residual, claimed):
        return Status.STAGNATED, "the true residual stopped falling"
    return None


def describe(
    status: Status, iterations: int, residual: float, threshold: float, reason: str, floor: float, exponent: int = 0
) -> str:
    """Return one line: what happened, in numbers (each times 2^exponent), and what to do next."""
    count = counted(iterations, "iteration")
    size, limit = shown(residual, exponent), shown(threshold, exponent)
    if status is Status.CONVERGED:
        return f"converged after {count}: ‖b − Ax‖₂ = {size} ≤ {limit}."
    if status is Status.STAGNATED:
        side = "above the tolerance" if floor > threshold else "below the tolerance: A may be singular"
        reason += f"; float64's floor ε‖A‖‖x‖ is about {shown(floor, exponent)}, {side}"
    return f"{status} after {count}: ‖b − Ax‖₂ = {size} > {limit}; {reason}. {status.advice}"


def combined(columns: tuple[SolveResult, ...], xp: Any, setup_seconds: float) -> SolveResult:
    """Combine the results of the columns of b (n, k) into one: the worst status, sums of costs, Frobenius norms."""
    worst = max(columns, key=lambda column: SEVERITY.index(column.status))
    histories = np.zeros((len(columns), max(column.residuals.size for column in columns)))
    for row, column in zip(histories, columns, strict=True):
        row[: column.residuals.size] = column.residuals
        row[column.residuals.size :] = column.residuals[-1]
    good = sum(column.converged for column in columns)
    return SolveResult(
        x=xp.stack([column.x for column in columns], axis=1),
        status=worst.status,
        iterations=max(column.iterations for column in columns),
        residuals=np.array([math.hypot(*norms) for norms in histories.T]),
        residual=math.hypot(*(column.residual for column in columns)),
        rhs_norm=math.hypot(*(column.rhs_norm for column in columns)),
        matvecs=sum(column.matvecs for column in columns),
        applies=sum(column.applies for column in columns),
        setup_seconds=setup_seconds,
        solve_seconds=sum(column.solve_seconds for column in columns),
        code=None if worst.code is None else max(column.info for column in columns),
        message=f"{good} of {len(columns)} columns converged; column {columns.index(worst)}: {worst.message}",
        columns=columns,
    )


def _check_devices(xp: Any, rhs: Any, guess: Any) -> None:
    """Refuse b or x0 on another device than A."""
    for name, array in (("b", rhs), ("x0", guess)):
        if array is not None and array_namespace(array) is not xp:
            here, there = ("CPU", "GPU") if isinstance(array, np.ndarray) else ("GPU", "CPU")
            move = f"cupy.asarray({name})" if here == "CPU" else f"{name}.get()"
            raise InputError(f"{name} is on the {here} but A is on the {there}: move it with {move}.")
