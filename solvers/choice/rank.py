"""Say of a small singular matrix what its null space is, and what a right-hand side has in that of Aᴴ."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

LARGEST = 600
"""Order up to which singular values are computed: half a second."""

_RANK = 1e-13
"""Singular value, relative to the largest and times n, up to which it counts as zero."""


def explanation(matrix: sp.csr_array, b: np.ndarray, rtol: float) -> str:
    """Return a sentence on why A x = b has no solution; nothing if A is large, or b is in its range to `rtol`."""
    n = matrix.shape[0]
    if n > LARGEST:
        return ""
    try:
        left, values, _ = np.linalg.svd(matrix.toarray())
    except np.linalg.LinAlgError:
        return ""
    zero = values <= _RANK * n * values.max(initial=0.0)
    columns = b.reshape(n, -1)
    sizes = np.linalg.norm(columns, axis=0)
    parts = np.linalg.norm(left[:, zero].conj().T @ columns, axis=0)
    relative = float((parts / np.where(sizes > 0.0, sizes, 1.0)).max())
    if not zero.any() or relative <= rtol:
        return ""
    return (
        f" The null space of A has dimension {int(zero.sum())}, and b has a part of relative size {relative:.2g} in "
        f"that of Aᴴ, which no A x has."
    )
