"""Solve by flexible conjugate gradients, which allow a preconditioner that changes between applications."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Any

from ..arguments import check_count
from ..iteration import Breakdown, Column, Method, run
from ..result import SolveResult, Status
from ..stopping import EPSILON


def fcg(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
    memory: int = 5,
    nullspace: Any = None,
) -> SolveResult:
    """Solve A x = b by flexible conjugate gradients, for A Hermitian positive definite and any M, even a nonlinear one.

    The direction p_k = M(r_k) − Σ_i p_i (p_iᴴ A M(r_k))/(p_iᴴ A p_i) is made A-conjugate to the last `memory` ones
    explicitly, and the step minimises ‖x − x_{k+1}‖_A along it. The energy error therefore never grows, whatever M
    returns; with a fixed M of kind 'spd' the iterates are those of `cg`.

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
        Hermitian positive definite; or semidefinite with b in its range. CuPy matrices work too.
    b, x0, rtol, atol, maxiter, callback
        As in `cg`.
    M : preconditioner of any kind, optional
        Approximates A⁻¹; may be nonlinear or change between applications (an inner iteration, a network).
    memory : int
        Directions stored, 2 (memory + 1) n numbers. 1 is the Polak–Ribière form of `cg`.
    nullspace : array, (n, m) or (n,), optional
        As in `cg`.

    Returns
    -------
    SolveResult
        `indefinite`: pᴴA p ≤ 0 for a search direction.

    Raises
    ------
    InputError
        If an argument does not fit.

    References
    ----------
    Notay, SIAM J. Sci. Comput. 22 (2000) 1444; Golub and Ye, SIAM J. Sci. Comput. 21 (1999) 1305.
    """
    memory = check_count("fcg", "memory", memory, example=5)
    options = {"rtol": rtol, "atol": atol, "maxiter": maxiter, "M": M, "callback": callback, "nullspace": nullspace}
    return run(METHOD, A, b, x0, memory=memory, **options)


def _flexible_conjugate_gradients(column: Column, x: Any, r: Any, *, memory: int) -> Generator[float, None, None]:
    A, M, dot, xp = column.A, column.M, column.dot, column.xp
    directions: deque[tuple[Any, Any, Any]] = deque(maxlen=memory)  # p, A p, pᴴA p
    size = column.norm(r)
    while True:
        p = xp.array(M(r), dtype=column.dtype)
        if abs(dot(p, r)) <= EPSILON * column.norm(p) * size:
            p = xp.array(r)  # no step along M r lowers the error
        for direction, image, energy in directions:
            p -= (dot(image, p) / energy) * direction
        q = A(p)
        curvature = dot(p, q).real
        if not curvature > 0.0:
            if curvature <= 0.0:
                raise Breakdown(Status.INDEFINITE, f"pᴴA p = {float(curvature):.3g} ≤ 0: A is not positive definite")
            raise Breakdown(Status.NONFINITE, "M r or A p is not finite")
        alpha = dot(p, r) / curvature
        x += alpha * p
        r -= alpha * q
        directions.append((p, q, curvature))
        size = column.norm(r)
        yield size


METHOD = Method(
    "fcg", _flexible_conjugate_gradients, accepts=("spd", "linear", "nonlinear"), hermitian=True, nullspace=True
)
