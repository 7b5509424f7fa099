"""The restarted generalised minimal residual method, preconditioned from the right."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from numbers import Integral
from typing import Any

import numpy as np
import scipy.linalg

from .errors import InputError
from .iteration import Breakdown, Column, Method, run
from .result import SolveResult, Status
from .stopping import EPSILON

_NEGLIGIBLE = 50.0 * EPSILON


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
        Nonsingular; real or complex. CuPy's twins are taken too.
    b : array, (n,) or (n, k)
        Right-hand sides; each column is solved by itself and reported in `columns`.
    x0 : array, the shape of b, optional
        Initial guess, zero by default.
    rtol, atol : float
        Converged when ‖b − A x‖₂ ≤ max(rtol·‖b‖₂, atol), with the residual recomputed in float64.
    restart : int
        Vectors kept, and iterations in a cycle. Memory is (restart + 1) n; restart = n is full GMRES.
    maxiter : int, optional
        Iterations per column, counted over all cycles (as SciPy by default does); 10 n by default.
    M : preconditioner of kind 'spd' or 'linear', optional
        Approximates A⁻¹. A LinearOperator, array or callable without `kind` is trusted to be linear.
    callback : callable, optional
        Called as ``callback(‖r_k‖/‖b‖)`` after each iteration, SciPy's default ('pr_norm').

    Returns
    -------
    SolveResult
        ``x, info = gmres(A, b)`` works too. `stagnated`: cycles no longer lower the residual; enlarge `restart`.

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
    if not isinstance(restart, Integral) or isinstance(restart, bool) or restart < 1:
        raise InputError(f"restart is {restart!r}; expected an integer ≥ 1, such as 30.")
    return run(_GMRES, A, b, x0, rtol=rtol, atol=atol, maxiter=maxiter, M=M, callback=callback, restart=int(restart))


def _arnoldi_cycle(column: Column, x: Any, r: Any, *, restart: int) -> Generator[float, None, None]:
    """One cycle; x is formed when the generator ends or is closed."""
    A, M, xp = column.A, column.M, column.xp
    size = min(restart, A.n, column.budget)
    beta = column.norm(r)
    basis = xp.empty((size + 1, A.n), dtype=column.dtype)
    basis[0] = r / beta
    triangle = np.zeros((size, size), dtype=column.dtype)  # R of the QR factorisation of the Hessenberg matrix
    rhs = np.zeros(size + 1, dtype=column.dtype)
    rhs[0] = beta
    rotations: list[tuple[float, Any]] = []
    done = 0
    try:
        for j in range(size):
            w = xp.asarray(A(M(basis[j])), dtype=column.dtype)
            length = column.norm(w)
            w, h = _orthogonalise(xp, basis[: j + 1], w)
            below = column.norm(w)
            if not math.isfinite(below):
                raise Breakdown(Status.NONFINITE, "A M v is not finite")
            for i, (c, s) in enumerate(rotations):
                h[i], h[i + 1] = c * h[i] + s * h[i + 1], c * h[i + 1] - np.conj(s) * h[i]
            invariant = below <= 10.0 * EPSILON * length
            if invariant:
                below = 0.0
            c, s = _rotation(h[j], below)
            triangle[:j, j] = h[:j]
            triangle[j, j] = c * h[j] + s * below
            if abs(triangle[j, j]) <= EPSILON * length:
                raise Breakdown(Status.BREAKDOWN, f"A M is singular on the Krylov space of dimension {j + 1}")
            rotations.append((c, s))
            rhs[j], rhs[j + 1] = c * rhs[j], -np.conj(s) * rhs[j]
            done = j + 1
            yield float(abs(rhs[j + 1]))
            if invariant:
                return
            basis[j + 1] = w / below
    finally:
        if done:
            y = _back_substitution(triangle[:done, :done], rhs[:done])
            x += M(xp.asarray(y) @ basis[:done])


def _back_substitution(triangle: np.ndarray, rhs: np.ndarray) -> np.ndarray:
    """R⁻¹ g; where R is singular to working precision (A M is, on the Krylov space), the least solution without it."""
    pivots = np.abs(np.diagonal(triangle))
    if pivots.min() > _NEGLIGIBLE * pivots.max():
        return scipy.linalg.solve_triangular(triangle, rhs)
    return scipy.linalg.lstsq(triangle, rhs, cond=_NEGLIGIBLE)[0]


def _orthogonalise(xp: Any, basis: Any, w: Any) -> tuple[Any, np.ndarray]:
    """Return w minus its projection on the rows of the basis, and the coefficients with a place for the next."""
    first = xp.conj(basis @ xp.conj(w))
    w = w - first @ basis
    second = xp.conj(basis @ xp.conj(w))  # once more: orthogonal to working precision
    w -= second @ basis
    coefficients = first + second
    host = coefficients if isinstance(coefficients, np.ndarray) else coefficients.get()
    return w, np.append(host, 0.0)


def _rotation(a: Any, b: float) -> tuple[float, Any]:
    """(c, s) of the Givens rotation [[c, s], [−s̄, c]] that turns (a, b), b ≥ 0, into (·, 0)."""
    size = float(abs(a))
    length = math.hypot(size, b)
    if length == 0.0:
        return 1.0, 0.0
    if size == 0.0:
        return 0.0, 1.0
    return size / length, a / size * (b / length)


_GMRES = Method("gmres", _arnoldi_cycle, explicit=False, callback="pr_norm")
