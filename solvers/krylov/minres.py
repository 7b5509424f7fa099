"""Solve a Hermitian system, definite or not, by the minimal residual method."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

from ..iteration import Breakdown, Column, Method, run
from ..matrices.shift import shifted
from ..matrices.symmetry import check_hermitian
from ..operands import read_operator, read_preconditioner
from ..result import SolveResult, Status
from ..stopping import EPSILON

_AT_REST = 1e-12
_NEARLY_AT_REST, _FLAT, _PATIENCE = 1e-8, 1e-12, 2
"""‖A r‖/(‖A‖‖r‖) up to which x has the least residual; and up to which it has if the residual also stays flat."""


def minres(
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
    shift: float = 0.0,
    show: bool = False,
    check: bool = False,
) -> SolveResult:
    """Solve A x = b by MINRES, for A Hermitian, indefinite or not.

    The k-th iterate minimises ‖b − A x_k‖ over x_0 + K_k(MA, M r_0), in the norm of M (the Euclidean one without M);
    seven vectors are stored. For eigenvalues in [−a, −b] ∪ [c, d] of equal lengths, a residual falls by
    2 ((√(ad) − √(bc))/(√(ad) + √(bc))) in two iterations.

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
        Hermitian; singular if b is in its range. CuPy matrices work too.
    b, x0, rtol, atol, maxiter, callback
        As in `cg`.
    M : preconditioner of kind 'spd', optional
        Hermitian positive definite, even where A is indefinite: it approximates |A|⁻¹.
    nullspace : array, (n, m) or (n,), optional
        As in `cg`; of A − shift·I.
    shift : float
        Solves (A − shift·I) x = b, as in SciPy.
    show : bool
        Whether to print the norms of the residuals and the outcome when the solve has ended.
    check : bool
        Whether to refuse A or M that is not Hermitian: by its entries, or by products with random vectors.

    Returns
    -------
    SolveResult
        `indefinite`: rᴴM r ≤ 0, M is not positive definite. `stagnated` with the x of least residual if b is not in the
        range of A.

    Raises
    ------
    InputError
        If an argument does not fit, or A or M is not Hermitian and `check` is asked for.

    References
    ----------
    Paige and Saunders, SIAM J. Numer. Anal. 12 (1975) 617; Choi, Paige and Saunders, SIAM J. Sci. Comput. 33 (2011)
    1810; Greenbaum, *Iterative Methods for Solving Linear Systems* (1997), §3.1.
    """
    if check:
        operator = read_operator(A)
        check_hermitian("minres", operator, "A", operator.xp)
        if M is not None:
            check_hermitian("minres", read_preconditioner(M, operator.n), "M", operator.xp)
    A = shifted(A, shift)
    options = {"rtol": rtol, "atol": atol, "maxiter": maxiter, "M": M, "callback": callback, "nullspace": nullspace}
    result = run(METHOD, A, b, x0, **options)
    if show:
        print("\n".join(_shown(result)))
    return result


def _shown(result: SolveResult) -> list[str]:
    """Return the course of a solve and its outcome in lines: each of the first ten iterations, then every tenth."""
    last = result.iterations
    rows = [k for k in range(last + 1) if k <= 10 or k % 10 == 0 or k == last]
    return ["minres", "  k  ‖b − A x_k‖₂", *(f"{k:5d}  {result.residuals[k]:.3e}" for k in rows), result.message]


def _minimal_residual(column: Column, x: Any, r: Any) -> Generator[float, None, None]:
    """Yield residual norms from Lanczos vectors v_k, z_k = M v_k, z_jᴴ v_k = δ_jk, and the QR factors of their matrix.

    The residual needs no product of its own: r_k = s_k² r_{k−1} − c_k φ_k v_{k+1}.
    """
    A, M, dot, xp = column.A, column.M, column.dot, column.xp
    z = M(r)
    beta = size_in_preconditioner(dot(r, z))
    phi = beta
    v, z = r / beta, z / beta
    v_before, w, w_before = xp.zeros_like(v), xp.zeros_like(v), xp.zeros_like(v)
    c, s, delta_bar, epsilon, squares = -1.0, 0.0, 0.0, 0.0, 0.0
    first, flat, norm = True, 0, column.norm(r)
    while True:
        q = xp.asarray(A(z), dtype=column.dtype)
        if not first:
            q = q - beta * v_before
        alpha = float(dot(z, q).real)
        q = q - alpha * v
        y = M(q)
        beta_next = size_in_preconditioner(dot(q, y), 0.0)
        squares += alpha * alpha + beta_next * beta_next + (0.0 if first else beta * beta)
        scale = math.sqrt(squares)
        if beta_next <= 10.0 * EPSILON * scale:
            beta_next = 0.0  # an invariant subspace: the step ends in the exact solution, or in the least residual
        delta = c * delta_bar + s * alpha
        gamma_bar = s * delta_bar - c * alpha
        epsilon_next = s * beta_next
        delta_bar = -c * beta_next
        # ‖A r‖ of the iterate at hand is φ √(γ̄² + δ̄²).
        slope = math.hypot(gamma_bar, delta_bar)
        if slope <= _AT_REST * scale or (flat >= _PATIENCE and slope <= _NEARLY_AT_REST * scale):
            raise Breakdown(Status.STAGNATED, "A r = 0: x has the least residual, b is not in the range of A")
        gamma = math.hypot(gamma_bar, beta_next)
        c, s = gamma_bar / gamma, beta_next / gamma
        step, phi = c * phi, s * phi
        w, w_before = (z - epsilon * w_before - delta * w) / gamma, w
        epsilon = epsilon_next
        x += step * w
        r *= s * s
        if beta_next > 0.0:
            v, v_before, z = q / beta_next, v, y / beta_next
            r -= (c * phi) * v
        norm, before = column.norm(r), norm
        flat = flat + 1 if norm >= (1.0 - _FLAT) * before else 0
        yield norm
        if beta_next == 0.0:
            return
        beta, first = beta_next, False


def size_in_preconditioner(square: Any, least: float | None = None) -> float:
    """Return √(vᴴ M v); Breakdown if it shows that M is not positive definite."""
    value = float(square.real)
    if value > 0.0 or value == least:
        return math.sqrt(value)
    if value <= 0.0:
        raise Breakdown(Status.INDEFINITE, f"rᴴM r = {value:.3g} ≤ 0: the preconditioner M is not positive definite")
    raise Breakdown(Status.NONFINITE, "A M r is not finite")


METHOD = Method("minres", _minimal_residual, hermitian=True, nullspace=True)
