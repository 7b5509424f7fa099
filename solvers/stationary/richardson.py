"""Solve a linear system by Richardson's iteration x ← x + ω M (b − A x)."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

from ..arguments import check_omega
from ..iteration import Column, Method, run
from ..krylov.spectrum import Bounds
from ..magnitudes import times_two_to
from ..result import SolveResult


def richardson(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
    omega: float | None = None,
) -> SolveResult:
    """Solve A x = b by (preconditioned) Richardson iterations, x ← x + ω M (b − A x).

    It converges when ρ(I − ω M A) < 1; for A and M Hermitian positive definite when 0 < ω < 2/λ_max(M A), and fastest,
    with the factor (κ − 1)/(κ + 1), at ω = 2/(λ_min + λ_max).

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
        CuPy matrices work too.
    b, x0, rtol, atol, maxiter, callback
        As in `cg`.
    M : preconditioner of kind 'spd' or 'linear', optional
        Approximates A⁻¹.
    omega : float, optional
        Step, > 0. By default 2/(λ_min + λ_max) of M A, estimated by 20 Lanczos steps, for A and M Hermitian positive
        definite; for any other A it must be set.

    Returns
    -------
    SolveResult
        `diverged` as soon as the residual has grown by 1e5.

    Raises
    ------
    InputError
        If an argument does not fit.

    References
    ----------
    Richardson, Phil. Trans. R. Soc. A 210 (1911) 307; Saad, *Iterative Methods for Sparse Linear Systems*, 2nd ed.,
    §4.2.1.
    """
    step = None if omega is None else check_omega("richardson", omega, math.inf)
    return run(
        METHOD, A, b, x0, rtol=rtol, atol=atol, maxiter=maxiter, M=M, callback=callback, omega=step, bounds=Bounds(None)
    )


def _richardson(column: Column, x: Any, r: Any, *, omega: float | None, bounds: Bounds) -> Generator[float, None, None]:
    if omega is None:
        omega = 2.0 / sum(bounds.of(column))
    elif not column.preconditioned:
        omega = times_two_to(omega, column.A.exponent)  # a step of A, and not of M A, is that of the scaled A
    while True:
        x += omega * column.M(r)
        r = column.b - column.A(x)
        yield column.norm(r)


METHOD = Method("richardson", _richardson, accepts=("spd", "linear"), exact=True, growth=1e5)
