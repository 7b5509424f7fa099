"""Measure how far a matrix is from being Hermitian."""

from __future__ import annotations

from typing import Any

import scipy.sparse as sp

SYMMETRY_TOLERANCE = 1e-12
"""Asymmetry up to which rounding explains it: assembled symmetric entries agree to a few units in the last place."""


def asymmetry(A: Any, conjugate: bool = True) -> float:
    """Return max |A − Aᴴ| / max |A| of a square sparse or dense matrix (Aᵀ in place of Aᴴ with ``conjugate=False``)."""
    matrix = sp.csr_array(A)
    scale = float(abs(matrix.data).max()) if matrix.nnz else 0.0
    difference = matrix - (matrix.conj() if conjugate else matrix).T.tocsr()
    return float(abs(difference.data).max()) / scale if difference.nnz and scale > 0.0 else 0.0


def is_hermitian(A: Any, tolerance: float = SYMMETRY_TOLERANCE) -> bool:
    """Return whether max |A − Aᴴ| ≤ tolerance · max |A|, for a square sparse or dense matrix."""
    return asymmetry(A) <= tolerance
