"""Decide before anything is factored in which order to eliminate, and where pivots may stand."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ...matrices.symmetry import SYMMETRY_TOLERANCE
from .factors import Mode, Ordering
from .orderings import Fill, column_fill, minimum_degree_of_columns, symmetric_fill
from .portrait import Compressed, Portrait

_OUTDONE_SHARE = 0.15
"""Share of unknowns in pairs that outdo their diagonal, up to which pivots mostly stay on it. Matrices of meshes with
all entries equal have 0.9, and five times the fill of COLAMD in a symmetric order; others have 0.1 at most."""

_UNMATCHED_SHARE = 0.25
"""Share of entries without a mirror image up to which A + Aᵀ has little more entries than A."""


_SHORT_COLUMN = 150.0
"""Entries of a column of the factor, averaged by work, up to which a panel of one column is quickest. Measured: 0.7 of
the time of SuperLU's panels on planes of up to 300² cells (135), 1.2 and more on cubes (200 for 16³, 530 for 24³)."""

_FEW = 5_000
"""Unknowns up to which narrow panels are the better guess where the fill is not counted."""


def choose_mode(matrix: sp.csr_array, facts: Portrait) -> Mode:
    """Return where the pivots of a matrix should stand: 'definite' where it may be Hermitian positive definite.

    That is excluded by a 2 × 2 minor, or by one vector of negative energy. Pivots that prefer the diagonal need a
    diagonal that is neither negligible nor outdone by the entries beside it.
    """
    hermitian = facts.positive and facts.asymmetry <= SYMMETRY_TOLERANCE * facts.largest
    if hermitian and facts.outdone == 0 and (facts.dominant or _energy(matrix, facts) > 0.0):
        return "definite"
    if facts.negligible == 0 and 2 * facts.outdone <= _OUTDONE_SHARE * matrix.shape[0]:
        return "diagonal"
    return "general"


def choose_order(rows: Compressed, columns: Compressed, facts: Portrait) -> tuple[bool, Ordering]:
    """Return whether rows should follow columns, and the order of least fill.

    Where the pattern is far from symmetric, the fill of A + Aᵀ with pivots on the diagonal is compared with the bound
    for row exchanges, by counts.
    """
    n, entries = rows.n, rows.indices.size
    diagonal, dense = entries == n and facts.zeros == 0, 2 * entries > n * n
    if diagonal or dense:  # nothing to order
        return True, Ordering(np.arange(n, dtype=np.int32), 1 if diagonal else None)
    fill = symmetric_fill(rows, columns)
    if facts.unmatched > _UNMATCHED_SHARE * entries:
        by_column = column_fill(rows, minimum_degree_of_columns(rows, columns))
        if by_column.work < 2.0 * fill.work:
            return False, _ordering(by_column)
    return True, _ordering(fill)


def uncounted_order(n: int) -> Ordering:
    """Return the order to use where rows are exchanged and nothing was counted: SuperLU's own."""
    return Ordering(None, 4 if n <= _FEW else None)


def _ordering(fill: Fill) -> Ordering:
    return Ordering(fill.order, 1 if fill.work <= _SHORT_COLUMN * fill.entries else None)


def _energy(matrix: sp.csr_array, facts: Portrait) -> float:
    """Return vᴴ A v for v_i = a_ii^(−1/2)."""
    v = 1.0 / np.sqrt(facts.diagonal.real)
    return float(np.vdot(v, matrix @ v).real)
