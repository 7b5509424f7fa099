"""Solve a linear system by damped Jacobi iterations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import check_omega
from ..iteration import run
from ..magnitudes import array_times_two_to
from ..operands import read_operator
from ..result import SolveResult
from .splitting import nonzero_diagonal, stationary_method


def jacobi(
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
) -> SolveResult:
    """Solve A x = b by damped Jacobi iterations, x ← x + ω D⁻¹(b − A x).

    Parameters
    ----------
    A : sparse or dense matrix, or an operator with `diagonal()`; (n, n)
        With a diagonal free of zeros. CuPy matrices work too.
    b, x0, rtol, atol, maxiter, M, callback
        As in `sor`.
    omega : float
        Damping, > 0. Converges for A Hermitian positive definite when ω < 2/λ_max(D⁻¹A).

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
    Saad, *Iterative Methods for Sparse Linear Systems*, 2nd ed., chapter 4.
    """
    omega = check_omega("jacobi", omega, math.inf)
    operator = read_operator(A, scaled=True)
    diagonal = array_times_two_to(operator.xp, nonzero_diagonal(A, "jacobi"), -operator.exponent)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        weights = omega / diagonal

    def splitting(r: Any) -> Any:
        return weights * r

    return run(METHOD, A, b, x0, rtol=rtol, atol=atol, maxiter=maxiter, M=M, callback=callback, splitting=splitting)


METHOD = stationary_method("jacobi")
