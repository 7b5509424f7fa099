"""Solve a Hermitian positive definite system by the preconditioned conjugate gradient method."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from ..iteration import Breakdown, Column, Method, run
from ..result import SolveResult, Status


def cg(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
    nullspace: Any = None,
) -> SolveResult:
    """Solve A x = b by conjugate gradients, for A Hermitian positive definite.

    The k-th iterate minimises ‖x − x_k‖_A over x_0 + K_k(MA, M r_0), so that with κ = κ(MA)

        ‖x − x_k‖_A ≤ 2 ((√κ − 1)/(√κ + 1))^k ‖x − x_0‖_A.

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
        Hermitian positive definite; or semidefinite with b in its range. CuPy matrices work too.
    b : array, (n,) or (n, k)
        Right-hand sides; each column is solved by itself and reported in `columns`.
    x0 : array of the shape of b, or 'Mb', optional
        Initial guess, zero by default; 'Mb' is M b, as in SciPy.
    rtol, atol : float
        Converged when ‖b − A x‖₂ ≤ max(rtol·‖b‖₂, atol), with the residual recomputed in float64. Any number ≥ 0,
        infinity too.
    maxiter : int, optional
        Iterations per column; 10 n by default.
    M : preconditioner of kind 'spd', optional
        Approximates A⁻¹, Hermitian positive definite. A LinearOperator, array or callable without `kind` is trusted.
    callback : callable, optional
        Called as ``callback(xk)`` after each iteration; xk is a copy, which may be kept.
    nullspace : array, (n, m) or (n,), optional
        A basis N of the null space of a singular A (the constant of a Neumann or periodic problem). b must be
        orthogonal to it; so are all directions, and x is the solution orthogonal to N, the one of least norm.

    Returns
    -------
    SolveResult
        ``x, info = cg(A, b)`` works too. `indefinite`: pᴴA p ≤ 0 for a search direction, or rᴴM r ≤ 0.

    Raises
    ------
    InputError
        If an argument does not fit; if A does not annihilate `nullspace`, or b has a part in it, which no A x has.

    References
    ----------
    Hestenes and Stiefel, J. Res. Natl. Bur. Stand. 49 (1952) 409; Saad, *Iterative Methods for Sparse Linear Systems*,
    2nd ed., algorithm 9.1.
    """
    return run(METHOD, A, b, x0, rtol=rtol, atol=atol, maxiter=maxiter, M=M, callback=callback, nullspace=nullspace)


def _conjugate_gradients(column: Column, x: Any, r: Any) -> Generator[float, None, None]:
    A, M, dot = column.A, column.M, column.dot
    z = M(r)
    rho = energy_of_residual(dot(r, z).real)
    p = column.xp.array(z, dtype=column.dtype)
    work = column.xp.empty_like(p)  # spares two allocations an iteration
    while True:
        q = A(p)
        curvature = dot(p, q).real
        if not curvature > 0.0:
            if curvature <= 0.0:
                raise Breakdown(Status.INDEFINITE, f"pᴴA p = {float(curvature):.3g} ≤ 0: A is not positive definite")
            raise Breakdown(Status.NONFINITE, "A p is not finite")
        alpha = rho / curvature
        x += column.xp.multiply(p, alpha, out=work)
        r -= column.xp.multiply(q, alpha, out=work)
        yield column.norm(r)
        z = M(r)
        rho, previous = energy_of_residual(dot(r, z).real), rho
        p *= rho / previous
        p += z


def energy_of_residual(rho: Any) -> Any:
    """Return ρ = rᴴM r; Breakdown if it is not positive, which a positive definite M forbids."""
    if rho > 0.0:
        return rho
    if rho <= 0.0:
        raise Breakdown(
            Status.INDEFINITE, f"rᴴM r = {float(rho):.3g} ≤ 0: the preconditioner M is not positive definite"
        )
    raise Breakdown(Status.NONFINITE, "M r is not finite")


METHOD = Method("cg", _conjugate_gradients, hermitian=True, nullspace=True)
