"""Solve a least-squares problem of any shape by LSMR: bidiagonalisation, and the least ‖Aᴴr‖ at each step."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from ..arguments import check_count, nonnegative_number
from ..errors import InputError
from ..iteration import Breakdown, Column, Method, combined, describe, run
from ..magnitudes import array_times_two_to, exponent_of_vector, norm_of, times_two_to
from ..operands import CountedOperator, is_gpu, read_operator, read_vectors
from ..result import SolveResult, Status
from ..stopping import EPSILON, check_tolerances

_ROUNDING, _LOOSEST = 1.0, 1e-11
"""‖Aᴴr‖/(‖A‖‖r‖) is accepted up to `_ROUNDING` ε‖A‖‖x‖/‖r‖, below which float64 cannot follow it, and `_LOOSEST`."""

_NOISE = 100.0
"""A residual below `_NOISE` ε‖A‖‖x‖ is rounding, which tells nothing of the range of A."""

_SMALL = 500
"""The lesser of m and n up to which all v_j are kept orthogonal by default: it costs a few tenths of a second."""

_SAFE_LENGTHS = (1e-140, 1e140)
_ADJOINT_TO = 1e-6


def lsmr(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
    damp: float = 0.0,
    optimality: float = 1e-12,
    reorthogonalize: int | None = None,
) -> SolveResult:
    """Solve min ‖b − A x‖₂ by LSMR, for A of any shape and rank.

    The k-th iterate minimises ‖Aᴴ(b − A x_k)‖₂ over x_0 + K_k(AᴴA, Aᴴr_0), by two products an iteration, with A and
    with its adjoint; ‖r_k‖ falls too. Where several x have the least residual, the one nearest to x0 is found: without
    a guess, the one of least norm.

    Parameters
    ----------
    A : sparse or dense matrix, or LinearOperator with `rmatvec`, (m, n)
        Real or complex, singular or not. CuPy matrices work too, without `damp`.
    b : array, (m,) or (m, k)
        Right-hand sides; each column is solved by itself and reported in `columns`.
    x0 : array, (n,) or (n, k), optional
        Initial guess, zero by default.
    rtol, atol : float
        Converged when ‖b − A x‖₂ ≤ max(rtol·‖b‖₂, atol), with the residual recomputed in float64.
    maxiter : int, optional
        Iterations per column; 10 max(m, n) by default.
    M : None
        No preconditioner is taken: scale the columns of A instead.
    callback : callable, optional
        Called as ``callback(xk)`` after each iteration.
    damp : float
        δ ≥ 0: minimises ‖b − A x‖₂² + δ²‖x‖₂². The residuals of `residuals`, the last apart, are then those of the
        stacked system [A; δ I] x = [b; 0]; the iteration ends where x solves that.
    optimality : float
        x is the least-squares solution when ‖Aᴴr‖₂ ≤ optimality·‖A‖₂‖r‖₂, with Aᴴr recomputed in float64 and ‖A‖₂
        bounded from below; where rounding forbids that, up to 1e-11 instead.
    reorthogonalize : int, optional
        The number of last vectors v_j against which a new one is made orthogonal again. It costs memory of
        reorthogonalize·n, and saves most iterations where A is ill-conditioned. By default all, min(m, n), if these
        are at most 500, otherwise none.

    Returns
    -------
    SolveResult
        `converged`: b is in the range of A to the tolerance. `inconsistent`: it is not, and x is the least-squares
        solution. `stagnated`: neither could be shown.

    Raises
    ------
    InputError
        If an argument does not fit, or A has no adjoint or a wrong one.

    References
    ----------
    Fong and Saunders, SIAM J. Sci. Comput. 33 (2011) 2950; Golub and Kahan, SIAM J. Numer. Anal. 2 (1965) 205.
    """
    damp = nonnegative_number(damp, "lsmr: damp")
    settings: dict[str, Any] = {
        "optimality": nonnegative_number(optimality, "lsmr: optimality"),
        "reorthogonalize": None
        if reorthogonalize is None
        else check_count("lsmr", "reorthogonalize", reorthogonalize, 0),
    }
    limits: dict[str, Any] = {"rtol": rtol, "atol": atol, "maxiter": maxiter}
    if damp == 0.0:
        return run(METHOD, A, b, x0, M=M, callback=callback, **limits, **settings)
    operator = read_operator(A, square=False)
    if is_gpu(A):
        raise InputError("lsmr takes damp= on the CPU only, but A is a CuPy matrix: pass A.get(), or damp=0.")
    rhs = read_vectors(b, operator.m, "b")
    stacked = np.concatenate([rhs, np.zeros((operator.n, *rhs.shape[1:]), rhs.dtype)])
    result = run(METHOD, _Damped(operator, damp), stacked, x0, M=M, callback=callback, **limits, **settings)
    # The certificate is of A x = b itself.
    if not result.columns:
        return _without_damping(result, operator, rhs, rtol, atol)
    pairs = zip(result.columns, rhs.T, strict=True)
    columns = tuple(_without_damping(column, operator, b_j, rtol, atol) for column, b_j in pairs)
    return combined(columns, operator.xp, result.setup_seconds)


class _Damped:
    """Multiply by [A; δ I]."""

    def __init__(self, A: CountedOperator, damp: float) -> None:
        self.A, self.damp = A, damp
        self.shape = (A.m + A.n, A.n)
        self.dtype = A.dtype

    def matvec(self, x: Any) -> Any:
        return np.concatenate([self.A(x), self.damp * x])

    def rmatvec(self, y: Any) -> Any:
        return self.A.adjoint(y[: self.A.m]) + self.damp * y[self.A.m :]


def _without_damping(result: SolveResult, A: CountedOperator, b: Any, rtol: Any, atol: Any) -> SolveResult:
    """Return the result of the stacked system with the residual of A x = b, and the status that follows from it."""
    rtol, atol, _ = check_tolerances(rtol, atol, None, A.n)
    exponent = exponent_of_vector(np, b)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        remainder = array_times_two_to(np, b - A(result.x), -exponent)
    size, scaled = norm_of(np, array_times_two_to(np, b, -exponent)), norm_of(np, remainder)
    residual, threshold = times_two_to(scaled, exponent), max(rtol * times_two_to(size, exponent), atol)
    met = scaled <= max(rtol * size, times_two_to(atol, -exponent))
    status = Status.CONVERGED if met else result.status
    stacked = f"of the damped system the residual is {result.residual:.3g}"
    reason = f"x is the damped least-squares solution: {stacked}" if status is Status.INCONSISTENT else stacked
    residuals = result.residuals.copy()
    residuals[-1] = residual
    return dataclasses.replace(
        result,
        status=status,
        residual=residual,
        residuals=residuals,
        quotient=scaled / size if exponent else None,
        matvecs=result.matvecs + 1,
        message=describe(status, result.iterations, residual, threshold, reason, 0.0),
    )


def _bidiagonalisation(
    column: Column, x: Any, r: Any, *, optimality: float, reorthogonalize: int | None
) -> Generator[float, None, None]:
    """Yield ‖r_k‖ from the bidiagonalisation of A, A V_k = U_{k+1} B_k, and two QR factorisations, of B_k and of its R.

    r is updated by the products A h̄_k, which follow from A v_k by the recurrence of h̄_k itself; so neither its norm
    nor what is checked before the end needs U_k to stay orthogonal.
    """
    A, memory, xp = column.A, column.memory, column.xp
    beta = _length(column, r)
    u = r / beta
    v = A.adjoint(u)
    alpha = _length(column, v)
    if not alpha > 0.0:
        raise Breakdown(Status.STAGNATED, "Aᴴr = 0, and r is rounding")
    v = v / alpha
    width = min(A.m, A.n)
    if reorthogonalize is None:
        reorthogonalize = width if width <= _SMALL else 0
    earlier = _Window(column, min(reorthogonalize, width))
    earlier.add(v)
    alpha_bar, zeta_bar, rho, rho_bar, c_bar, s_bar, theta = alpha, alpha * beta, 1.0, 1.0, 1.0, 0.0, 0.0
    h, h_bar = v.copy(), xp.zeros_like(x)
    Ah, Ah_bar = None, xp.zeros_like(r)
    first, steps, next_check = True, 0, 0
    while True:
        q = xp.asarray(A(v), dtype=column.dtype)
        image = _length(column, q)
        memory["norm"] = max(memory.get("norm", 0.0), image)  # v has length one: a lower bound of ‖A‖₂
        if first:
            _check_adjoint(A, column.dot(u, q), alpha, image)
        Ah = q.copy() if Ah is None else q - (theta / rho) * Ah
        q -= alpha * u
        beta = _length(column, q)
        if beta <= 10.0 * EPSILON * image:
            beta = alpha_next = 0.0  # b is in the image of the subspace: the step ends in r = 0
        else:
            u = q / beta
            v_next = A.adjoint(u)
            size = _length(column, v_next)
            v_next = earlier.orthogonal(v_next - beta * v)
            alpha_next = _length(column, v_next)
            if alpha_next <= 10.0 * EPSILON * size:
                alpha_next = 0.0  # an invariant subspace: the step ends in Aᴴr = 0
        rho_before, rho_bar_before = rho, rho_bar
        rho = math.hypot(alpha_bar, beta)
        c, s = alpha_bar / rho, beta / rho
        theta, alpha_bar = s * alpha_next, c * alpha_next
        theta_bar, upper = s_bar * rho, c_bar * rho
        rho_bar = math.hypot(upper, theta)
        c_bar, s_bar = upper / rho_bar, theta / rho_bar
        zeta, zeta_bar = c_bar * zeta_bar, -s_bar * zeta_bar
        # Quotients of neighbours, for the product of two of these numbers may overflow.
        back = 0.0 if first else (theta_bar / rho_before) * (rho / rho_bar_before)
        h_bar = h - back * h_bar
        Ah_bar = Ah - back * Ah_bar
        step = (zeta / rho) / rho_bar
        x += step * h_bar
        r -= step * Ah_bar
        norm = column.norm(r)
        first, steps = False, steps + 1
        yield norm
        if alpha_next == 0.0:
            return
        alpha, v = alpha_next, v_next / alpha_next
        earlier.add(v)
        h = v - (theta / rho) * h
        bound = _accepted(optimality, memory["norm"], norm, column.norm(x))
        if steps >= next_check and abs(zeta_bar) <= bound:
            # |ζ̄| is ‖Aᴴr‖ as long as V_k is orthogonal: looked at before the vectors are given up.
            if _length(column, A.adjoint(r)) <= bound:
                return
            next_check = steps + 10


def _least_squares(
    column: Column, x: Any, r: Any, *, optimality: float, reorthogonalize: int | None
) -> tuple[Status, str] | None:
    """Return `inconsistent` if Aᴴr is zero to the tolerance, for an r that is more than rounding."""
    size, residual = column.memory.get("norm", 0.0), _length(column, r)
    slope = _length(column, column.A.adjoint(r))
    extent = _length(column, x)
    if not (slope <= _accepted(optimality, size, residual, extent) and residual > _NOISE * EPSILON * size * extent):
        return None
    ratio = slope / size / residual if size > 0.0 else 0.0
    shown = f"‖Aᴴr‖₂ = {ratio:.2g}·‖A‖₂‖r‖₂" if slope > 0.0 else "Aᴴr = 0"
    return Status.INCONSISTENT, f"{shown}: b is not in the range of A, and x is the least-squares solution"


def _accepted(optimality: float, size: float, residual: float, extent: float) -> float:
    """Return the ‖Aᴴr‖₂ up to which x is the least-squares solution, for ‖A‖₂, ‖r‖₂ and ‖x‖₂."""
    return size * max(optimality * residual, min(_ROUNDING * EPSILON * size * extent, _LOOSEST * residual))


class _Window:
    """Hold the last vectors v_j, in a ring, and make others orthogonal to them."""

    def __init__(self, column: Column, width: int) -> None:
        self._held: Any = None if width == 0 else column.xp.zeros((width, column.A.n), dtype=column.dtype)
        self._count = 0

    def add(self, v: Any) -> None:
        if self._held is not None:
            self._held[self._count % self._held.shape[0]] = v
            self._count += 1

    def orthogonal(self, v: Any) -> Any:
        if self._held is None:
            return v
        held = self._held[: self._count]
        for _ in range(2):  # twice is enough
            v = v - (held.conj() @ v) @ held
        return v


def _length(column: Column, v: Any) -> float:
    """Return ‖v‖₂, also where the squares overflow or underflow."""
    norm = column.norm(v)
    if _SAFE_LENGTHS[0] <= norm <= _SAFE_LENGTHS[1]:
        return norm
    largest = float(column.xp.max(column.xp.abs(v)))
    return largest * column.norm(v / largest) if 0.0 < largest < math.inf else norm


def _check_adjoint(A: CountedOperator, across: Any, alpha: float, image: float) -> None:
    """Refuse an A whose products with its adjoint belong to another matrix: uᴴ(A v) ≠ (Aᴴu)ᴴv."""
    if abs(across - alpha) > _ADJOINT_TO * max(image, alpha):
        raise InputError(
            f"the adjoint of {A.name} is not that of its products: uᴴ(A v) = {complex(across):.3g} but (Aᴴu)ᴴv = "
            f"{alpha:.3g}; expected equal numbers: mend rmatvec, for complex A the conjugate transpose."
        )


METHOD = Method("lsmr", _bidiagonalisation, accepts=(), square=False, certificate=_least_squares)
