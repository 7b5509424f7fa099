"""Solve a system by the pairs that suit it, one after another until one converges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import InputError
from ..linear_system import LinearSystem
from ..result import SolveResult
from .automatic import Choice
from .spec import SolverSpec


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
