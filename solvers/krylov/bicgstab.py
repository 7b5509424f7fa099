"""Solve a nonsymmetric system by the stabilised biconjugate gradient method."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from ..iteration import Breakdown, Column, Method, run
from ..result import SolveResult, Status
from ..stopping import EPSILON


def bicgstab(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
) -> SolveResult:
    """Solve A x = b by BiCGSTAB, for nonsymmetric A, with short recurrences.

    The residual is r_k = Q_k(A M) P_k(A M) r_0, P_k the biconjugate gradient polynomial and Q_k = Π(1 − ω_i t), each
    ω_i the minimiser of the next residual. An iteration takes two products and two applications of M; seven vectors are
    stored. M works from the right, so residuals are those of A x = b. If a scalar of the recurrence vanishes, the
    method starts again with the residual as the new shadow.

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
        Nonsingular; real or complex. If eigenvalues near the imaginary axis slow it down, use `idrs` or `gmres`. CuPy
        matrices work too.
    b, x0, rtol, atol, maxiter, callback
        As in `cg`.
    M : preconditioner of kind 'spd' or 'linear', optional
        Approximates A⁻¹.

    Returns
    -------
    SolveResult
        `breakdown`: the recurrence could not make a step even from a fresh residual.

    Raises
    ------
    InputError
        If an argument does not fit.

    References
    ----------
    van der Vorst, SIAM J. Sci. Stat. Comput. 13 (1992) 631; Saad, *Iterative Methods for Sparse Linear Systems*, 2nd
    ed., algorithm 7.7.
    """
    return run(METHOD, A, b, x0, rtol=rtol, atol=atol, maxiter=maxiter, M=M, callback=callback)


def _stabilised_biconjugate_gradients(column: Column, x: Any, r: Any) -> Generator[float, None, None]:
    A, M, dot, xp = column.A, column.M, column.dot, column.xp
    shadow = xp.array(r)
    shadow_size = column.norm(shadow)
    p = xp.array(r)
    rho = dot(shadow, r)
    while True:
        p_hat = xp.array(M(p), dtype=column.dtype)
        v = xp.asarray(A(p_hat), dtype=column.dtype)
        sigma = dot(shadow, v)
        if abs(sigma) <= EPSILON * shadow_size * column.norm(v):
            return  # biorthogonality is lost: start again
        alpha = rho / sigma
        x += alpha * p_hat
        r -= alpha * v
        size = column.norm(r)
        if not size > 0.0:
            if size != size:
                raise Breakdown(Status.NONFINITE, "A M p is not finite")
            yield size
            return
        s_hat = M(r)
        t = A(s_hat)
        t_size = float(dot(t, t).real)
        omega = dot(t, r) / t_size if t_size > 0.0 else 0.0
        x += omega * s_hat
        r -= omega * t
        size = column.norm(r)
        yield size
        rho, previous = dot(shadow, r), rho
        if abs(rho) <= EPSILON * shadow_size * size or omega == 0.0:
            return
        p -= omega * v
        p *= (rho / previous) * (alpha / omega)
        p += r


METHOD = Method("bicgstab", _stabilised_biconjugate_gradients, accepts=("spd", "linear"))
