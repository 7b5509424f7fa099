"""Compute the transmissibilities of a cell-centred grid with walls, insulated and periodic sides."""

from __future__ import annotations

import numba
import numpy as np

from ...kernels.rows import FAST, row_kernel
from .rows import copy_row


@row_kernel
def _harmonic_row(out: np.ndarray, low: np.ndarray, high: np.ndarray, weight: float) -> None:
    """Compute weight · a₁ a₂/(a₁ + a₂) without overflow."""
    for i in range(out.size):
        out[i] = weight * low[i] * (high[i] / (low[i] + high[i]))


@row_kernel
def _to_single(double: np.ndarray, single: np.ndarray) -> None:
    for i in range(double.size):
        single[i] = np.float32(double[i])


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def faces2d(
    a: np.ndarray,
    weights: tuple,
    periodic: tuple,
    walls: tuple,
    east: np.ndarray,
    north: np.ndarray,
    east_single: np.ndarray,
    north_single: np.ndarray,
) -> None:
    """Fill in transmissibilities over the cell's extent: harmonic means 2 a₁a₂/(a₁ + a₂) between cells, 2a at walls.

    Parameters
    ----------
    a : (ny, nx) coefficient
    weights : (2/h_y², 2/h_x²), times any scale
    periodic : whether in y, in x
    walls : whether the sides south, north, west, east hold u = 0; the others are insulated (or periodic)
    east : (ny, nx + 1), faces crossed in x; filled
    north : (ny + 1, nx), faces crossed in y; filled
    east_single, north_single : the same in float32
    """
    ny, nx = a.shape
    wy, wx = weights
    for j in range(ny):
        row, out = a[j], east[j]
        _harmonic_row(out[1:nx], row[: nx - 1], row[1:], wx)
        out[0] = wx * row[0] if walls[2] else 0.0
        out[nx] = wx * row[nx - 1] if walls[3] else 0.0
        if periodic[1] and nx > 1:
            out[0] = wx * row[nx - 1] * (row[0] / (row[0] + row[nx - 1]))
            out[nx] = out[0]
        _to_single(out, east_single[j])
        out = north[j]
        if j > 0:
            _harmonic_row(out, a[j - 1], row, wy)
        elif periodic[0] and ny > 1:
            _harmonic_row(out, a[ny - 1], row, wy)
        else:
            scale = wy if walls[0] else 0.0
            for i in range(nx):
                out[i] = scale * row[i]
        _to_single(out, north_single[j])
    if periodic[0]:
        copy_row(north[ny], north[0])
    else:
        scale = wy if walls[1] else 0.0
        last, top = a[ny - 1], north[ny]
        for i in range(nx):
            top[i] = scale * last[i]
    _to_single(north[ny], north_single[ny])
