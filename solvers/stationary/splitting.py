"""Stationary iterations x ← x + N⁻¹(b − A x): Jacobi, Gauss–Seidel, SOR and SSOR.

With A = D + L + U the splittings are N = D/ω, D/ω + L, and ω/(2 − ω)·(D/ω + L) D⁻¹ (D/ω + U). Each iteration costs one
product with A, for the residual, and one solve with N, which is a sweep over a triangle of A; the residual is the
true one at every step. They converge when ρ(I − N⁻¹A) < 1: SOR and SSOR for every Hermitian positive definite A and
0 < ω < 2 (Ostrowski–Reich), Jacobi for ω < 2/λ_max(D⁻¹A).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from ..arguments import check_omega
from ..errors import InputError
from ..iteration import Column, Method, run
from ..operands import as_csr, diagonal_of, read_operator
from ..result import SolveResult
from .colouring import multicolour_order
from .sweeps import solve_lower_part, solve_upper_part

Splitting = Callable[[Any], Any]
Ordering = Literal["natural", "multicolour"]


def jacobi(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: None = None,
    callback: Callable[[Any], Any] | None = None,
    omega: float = 1.0,
) -> SolveResult:
    """Solve A x = b by damped Jacobi iterations, x ← x + ω D⁻¹(b − A x).

    Parameters
    ----------
    A : sparse or dense matrix, or an operator with `diagonal()`; (n, n)
        With a diagonal free of zeros. CuPy's twins are taken too.
    b, x0, rtol, atol, maxiter, callback
        As in `cg`.
    M : None
        Not taken; an InputError otherwise.
    omega : float
        Damping, > 0. Converges for A Hermitian positive definite when ω < 2/λ_max(D⁻¹A).

    Returns
    -------
    SolveResult
        `diverged` as soon as the residual has grown by 1e5.

    Raises
    ------
    InputError
        If an argument does not fit, or the diagonal has a zero.

    References
    ----------
    Saad, *Iterative Methods for Sparse Linear Systems*, 2nd ed., chapter 4.
    """
    omega = check_omega("jacobi", omega, math.inf)
    read_operator(A)
    weights = omega / nonzero_diagonal(A, "jacobi")
    return _iterate(JACOBI, A, b, x0, rtol, atol, maxiter, M, callback, lambda r: weights * r)


def sor(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: None = None,
    callback: Callable[[Any], Any] | None = None,
    omega: float = 1.0,
    ordering: Ordering = "natural",
) -> SolveResult:
    """Solve A x = b by successive over-relaxation, x ← x + (D/ω + L)⁻¹(b − A x).

    ω = 1 is Gauss–Seidel; `optimal_omega` gives Young's best ω for consistently ordered matrices.

    Parameters
    ----------
    A : sparse or dense matrix, or an operator with `tocsr()`; (n, n)
        With a diagonal free of zeros.
    b, x0, rtol, atol, maxiter, callback
        As in `cg`.
    M : None
        Not taken; an InputError otherwise.
    omega : float
        Relaxation, 0 < ω < 2: outside, ρ ≥ |ω − 1| ≥ 1 (Kahan).
    ordering : {'natural', 'multicolour'}
        The order of the sweep: that of the unknowns, or colour by colour (red and black for a five-point stencil),
        where the unknowns of one colour do not depend on each other.

    Returns
    -------
    SolveResult
        `diverged` as soon as the residual has grown by 1e5.

    Raises
    ------
    InputError
        If an argument does not fit, or the diagonal has a zero.

    References
    ----------
    Young, *Iterative Solution of Large Linear Systems* (1971), chapters 5 and 6.
    """
    omega = check_omega("sor", omega, 2.0)
    matrix = as_csr(A, "sor")
    nonzero_diagonal(matrix, "sor")
    sweep = _ordered("sor", ordering, matrix, lambda reordered: _forward_sweep(reordered, omega))
    return _iterate(SOR, matrix, b, x0, rtol, atol, maxiter, M, callback, sweep)


def ssor(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: None = None,
    callback: Callable[[Any], Any] | None = None,
    omega: float = 1.0,
    ordering: Ordering = "natural",
) -> SolveResult:
    """Solve A x = b by symmetric SOR: a forward sweep, then a backward one.

    x ← x + N⁻¹(b − A x) with N = ω/(2 − ω)·(D/ω + L) D⁻¹ (D/ω + U), Hermitian positive definite when A is.

    Parameters
    ----------
    A : sparse or dense matrix, or an operator with `tocsr()`; (n, n)
        With a diagonal free of zeros.
    b, x0, rtol, atol, maxiter, callback
        As in `cg`.
    M : None
        Not taken; an InputError otherwise.
    omega : float
        Relaxation, 0 < ω < 2.
    ordering : {'natural', 'multicolour'}
        The order of the sweep: that of the unknowns, or colour by colour (red and black for a five-point stencil),
        where the unknowns of one colour do not depend on each other.

    Returns
    -------
    SolveResult
        `diverged` as soon as the residual has grown by 1e5.

    Raises
    ------
    InputError
        If an argument does not fit, or the diagonal has a zero.

    References
    ----------
    Saad, *Iterative Methods for Sparse Linear Systems*, 2nd ed., §4.1; Axelsson, BIT 12 (1972) 443.
    """
    omega = check_omega("ssor", omega, 2.0)
    matrix = as_csr(A, "ssor")
    nonzero_diagonal(matrix, "ssor")
    sweep = symmetric_sweep(matrix, omega, ordering)
    return _iterate(SSOR, matrix, b, x0, rtol, atol, maxiter, M, callback, sweep)


def gauss_seidel(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: None = None,
    callback: Callable[[Any], Any] | None = None,
    sweep: Literal["forward", "symmetric"] = "forward",
    ordering: Ordering = "natural",
) -> SolveResult:
    """Solve A x = b by Gauss–Seidel iterations, x ← x + (D + L)⁻¹(b − A x): `sor` or `ssor` with ω = 1.

    Converges for every Hermitian positive definite A, and for strictly diagonally dominant ones; for consistently
    ordered matrices at the square of Jacobi's factor.

    Parameters
    ----------
    A : sparse or dense matrix, or an operator with `tocsr()`; (n, n)
        With a diagonal free of zeros.
    b, x0, rtol, atol, maxiter, callback
        As in `cg`.
    M : None
        Not taken; an InputError otherwise.
    sweep : {'forward', 'symmetric'}
        One sweep an iteration, or one forward and one backward.
    ordering : {'natural', 'multicolour'}
        The order of the sweep: that of the unknowns, or colour by colour (red and black for a five-point stencil),
        where the unknowns of one colour do not depend on each other.

    Returns
    -------
    SolveResult
        `diverged` as soon as the residual has grown by 1e5.

    Raises
    ------
    InputError
        If an argument does not fit, or the diagonal has a zero.

    References
    ----------
    Saad, *Iterative Methods for Sparse Linear Systems*, 2nd ed., §4.1 and theorem 4.9.
    """
    if sweep not in ("forward", "symmetric"):
        raise InputError(f"gauss_seidel: sweep is {sweep!r}; expected 'forward' or 'symmetric'.")
    matrix = as_csr(A, "gauss_seidel")
    nonzero_diagonal(matrix, "gauss_seidel")
    if sweep == "forward":
        splitting = _ordered("gauss_seidel", ordering, matrix, lambda reordered: _forward_sweep(reordered, 1.0))
    else:
        splitting = symmetric_sweep(matrix, 1.0, ordering, "gauss_seidel")
    return _iterate(GAUSS_SEIDEL, matrix, b, x0, rtol, atol, maxiter, M, callback, splitting)


def symmetric_sweep(
    matrix: sp.csr_array, omega: float, ordering: Ordering = "natural", solver: str = "ssor"
) -> Splitting:
    """Return r ↦ N⁻¹ r, N the SSOR splitting of a CSR matrix."""
    return _ordered(solver, ordering, matrix, lambda reordered: _symmetric_sweep(reordered, omega))


def _ordered(
    solver: str, ordering: Ordering, matrix: sp.csr_array, build: Callable[[sp.csr_array], Splitting]
) -> Splitting:
    """The sweep that `build` makes of the matrix with its unknowns reordered, acting on vectors as they were."""
    if ordering == "natural":
        return build(matrix)
    if ordering != "multicolour":
        raise InputError(f"{solver}: ordering is {ordering!r}; expected 'natural' or 'multicolour'.")
    order = multicolour_order(matrix)
    reordered = sp.csr_array(matrix[order][:, order])
    reordered.sort_indices()
    sweep = build(reordered)

    def apply(r: np.ndarray) -> np.ndarray:
        z = np.empty_like(r)
        z[order] = sweep(r[order])
        return z

    return apply


def _forward_sweep(matrix: sp.csr_array, omega: float) -> Splitting:
    scaled = matrix.diagonal() / omega

    def sweep(r: np.ndarray) -> np.ndarray:
        z = np.empty_like(r)
        solve_lower_part(matrix.indptr, matrix.indices, matrix.data, scaled, r, z)
        return z

    return sweep


def _symmetric_sweep(matrix: sp.csr_array, omega: float) -> Splitting:
    diagonal = matrix.diagonal()
    scaled = diagonal / omega
    middle = (2.0 - omega) / omega * diagonal

    def sweep(r: np.ndarray) -> np.ndarray:
        y, z = np.empty_like(r), np.empty_like(r)
        solve_lower_part(matrix.indptr, matrix.indices, matrix.data, scaled, r, y)
        y *= middle
        solve_upper_part(matrix.indptr, matrix.indices, matrix.data, scaled, y, z)
        return z

    return sweep


def _richardson(column: Column, x: Any, r: Any, *, splitting: Splitting) -> Generator[float, None, None]:
    while True:
        x += splitting(r)
        r = column.b - column.A(x)
        yield column.norm(r)


# SOR near its best ω may grow by the size of a Jordan block before it falls; 1e5 is far beyond that.
JACOBI, GAUSS_SEIDEL, SOR, SSOR = (
    Method(name, _richardson, accepts=(), exact=True, growth=1e5) for name in ("jacobi", "gauss_seidel", "sor", "ssor")
)


def _iterate(
    method: Method,
    A: Any,
    b: Any,
    x0: Any,
    rtol: float,
    atol: float,
    maxiter: int | None,
    M: None,
    callback: Callable[[Any], Any] | None,
    splitting: Splitting,
) -> SolveResult:
    return run(method, A, b, x0, rtol=rtol, atol=atol, maxiter=maxiter, M=M, callback=callback, splitting=splitting)


def nonzero_diagonal(A: Any, name: str) -> Any:
    """Return the diagonal of A; InputError naming the first row where it is zero."""
    diagonal = diagonal_of(A, name)
    zero = diagonal == 0
    if bool(zero.any()):
        row = int(zero.argmax())
        raise InputError(
            f"{name} divides by the diagonal of A, which is zero in {int(zero.sum())} rows, first row {row}: "
            f"reorder the equations, or use gmres."
        )
    return diagonal
