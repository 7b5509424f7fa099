"""Solve by conjugate gradients that deflate a recycled space, and gather the space for the next system."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from ..arguments import check_count
from ..iteration import Breakdown, Column, Method
from ..operands import on_host
from ..result import SolveResult, Status
from .cg import energy_of_residual
from .harmonic_ritz import Harvest
from .recycle_space import Carrier, RecycleSpace, project, project_once, recycled

_REPROJECTION_INTERVAL = 25
"""Iterations between projections of the residual off the space, in which it has a part by rounding alone."""


def deflated_cg(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
    k: int = 20,
    window: int = 40,
    space: RecycleSpace | None = None,
) -> SolveResult:
    """Solve A x = b by deflated conjugate gradients, for a Hermitian positive definite A and later, similar ones.

    With a space U, x starts from the least error over x_0 + U in the A-norm, and directions are A-orthogonal to U: the
    convergence is that of the spectrum of M A without the part that U spans. Meanwhile the harmonic Ritz vectors of M A
    of least modulus are gathered from U and the directions, `window` of them at a time, for `result.space`. Without a
    space the iterates are those of `cg`.

    Fitting the space to a new matrix takes k products (one if A has not changed), and k applications of M. Deflation
    adds 4 k n operations to an iteration and the harvest about 6 k n, so it pays if products and M are expensive or
    iterations are many, and similar systems follow.

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
        Hermitian positive definite. CuPy matrices work too.
    b : array, (n,) or (n, m)
        Right-hand sides; each column starts from the space that the previous one gathered.
    x0, rtol, atol, maxiter, callback
        As in `cg`. The projection on `space` counts as one iteration.
    M : preconditioner of kind 'spd', optional
        Approximates A⁻¹.
    k : int
        Dimension of the space gathered.
    window : int
        Directions collected before they are condensed. Memory is about (4 k + 2 window) n, half as much more with M.
    space : RecycleSpace, optional
        `result.space` of an earlier system of the same size.

    Returns
    -------
    SolveResult
        With `space` for the next system; None if recycling has not helped (see `krylov/recycle_space.py`).

    Raises
    ------
    InputError
        If an argument does not fit.

    References
    ----------
    Saad, Yeung, Erhel and Guyomarc'h, SIAM J. Sci. Comput. 21 (2000) 1909; Stathopoulos and Orginos, SIAM J. Sci.
    Comput. 32 (2010) 439.
    """
    k = check_count("deflated_cg", "k", k, least=1, example=20)
    window = check_count("deflated_cg", "window", window, least=1, example=40)
    options = {"rtol": rtol, "atol": atol, "maxiter": maxiter, "M": M, "callback": callback}
    return recycled(METHOD, A, b, x0, space, k, window=window, **options)


def _deflated(column: Column, x: Any, r: Any, *, window: int, carrier: Carrier) -> Generator[float, None, None]:
    """Iterate with p ⊥_A U and r ⊥ U; U is scaled so that Uᴴ A U = I."""
    carrier.prepare(column)
    xp, A, M, dot = column.xp, column.A, column.M, column.dot
    U, C = _energy_orthonormal(carrier, xp)
    start = None
    if U is not None:
        MC = xp.stack([M(row) for row in C]) if column.preconditioned else C
        start = (U, C, MC)
    if not (yield from project_once(column, U, U, C, x, r)):
        return
    harvest = Harvest(column, carrier.k, window, start)
    try:
        z = M(r)
        rho = energy_of_residual(dot(r, z).real)
        p = xp.array(z, dtype=column.dtype)
        if U is not None:
            p -= xp.conj(C @ xp.conj(z)) @ U
        step = 0
        while True:
            q = A(p)
            curvature = dot(p, q).real
            if not curvature > 0.0:
                if curvature <= 0.0:
                    reason = f"pᴴA p = {float(curvature):.3g} ≤ 0: A is not positive definite"
                    raise Breakdown(Status.INDEFINITE, reason)
                raise Breakdown(Status.NONFINITE, "A p is not finite")
            alpha = rho / curvature
            x += alpha * p
            r -= alpha * q
            step += 1
            if U is not None and step % _REPROJECTION_INTERVAL == 0:
                project(xp, U, U, C, x, r)
            if not column.preconditioned:
                harvest.add(p, q, q)
            yield column.norm(r)
            before, z = z, M(r)
            if column.preconditioned:
                harvest.add(p, q, (before - z) / alpha)
            rho, previous = energy_of_residual(dot(r, z).real), rho
            p *= rho / previous
            p += z
            if U is not None:
                p -= xp.conj(C @ xp.conj(z)) @ U
    finally:
        carrier.put_harvest(xp, harvest.space())


def _energy_orthonormal(carrier: Carrier, xp: Any) -> tuple[Any, Any]:
    """Return (U, C) with Uᴴ A U = I; Breakdown if a direction shows that A is not positive definite."""
    if carrier.U is None:
        return None, None
    gram = on_host(xp.conj(carrier.U) @ carrier.C.T)
    if not np.isfinite(gram).all():
        raise Breakdown(Status.NONFINITE, "A u is not finite for a recycled direction")
    energies, vectors = np.linalg.eigh(0.5 * (gram + gram.conj().T))
    if energies[0] <= -1e-8 * energies[-1] or energies[-1] <= 0.0:
        reason = f"uᴴA u = {energies[0]:.3g} < 0 for a recycled direction: A is not positive definite"
        raise Breakdown(Status.INDEFINITE, reason)
    positive = energies > 1e-13 * energies[-1]
    change = xp.asarray((vectors[:, positive] / np.sqrt(energies[positive])).T)
    return change @ carrier.U, change @ carrier.C


METHOD = Method("deflated_cg", _deflated, hermitian=True)
