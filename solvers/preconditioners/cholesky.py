"""Provide incomplete Cholesky factors on a given pattern and the triangular solves, compiled (`cholesky.cpp`).

Patterns are CSR with int64 indices, sorted, each row ending with its diagonal.
"""

from __future__ import annotations

import numpy as np

from ..kernels import BoundKernel, Kernel

_factor = Kernel("factor_ic0", "int i64* i64* T* T*", "int")
_solve = Kernel("solve_cholesky", "int i64* i64* T* T* T*")


def factor_ic0(indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, factor: np.ndarray) -> int:
    """Compute the incomplete Cholesky factor L on the pattern of the lower triangle: (L Lᴴ)_ij = a_ij on the pattern.

    Parameters
    ----------
    indptr, indices : pattern of the lower triangle
    values : its entries
    factor : (nnz,), filled with L

    Returns
    -------
    int
        −1, or the first row whose pivot is not positive.
    """
    return int(_factor(indptr.size - 1, indptr, indices, values, factor))


def cholesky_solver(indptr: np.ndarray, indices: np.ndarray, factor: np.ndarray) -> BoundKernel:
    """Return the function solve(r, out) that sets out = (L Lᴴ)⁻¹ r; out may be r."""
    return _solve.bind(indptr.size - 1, indptr, indices, factor)
