"""Scale rows and columns of a matrix to a uniform size by powers of two, which round nothing."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

_SWEEPS = 8


def spread_of(sizes: np.ndarray) -> float:
    """Return the largest quotient of two sizes of rows, max_j |a_ij|, that are not zero."""
    sizes = sizes[sizes > 0.0]
    with np.errstate(over="ignore"):
        return float(sizes.max() / sizes.min()) if sizes.size else 1.0


def symmetric_scale(matrix: sp.csr_array) -> np.ndarray:
    """Return d (n,) such that all rows of D A D, D = diag(d), have a largest entry near one, A of symmetric pattern.

    Ruiz's iteration d_i ← d_i/√(max_j |d_i a_ij d_j|) in rounded logarithms to base two, so that D is exact and keeps
    A Hermitian (Ruiz, RAL-TR-2001-034). A row of zeros keeps d_i = 1.
    """
    exponents = _exponents(matrix)
    d = np.zeros(matrix.shape[0])
    for _ in range(_SWEEPS):
        largest = _largest(matrix, exponents + d[matrix.indices]) + d
        if np.all(np.abs(largest) <= 1.0):
            break
        d -= 0.5 * largest
    return _powers(d)


def row_and_column_scales(matrix: sp.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """Return (r, c) such that the rows and columns of diag(r) A diag(c) have largest entries near one."""
    exponents = _exponents(matrix)
    rows = -_largest(matrix, exponents)
    columns = matrix.tocsc()
    order = _exponents(columns) + rows[columns.indices]
    columns_scale = -_largest(columns, order)
    return _powers(rows), _powers(columns_scale)


def _powers(exponents: np.ndarray) -> np.ndarray:
    return np.ldexp(1.0, np.round(np.clip(exponents, -1000.0, 1000.0)).astype(np.int64))


def _exponents(matrix: sp.csr_array) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log2(np.abs(matrix.data))


def _largest(matrix: sp.csr_array, values: np.ndarray) -> np.ndarray:
    """Return the largest of the values at the entries of each row (column of a CSC matrix); 0 where there is none."""
    largest = np.full(matrix.indptr.size - 1, 0.0)
    filled = np.flatnonzero(np.diff(matrix.indptr))
    if filled.size:
        largest[filled] = np.maximum.reduceat(values, matrix.indptr[filled])
    return np.where(np.isfinite(largest), largest, 0.0)
