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
    per cent of the time of factoring. An empty row or column makes it infinite.
    """
    rows = by_rows(matrix, "direct")
    own = np.arange(rows.n, dtype=np.int32)
    columns = by_columns(rows, own, own)
    facts = portrait(rows, columns, DIAGONAL_PIVOT)
    if facts.empty_row >= 0 or facts.empty_column >= 0:
        return float("inf")
    work = symmetric_fill(rows, columns).work
    if facts.unmatched == 0:
        return work
    return min(work, column_fill(rows, minimum_degree_of_columns(rows, columns)).work)
