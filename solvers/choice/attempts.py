"""Solve a system by the pairs that suit it, one after another until one converges; `solve` is the one call for it."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..arguments import positive_number
from ..errors import InputError
from ..iteration import Breakdown
from ..linear_system import LinearSystem
from ..matrices.symmetry import is_hermitian
from ..operands import read_operator, read_vectors
from ..preconditioner import Preconditioner
from ..registry import METHODS
from ..result import SolveResult, Status
from .automatic import Choice, entries, in_order
from .rank import explanation
from .reformulation import warning_of_scales
from .spec import SolverSpec

_REFINEMENTS = 4
_COSTS = ("iterations", "matvecs", "applies", "solve_seconds")


def solve(
    A: Any,
    b: Any,
    solver: str = "auto",
    *,
    preconditioner: str | None = None,
    rtol: float = 1e-8,
    atol: float = 0.0,
    maxiter: int | None = None,
    x0: Any = None,
    nullspace: Any = None,
    near_nullspace: Any = None,
    seconds: float | None = None,
    preconditioner_settings: Mapping[str, Any] | None = None,
    **settings: Any,
) -> SolveResult:
    """Solve A x = b by a solver that suits A, or by the one named.

    With ``solver="auto"`` the symmetry, definiteness and structure of A are probed at the cost of a few dozen products.
    If the set-up of the first choice fails, or its solve does not converge, the next one is tried; the last ones need
    no factors, so that singular systems are solved too where they have a solution. Rows of very different size are
    scaled, and −A is solved for a negative definite A.

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
    b : array, (n,) or (n, k)
        Right-hand sides.
    solver : str
        'auto', or a name in `SOLVERS`.
    preconditioner : str, optional
        A name in `PRECONDITIONERS`, for a solver that is named; 'auto' chooses its own.
    rtol, atol : float
        Converged when ‖b − A x‖₂ ≤ max(rtol·‖b‖₂, atol), with the residual recomputed in float64.
    maxiter : int, optional
        Iterations of each attempt.
    x0 : array, the shape of b, optional
        Initial guess, zero by default.
    nullspace : array, (n, m) or (n,), optional
        A basis of the null space of a singular Hermitian A, as in `cg`. A matrix whose rows sum to zero needs none:
        'auto' sees it.
    near_nullspace : array, (n, m), optional
        Vectors that A nearly annihilates (the rigid body modes of elasticity), for smoothed aggregation.
    seconds : float, optional
        The budget: iterations end when it is used up, and the best attempt is returned. Without it an attempt ends
        with `maxiter`, which by default is 10 n or, where nothing but products is left, what 2·10¹⁰ operations allow.
    preconditioner_settings : mapping, optional
        Settings of the preconditioner that is named.
    **settings
        Settings of the solver that is named, such as ``restart=50``.

    Returns
    -------
    SolveResult
        Its message names the pair that solved the system, and for 'auto' the reason and the attempts before it. If no
        attempt converges, it is the one of least residual, or `inconsistent` if no x solves the system: its x is then
        a least-squares solution.

    Raises
    ------
    InputError
        If an argument does not fit, or no attempt can be set up.
    """
    A = np.asarray(A) if isinstance(A, list | tuple | np.matrix) else A
    square = solver != "auto" and solver in METHODS and METHODS[solver].square
    rhs = read_vectors(b, read_operator(A, square=square).m, "b")
    tolerances = {"rtol": rtol, "atol": atol, "maxiter": maxiter}
    system = LinearSystem(A, rhs, rhs.shape[:1], nullspace, near_nullspace)
    if solver == "auto":
        with np.errstate(all="ignore"):  # what leaves float64 appears in residuals, and they decide
            return _solve_automatically(
                system, tolerances, x0, seconds, [preconditioner, preconditioner_settings, *settings]
            )
    spec = SolverSpec(solver, {**settings, **tolerances}, preconditioner, preconditioner_settings or {})
    if nullspace is not None and not METHODS[solver].nullspace:
        takers = ", ".join(name for name, method in METHODS.items() if method.nullspace)
        raise InputError(f"solver {solver} takes no nullspace: use one of {takers}, or leave nullspace out.")
    result = solve_by(spec, system, x0, Deadline(seconds).callback())
    return dataclasses.replace(result, message=f"{spec.label}: {result.message}{warning_of_scales(system, result)}")


def solve_by(
    spec: SolverSpec,
    system: LinearSystem,
    x0: Any = None,
    callback: Callable[[Any], Any] | None = None,
    M: Preconditioner | None = None,
) -> SolveResult:
    """Solve a system by one pair, with what is known of its null spaces."""
    return spec.solve(
        system.operator,
        system.rhs,
        x0,
        nullspace=system.nullspace,
        near_nullspace=system.near_nullspace,
        M=M,
        callback=callback,
    )


class Deadline:
    """Hold how many seconds of a budget are left; called after each iteration, it ends the solve when there are none.

    Parameters
    ----------
    seconds : float or None
        The budget, from now on; None for none.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = None if seconds is None else positive_number(seconds, "seconds")
        self._ends = math.inf if self.seconds is None else time.perf_counter() + self.seconds

    @property
    def passed(self) -> bool:
        """Return whether nothing is left."""
        return time.perf_counter() >= self._ends

    def share(self) -> Deadline:
        """Return the deadline of the next attempt, half of what is left, so that others have a turn."""
        if self.seconds is None:
            return self
        return Deadline(max(0.5 * (self._ends - time.perf_counter()), 1e-3))

    def __call__(self, iterate: Any) -> None:
        if self.passed:
            raise Breakdown(Status.MAXITER, f"the {self.seconds:.3g} s allowed are used up")

    def callback(self) -> Callable[[Any], Any] | None:
        """Return itself for a solver to call, or None if there is no budget."""
        return None if self.seconds is None else self


