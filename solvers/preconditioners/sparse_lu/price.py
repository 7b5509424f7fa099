"""Tell what a factorisation will cost before it is begun."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from .factors import DIAGONAL_PIVOT
from .orderings import column_fill, minimum_degree_of_columns, symmetric_fill
from .portrait import by_columns, by_rows, portrait


def factor_work(matrix: sp.csr_array) -> float:
    """Return about how many multiplications and additions a sparse factorisation takes: ordering and counting alone.

    The lesser of the counts for pivots on the diagonal and of the bound for row exchanges; ordering takes some
    per cent of the time of factoring.
    """
    rows = by_rows(matrix, "direct")
    own = np.arange(rows.n, dtype=np.int32)
    columns = by_columns(rows, own, own)
    facts = portrait(rows, columns, DIAGONAL_PIVOT)
    work = symmetric_fill(rows, columns).work
    if facts.unmatched == 0 or facts.empty_row >= 0 or facts.empty_column >= 0:
        return work
    return min(work, column_fill(rows, minimum_degree_of_columns(rows, columns)).work)


def exchanging_work(matrix: sp.csr_array) -> float:
    """Return a bound of the multiplications and additions of factoring A + D, D diagonal, with row exchanges."""
    ones = sp.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    rows = by_rows(sp.csr_array(ones + sp.eye_array(matrix.shape[0])), "regularized_lu")
    own = np.arange(rows.n, dtype=np.int32)
    return column_fill(rows, minimum_degree_of_columns(rows, by_columns(rows, own, own))).work
