"""Measure how far a matrix is from being Hermitian."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import InputError
from ..operands import CountedOperator, is_gpu

SYMMETRY_TOLERANCE = 1e-12
"""Asymmetry up to which rounding explains it: assembled symmetric entries agree to a few units in the last place."""

_PRODUCTS_TOLERANCE = 1e-10
"""Asymmetry up to which rounding explains it in what a user asks to be checked."""


def asymmetry(A: Any, conjugate: bool = True) -> float:
    """Return max |a_ij − ā_ji| / √(d_i d_j) of a square matrix, d_i the largest entry of row i and column i.

    Both symmetric scaling (A by D A D) and scaling by a number leave it as it is, so that a few rows of huge entries,
    such as penalties of boundary conditions, hide nothing. With ``conjugate=False`` a_ji takes the place of ā_ji.
    """
    matrix = sp.csr_array(A)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    transposed = (matrix.conj() if conjugate else matrix).T.tocsr()
    with np.errstate(over="ignore"):
        if np.array_equal(matrix.indptr, transposed.indptr) and np.array_equal(matrix.indices, transposed.indices):
            differences = matrix.data - transposed.data
            at = np.flatnonzero(differences)
            rows = np.searchsorted(matrix.indptr, at, side="right") - 1
            columns, values = matrix.indices[at], np.abs(differences[at])
        else:
            triplets = (matrix - transposed).tocoo()
            rows, columns = triplets.coords
            values = np.abs(triplets.data)
        if not values.any():
            return 0.0
        roots = np.sqrt(np.maximum(largest_of_rows(matrix), largest_of_rows(transposed)))
        at = np.flatnonzero(values)
        return float((values[at] / roots[rows[at]] / roots[columns[at]]).max())


def largest_of_rows(matrix: sp.csr_array) -> np.ndarray:
    """Return max_j |a_ij| of each row; zero of an empty one."""
    sizes = np.zeros(matrix.shape[0])
    filled = np.flatnonzero(np.diff(matrix.indptr))
    if filled.size:
        sizes[filled] = np.maximum.reduceat(np.abs(matrix.data), matrix.indptr[filled])
    return sizes


def sizes_of_rows(matrix: sp.csr_array) -> np.ndarray:
    """Return Σ_j |a_ij| of each row."""
    sums = np.zeros(matrix.shape[0])
    filled = np.flatnonzero(np.diff(matrix.indptr))
    if filled.size:
        sums[filled] = np.add.reduceat(np.abs(matrix.data), matrix.indptr[filled])
    return sums


def is_hermitian(A: Any, tolerance: float = SYMMETRY_TOLERANCE) -> bool:
    """Return whether the asymmetry of a square sparse or dense matrix is at most `tolerance`."""
    return asymmetry(A) <= tolerance


def check_hermitian(solver: str, A: CountedOperator, name: str, xp: Any = np) -> None:
    """Refuse an operator that is not Hermitian, by its entries, or by uᴴ(A v) = (A u)ᴴ v for random u and v.

    Raises
    ------
    InputError
        With the size of the difference.
    """
    if A.matrix is not None and not is_gpu(A.matrix):
        difference, measured = asymmetry(A.matrix), "its entries"
    else:
        u, v = (xp.asarray(row) for row in np.random.default_rng(0).standard_normal((2, A.n)))
        Av, Au = A(v), A(u)
        size = float(xp.linalg.norm(u) * xp.linalg.norm(Av))
        difference = float(abs(xp.vdot(u, Av) - xp.vdot(Au, v))) / size if size > 0.0 else 0.0
        measured = "its products with random vectors"
    if not difference <= _PRODUCTS_TOLERANCE:
        raise InputError(
            f"{solver} needs a Hermitian {name}, but {name} differs from its adjoint by {difference:.2g}, relative to "
            f"{measured}: use gmres."
        )
