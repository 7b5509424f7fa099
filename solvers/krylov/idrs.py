"""Solve a nonsymmetric system by induced dimension reduction, IDR(s)."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from ..arguments import check_count
from ..iteration import Breakdown, Column, Method, run
from ..operands import on_host
from ..result import SolveResult, Status
from ..stopping import EPSILON

_ANGLE = 0.7
"""Cosine between A r and r below which ω is increased, so that rounding errors of the recurrence are not amplified."""


def idrs(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
    s: int = 4,
) -> SolveResult:
    """Solve A x = b by IDR(s) with biorthogonalised intermediate residuals, for nonsymmetric A.

    The residuals are forced into a sequence of nested subspaces G_j = (I − ω_j A M)(G_{j−1} ∩ S), S the orthogonal
    complement of s fixed vectors, whose dimensions shrink by s; in exact arithmetic x is exact after n + n/s products.
    s = 1 is mathematically BiCGSTAB; s = 4 comes close to full GMRES on many problems, with 3 s + 4 vectors.

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
        Nonsingular; real or complex. CuPy matrices work too.
    b, x0, rtol, atol, maxiter, callback
        As in `cg`; an iteration is one product with A.
    M : preconditioner of kind 'spd' or 'linear', optional
        Approximates A⁻¹; works from the right.
    s : int
        Dimension of the shadow space.

    Returns
    -------
    SolveResult
        `breakdown`: the recurrence could not make a step, for several shadow spaces.

    Raises
    ------
    InputError
        If an argument does not fit.

    References
    ----------
    van Gijzen and Sonneveld, ACM Trans. Math. Software 38 (2011) 5 (algorithm 913); Sonneveld and van Gijzen, SIAM J.
    Sci. Comput. 31 (2008) 1035; Sleijpen and van der Vorst, Numer. Algorithms 10 (1995) 203 (the choice of ω).
    """
    s = check_count("idrs", "s", s, example=4)
    return run(METHOD, A, b, x0, rtol=rtol, atol=atol, maxiter=maxiter, M=M, callback=callback, s=s)


def _induced_dimension_reduction(column: Column, x: Any, r: Any, *, s: int) -> Generator[float, None, None]:
    A, M, dot, xp = column.A, column.M, column.dot, column.xp
    s = min(s, A.n)
    starts = column.memory["starts"] = column.memory.get("starts", -1) + 1  # a new shadow space each time
    shadow = np.linalg.qr(np.random.default_rng(starts).standard_normal((A.n, s)))[0].T
    P = xp.asarray(np.ascontiguousarray(shadow).astype(column.dtype))  # real, so that Pᴴ = Pᵀ
    G, U = (xp.zeros((s, A.n), dtype=column.dtype) for _ in range(2))
    products = np.eye(s, dtype=column.dtype)  # Pᴴ G, lower triangular
    omega: Any = 1.0
    while True:
        f = on_host(P @ r)
        for k in range(s):
            c = np.linalg.solve(products[k:, k:], f[k:])
            coefficients = xp.asarray(c)
            direction = M(r - coefficients @ G[k:])
            U[k] = coefficients @ U[k:] + omega * direction
            G[k] = A(U[k])
            for i in range(k):
                alpha = dot(P[i], G[k]) / products[i, i]
                G[k] -= alpha * G[i]
                U[k] -= alpha * U[i]
            products[k:, k] = on_host(P[k:] @ G[k])
            size = column.norm(G[k])
            if not math.isfinite(size):
                raise Breakdown(Status.NONFINITE, "A M v is not finite")
            if abs(products[k, k]) <= EPSILON * size:
                return  # a new shadow space
            beta = f[k] / products[k, k]
            x += beta * U[k]
            r -= beta * G[k]
            norm = column.norm(r)
            yield norm
            if norm == 0.0:
                return
            f[k + 1 :] -= beta * products[k + 1 :, k]
        v = xp.array(M(r), dtype=column.dtype)
        t = A(v)
        omega = _stabilising_step(column, t, r)
        if omega == 0.0:
            return
        x += omega * v
        r -= omega * t
        norm = column.norm(r)
        yield norm
        if norm == 0.0:
            return


def _stabilising_step(column: Column, t: Any, r: Any) -> Any:
    """Return the ω that minimises ‖r − ω t‖, increased if t is nearly orthogonal to r; 0 if it is orthogonal."""
    t_size, r_size = column.norm(t), column.norm(r)
    if not math.isfinite(t_size):
        raise Breakdown(Status.NONFINITE, "A M v is not finite")
    inner = complex(column.dot(t, r)) if column.dtype.kind == "c" else float(column.dot(t, r))
    if not t_size > 0.0 or abs(inner) <= EPSILON * t_size * r_size:
        return 0.0
    cosine = abs(inner) / (t_size * r_size)
    omega = inner / (t_size * t_size)
    return omega * (_ANGLE / cosine) if cosine < _ANGLE else omega


METHOD = Method("idrs", _induced_dimension_reduction, accepts=("spd", "linear"))