def solve_in_turn(
    system: LinearSystem,
    choices: Iterable[Choice],
    x0: Any = None,
    begin: Callable[[Choice], None] | None = None,
    seconds: float | None = None,
) -> Iterator[tuple[Choice, SolveResult | InputError]]:
    """Yield the outcome of each attempt, up to the first that converges: its result, or why it could not be set up.

    An attempt that shows the system to have no solution is the last one, too.

    Parameters
    ----------
    system : LinearSystem
    choices : iterable of Choice
        What to try, best first; one is asked for when the one before has failed.
    x0 : array, optional
        Initial guess of each attempt.
    begin : callable, optional
        Called with each choice before it is tried.
    seconds : float, optional
        Iterations end, and no further attempt begins, when these have passed.

    Raises
    ------
    InputError
        That of the last choice, if none could be set up.
    """
    attempted = indefinite = False
    refusal = None
    deadline = Deadline(seconds)
    for choice in choices:
        if attempted and deadline.passed:
            return
        if indefinite and METHODS[choice.spec.name].accepts == ("spd",) and choice.spec.name != "minres":
            if choice.spec.preconditioner != "direct":
                continue
            choice = dataclasses.replace(choice, spec=dataclasses.replace(choice.spec, name="gmres"))
        try:
            if begin is not None:
                begin(choice)
            result = _attempt(choice, system, x0, deadline.share())
        except InputError as error:
            refusal = error
            yield choice, error
            continue
        attempted = True
        indefinite = indefinite or result.status is Status.INDEFINITE
        yield choice, result
        if result.converged or result.status is Status.INCONSISTENT:
            return
    if refusal is not None and not attempted:
        raise refusal


