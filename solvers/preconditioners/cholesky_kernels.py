"""Compile the loops of IC(0): the factorisation and the triangular solves."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def factor_ic0(indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, factor: np.ndarray) -> int:
    """Compute the incomplete Cholesky factor L on the pattern of the lower triangle: (L Lᴴ)_ij = a_ij on the pattern.

    Parameters
    ----------
    indptr, indices : CSR pattern of the lower triangle, sorted, each row ending with its diagonal
    values : its entries
    factor : (nnz,), filled with L

    Returns
    -------
    int
        −1, or the first row whose pivot is not positive.
    """
    n = indptr.size - 1
    for i in range(n):
        begin, end = indptr[i], indptr[i + 1] - 1
        pivot = values[end].real
        size = pivot
        for k in range(begin, end):
            j = indices[k]
            s = values[k]
            # Σ_m L_im conj(L_jm) over the columns m < j that both rows hold.
            a, b, last = begin, indptr[j], indptr[j + 1] - 1
            while a < k and b < last:
                if indices[a] == indices[b]:
                    s -= factor[a] * np.conj(factor[b])
                    a += 1
                    b += 1
                elif indices[a] < indices[b]:
                    a += 1
                else:
                    b += 1
            factor[k] = s / factor[last].real
            pivot -= factor[k].real ** 2 + factor[k].imag ** 2
        if not pivot > 1e-14 * size:
            return i
        factor[end] = np.sqrt(pivot)
    return -1


@numba.njit(nogil=True, cache=True)
def solve_cholesky(indptr: np.ndarray, indices: np.ndarray, factor: np.ndarray, r: np.ndarray, out: np.ndarray) -> None:
    """Set out = (L Lᴴ)⁻¹ r for a lower CSR factor whose rows end with the diagonal; out may be r."""
    n = r.size
    for i in range(n):
        s = r[i]
        last = indptr[i + 1] - 1
        for k in range(indptr[i], last):
            s -= factor[k] * out[indices[k]]
        out[i] = s / factor[last].real
    for i in range(n - 1, -1, -1):
        last = indptr[i + 1] - 1
        z = out[i] / factor[last].real
        out[i] = z
        for k in range(indptr[i], last):
            out[indices[k]] -= np.conj(factor[k]) * z
