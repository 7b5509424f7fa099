"""Solve a system by the pairs that suit it, one after another until one converges; `solve` is the one call for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..linear_system import LinearSystem
from ..matrices.symmetry import is_hermitian
from ..operands import read_operator, read_vectors
from ..registry import METHODS
from ..result import SolveResult
from .automatic import Choice, choose, entries
from .spec import SolverSpec


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
    preconditioner_settings: Mapping[str, Any] | None = None,
    **settings: Any,
) -> SolveResult:
    """Solve A x = b by a solver that suits A, or by the one named.

    With ``solver="auto"`` the symmetry, definiteness and structure of A are probed at the cost of a few dozen products.
    If the set-up of the first choice fails, or its solve does not converge, the next one is tried.

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
    preconditioner_settings : mapping, optional
        Settings of the preconditioner that is named.
    **settings
        Settings of the solver that is named, such as ``restart=50``.

    Returns
    -------
    SolveResult
        Its message names the pair that solved the system, and for 'auto' the reason and the attempts before it. If no
        attempt converges, it is the one of least residual.

    Raises
    ------
    InputError
        If an argument does not fit, or no attempt can be set up.
    """
    A = np.asarray(A) if isinstance(A, list | tuple | np.matrix) else A
    rhs = read_vectors(b, read_operator(A).n, "b")
    tolerances = {"rtol": rtol, "atol": atol, "maxiter": maxiter}
    system = LinearSystem(A, rhs, rhs.shape[:1], nullspace, near_nullspace)
    if solver == "auto":
        return _solve_automatically(system, tolerances, x0, [preconditioner, preconditioner_settings, *settings])
    spec = SolverSpec(solver, {**settings, **tolerances}, preconditioner, preconditioner_settings or {})
    if nullspace is not None and not METHODS[solver].nullspace:
        takers = ", ".join(name for name, method in METHODS.items() if method.nullspace)
        raise InputError(f"solver {solver} takes no nullspace: use one of {takers}, or leave nullspace out.")
    result = solve_by(spec, system, x0)
    return dataclasses.replace(result, message=f"{spec.label}: {result.message}")


def solve_by(spec: SolverSpec, system: LinearSystem, x0: Any = None) -> SolveResult:
    """Solve a system by one pair, with what is known of its null spaces."""
    return spec.solve(system.operator, system.rhs, x0, nullspace=system.nullspace, near_nullspace=system.near_nullspace)


def solve_in_turn(
    system: LinearSystem, choices: Sequence[Choice], x0: Any = None, begin: Callable[[Choice], None] | None = None
) -> Iterator[tuple[Choice, SolveResult | InputError]]:
    """Yield the outcome of each attempt, up to the first that converges: its result, or why it could not be set up.

    Parameters
    ----------
    system : LinearSystem
    choices : sequence of Choice
        What to try, best first.
    x0 : array, optional
        Initial guess of each attempt.
    begin : callable, optional
        Called with each choice before it is tried.

    Raises
    ------
    InputError
        That of the last choice, if none could be set up.
    """
    attempted = False
    for choice in choices:
        try:
            if begin is not None:
                begin(choice)
            result = solve_by(choice.spec, system, x0)
        except InputError as error:
            if choice is choices[-1] and not attempted:
                raise
            yield choice, error
            continue
        attempted = True
        yield choice, result
        if result.converged:
            return


def _solve_automatically(
    system: LinearSystem, tolerances: dict[str, Any], x0: Any, arguments: list[Any]
) -> SolveResult:
    if any(value is not None for value in arguments):
        raise InputError('solver="auto" chooses preconditioner and settings itself: leave them out, or name a solver.')
    if system.nullspace is not None:
        matrix = entries(system.operator)
        if matrix is not None and not is_hermitian(matrix):
            raise InputError("nullspace is for Hermitian A, and this A is not: leave it out, and use gmres.")
    before: list[str] = []
    results: list[tuple[Choice, SolveResult]] = []
    for choice, outcome in solve_in_turn(system, choose(system, settings=tolerances), x0):
        if isinstance(outcome, InputError):
            before.append(f"{choice.spec.label} was left out ({outcome})")
            continue
        results.append((choice, outcome))
        if not outcome.converged:
            before.append(f"{choice.spec.label} {outcome.status.value}")
    choice, best = min(results, key=lambda pair: (not pair[1].converged, pair[1].residual))
    history = f" Tried before: {'; '.join(before)}." if before and best.converged else ""
    return dataclasses.replace(
        best, message=f"{choice.spec.label}, for the matrix is {choice.reason}: {best.message}{history}"
    )
