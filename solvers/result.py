"""Hold what a solver returns: the solution, how the solve ended, and the ledger of its costs."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np


class Status(str, Enum):  # noqa: UP042 (a StrEnum prints otherwise)
    """State how a solve ended. Members equal their lower-case names; `advice` says what to do next."""

    CONVERGED = "converged"
    MAXITER = "maxiter"
    STAGNATED = "stagnated"
    BREAKDOWN = "breakdown"
    INDEFINITE = "indefinite"
    NONFINITE = "nonfinite"
    DIVERGED = "diverged"
    INCONSISTENT = "inconsistent"
    UNREPRESENTABLE = "unrepresentable"

    def __str__(self) -> str:
        return self.value

    @property
    def advice(self) -> str:
        """Return one sentence: what to do next."""
        return _ADVICE[self]


_ADVICE = {
    Status.CONVERGED: "The true residual meets the tolerance; nothing to do.",
    Status.MAXITER: "Raise maxiter, loosen rtol, or give a stronger preconditioner M.",
    Status.STAGNATED: "Loosen rtol to what is attainable, or change the method: another M, a larger restart, lgmres.",
    Status.BREAKDOWN: "Use gmres, start from another x0, or check that A and M are not singular.",
    Status.INDEFINITE: "Use minres (A Hermitian) or gmres, or give A and M that are Hermitian positive definite.",
    Status.NONFINITE: "Look for overflow, NaN or a zero pivot in A or M, and rescale the system.",
    Status.DIVERGED: "Check that A is not singular (nullspace= says how); lower omega of a stationary method, widen "
    "the bounds of chebyshev, or use cg, minres or gmres.",
    Status.INCONSISTENT: "Correct b if it should be in the range of A; lsmr gives the least-squares solution.",
    Status.UNREPRESENTABLE: "Rescale A or b: float64 holds numbers from 5e-324 to 1.8e308.",
}

# From the best to the worst: the status of several columns is that of the worst one.
SEVERITY = (
    Status.CONVERGED,
    Status.MAXITER,
    Status.STAGNATED,
    Status.BREAKDOWN,
    Status.INDEFINITE,
    Status.INCONSISTENT,
    Status.UNREPRESENTABLE,
    Status.DIVERGED,
    Status.NONFINITE,
)


@dataclass(eq=False, repr=False)
class SolveResult:
    """Hold the solution of A x = b with its certificate and its costs.

    It unpacks as SciPy's pair, ``x, info = result``.

    Attributes
    ----------
    x : array, (n,) or (n, k)
        The solution, float64 or complex128: the last iterate; after `stagnated`, `diverged` and `nonfinite` the best
        iterate whose residual was recomputed.
    status : Status
        How the solve ended.
    iterations : int
        Iterations of the method; for several columns, the largest of them.
    residuals : ndarray, (iterations + 1,)
        ‖r_k‖₂ after k iterations, from the initial guess on. Where the residual was recomputed (always for the last
        iterate) it is ‖b − A x_k‖₂, elsewhere the norm in the recurrence. For several columns: the root of the sum of
        squares over the columns, in which a finished column counts with its last value.
    residual : float
        ‖b − A x‖₂ of the `x` returned, recomputed in float64 (Frobenius norm for several columns).
    rhs_norm : float
        ‖b‖₂ (Frobenius norm for several columns).
    matvecs, applies : int
        Products with A or its adjoint, and applications of M, checks of the true residual included.
    setup_seconds : float
        The set-up time that M reports, plus checking and converting the input of this call.
    solve_seconds : float
        The iteration.
    message : str
        One line: what happened, in numbers, and what to do next.
    columns : tuple of SolveResult
        One result per column when b is of shape (n, k); empty when b is of shape (n,).
    space : RecycleSpace or None
        What the next system starts from, if the solver recycles.
    code : int or None
        What `info` is where `maxiter` counted cycles, as SciPy's gmres, lgmres and gcrotmk do; else None.
    quotient : float or None
        ‖b − A x‖₂/‖b‖₂ where `residual` or `rhs_norm`, which may overflow or underflow, do not give it.
    """

    x: Any
    status: Status
    iterations: int
    residuals: np.ndarray
    residual: float
    rhs_norm: float
    matvecs: int
    applies: int
    setup_seconds: float
    solve_seconds: float
    message: str
    columns: tuple[SolveResult, ...] = ()
    space: Any = None
    code: int | None = None
    quotient: float | None = None

    @property
    def converged(self) -> bool:
        """Return whether the recomputed residual meets the tolerance, in every column."""
        return self.status is Status.CONVERGED

    @property
    def info(self) -> int:
        """Return 0 on convergence, otherwise the iterations (or cycles) done, at least 1, as SciPy does."""
        if self.code is not None:
            return self.code
        return 0 if self.converged else max(1, self.iterations)

    @property
    def relative_residual(self) -> float:
        """Return ‖b − A x‖₂ / ‖b‖₂, the largest of all columns; for b = 0 it is 0 if x = 0, else inf."""
        if self.columns:
            return max(column.relative_residual for column in self.columns)
        if self.quotient is not None:
            return self.quotient
        if self.rhs_norm == 0.0:
            return 0.0 if self.residual == 0.0 else float("inf")
        return self.residual / self.rhs_norm

    def __iter__(self) -> Iterator[Any]:
        yield self.x
        yield self.info

    def __len__(self) -> int:
        """Return 2: the result is SciPy's pair (x, info) for code that takes it so."""
        return 2

    def __getitem__(self, item: Any) -> Any:
        """Return a member of the pair (x, info)."""
        return (self.x, self.info)[item]

    def __repr__(self) -> str:
        several = f", {len(self.columns)} columns" if self.columns else ""
        return (
            f"SolveResult({self.status}, {counted(self.iterations, 'iteration')}{several}, "
            f"‖b − Ax‖/‖b‖ = {self.relative_residual:.2g}, {self.setup_seconds + self.solve_seconds:.3g} s)"
        )

    def _repr_html_(self) -> str:
        ledger = {name: value for name, value in self.to_dict().items() if name not in ("converged", "info")}
        return html_table({"unknowns": self.x.shape[0], **ledger})

    def to_dict(self) -> dict[str, Any]:
        """Return the ledger as a flat dict of JSON's types: no arrays, and None for what is not finite."""
        ledger: dict[str, Any] = {
            "status": self.status.value,
            "converged": self.converged,
            "info": self.info,
            "iterations": self.iterations,
            "residual": _finite(self.residual),
            "relative_residual": _finite(self.relative_residual),
            "rhs_norm": _finite(self.rhs_norm),
            **{cost: getattr(self, cost) for cost in ("matvecs", "applies", "setup_seconds", "solve_seconds")},
            "message": self.message,
        }
        if self.columns:
            ledger["columns"] = len(self.columns)
            ledger["columns_converged"] = sum(column.converged for column in self.columns)
        return ledger


def counted(count: int, noun: str) -> str:
    """Return ``1 iteration``, ``2 iterations``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def html_table(rows: Mapping[str, Any]) -> str:
    """Return a table of names and values for a notebook; floats are rounded to four digits."""
    cells = (
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(f'{value:.4g}' if isinstance(value, float) else str(value))}"
        "</td></tr>"
        for name, value in rows.items()
    )
    return f"<table>{''.join(cells)}</table>"


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
