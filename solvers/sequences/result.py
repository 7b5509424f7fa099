"""Hold the result of a sequence: a certified result for each sample, and the ledger of the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..result import SolveResult, html_table
from .analysis import FamilyReport

CORRECTION_STEPS = 3
"""Iterations up to which finishing a sample from a guess counts as a correction, not as a solve."""


@dataclass
class Ledger:
    """Count the costs of a sequence.

    A *full solve* is a right-hand side, of a sample or of a basis, that is solved from zero by one back-substitution
    with a factorisation or by one Krylov solve; or a sample that is finished with a preconditioner set up for its own
    matrix. A sample that is finished from a guess, with the set-up of another sample, counts as a full solve if that
    took more than `CORRECTION_STEPS` = 3 iterations, and as a *correction* if it took 1 to 3. All others are
    *reconstructed*: no iteration, one product for the residual.

    Attributes
    ----------
    full_solves, corrections, reconstructed : int
        See above; their sum is at least the number of samples, and more if basis vectors are solved for as well.
    set_ups, refreshes : int
        Preconditioners (factorisations) built, and updated for another matrix.
    iterations, matvecs, applies : int
        Totals, including recomputed residuals and failed attempts.
    analysis_seconds, ordering_seconds, setup_seconds, solve_seconds : float
        Their sum is the time of the sequence; `setup_seconds` is that of preconditioners.
    """

    full_solves: int = 0
    corrections: int = 0
    reconstructed: int = 0
    set_ups: int = 0
    refreshes: int = 0
    iterations: int = 0
    matvecs: int = 0
    applies: int = 0
    analysis_seconds: float = 0.0
    ordering_seconds: float = 0.0
    setup_seconds: float = 0.0
    solve_seconds: float = 0.0

    def count(self, result: SolveResult) -> None:
        """Add the work of a solve."""
        self.iterations += result.iterations
        self.matvecs += result.matvecs
        self.applies += result.applies


@dataclass(eq=False, repr=False)
class SequenceResult:
    """Hold the solutions of a sequence, each with its true residual.

    Attributes
    ----------
    results : list of SolveResult
        In the order of the systems. A reconstructed one has 0 iterations; its residual is recomputed like all others.
    strategy : str
        The strategy asked for; with 'auto' `report.plan` has the choice.
    report : FamilyReport or None
        The analysis, if there was one.
    ledger : Ledger
    """

    results: list[SolveResult]
    strategy: str
    report: FamilyReport | None
    ledger: Ledger

    @property
    def converged(self) -> bool:
        """Return whether every sample converged."""
        return all(result.converged for result in self.results)

    @property
    def solutions(self) -> np.ndarray:
        """Return the solutions as one array (N, n)."""
        return np.stack([result.x for result in self.results])

    def to_dict(self) -> dict[str, Any]:
        """Return the ledger as a flat dict of JSON's types."""
        return {
            "samples": len(self.results),
            "converged": sum(result.converged for result in self.results),
            "strategy": self.strategy if self.report is None else self.report.strategy,
            "relative_residual_max": float(max(result.relative_residual for result in self.results)),
            **self.ledger.__dict__,
        }

    def __repr__(self) -> str:
        ledger, summary = self.ledger, self.to_dict()
        seconds = ledger.analysis_seconds + ledger.ordering_seconds + ledger.setup_seconds + ledger.solve_seconds
        return (
            f"SequenceResult({summary['converged']} of {len(self.results)} samples converged by "
            f"{summary['strategy']}, ‖b − Ax‖/‖b‖ ≤ {summary['relative_residual_max']:.2g}, {seconds:.3g} s)"
        )

    def _repr_html_(self) -> str:
        return html_table(self.to_dict())

    def __str__(self) -> str:
        lines = [] if self.report is None else [str(self.report)]
        lines += [
            f"{name:>22}  {value:.4g}" for name, value in self.to_dict().items() if isinstance(value, int | float)
        ]
        return "\n".join(lines)
