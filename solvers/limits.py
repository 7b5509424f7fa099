"""Say when a solve ends short of convergence, counted as a solver's ``maxiter=`` counts, and whom it calls back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .arguments import is_integer
from .errors import InputError

CallbackType = Literal["x", "pr_norm", "cycle"]

Counting = Literal["iterations", "cycles", "checked cycles"]

_CHECKED_CYCLES = 1000
"""The default of SciPy's `lgmres` and `gcrotmk`; that of `gmres` is 10 n."""


@dataclass(frozen=True)
class Limits:
    """Hold when a solve ends: by its tolerances, or after so many iterations or, unless that is None, cycles."""

    rtol: float
    atol: float
    maxiter: int
    cycles: int | None
    counting: Counting

    @classmethod
    def read(
        cls, counting: Counting, rtol: float, atol: float, maxiter: int, n: int, iterations: Any, cycles: Any
    ) -> Limits:
        """Return the limits of a method that counts so.

        Parameters
        ----------
        counting
            What the method counts.
        rtol, atol, maxiter
            As `check_tolerances` returns them.
        n : int
            The number of unknowns.
        iterations, cycles : int or None
            What was asked for.
        """
        if counting == "iterations" or iterations is not None:
            return cls(rtol, atol, maxiter, None if cycles is None else int(cycles), counting)
        if cycles is None:
            cycles = 10 * n if counting == "cycles" else _CHECKED_CYCLES
        return cls(rtol, atol, sys.maxsize, int(cycles), counting)

    def code(self, converged: bool, cycles: int) -> int | None:
        """Return SciPy's `info` after so many cycles; None where they are not limited."""
        if self.cycles is None:
            return None
        unseen = self.counting == "checked cycles" and 0 < cycles == self.cycles
        return 0 if converged and not unseen else max(1, cycles)


def check_limits(counting: Counting, iterations: Any, cycles: Any) -> None:
    """Refuse limits of a method that counts cycles unless they are counts or None."""
    for name, value in (("maxiter", cycles), ("iterations", iterations)) if counting != "iterations" else ():
        if value is not None and not (is_integer(value) and value >= 0):
            raise InputError(f"{name} is {value!r}; expected an integer ≥ 0, or None.")


@dataclass(frozen=True)
class Callback:
    """Hold the user's function, or None, and what it is handed."""

    function: Callable[[Any], Any] | None
    type: CallbackType

    @property
    def each_cycle(self) -> bool:
        """Return whether it is called after each cycle."""
        return self.function is not None and self.type == "cycle"

    @property
    def each_iteration(self) -> bool:
        """Return whether it is called after each iteration."""
        return self.function is not None and self.type != "cycle"

    def call(self, x: Callable[[], Any], norm: float) -> None:
        """Hand it a copy of the iterate, which x returns, or the norm in SciPy's type, which has a shape."""
        assert self.function is not None
        self.function(np.float64(norm) if self.type == "pr_norm" else x())
