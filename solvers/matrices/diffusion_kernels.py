"""Compile the five-point diffusion stencil on a square."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def face_transmissibilities(coefficient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the transmissibilities over h² of the faces of an (ny, nx) grid of the unit square.

    It is `faces` for that box, several times as fast: set-up is then no more than a few products.

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
    """Set out = A u in one sweep over the rows: the sum over a cell's faces of T (u_cell − u_neighbour), u = 0 outside.

    `horizontal` are the faces crossed in x, (ny, nx + 1), `vertical` those crossed in y, (ny + 1, nx).
    """
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
