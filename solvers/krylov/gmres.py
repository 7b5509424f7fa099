"""Solve any nonsingular system by the restarted generalised minimal residual method, preconditioned from the right."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from ..arguments import check_count
from ..iteration import Column, Method, run
from ..result import SolveResult
from .arnoldi import minimal_residual_cycle


def gmres(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    restart: int = 30,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
) -> SolveResult:
    """Solve A x = b by GMRES(restart), for any nonsingular A.

    Within a cycle, the k-th iterate minimises ‖b − A x_k‖₂ over x_0 + M K_k(A M, r_0). M works from the right, so the
    residual that is minimised, reported and tested is that of A x = b itself, whatever M is.

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
        Nonsingular; real or complex. CuPy matrices work too.
    b : array, (n,) or (n, k)
        Right-hand sides; each column is solved by itself and reported in `columns`.
    x0 : array, the shape of b, optional
        Initial guess, zero by default.
    rtol, atol : float
        Converged when ‖b − A x‖₂ ≤ max(rtol·‖b‖₂, atol), with the residual recomputed in float64.
    restart : int
        Vectors stored, and iterations in a cycle. Memory is (restart + 1) n; restart = n is full GMRES.
    maxiter : int, optional
        Iterations per column, counted over all cycles (as SciPy by default does); 10 n by default.
    M : preconditioner of kind 'spd' or 'linear', optional
        Approximates A⁻¹. A LinearOperator, array or callable without `kind` is trusted to be linear.
    callback : callable, optional
        Called as ``callback(‖r_k‖/‖b‖)`` after each iteration, SciPy's default ('pr_norm').

    Returns
    -------
    SolveResult
        ``x, info = gmres(A, b)`` works too. `stagnated`: cycles no longer lower the residual; increase `restart`.

    Raises
    ------
    InputError
        If an argument does not fit.

    References
    ----------
    Saad and Schultz, SIAM J. Sci. Stat. Comput. 7 (1986) 856; Saad, *Iterative Methods for Sparse Linear Systems*,
    2nd ed., algorithm 9.5. Orthogonalisation by classical Gram–Schmidt twice: Giraud et al., Numer. Math. 101 (2005)
    87.
    """
    restart = check_count("gmres", "restart", restart)
    return run(METHOD, A, b, x0, rtol=rtol, atol=atol, maxiter=maxiter, M=M, callback=callback, restart=restart)


def _cycle(column: Column, x: Any, r: Any, *, restart: int) -> Generator[float, None, None]:
    """Run one cycle; x is formed when the generator ends or is closed."""
    M = column.M
    yield from minimal_residual_cycle(column, x, r, restart, lambda j, v: M(v), lambda y, basis: M(y @ basis))


METHOD = Method("gmres", _cycle, accepts=("spd", "linear"), explicit=False, callback="pr_norm")
