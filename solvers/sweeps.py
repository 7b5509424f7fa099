"""Kernels at memory speed: the diffusion stencil, relaxation sweeps, incomplete factors and their triangular solves.

All are compiled by numba on first use, cached on disk, and release the GIL. Matrices are CSR with sorted indices.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def face_transmissibilities(coefficient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Transmissibilities over h² of the faces of an (ny, nx) grid of the unit square.

    Harmonic means 2 a₁a₂/(a₁ + a₂) inside, 2a at the boundary (the half cell to the wall).

    Returns
    -------
    horizontal : (ny, nx + 1), the faces crossed in x, times nx²
    vertical : (ny + 1, nx), the faces crossed in y, times ny²
    """
    ny, nx = coefficient.shape
    wx, wy = 2.0 * nx * nx, 2.0 * ny * ny
    horizontal = np.empty((ny, nx + 1))
    vertical = np.empty((ny + 1, nx))
    for j in range(ny):
        horizontal[j, 0] = wx * coefficient[j, 0]
        for i in range(1, nx):
            west, east = coefficient[j, i - 1], coefficient[j, i]
            horizontal[j, i] = wx * (west * (east / (west + east)))
        horizontal[j, nx] = wx * coefficient[j, nx - 1]
    for i in range(nx):
        vertical[0, i] = wy * coefficient[0, i]
        vertical[ny, i] = wy * coefficient[ny - 1, i]
    for j in range(1, ny):
        for i in range(nx):
            south, north = coefficient[j - 1, i], coefficient[j, i]
            vertical[j, i] = wy * (south * (north / (south + north)))
    return horizontal, vertical


@numba.njit(nogil=True, cache=True)
def diffusion_stencil(horizontal: np.ndarray, vertical: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    """out = A u in one sweep over the rows: the sum over a cell's faces of T (u_cell − u_neighbour), u = 0 outside."""
    ny, nx = u.shape
    outside = np.zeros(nx)
    for j in range(ny):
        row, tx, south, north = u[j], horizontal[j], vertical[j], vertical[j + 1]
        below = u[j - 1] if j > 0 else outside
        above = u[j + 1] if j < ny - 1 else outside
        target = out[j]
        for i in range(nx):
            target[i] = south[i] * (row[i] - below[i]) + north[i] * (row[i] - above[i])
        for i in range(1, nx - 1):
            target[i] += tx[i] * (row[i] - row[i - 1]) + tx[i + 1] * (row[i] - row[i + 1])
        if nx == 1:
            target[0] += (tx[0] + tx[1]) * row[0]
        else:
            target[0] += tx[0] * row[0] + tx[1] * (row[0] - row[1])
            last = nx - 1
            target[last] += tx[last] * (row[last] - row[last - 1]) + tx[nx] * row[last]


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


@numba.njit(nogil=True, cache=True)
def factor_ic0(indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, factor: np.ndarray) -> int:
    """Incomplete Cholesky factor L on the pattern of the lower triangle, row by row: (L Lᴴ)_ij = a_ij on the pattern.

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
    """out = (L Lᴴ)⁻¹ r for a lower CSR factor whose rows end with the diagonal; out may be r."""
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
