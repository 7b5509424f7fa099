"""Solve a linear system by symmetric successive over-relaxation, SSOR."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..arguments import check_omega
from ..iteration import run
from ..result import SolveResult
from .splitting import Ordering, matrix_to_sweep, stationary_method, symmetric_sweep


def ssor(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: None = None,
    callback: Callable[[Any], Any] | None = None,
    omega: float = 1.0,
    ordering: Ordering = "natural",
) -> SolveResult:
    """Solve A x = b by symmetric SOR: a forward sweep, then a backward one.

    x ← x + N⁻¹(b − A x) with N = ω/(2 − ω)·(D/ω + L) D⁻¹ (D/ω + U), Hermitian positive definite when A is.

    Parameters, result and errors are as in `sor`.

    References
    ----------
    Saad, *Iterative Methods for Sparse Linear Systems*, 2nd ed., §4.1; Axelsson, BIT 12 (1972) 443.
    """
    omega = check_omega("ssor", omega, 2.0)
    A = matrix_to_sweep(A, "ssor")
    splitting = symmetric_sweep(A, omega, ordering)
    return run(METHOD, A, b, x0, rtol=rtol, atol=atol, maxiter=maxiter, M=M, callback=callback, splitting=splitting)


METHOD = stationary_method("ssor")
