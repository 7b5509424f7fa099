"""Tell what a factorisation will cost before it is begun, and whether it may be a symmetric one."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ...matrices.symmetry import SYMMETRY_TOLERANCE, is_hermitian
from .factors import DIAGONAL_PIVOT
from .orderings import column_fill, minimum_degree_of_columns, symmetric_fill
from .portrait import by_columns, by_rows, portrait


def hermitian(matrix: sp.csr_array) -> bool:
    """Return whether A = Aᴴ to rounding, as `is_hermitian` says it, from one compiled pass where that tells."""
    rows = by_rows(matrix, "auto")
    own = np.arange(rows.n, dtype=np.int32)
    facts = portrait(rows, by_columns(rows, own, own), DIAGONAL_PIVOT)
    if facts.asymmetry == 0.0 or facts.asymmetry > SYMMETRY_TOLERANCE * facts.largest:
        return facts.asymmetry == 0.0
    return is_hermitian(matrix)


def factor_work(matrix: sp.csr_array, enough: float = 0.0) -> float:
    """Return about how many multiplications and additions a sparse factorisation takes: ordering and counting alone.

    The lesser of the counts for pivots on the diagonal and of the bound for row exchanges; ordering takes some
    per cent of the time of factoring. The bound is not looked at if the counts are at most `enough`.
    """
    rows = by_rows(matrix, "direct")
    own = np.arange(rows.n, dtype=np.int32)
    columns = by_columns(rows, own, own)
    facts = portrait(rows, columns, DIAGONAL_PIVOT)
    work = symmetric_fill(rows, columns).work
    if work <= enough or facts.unmatched == 0 or facts.empty_row >= 0 or facts.empty_column >= 0:
        return work
    return min(work, column_fill(rows, minimum_degree_of_columns(rows, columns)).work)


def exchanging_work(matrix: sp.csr_array) -> float:
    """Return a bound of the multiplications and additions of factoring A + D, D diagonal, with row exchanges."""
    ones = sp.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    rows = by_rows(sp.csr_array(ones + sp.eye_array(matrix.shape[0])), "regularized_lu")
    own = np.arange(rows.n, dtype=np.int32)
    return column_fill(rows, minimum_degree_of_columns(rows, by_columns(rows, own, own))).work
