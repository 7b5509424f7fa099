"""Solve a linear system by successive over-relaxation, SOR."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..arguments import check_omega
from ..iteration import run
from ..result import SolveResult
from .splitting import Ordering, forward_sweep, matrix_to_sweep, stationary_method


def sor(
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
    """Solve A x = b by successive over-relaxation, x ← x + (D/ω + L)⁻¹(b − A x).

    ω = 1 is Gauss–Seidel; `optimal_omega` gives Young's best ω for consistently ordered matrices.

    Parameters
    ----------
    A : sparse or dense matrix, or an operator with `tocsr()`; (n, n)
        With a diagonal free of zeros.
    b, x0, rtol, atol, maxiter, callback
        As in `cg`.
    M : None
        Not taken; an InputError otherwise.
    omega : float
        Relaxation, 0 < ω < 2: outside, ρ ≥ |ω − 1| ≥ 1 (Kahan).
    ordering : {'natural', 'multicolour'}
        The order of the sweep: that of the unknowns, or colour by colour (red and black for a five-point stencil),
        where the unknowns of one colour do not depend on each other.

    Returns
    -------
    SolveResult
        `diverged` as soon as the residual has grown by 1e5.

    Raises
    ------
    InputError
        If an argument does not fit, or the diagonal has a zero.

    References
    ----------
    Young, *Iterative Solution of Large Linear Systems* (1971), chapters 5 and 6.
    """
    omega = check_omega("sor", omega, 2.0)
    A = matrix_to_sweep(A, "sor")
    splitting = forward_sweep(A, omega, ordering, "sor")
    return run(METHOD, A, b, x0, rtol=rtol, atol=atol, maxiter=maxiter, M=M, callback=callback, splitting=splitting)


METHOD = stationary_method("sor")
