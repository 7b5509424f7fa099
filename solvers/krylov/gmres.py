"""Solve any nonsingular system by the restarted generalised minimal residual method, preconditioned from the right."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator
from typing import Any, Literal

from ..arguments import check_count, one_of
from ..iteration import Column, Method, run
from ..limits import CallbackType, check_limits
from ..result import SolveResult
from .arnoldi import minimal_residual_cycle

_SCIPYS_RESTART = 20

_CALLBACKS: dict[str, CallbackType] = {"x": "cycle", "pr_norm": "pr_norm", "legacy": "pr_norm"}


def gmres(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    restart: int | None = None,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
    callback_type: Literal["x", "pr_norm", "legacy"] | None = None,
    iterations: int | None = None,
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
    x0 : array of the shape of b, or 'Mb', optional
        Initial guess, zero by default; 'Mb' is M b, as in SciPy.
    rtol, atol : float
        Converged when ‖b − A x‖₂ ≤ max(rtol·‖b‖₂, atol), with the residual recomputed in float64. Any number ≥ 0,
        infinity too.
    restart : int, optional
        Vectors stored, and iterations in a cycle; min(20, n) by default, as in SciPy. Memory is (restart + 1) n;
        restart = n is full GMRES.
    maxiter : int, optional
        Cycles per column, 10 n by default; iterations with a callback of type 'legacy'. Both as in SciPy.
    M : preconditioner of kind 'spd' or 'linear', optional
        Approximates A⁻¹. A LinearOperator, array or callable without `kind` is trusted to be linear.
    callback : callable, optional
        Called after each iteration or cycle, see `callback_type`.
    callback_type : {'x', 'pr_norm', 'legacy'}, optional
        What `callback` is handed: the iterate after each cycle ('x'), or ‖r_k‖/‖b‖ after each iteration ('pr_norm';
        SciPy gives the norm of M r_k, since its M works from the left). 'legacy', the default, is 'pr_norm' and lets
        `maxiter` count iterations; not to name a type warns, as in SciPy.
    iterations : int, optional
        Iterations per column, counted over all cycles: a finer limit than `maxiter`. Configurations (`SolverSpec`,
        `solve`, the command line) mean these by their ``maxiter``.

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
    restart = _SCIPYS_RESTART if restart is None else check_count("gmres", "restart", restart)
    if callback is not None and callback_type is None:
        warnings.warn(
            "gmres called without specifying `callback_type`: 'legacy', its default, lets maxiter count iterations. "
            "Give callback_type='pr_norm' or 'x' to count cycles, or 'legacy'.",
            DeprecationWarning,
            stacklevel=2,
        )
    kind = one_of(callback_type or "legacy", _CALLBACKS, "callback_type of gmres")
    if callback is not None and kind == "legacy" and iterations is None:
        check_limits(METHOD.maxiter, iterations, maxiter)
        n = len(A) if isinstance(A, list | tuple) else (*getattr(A, "shape", ()), 0)[0]
        maxiter, iterations = None, maxiter if maxiter is not None else 10 * n or None
    return run(
        METHOD,
        A,
        b,
        x0,
        rtol=rtol,
        atol=atol,
        maxiter=iterations,
        cycles=maxiter,
        M=M,
        callback=callback,
        callback_type=_CALLBACKS[kind],
        restart=restart,
    )


def _cycle(column: Column, x: Any, r: Any, *, restart: int) -> Generator[float, None, None]:
    """Run one cycle; x is formed when the generator ends or is closed."""
    M = column.M
    yield from minimal_residual_cycle(column, x, r, restart, lambda j, v: M(v), lambda y, basis: M(y @ basis))


METHOD = Method(
    "gmres",
    _cycle,
    accepts=("spd", "linear"),
    explicit=False,
    callback="pr_norm",
    maxiter="cycles",
    configured={"restart": 30, "callback_type": "pr_norm"},
)
