"""Solve by LGMRES: restarted GMRES that also minimises over the corrections of its last cycles."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from ..arguments import check_count
from ..iteration import Column, Method, run
from ..result import SolveResult
from .arnoldi import minimal_residual_cycle


def lgmres(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
    inner_m: int = 30,
    outer_k: int = 3,
) -> SolveResult:
    """Solve A x = b by LGMRES(inner_m, outer_k), for any nonsingular A.

    A cycle minimises ‖b − A x‖₂ over M K_m(A M, r) and the last outer_k corrections x_i − x_{i−1}, which approximate
    the error that a restart forgets. The residuals of restarted GMRES often alternate between two directions; these do
    not. It costs only memory.

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
        Nonsingular; real or complex. CuPy matrices work too.
    b, x0, rtol, atol, maxiter, callback
        As in `gmres`; iterations are products, counted over all cycles.
    M : preconditioner of kind 'spd' or 'linear', optional
        Approximates A⁻¹.
    inner_m : int
        Krylov vectors in a cycle.
    outer_k : int
        Corrections stored; 0 is `gmres`.

    Returns
    -------
    SolveResult
        `stagnated`: cycles no longer lower the residual; increase `inner_m`.

    Raises
    ------
    InputError
        If an argument does not fit.

    References
    ----------
    Baker, Jessup and Manteuffel, SIAM J. Matrix Anal. Appl. 26 (2005) 962.
    """
    inner_m = check_count("lgmres", "inner_m", inner_m)
    outer_k = check_count("lgmres", "outer_k", outer_k, least=0, example=3)
    options = {"rtol": rtol, "atol": atol, "maxiter": maxiter, "M": M, "callback": callback}
    return run(METHOD, A, b, x0, inner_m=inner_m, outer_k=outer_k, **options)


def _cycle(column: Column, x: Any, r: Any, *, inner_m: int, outer_k: int) -> Generator[float, None, None]:
    corrections: list[Any] = column.memory.setdefault("corrections", [])
    size = min(inner_m + len(corrections), column.A.n, column.budget)
    directions = column.xp.empty((size, column.A.n), dtype=column.dtype)
    before = column.xp.array(x)

    def direction(j: int, v: Any) -> Any:
        directions[j] = column.M(v) if j < inner_m else corrections[j - inner_m]
        return directions[j]

    try:
        yield from minimal_residual_cycle(column, x, r, size, direction, lambda y, basis: y @ directions[: len(basis)])
    finally:
        correction = x - before
        length = column.norm(correction)
        if outer_k and length > 0.0:
            corrections.insert(0, correction / length)
            del corrections[outer_k:]


METHOD = Method("lgmres", _cycle, accepts=("spd", "linear"), explicit=False, callback="pr_norm")
