"""Operator-dependent interpolation on a two-dimensional level (black-box multigrid).

Every other cell of an axis is a coarse point. A cell between two coarse points of its row takes their values weighted
by its links to either side, those of the neighbouring rows collapsed onto its own; likewise in columns. A cell amid
four coarse points takes the value that satisfies its own equation with right-hand side zero. The flux is so continuous
across jumps of the coefficient. Beside a wall the missing coarse point counts as zero, weighted by the link to the
wall.

References
----------
Dendy, Black box multigrid, jc. Comput. Phys. 48 (1982) 366; Alcouffe, Brandt, Dendy and Painter, SIAM jc. Sci. Stat.
Comput. 2 (1981) 430.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from .rows import FAST, copy_row


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def weights_along_rows(
    links: tuple, diagonals: bool, nx: int, stride: int, periodic: bool, west: np.ndarray, east: np.ndarray
) -> None:
    """Weights of the coarse points to the west and the east of the cells between them, (cy, gaps)."""
    face, _, rising, falling = links
    rows, gaps = west.shape
    for jc in range(rows):
        j = stride * jc
        for gap in range(gaps):
            i = 2 * gap + 1
            to_west, to_east = face[j, i], face[j, i + 1]
            if diagonals:
                to_west += rising[j, i] + falling[j + 1, i]
                to_east += rising[j + 1, i + 1] + falling[j, i + 1]
            west[jc, gap], east[jc, gap] = _shares(to_west, to_east)
            if i == nx - 1 and not periodic:
                if not (to_west > 0.0 or to_east > 0.0):
                    west[jc, gap] = 1.0
                east[jc, gap] = 0.0


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def weights_along_columns(
    links: tuple, diagonals: bool, ny: int, stride: int, periodic: bool, south: np.ndarray, north: np.ndarray
) -> None:
    """Weights of the coarse points to the south and the north of the cells between them, (gaps, cx)."""
    _, face, rising, falling = links
    gaps, columns = south.shape
    for gap in range(gaps):
        j = 2 * gap + 1
        for ic in range(columns):
            i = stride * ic
            to_south, to_north = face[j, i], face[j + 1, i]
            if diagonals:
                to_south += rising[j, i] + falling[j, i + 1]
                to_north += rising[j + 1, i + 1] + falling[j + 1, i]
            south[gap, ic], north[gap, ic] = _shares(to_south, to_north)
            if j == ny - 1 and not periodic:
                if not (to_south > 0.0 or to_north > 0.0):
                    south[gap, ic] = 1.0
                north[gap, ic] = 0.0


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _shares(low: Any, high: Any) -> tuple:
    low, high = max(low, np.float32(0.0)), max(high, np.float32(0.0))
    total = low + high
    if total > 0.0:
        scale = np.float32(1.0) / total
        return low * scale, high * scale
    return np.float32(0.5), np.float32(0.5)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def weights_amid_cells(links: tuple, diagonals: bool, weights: tuple, periodic: tuple, work: np.ndarray) -> None:
    """Weights of the four corners at the cells amid them, (gaps_y, gaps_x), from the weights along rows and columns."""
    face, riser, rising, falling = links
    west, east, south, north, sw, se, nw, ne = weights
    rows, gaps = sw.shape
    cy, cx = west.shape[0], south.shape[1]
    for jc in range(rows):
        j = 2 * jc + 1
        south_row, north_row = work[0, : cx + 1], work[1, : cx + 1]
        copy_row(south_row[:cx], south[jc])
        copy_row(north_row[:cx], north[jc])
        south_row[cx] = south[jc, 0] if periodic[1] else 0.0
        north_row[cx] = north[jc, 0] if periodic[1] else 0.0
        top_west, top_east = work[2, :gaps], work[3, :gaps]
        if cy > jc + 1 or periodic[0]:
            copy_row(top_west, west[(jc + 1) % cy])
            copy_row(top_east, east[(jc + 1) % cy])
        else:
            top_west[:] = 0.0
            top_east[:] = 0.0
        for g in range(gaps):
            i = 2 * g + 1
            to_west, to_east, to_south, to_north = face[j, i], face[j, i + 1], riser[j, i], riser[j + 1, i]
            total = to_west + to_east + to_south + to_north
            a = to_south * west[jc, g] + to_west * south_row[g]
            b = to_south * east[jc, g] + to_east * south_row[g + 1]
            c = to_north * top_west[g] + to_west * north_row[g]
            e = to_north * top_east[g] + to_east * north_row[g + 1]
            if diagonals:
                a += rising[j, i]
                b += falling[j, i + 1]
                c += falling[j + 1, i]
                e += rising[j + 1, i + 1]
                total += rising[j, i] + falling[j, i + 1] + falling[j + 1, i] + rising[j + 1, i + 1]
            d = np.float32(1.0) / total if total > 0.0 else np.float32(0.0)
            sw[jc, g], se[jc, g], nw[jc, g], ne[jc, g] = d * a, d * b, d * c, d * e


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def interpolated_ones(weights: tuple, size: tuple, periodic: tuple, out: np.ndarray) -> None:
    """out = P 1: one, but for the cells beside a wall that lack a coarse point on that side."""
    west, _east, south, _north, sw, se, nw, ne = weights
    ny, nx = size
    gaps_y, gaps_x = south.shape[0], west.shape[1]
    for j in range(ny):
        out[j, :nx] = 1.0
    last_x = gaps_x > 0 and nx == 2 * gaps_x and not periodic[1]
    last_y = gaps_y > 0 and ny == 2 * gaps_y and not periodic[0]
    if last_x:
        for jc in range(west.shape[0]):
            out[jc if gaps_y == 0 else 2 * jc, nx - 1] = west[jc, gaps_x - 1]
    if last_y:
        for ic in range(south.shape[1]):
            out[ny - 1, ic if gaps_x == 0 else 2 * ic] = south[gaps_y - 1, ic]
    if gaps_x and gaps_y:
        for jc in range(gaps_y):
            whole_row = last_y and jc == gaps_y - 1
            for ic in range(0 if whole_row else gaps_x - 1, gaps_x if whole_row or last_x else 0):
                out[2 * jc + 1, 2 * ic + 1] = sw[jc, ic] + se[jc, ic] + nw[jc, ic] + ne[jc, ic]
