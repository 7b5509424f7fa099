"""Split A for a stationary iteration x ← x + N⁻¹(b − A x): what Jacobi, Gauss–Seidel, SOR and SSOR share.

With A = D + L + U the splittings are N = D/ω, D/ω + L, and ω/(2 − ω)·(D/ω + L) D⁻¹ (D/ω + U). Each iteration costs one
product with A, for the residual, and one solve with N, which is a sweep over a triangle of A; the residual is the
true one at every step. They converge when ρ(I − N⁻¹A) < 1: SOR and SSOR for every Hermitian positive definite A and
0 < ω < 2 (Ostrowski–Reich), Jacobi for ω < 2/λ_max(D⁻¹A).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from ..errors import InputError
from ..iteration import Column, Method
from ..kernels import Kernel
from ..operands import as_csr, diagonal_of, read_operator
from .colouring import multicolour_order

Splitting = Callable[[Any], Any]
"""r ↦ N⁻¹ r."""

Ordering = Literal["natural", "multicolour"]

_forward = Kernel("forward_sweep", "int I* I* T* T* T* T*")
_symmetric = Kernel("symmetric_sweep", "int I* I* T* T* T* T* T*")


def stationary_method(name: str) -> Method:
    """Return the method of that name, which takes ``splitting=`` as the setting of its recurrence."""
    # SOR near its best ω may grow by the size of a Jordan block before it falls; 1e5 is far beyond that.
    return Method(name, _splitting_iteration, accepts=(), exact=True, growth=1e5)


def _splitting_iteration(column: Column, x: Any, r: Any, *, splitting: Splitting) -> Generator[float, None, None]:
    while True:
        x += splitting(r)
        r = column.b - column.A(x)
        yield column.norm(r)


def matrix_to_sweep(A: Any, solver: str) -> sp.csr_array:
    """Return the entries of A in CSR form; InputError if there are none, or the diagonal has a zero."""
    matrix = as_csr(A, solver)
    nonzero_diagonal(matrix, solver)
    return matrix


def forward_sweep(matrix: sp.csr_array, omega: float, ordering: Ordering, solver: str) -> Splitting:
    """Return r ↦ N⁻¹ r, N = D/ω + L the SOR splitting of a CSR matrix."""
    return _ordered(solver, ordering, matrix, lambda reordered: _forward_sweep(reordered, omega))


def symmetric_sweep(
    matrix: sp.csr_array, omega: float, ordering: Ordering = "natural", solver: str = "ssor"
) -> Splitting:
    """Return r ↦ N⁻¹ r, N the SSOR splitting of a CSR matrix."""
    return _ordered(solver, ordering, matrix, lambda reordered: _symmetric_sweep(reordered, omega))


def _ordered(
    solver: str, ordering: Ordering, matrix: sp.csr_array, build: Callable[[sp.csr_array], Splitting]
) -> Splitting:
    """Return the sweep that `build` makes of the reordered matrix, for vectors in the original order.

    The matrix is scaled as the driver scales it.
    """
    matrix = read_operator(matrix, scaled=True).matrix
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
    return _compiled(_forward, matrix, matrix.diagonal() / omega)


def _symmetric_sweep(matrix: sp.csr_array, omega: float) -> Splitting:
    diagonal = matrix.diagonal()
    return _compiled(_symmetric, matrix, diagonal / omega, (2.0 - omega) / omega * diagonal)


def _compiled(kernel: Kernel, matrix: sp.csr_array, *diagonals: np.ndarray) -> Splitting:
    """Return the sweep as a function of r, of the type of the matrix or a wider one."""
    bound: dict[np.dtype, Callable[..., None]] = {}

    def sweep(r: np.ndarray) -> np.ndarray:
        r = np.ascontiguousarray(r)
        z = np.empty_like(r)
        if r.dtype not in bound:
            values = (each.astype(r.dtype, copy=False) for each in (matrix.data, *diagonals))
            bound[r.dtype] = kernel.bind(matrix.shape[0], matrix.indptr, matrix.indices, *values)
        bound[r.dtype](r, z)
        return z

    return sweep


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
