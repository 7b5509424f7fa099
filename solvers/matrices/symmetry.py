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
    """Return max |A − Aᴴ| / max |A| of a square sparse or dense matrix (Aᵀ in place of Aᴴ with ``conjugate=False``)."""
    matrix = sp.csr_array(A)
    scale = float(abs(matrix.data).max()) if matrix.nnz else 0.0
    difference = matrix - (matrix.conj() if conjugate else matrix).T.tocsr()
    return float(abs(difference.data).max()) / scale if difference.nnz and scale > 0.0 else 0.0


def is_hermitian(A: Any, tolerance: float = SYMMETRY_TOLERANCE) -> bool:
    """Return whether max |A − Aᴴ| ≤ tolerance · max |A|, for a square sparse or dense matrix."""
    return asymmetry(A) <= tolerance


def check_hermitian(solver: str, A: CountedOperator, name: str, xp: Any = np) -> None:
    """Refuse an operator that is not Hermitian, by its entries, or by uᴴ(A v) = (A u)ᴴ v for random u and v.

    Raises
    ------
    InputError
        With the size of the difference.
    """
    if A.matrix is not None and not is_gpu(A.matrix):
        difference, unit = asymmetry(A.matrix), f"max |{name}|"
    else:
        u, v = (xp.asarray(row) for row in np.random.default_rng(0).standard_normal((2, A.n)))
        Av, Au = A(v), A(u)
        size = float(xp.linalg.norm(u) * xp.linalg.norm(Av))
        difference = float(abs(xp.vdot(u, Av) - xp.vdot(Au, v))) / size if size > 0.0 else 0.0
        unit = f"‖u‖‖{name} v‖ of uᴴ({name} v) − ({name} u)ᴴv"
    if not difference <= _PRODUCTS_TOLERANCE:
        raise InputError(
            f"{solver} needs a Hermitian {name}, but {name} differs from its adjoint by {difference:.2g} {unit}: "
            f"use gmres."
        )
