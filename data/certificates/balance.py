"""Sum what flows out of the cells of a box, face by face: the evaluation behind certificates.

Certificates must not trust the code that built the matrix. Nothing here knows of matrices, transmissibility arrays,
stencils or the solvers' kernels: each function takes the fields as stored, forms the flux through each face, and adds
it to the two cells beside it. All are plain NumPy on arrays of the grid's shape, real or complex, any dimension, on the
unit box. The most common case has a compiled sweep (:mod:`.face_fluxes`); the tests compare the two.

Each quantity has a companion that replaces every difference by the sum of magnitudes: |A||u| entry by entry, which
bounds how far rounding the stored fields can move the quantity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..boundaries import Sides, Walls
from .face_fluxes import rectangle_balance


def diffusion(a: np.ndarray | None, u: np.ndarray, sides: Sides, walls: Walls | None = None) -> np.ndarray:
    """Return −∇·(a∇u) in each cell: the sum of the fluxes out of it over its volume.

    Between two cells the flux is 2a₁a₂/(a₁ + a₂) (u₁ − u₂)/h, at a Dirichlet wall 2a(u − g)/h, at a Neumann wall 0.
    Walls that are neither ('absorbing') contribute nothing here; see :func:`radiation`.

    Parameters
    ----------
    a : ndarray or None
        Coefficient in the cells; None is 1 everywhere.
    u : ndarray
    sides : what holds at the sides
    walls : Dirichlet data g
    """
    if a is not None and not walls and u.ndim == 2 and a.dtype == u.dtype == np.float64:
        total = np.empty(u.shape)
        periodic = (sides[0][0] == "periodic", sides[1][0] == "periodic")
        zero = tuple(side == "dirichlet" for pair in sides for side in pair)
        rectangle_balance(np.ascontiguousarray(a), np.ascontiguousarray(u), periodic, zero, total)
        return total
    return _diffusion(a, u, sides, walls or {}, -1.0)


def diffusion_magnitude(a: np.ndarray | None, u: np.ndarray, sides: Sides, walls: Walls | None = None) -> np.ndarray:
    """Return Σ |flux coefficient| (|u₁| + |u₂|) over the faces of each cell."""
    return _diffusion(a, np.abs(u), sides, {side: np.abs(g) for side, g in (walls or {}).items()}, 1.0)


def _diffusion(a: np.ndarray | None, u: np.ndarray, sides: Sides, walls: Walls, sign: float) -> np.ndarray:
    """Return the balance of fluxes for sign −1; for +1, where u and g are magnitudes, the sum of their parts."""
    total = np.zeros_like(u)
    for axis, (low, high) in enumerate(sides):
        per_square = float(u.shape[axis]) ** 2
        first, last, before, after = _places(u.ndim, axis)
        if a is None:
            flux = per_square * (u[before] + sign * u[after])
        else:
            flux = a[before] * a[after]
            flux /= a[before] + a[after]
            flux *= 2.0 * per_square
            flux = flux * (u[before] + sign * u[after])
        total[before] += flux
        total[after] += sign * flux
        if low == "periodic" and u.shape[axis] > 1:
            conductance = per_square * (1.0 if a is None else 2.0 * a[last] * a[first] / (a[last] + a[first]))
            flux = conductance * (u[last] + sign * u[first])
            total[last] += flux
            total[first] += sign * flux
        for number, (side, layer) in enumerate(((low, first), (high, last))):
            if side == "dirichlet":
                conductance = 2.0 * per_square * (1.0 if a is None else a[layer])
                total[layer] += conductance * (u[layer] + sign * walls.get((axis, number), 0.0))
    return total


def convection(w: Sequence[np.ndarray], u: np.ndarray, scheme: str) -> np.ndarray:
    """Return w·∇u in each cell, u = 0 on the walls, by differences that are 'central' or 'upwind'.

    The wall lies half a cell away: there the difference is that of u and its odd reflection, −u.

    Parameters
    ----------
    w : velocity at the cell centres, one array an axis
    u : ndarray
    scheme : {'central', 'upwind'}
    """
    return _convection(w, u, scheme, -1.0)


def convection_magnitude(w: Sequence[np.ndarray], u: np.ndarray, scheme: str) -> np.ndarray:
    """Return the same with sums of magnitudes in place of differences."""
    return _convection(w, np.abs(u), scheme, 1.0)


def _convection(w: Sequence[np.ndarray], u: np.ndarray, scheme: str, sign: float) -> np.ndarray:
    """Sum w·∇u from differences (sign −1), or magnitudes from sums (sign 1)."""
    total = np.zeros_like(u)
    for axis, speed in enumerate(w):
        slopes, size = _differences(u, axis, sign), speed if sign < 0.0 else np.abs(speed)
        left, right = slopes[_cut(u.ndim, axis, 0, -1)], slopes[_cut(u.ndim, axis, 1, None)]
        if scheme == "central":
            total += size * (0.5 * u.shape[axis] * (left + right))
        else:
            total += u.shape[axis] * size * np.where(speed > 0.0, left, right)
    return total


def radiation(k: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Return what the impedance condition ∂u/∂n = i k u on all walls lets out of the cells beside them, −∂u/∂n over h.

    The wall lies half a cell away; with u on it the mean of the cell and its mirror image, ∂u/∂n = i k u_P/(1 − i k
    h/2). k on the wall is extrapolated linearly from the two cells nearest to it.
    """
    total = np.zeros(u.shape, dtype=np.complex128)
    for axis, n in enumerate(u.shape):
        for layer, next_layer in _walls(u.ndim, axis):
            wall = 1.5 * k[layer] - 0.5 * k[next_layer]
            total[layer] -= n * (1j * wall / (1.0 - 0.5j * wall / n)) * u[layer]
    return total


def radiation_magnitude(k: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Bound how far relative changes of size 1 in k and u move :func:`radiation`: |∂(k-term)/∂k| ≤ 1."""
    total = np.zeros(u.shape)
    for axis, n in enumerate(u.shape):
        for layer, next_layer in _walls(u.ndim, axis):
            total[layer] += 2.0 * n * (1.5 * np.abs(k[layer]) + 0.5 * np.abs(k[next_layer])) * np.abs(u[layer])
    return total


def _differences(u: np.ndarray, axis: int, sign: float) -> np.ndarray:
    """Return u_{i+1} − u_i along `axis` (for sign −1), one more than cells; u = 0 on the walls half a cell away."""
    first, last, before, after = _places(u.ndim, axis)
    shape = list(u.shape)
    shape[axis] += 1
    slopes = np.empty(shape, dtype=u.dtype)
    slopes[_cut(u.ndim, axis, 1, -1)] = u[after] + sign * u[before]
    slopes[first] = 2.0 * u[first]
    slopes[last] = sign * 2.0 * u[last]
    return slopes


def _places(ndim: int, axis: int) -> tuple[Any, Any, Any, Any]:
    """Return the first layer, the last one, all but the last, all but the first."""
    return (
        _cut(ndim, axis, 0, 1),
        _cut(ndim, axis, -1, None),
        _cut(ndim, axis, None, -1),
        _cut(ndim, axis, 1, None),
    )


def _walls(ndim: int, axis: int) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Return for both ends of an axis the layer at the wall and the one behind it."""
    return (
        (_cut(ndim, axis, 0, 1), _cut(ndim, axis, 1, 2)),
        (_cut(ndim, axis, -1, None), _cut(ndim, axis, -2, -1)),
    )


def _cut(ndim: int, axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    return (slice(None),) * axis + (slice(start, stop),) + (slice(None),) * (ndim - axis - 1)
