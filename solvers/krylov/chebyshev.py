"""Solve by the Chebyshev iteration: the rate of conjugate gradients without inner products, for a known spectrum."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

from ..iteration import Breakdown, Column, Method, run
from ..result import SolveResult, Status
from .spectrum import Bounds, read_bounds

_TRIAL = 8
"""Steps between two checks of how fast the residual falls."""

_SLOW = 0.75
"""A residual that falls at less than this share of the promised rate shows an eigenvalue outside the bounds."""

_LARGEST_LOG = 700.0
"""The hyperbolic cosine of more overflows."""


def chebyshev(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
    bounds: tuple[float, float] | None = None,
    nullspace: Any = None,
) -> SolveResult:
    """Solve A x = b by the Chebyshev iteration, for A Hermitian positive definite with M A's spectrum in [low, high].

    The residual polynomial is T_k((θ − t)/δ)/T_k(θ/δ), θ, δ = (high ± low)/2, the smallest in the maximum norm on the
    interval, so that with κ = high/low

        ‖x − x_k‖_A ≤ 2 ((√κ − 1)/(√κ + 1))^k ‖x − x_0‖_A.

    It takes no inner products except the norm of the residual: nothing to synchronise, and a fixed polynomial in A.

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
        Hermitian positive definite. CuPy matrices work too.
    b, x0, rtol, atol, maxiter, callback
        As in `cg`.
    M : preconditioner of kind 'spd', optional
        Approximates A⁻¹.
    bounds : (low, high), optional
        Bounds of the spectrum of M A. By default they are estimated by 20 Lanczos steps. If the residual then falls
        more slowly than they promise, they are widened to the eigenvalue that explains it.
    nullspace : array, (n, m) or (n,), optional
        As in `cg`; the bounds are those of the other eigenvalues.

    Returns
    -------
    SolveResult
        `diverged`: an eigenvalue lies above the bounds given. `indefinite`: a Ritz value of M A is negative.

    Raises
    ------
    InputError
        If an argument does not fit.

    References
    ----------
    Golub and Varga, Numer. Math. 3 (1961) 147; Saad, *Iterative Methods for Sparse Linear Systems*, 2nd ed., algorithm
    12.1; Manteuffel, Numer. Math. 31 (1978) 183 (adapting the bounds).
    """
    options = {"rtol": rtol, "atol": atol, "maxiter": maxiter, "M": M, "callback": callback, "nullspace": nullspace}
    return run(METHOD, A, b, x0, bounds=read_bounds("chebyshev", bounds), **options)


def _chebyshev(column: Column, x: Any, r: Any, *, bounds: Bounds) -> Generator[float, None, None]:
    """Iterate with fixed bounds; end when the residual shows that they are too narrow."""
    A, M, xp = column.A, column.M, column.xp
    low, high = bounds.of(column)
    theta, delta = 0.5 * (high + low), max(0.5 * (high - low), 1e-12 * high)
    if not (math.isfinite(theta) and delta > 0.0):
        raise Breakdown(Status.NONFINITE, f"the bounds ({low:.3g}, {high:.3g}) are too near the ends of float64")
    sigma = theta / delta
    rho = 1.0 / sigma
    first = column.norm(r)
    d = xp.array(M(r), dtype=column.dtype)
    d /= theta
    k = 0
    while True:
        x += d
        r -= A(d)
        k += 1
        norm = column.norm(r)
        yield norm
        if not bounds.fixed and k % _TRIAL == 0 and math.isfinite(norm) and norm / first > 0.0:
            wider = _explained_by(norm / first, k, theta, delta)
            if wider is not None:
                bounds.replace(min(low, wider), max(high, wider))
                return
        rho, previous = 1.0 / (2.0 * sigma - rho), rho
        d *= rho * previous
        d += (2.0 * rho / delta) * M(r)


def _explained_by(factor: float, k: int, theta: float, delta: float) -> float | None:
    """Return the eigenvalue outside [θ − δ, θ + δ] whose component alone gives that factor in k steps, or None."""
    sigma = theta / delta
    promised = k * math.acosh(sigma)  # log of T_k(σ), but for a factor 2
    if math.log(factor) <= -_SLOW * promised + math.log(4.0):
        return None
    exponent = (math.log(factor) + promised) / k
    y = math.cosh(min(max(exponent, 0.0), _LARGEST_LOG))
    # A factor above 1 needs |θ − λ| > θ: λ > 2θ, for A is positive definite.
    eigenvalue = theta + delta * y if factor > 1.0 else theta - delta * y
    if eigenvalue <= 0.0:
        return 0.1 * (theta - delta)
    return min(eigenvalue, 0.9 * (theta - delta)) if factor <= 1.0 else max(eigenvalue, 1.1 * (theta + delta))


METHOD = Method("chebyshev", _chebyshev, hermitian=True, nullspace=True)
