"""Kernels at memory speed: the diffusion stencil, relaxation sweeps, incomplete factors and their triangular solves.

All are compiled by numba on first use, cached on disk, and release the GIL. Matrices are CSR with sorted indices.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def solve_lower_part(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, diagonal: np.ndarray, r: np.ndarray, out: np.ndarray
) -> None:
    """out = (D + L)⁻¹ r, L the strictly lower part of a CSR matrix, D the diagonal given: a forward SOR sweep."""
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
    """out = (D + U)⁻¹ r, U the strictly upper part of a CSR matrix, D the diagonal given: a backward SOR sweep."""
    for i in range(r.size - 1, -1, -1):
        s = r[i]
        for k in range(indptr[i + 1] - 1, indptr[i] - 1, -1):
            j = indices[k]
            if j <= i:
                break
            s -= data[k] * out[j]
        out[i] = s / diagonal[i]
