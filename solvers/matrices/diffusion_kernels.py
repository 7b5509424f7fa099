"""Compile the five-point diffusion stencil on a square."""

from __future__ import annotations

import numba
import numpy as np


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
