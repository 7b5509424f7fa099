"""Relax and compute residuals on three-dimensional levels of seven points or twenty-seven."""

from __future__ import annotations

import numba
import numpy as np

from ...kernels.rows import FAST
from ...kernels.unaliased import load, load_written, no_inline, store
from .grids import GROUND, INVERSE_DIAGONAL, LINKS, N, S, W

TILE = 1024
"""Cells of a coarse level treated together, so that their sums stay in the first-level cache."""


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def first_step(out: np.ndarray, to: int, arena: np.ndarray, r: int, d: int, count: int, omega: float) -> None:
    """Set out = ω D⁻¹ r, the first relaxation step from zero."""
    no_inline()
    for c in range(count):
        store(out, to + c, omega * load(arena, d + c) * load(arena, r + c))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def relax_plane(
    out: np.ndarray,
    to: int,
    x: np.ndarray,
    below: int,
    here: int,
    above: int,
    arena: np.ndarray,
    r: int,
    row: np.ndarray,
    plane: int,
    omega: float,
) -> None:
    """Set out = (1 − ω) x + ω D⁻¹ (r + Σ t x_neighbour) on one plane of a level of seven points.

    `to`, `below`, `here` and `above` are where planes of `out` and `x` begin, `r` where that of the right-hand side
    does; `plane` is the distance of the plane from the beginning of a level's vector.
    """
    no_inline()
    w, s, n = row[W], row[S], row[N]
    east = row[LINKS] + plane
    north, up, d = east + n, east + 2 * n, row[INVERSE_DIAGONAL] + plane
    rest = np.float32(1.0) - omega
    for c in range(w + 1, s - w - 1):
        total = load(arena, r + c) + load(arena, east + c) * load(x, here + c - 1)
        total += load(arena, east + c + 1) * load(x, here + c + 1)
        total += load(arena, north + c) * load(x, here + c - w) + load(arena, north + c + w) * load(x, here + c + w)
        total += load(arena, up + c) * load(x, below + c) + load(arena, up + c + s) * load(x, above + c)
        store(out, to + c, rest * load(x, here + c) + omega * load(arena, d + c) * total)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def residual_plane(
    out: np.ndarray, to: int, arena: np.ndarray, x: int, r: int, row: np.ndarray, plane: int, scale: float
) -> None:
    """Set out = scale r − A x on one plane of a level of seven points; x and r are where vectors begin."""
    no_inline()
    w, s, n = row[W], row[S], row[N]
    east, r, x = row[LINKS] + plane, r + plane, x + plane
    north, up = east + n, east + 2 * n
    for c in range(w + 1, s - w - 1):
        u = load(arena, x + c)
        total = scale * load(arena, r + c) + load(arena, east + c) * (load(arena, x + c - 1) - u)
        total += load(arena, east + c + 1) * (load(arena, x + c + 1) - u)
        total += load(arena, north + c) * (load(arena, x + c - w) - u)
        total += load(arena, north + c + w) * (load(arena, x + c + w) - u)
        total += load(arena, up + c) * (load(arena, x + c - s) - u)
        total += load(arena, up + c + s) * (load(arena, x + c + s) - u)
        store(out, to + c, total)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _along_row(
    work: np.ndarray, arena: np.ndarray, x: int, r: int, t: int, ground: int, count: int, scale: float
) -> None:
    """Set work = scale r − σ x + the fluxes from both neighbours in the row."""
    for c in range(count):
        u = load(arena, x + c)
        total = scale * load(arena, r + c) - load(arena, ground + c) * u
        total += load(arena, t + c) * (load(arena, x + c - 1) - u)
        store(work, c, total + load(arena, t + c + 1) * (load(arena, x + c + 1) - u))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _across_rows(work: np.ndarray, arena: np.ndarray, x: int, t: int, n: int, distance: int, count: int) -> None:
    """Add the fluxes from the three neighbours in the row at −distance and the three in the row at +distance."""
    low, high = x - distance, x + distance
    first, second, third = t + distance + 1, t + n + distance, t + 2 * n + distance - 1
    for c in range(count):
        u = load(arena, x + c)
        total = load_written(work, c) + load(arena, t + c) * (load(arena, low + c - 1) - u)
        total += load(arena, t + n + c) * (load(arena, low + c) - u)
        total += load(arena, t + 2 * n + c) * (load(arena, low + c + 1) - u)
        total += load(arena, first + c) * (load(arena, high + c + 1) - u)
        total += load(arena, second + c) * (load(arena, high + c) - u)
        store(work, c, total + load(arena, third + c) * (load(arena, high + c - 1) - u))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _step(arena: np.ndarray, to: int, x: int, d: int, work: np.ndarray, omega: float, count: int) -> None:
    """Set to = x + ω D⁻¹ work; `to` differs from x."""
    for c in range(count):
        store(arena, to + c, load(arena, x + c) + omega * load(arena, d + c) * load(work, c))


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def sweep_level(
    arena: np.ndarray, to: int, x: int, r: int, row: np.ndarray, work: np.ndarray, omega: float, scale: float
) -> None:
    """Set to = x + ω D⁻¹ (scale r − A x) on a coarse level, or scale r − A x where ω = 0; to, x, r are offsets."""
    no_inline()
    w, s, n = row[W], row[S], row[N]
    first, last = s + w + 1, n - s - w - 1
    for begin in range(first, last, TILE):
        count = min(TILE, last - begin)
        t = row[LINKS] + begin
        _along_row(work, arena, x + begin, r + begin, t, row[GROUND] + begin, count, scale)
        for q in range(4):
            distance = w if q == 0 else s + (2 - q) * w
            _across_rows(work, arena, x + begin, t + (1 + 3 * q) * n, n, distance, count)
        if omega != 0.0:
            _step(arena, to + begin, x + begin, row[INVERSE_DIAGONAL] + begin, work, omega, count)
        else:
            for c in range(count):
                store(arena, to + begin + c, load(work, c))