def _attempt(choice: Choice, system: LinearSystem, x0: Any, deadline: Deadline) -> SolveResult:
    form, spec = choice.reformulation, choice.spec
    if form is None:
        return _explained(solve_by(spec, system, x0, deadline.callback()), system, spec.rtol)
    rtol, atol = spec.rtol, float(spec.settings.get("atol") or 0.0)
    scaled_spec = dataclasses.replace(spec, settings={**spec.settings, "atol": form.tolerance(rtol)})
    preconditioner = scaled_spec.setup(form.system.operator)
    start = None if x0 is None else form.guess(x0)
    result = solve_by(scaled_spec, form.system, start, deadline.callback(), preconditioner)
    x = form.mapped(result.x)
    best = form.certified(result, x, rtol, atol)
    # The norm of the scaled system is another one: errors that it ignores are the solution of systems of their own.
    for _ in range(_REFINEMENTS):
        if best.status is not Status.STAGNATED or not result.converged or deadline.passed:
            break
        error = form.correcting(x)
        if not np.isfinite(error.rhs).all():
            break
        step = solve_by(scaled_spec, error, None, deadline.callback(), preconditioner)
        x = x + form.mapped(step.x)
        best = form.certified(_added(result, step), x, rtol, atol)
        result = _added(result, step)
    return best if form.inconsistency else _explained(best, system, rtol)


def _explained(result: SolveResult, system: LinearSystem, rtol: float) -> SolveResult:
    """Return a result of a system without solution with what is known of its null space in its message."""
    square = system.operator.shape[0] == system.operator.shape[1]
    matrix = entries(system.operator) if square and result.status is Status.INCONSISTENT else None
    if matrix is not None:
        result.message += explanation(matrix, system.rhs, rtol)
    return result


def _added(first: SolveResult, second: SolveResult) -> SolveResult:
    """Return the costs of two solves one after the other, with the end of the second."""
    sums = {name: getattr(first, name) + getattr(second, name) for name in _COSTS}
    columns = tuple(_added(*pair) for pair in zip(first.columns, second.columns, strict=True))
    residuals = np.concatenate([first.residuals, second.residuals[1:]])
    return dataclasses.replace(second, **sums, columns=columns, residuals=residuals)


def _solve_automatically(
    system: LinearSystem, tolerances: dict[str, Any], x0: Any, seconds: float | None, arguments: list[Any]
) -> SolveResult:
    if any(value is not None for value in arguments):
        raise InputError('solver="auto" chooses preconditioner and settings itself: leave them out, or name a solver.')
    if system.nullspace is not None:
        matrix = entries(system.operator)
        if matrix is not None and not is_hermitian(matrix):
            raise InputError("nullspace is for Hermitian A, and this A is not: leave it out, and use gmres.")
    before: list[str] = []
    results: list[tuple[Choice, SolveResult]] = []
    for choice, outcome in solve_in_turn(system, in_order(system, settings=tolerances), x0, seconds=seconds):
        if isinstance(outcome, InputError):
            before.append(f"{choice.spec.label} was left out ({str(outcome).rstrip('.')})")
            continue
        results.append((choice, outcome))
        if not outcome.converged:
            before.append(f"{choice.spec.label} {outcome.status.value}")
    choice, best = best_of(results)
    others = [line for line in before if line != f"{choice.spec.label} {best.status.value}"]
    word = "Tried before" if best.converged else "Tried too"
    history = f" {word}: {'; '.join(others)}." if others else ""
    return dataclasses.replace(
        best, message=f"{choice.spec.label}, for the matrix is {choice.reason}: {best.message}{history}"
    )


def best_of(results: Sequence[tuple[Choice, SolveResult]]) -> tuple[Choice, SolveResult]:
    """Return the attempt that converged, or the one that shows why none can, or the one of the least residual."""
    rank = {Status.CONVERGED: 0, Status.INCONSISTENT: 1}

    def order(pair: tuple[Choice, SolveResult]) -> tuple[int, float]:
        residual = pair[1].residual
        return rank.get(pair[1].status, 2), residual if math.isfinite(residual) else math.inf

    return min(results, key=order)
