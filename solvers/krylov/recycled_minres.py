"""Solve by MINRES that deflates a recycled space, and gathers the space for the next system."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from ..arguments import check_count
from ..iteration import Breakdown, Column, Method
from ..operands import on_host
from ..result import SolveResult, Status
from ..stopping import EPSILON
from .harmonic_ritz import Harvest
from .minres import size_in_preconditioner
from .recycle_space import Carrier, RecycleSpace, project_once, recycled

_AT_REST = 1e-12


def recycled_minres(
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
    """Solve A x = b by recycling MINRES, for a Hermitian A, indefinite or not, and later, similar ones.

    With a space U and C = A U, Cᴴ M C = I, Lanczos runs with (I − C Cᴴ M) A, which is Hermitian on the
    complement of C, and the k-th iterate minimises ‖b − A x‖ in the norm of M over x_0 + U + K_k. Meanwhile the
    harmonic Ritz vectors of M A of least modulus are gathered from U and the Lanczos vectors, `window` of them at a
    time, for `result.space`. Without a space the iterates are those of `minres`.

    Fitting the space to a new matrix takes k products (one if A has not changed), and k applications of M. Deflation
    adds 6 k n operations to an iteration and the harvest about 6 k n.

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
        Hermitian, nonsingular. CuPy matrices work too.
    b : array, (n,) or (n, m)
        Right-hand sides; each column starts from the space that the previous one gathered.
    x0, rtol, atol, maxiter, callback
        As in `cg`. The minimisation over `space` counts as one iteration.
    M : preconditioner of kind 'spd', optional
        Hermitian positive definite, even where A is indefinite: it approximates |A|⁻¹.
    k, window, space
        As in `deflated_cg`.

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
    Wang, de Sturler and Paulino, Int. J. Numer. Methods Eng. 69 (2007) 2441; Paige and Saunders, SIAM J. Numer. Anal.
    12 (1975) 617.
    """
    k = check_count("recycled_minres", "k", k, least=1, example=20)
    window = check_count("recycled_minres", "window", window, least=1, example=40)
    options = {"rtol": rtol, "atol": atol, "maxiter": maxiter, "M": M, "callback": callback}
    return recycled(METHOD, A, b, x0, space, k, window=window, **options)


def _recycled(column: Column, x: Any, r: Any, *, window: int, carrier: Carrier) -> Generator[float, None, None]:
    """Follow the recurrence of `minres` with A z − C Cᴴ M A z for A z, and z − U Cᴴ M A z for z in the update of x."""
    carrier.prepare(column)
    xp, A, M, dot = column.xp, column.A, column.M, column.dot
    U, C, MC = _orthonormal_in_preconditioner(column, carrier)
    start = None if U is None else (U, C, MC)
    if not (yield from project_once(column, MC, U, C, x, r)):
        return
    harvest = Harvest(column, carrier.k, window, start)
    try:
        z = M(r)
        beta = size_in_preconditioner(dot(r, z))
        phi = beta
        v, z = r / beta, z / beta
        v_before, z_before = xp.zeros_like(v), xp.zeros_like(v)
        w, w_before = xp.zeros_like(v), xp.zeros_like(v)
        c, s, delta_bar, epsilon, squares = -1.0, 0.0, 0.0, 0.0, 0.0
        first = True
        while True:
            Az = q = xp.asarray(A(z), dtype=column.dtype)
            part, step_of_x = None, z
            if U is not None:
                part = xp.conj(MC @ xp.conj(q))
                q = q - part @ C
                step_of_x = z - part @ U
            if not first:
                q = q - beta * v_before
            alpha = float(dot(z, q).real)
            q = q - alpha * v
            y = M(q)
            beta_next = size_in_preconditioner(dot(q, y), 0.0)
            if column.preconditioned:
                MAz = y + alpha * z + (0.0 if first else beta) * z_before
                harvest.add(z, Az, MAz if part is None else MAz + part @ MC)
            else:
                harvest.add(z, Az, Az)
            squares += alpha * alpha + beta_next * beta_next + (0.0 if first else beta * beta)
            scale = math.sqrt(squares)
            if beta_next <= 10.0 * EPSILON * scale:
                beta_next = 0.0  # an invariant subspace: the step ends in the exact solution, or in the least residual
            delta = c * delta_bar + s * alpha
            gamma_bar = s * delta_bar - c * alpha
            epsilon_next = s * beta_next
            delta_bar = -c * beta_next
            if math.hypot(gamma_bar, delta_bar) <= _AT_REST * scale:
                raise Breakdown(Status.STAGNATED, "A r = 0: x has the least residual, b is not in the range of A")
            gamma = math.hypot(gamma_bar, beta_next)
            c, s = gamma_bar / gamma, beta_next / gamma
            step, phi = c * phi, s * phi
            w, w_before = (step_of_x - epsilon * w_before - delta * w) / gamma, w
            epsilon = epsilon_next
            x += step * w
            r *= s * s
            if beta_next > 0.0:
                v, v_before = q / beta_next, v
                z, z_before = y / beta_next, z
                r -= (c * phi) * v
            yield column.norm(r)
            if beta_next == 0.0:
                return
            beta, first = beta_next, False
    finally:
        carrier.put_harvest(xp, harvest.space())


def _orthonormal_in_preconditioner(column: Column, carrier: Carrier) -> tuple[Any, Any, Any]:
    """Return (U, C, M C) with Cᴴ M C = I; without M, C is orthonormal as it is."""
    if carrier.U is None or not column.preconditioned:
        return carrier.U, carrier.C, carrier.C
    xp = column.xp
    MC = xp.stack([column.M(row) for row in carrier.C])
    gram = on_host(xp.conj(carrier.C) @ MC.T)
    if not np.isfinite(gram).all():
        raise Breakdown(Status.NONFINITE, "M c is not finite for a recycled direction")
    sizes, vectors = np.linalg.eigh(0.5 * (gram + gram.conj().T))
    if not sizes[0] > 0.0:
        reason = f"cᴴM c = {sizes[0]:.3g} ≤ 0 for a recycled direction: the preconditioner M is not positive definite"
        raise Breakdown(Status.INDEFINITE, reason)
    change = xp.asarray((vectors / np.sqrt(sizes)).T)
    return change @ carrier.U, change @ carrier.C, change @ MC


METHOD = Method("recycled_minres", _recycled, hermitian=True)
