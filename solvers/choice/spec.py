"""Hold a solver and a preconditioner by name, as plain values that a file can hold.

One pair is solved by other code than its names say: ``cg`` with ``multigrid`` on a diffusion operator of a box
(`Diffusion`) runs as one compiled solve without a matrix, `BoxSolver`. It is the same method to
the same tolerance, some ten times faster than the V-cycle called from Python; `SolverSpec.runs_compiled` says when, and
nothing else decides it.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from ..arguments import is_real, one_of
from ..errors import InputError
from ..matrices.box import Box
from ..matrices.diffusion import Diffusion
from ..multigrid import BoxSolver
from ..multigrid.sample import STEPS
from ..preconditioner import Preconditioner
from ..registry import METHODS, PRECONDITIONERS, SOLVERS
from ..result import SolveResult

_NO_SETTINGS = {"A", "b", "M", "x0", "callback", "callback_type", "iterations", "shift", "show", "check", "outer_v"}
"""Arguments of solvers that are not settings of a configuration."""


@dataclass(frozen=True)
class SolverSpec:
    """Name a solver and a preconditioner, with their settings.

    Parameters
    ----------
    name : str
        A key of ``resolvent.solvers.SOLVERS``.
    settings : mapping
        Keyword arguments of the solver: ``rtol``, ``maxiter``, … Here ``maxiter`` counts iterations for every solver,
        and `gmres` restarts after 30, whatever SciPy's meaning and default are.
    preconditioner : str or None
        A key of ``resolvent.solvers.PRECONDITIONERS``.
    preconditioner_settings : mapping
        Keyword arguments of its ``setup``.

    Notes
    -----
    The preconditioner is set up afresh for every system. Carrying one over (``update``) would make a sample depend on
    the samples solved before it, and so on the sharding; chains of samples do so within fixed blocks.
    """

    name: str = "cg"
    settings: Mapping[str, Any] = field(default_factory=lambda: {"rtol": 1e-10})
    preconditioner: str | None = "fast_poisson"
    preconditioner_settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one_of(self.name, SOLVERS, "solver")
        if self.preconditioner is not None:
            one_of(self.preconditioner, PRECONDITIONERS, "preconditioner")
        for key in self.settings:
            one_of(key, _settings_of(self.name), f"setting of solver {self.name}")
        rtol = self.settings.get("rtol", 1e-10)
        if not is_real(rtol) or not (0.0 < rtol < 1.0):
            raise InputError(f"solver rtol is {rtol!r}: expected a number between 0 and 1, such as 1e-10")
        object.__setattr__(self, "settings", {**self.settings, "rtol": float(rtol)})
        object.__setattr__(self, "preconditioner_settings", dict(self.preconditioner_settings))

    @property
    def rtol(self) -> float:
        """Return the relative tolerance, on the true residual."""
        return float(self.settings["rtol"])

    @property
    def label(self) -> str:
        """Return the names, as in ``cg + amg``."""
        return self.name if self.preconditioner is None else f"{self.name} + {self.preconditioner}"

    def setup(self, operator: Any, near_nullspace: np.ndarray | None = None) -> Preconditioner | None:
        """Set the preconditioner up; `near_nullspace` goes to smoothed aggregation, unless its settings have ``B``."""
        if self.preconditioner is None:
            return None
        return PRECONDITIONERS[self.preconditioner].setup(operator, **self.setup_settings(near_nullspace))

    def setup_settings(self, near_nullspace: np.ndarray | None = None) -> dict[str, Any]:
        """Return the preconditioner's settings, with the near-nullspace where smoothed aggregation needs it."""
        settings = dict(self.preconditioner_settings)
        aggregation = self.preconditioner == "amg" and settings.get("method") == "smoothed_aggregation"
        if aggregation and near_nullspace is not None and settings.get("B") is None:
            settings["B"] = near_nullspace
        return settings

    def solve(
        self,
        operator: Any,
        rhs: np.ndarray,
        x0: np.ndarray | None = None,
        rtol: float | None = None,
        nullspace: np.ndarray | None = None,
        near_nullspace: np.ndarray | None = None,
        M: Preconditioner | None = None,
        callback: Callable[[Any], Any] | None = None,
    ) -> SolveResult:
        """Solve ``operator @ x = rhs`` with `M`, or with the preconditioner set up afresh.

        Solvers that take `nullspace` are given it; `near_nullspace` goes to :meth:`setup`. What is solved as one
        compiled call does not call `callback`.
        """
        if M is None and x0 is None and self.runs_compiled(operator, rhs):
            box_solver = _box_solver(operator.box, self.settings.get("maxiter") or 500, threading.get_ident())
            tolerance = self.rtol if rtol is None else rtol
            result = box_solver.solve(operator.coefficient, np.reshape(rhs, operator.shape_grid), rtol=tolerance)
            result.x = result.x.reshape(-1)
            return result
        asked = {**self.settings, "rtol": self.rtol if rtol is None else rtol}
        settings = METHODS[self.name].keywords(asked, operator.shape[0])
        if nullspace is not None and METHODS[self.name].nullspace:
            settings = {"nullspace": nullspace, **settings}
        if callback is not None:
            settings["callback"] = callback
        if self.preconditioner is None:
            return SOLVERS[self.name](operator, rhs, x0, **settings)
        preconditioner = self.setup(operator, near_nullspace) if M is None else M
        result = SOLVERS[self.name](operator, rhs, x0, M=preconditioner, **settings)
        result.message += _warning_of(preconditioner)
        return result

    def runs_compiled(self, operator: Any, rhs: np.ndarray) -> bool:
        """Return whether `BoxSolver` does just what is asked: CG with multigrid from zero, for one right-hand side."""
        asked = {key for key, value in self.settings.items() if value is not None and (key, value) != ("atol", 0.0)}
        return (
            (self.name, self.preconditioner) == ("cg", "multigrid")
            and dict(self.preconditioner_settings) in ({}, {"steps": STEPS})
            and asked <= {"rtol", "maxiter"}
            and isinstance(operator, Diffusion)
            and len(operator.shape_grid) in (2, 3)
            and np.ndim(rhs) == 1
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, which :meth:`from_dict` reads."""
        return {
            "name": self.name,
            "settings": dict(self.settings),
            "preconditioner": self.preconditioner,
            "preconditioner_settings": dict(self.preconditioner_settings),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SolverSpec:
        """Rebuild from :meth:`to_dict`, or from any mapping with some of its keys."""
        known = ("name", "settings", "preconditioner", "preconditioner_settings")
        for key in values:
            one_of(key, known, "key of a solver")
        return cls(**values)


def _warning_of(preconditioner: Preconditioner | None) -> str:
    """Return a sentence if a factorisation has shown A to be nearly singular; else nothing."""
    if not getattr(preconditioner, "near_singular", False):
        return ""
    rcond = getattr(preconditioner, "rcond", None)
    size = "" if rcond is None else f", 1/κ₁(A) = {rcond:.1g}"
    return f" Warning: A is nearly singular{size}: x has a small residual, and may be far from what exact data give."


@lru_cache(maxsize=64)
def _settings_of(solver: str) -> frozenset[str]:
    return frozenset(inspect.signature(SOLVERS[solver]).parameters) - _NO_SETTINGS


@lru_cache(maxsize=4)
def _box_solver(box: Box, maxiter: int, thread: int) -> BoxSolver:
    """Keep the memory of the last boxes that a thread has solved on: setting it up costs several samples' time."""
    return BoxSolver(box.shape, box.lengths, box.sides, maxiter)
