"""Sweep over the triangles of a CSR matrix with sorted indices.

Numba compiles the kernels on first use and caches them on disk; they release the GIL.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def solve_lower_part(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, diagonal: np.ndarray, r: np.ndarray, out: np.ndarray
) -> None:
    """Set out = (D + L)⁻¹ r, L the strictly lower part of a CSR matrix, D = `diagonal`: a forward SOR sweep."""
    for i in range(r.size):
        s = r[i]
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            if j >= i:
                break
            s -= data[k] * out[j]
        out[i] = s / diagonal[i]


@numba.njit(nogil=True, cache=True)
def solve_upper_part(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, diagonal: np.ndarray, r: np.ndarray, out: np.ndarray
) -> None:
    """Set out = (D + U)⁻¹ r, U the strictly upper part of a CSR matrix, D = `diagonal`: a backward SOR sweep."""
    for i in range(r.size - 1, -1, -1):
        s = r[i]
        for k in range(indptr[i + 1] - 1, indptr[i] - 1, -1):
            j = indices[k]
            if j <= i:
                break
            s -= data[k] * out[j]
        out[i] = s / diagonal[i]
