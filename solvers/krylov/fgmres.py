"""Solve by flexible GMRES, which allows a preconditioner that changes between applications."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from ..arguments import check_count
from ..iteration import Column, Method, run
from ..result import SolveResult
from .arnoldi import minimal_residual_cycle


def fgmres(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
    restart: int | None = 30,
    iterations: int | None = None,
) -> SolveResult:
    """Solve A x = b by FGMRES(restart), for any nonsingular A and any M, even a nonlinear one.

    A cycle minimises ‖b − A x_k‖₂ over x_0 + span{z_1, …, z_k}, z_j = M(v_j): the preconditioned vectors are stored,
    so M may differ from one step to the next. With a fixed linear M the iterates are those of `gmres`.

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
        Nonsingular; real or complex. CuPy matrices work too.
    b, x0, rtol, atol, maxiter, iterations
        As in `gmres`: `maxiter` counts cycles.
    M : preconditioner of any kind, optional
        Approximates A⁻¹; may be nonlinear or change between applications.
    callback : callable, optional
        Called as ``callback(‖r_k‖/‖b‖)`` after each iteration.
    restart : int, optional
        Iterations in a cycle; None is min(20, n), as in `gmres`. Memory is (2 restart + 1) n.

    Returns
    -------
    SolveResult
        `breakdown`: the directions z_j become dependent before the solution is reached.

    Raises
    ------
    InputError
        If an argument does not fit.

    References
    ----------
    Saad, SIAM J. Sci. Comput. 14 (1993) 461.
    """
    restart = 20 if restart is None else check_count("fgmres", "restart", restart)
    options = {"rtol": rtol, "atol": atol, "maxiter": iterations, "cycles": maxiter, "M": M, "callback": callback}
    return run(METHOD, A, b, x0, restart=restart, **options)


def _cycle(column: Column, x: Any, r: Any, *, restart: int) -> Generator[float, None, None]:
    directions = column.xp.empty((min(restart, column.A.n, column.budget), column.A.n), dtype=column.dtype)

    def direction(j: int, v: Any) -> Any:
        directions[j] = column.M(v)
        return directions[j]

    yield from minimal_residual_cycle(column, x, r, restart, direction, lambda y, basis: y @ directions[: len(basis)])


METHOD = Method(
    "fgmres", _cycle, accepts=("spd", "linear", "nonlinear"), explicit=False, callback="pr_norm", maxiter="cycles"
)
