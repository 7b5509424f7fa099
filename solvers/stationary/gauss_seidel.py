"""Solve a linear system by Gauss–Seidel iterations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from ..errors import InputError
from ..iteration import run
from ..result import SolveResult
from .splitting import Ordering, forward_sweep, matrix_to_sweep, stationary_method, symmetric_sweep


def gauss_seidel(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: None = None,
    callback: Callable[[Any], Any] | None = None,
    sweep: Literal["forward", "symmetric"] = "forward",
    ordering: Ordering = "natural",
) -> SolveResult:
    """Solve A x = b by Gauss–Seidel iterations, x ← x + (D + L)⁻¹(b − A x): `sor` or `ssor` with ω = 1.

    Converges for every Hermitian positive definite A, and for strictly diagonally dominant ones; for consistently
    ordered matrices at the square of Jacobi's factor.

    Parameters
    ----------
    A, b, x0, rtol, atol, maxiter, M, callback, ordering
        As in `sor`.
    sweep : {'forward', 'symmetric'}
        One sweep an iteration, or one forward and one backward.

    Returns
    -------
    SolveResult
        As in `sor`.

    Raises
    ------
    InputError
        As in `sor`.

    References
    ----------
    Saad, *Iterative Methods for Sparse Linear Systems*, 2nd ed., §4.1 and theorem 4.9.
    """
    if sweep not in ("forward", "symmetric"):
        raise InputError(f"gauss_seidel: sweep is {sweep!r}; expected 'forward' or 'symmetric'.")
    A = matrix_to_sweep(A, "gauss_seidel")
    build = forward_sweep if sweep == "forward" else symmetric_sweep
    splitting = build(A, 1.0, ordering, "gauss_seidel")
    return run(METHOD, A, b, x0, rtol=rtol, atol=atol, maxiter=maxiter, M=M, callback=callback, splitting=splitting)


METHOD = stationary_method("gauss_seidel")
