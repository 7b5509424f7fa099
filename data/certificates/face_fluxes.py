"""Balance diffusive fluxes on a rectangle in one compiled sweep.

This is :func:`.balance.diffusion` for the most common case, real fields in two dimensions without data on the walls:
the certificates of a generation evaluate it once a sample. Like that module it forms the flux through each face from
the two cells beside it, and shares nothing with the solvers.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["rectangle_balance"]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _between(flux: np.ndarray, a: np.ndarray, b: np.ndarray, u: np.ndarray, v: np.ndarray, per_square: float) -> None:
    """Compute the flux from cells with coefficient a and value u to their neighbours with b and v."""
    for i in range(flux.size):
        flux[i] = 2.0 * per_square * (a[i] * b[i] / (a[i] + b[i])) * (u[i] - v[i])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _to_wall(flux: np.ndarray, a: np.ndarray, u: np.ndarray, factor: float) -> None:
    """Compute the flux from cells to a wall of value zero half a cell away; none for factor 0."""
    for i in range(flux.size):
        flux[i] = factor * a[i] * u[i]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def rectangle_balance(
    a: np.ndarray, u: np.ndarray, periodic: tuple[bool, bool], walls: tuple[bool, bool, bool, bool], out: np.ndarray
) -> None:
    """Compute out = −∇·(a∇u) in each cell.

    Parameters
    ----------
    a, u, out : ndarray, shape (n, m), float64
    periodic : whether each axis is
    walls : whether u = 0 there: low and high side of the first axis, then of the second
    """
    n, m = u.shape
    below, above, along = np.zeros(m), np.zeros(m), np.zeros(m + 1)
    down, across = float(n) * n, float(m) * m
    if periodic[0] and n > 1:
        _between(below, a[n - 1], a[0], u[n - 1], u[0], down)
    else:
        _to_wall(below, a[0], u[0], -2.0 * down if walls[0] else 0.0)
    for j in range(n):
        if j < n - 1:
            _between(above, a[j], a[j + 1], u[j], u[j + 1], down)
        elif periodic[0] and n > 1:
            _between(above, a[j], a[0], u[j], u[0], down)
        else:
            _to_wall(above, a[j], u[j], 2.0 * down if walls[1] else 0.0)
        _between(along[1:m], a[j, : m - 1], a[j, 1:], u[j, : m - 1], u[j, 1:], across)
        if periodic[1] and m > 1:
            first, last = a[j, 0], a[j, m - 1]
            along[0] = 2.0 * across * (first * last / (first + last)) * (u[j, m - 1] - u[j, 0])
            along[m] = along[0]
        else:
            along[0] = -2.0 * across * a[j, 0] * u[j, 0] if walls[2] else 0.0
            along[m] = 2.0 * across * a[j, m - 1] * u[j, m - 1] if walls[3] else 0.0
        row = out[j]
        for i in range(m):
            row[i] = (above[i] - below[i]) + (along[i + 1] - along[i])
        below, above = above, below
