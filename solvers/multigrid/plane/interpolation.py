"""Compute operator-dependent interpolation on a two-dimensional level (black-box multigrid).

Every other cell of an axis is a coarse point. A cell between two coarse points of its row takes their values weighted
by its links to either side, with those of the neighbouring rows collapsed onto its own; likewise in columns. A cell in
the centre of four coarse points takes the value that satisfies its own equation with right-hand side zero. So the flux
is continuous across jumps of the coefficient. Beside a wall the missing coarse point counts as zero, weighted by the
link to the wall.

References
----------
Dendy, Black box multigrid, J. Comput. Phys. 48 (1982) 366; Alcouffe, Brandt, Dendy and Painter, SIAM J. Sci. Stat.
Comput. 2 (1981) 430.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from ...kernels.rows import FAST, row_kernel


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def weights_along_rows(
    links: tuple, diagonals: bool, nx: int, stride: int, periodic: bool, west: np.ndarray, east: np.ndarray
) -> None:
    """Compute the weights of the coarse points west and east of the cells between them, (cy, gaps)."""
    face, _, rising, falling = links
    rows, gaps = west.shape
    if gaps == 0:
        return
    for jc in range(rows):
        j = stride * jc
        if diagonals:
            _share_nine_points(
                west[jc], east[jc], face[j, 1:], rising[j, 1:], falling[j + 1, 1:], rising[j + 1, 2:], falling[j, 2:]
            )
        else:
            _share_five_points(west[jc], east[jc], face[j, 1:])
        if 2 * gaps == nx and not periodic:  # the last cell has a coarse point on one side
            to_west, to_east = face[j, nx - 1], face[j, nx]
            if diagonals:
                to_west += rising[j, nx - 1] + falling[j + 1, nx - 1]
                to_east += rising[j + 1, nx] + falling[j, nx]
            if not (to_west > 0.0 or to_east > 0.0):
                west[jc, gaps - 1] = 1.0
            east[jc, gaps - 1] = 0.0


@row_kernel
def _share_five_points(west: np.ndarray, east: np.ndarray, face: np.ndarray) -> None:
    for g in range(west.size):
        west[g], east[g] = _shares(face[2 * g], face[2 * g + 1])


@row_kernel
def _share_nine_points(
    west: np.ndarray,
    east: np.ndarray,
    face: np.ndarray,
    southwest: np.ndarray,
    northwest: np.ndarray,
    northeast: np.ndarray,
    southeast: np.ndarray,
) -> None:
    for g in range(west.size):
        i = 2 * g
        west[g], east[g] = _shares(face[i] + southwest[i] + northwest[i], face[i + 1] + northeast[i] + southeast[i])


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def weights_along_columns(
    links: tuple, diagonals: bool, ny: int, stride: int, periodic: bool, south: np.ndarray, north: np.ndarray
) -> None:
    """Compute the weights of the coarse points south and north of the cells between them, (gaps, cx)."""
    _, face, rising, falling = links
    gaps, columns = south.shape
    for gap in range(gaps):
        j = 2 * gap + 1
        if diagonals:
            _share_columns(
                south[gap],
                north[gap],
                face[j],
                rising[j],
                falling[j, 1:],
                face[j + 1],
                rising[j + 1, 1:],
                falling[j + 1],
                stride,
            )
        else:
            _share_straight_columns(south[gap], north[gap], face[j], face[j + 1], stride)
        if j == ny - 1 and not periodic:  # the last row has coarse points on one side
            for ic in range(columns):
                i = stride * ic
                to_south, to_north = face[j, i], face[j + 1, i]
                if diagonals:
                    to_south += rising[j, i] + falling[j, i + 1]
                    to_north += rising[j + 1, i + 1] + falling[j + 1, i]
                if not (to_south > 0.0 or to_north > 0.0):
                    south[gap, ic] = 1.0
                north[gap, ic] = 0.0


@row_kernel
def _share_straight_columns(
    south: np.ndarray, north: np.ndarray, below: np.ndarray, above: np.ndarray, stride: int
) -> None:
    if stride == 2:
        for i in range(south.size):
            south[i], north[i] = _shares(below[2 * i], above[2 * i])
    else:
        for i in range(south.size):
            south[i], north[i] = _shares(below[i], above[i])


@row_kernel
def _share_columns(
    south: np.ndarray,
    north: np.ndarray,
    below: np.ndarray,
    southwest: np.ndarray,
    southeast: np.ndarray,
    above: np.ndarray,
    northeast: np.ndarray,
    northwest: np.ndarray,
    stride: int,
) -> None:
    if stride == 2:
        for ic in range(south.size):
            i = 2 * ic
            south[ic], north[ic] = _shares(
                below[i] + southwest[i] + southeast[i], above[i] + northeast[i] + northwest[i]
            )
    else:
        for i in range(south.size):
            south[i], north[i] = _shares(below[i] + southwest[i] + southeast[i], above[i] + northeast[i] + northwest[i])


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def _shares(low: Any, high: Any) -> tuple:
    """Return two links as parts of their sum, a half each where both are zero; negative ones count as zero."""
    zero, one, half = np.float32(0.0), np.float32(1.0), np.float32(0.5)
    low, high = max(low, zero), max(high, zero)
    total = low + high
    linked = total > zero
    scale = one / (total if linked else one)
    rest = zero if linked else half
    return low * scale + rest, high * scale + rest


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def weights_amid_cells(links: tuple, diagonals: bool, weights: tuple, periodic: tuple, lines: np.ndarray) -> None:
    """Compute the weights of the four corners at the cells in their centre, (gaps_y, gaps_x), from those along axes.

    `lines` are three rows of working memory, cx + 1 long.
    """
    face, riser, rising, falling = links
    west, east, south, north, sw, se, nw, ne = weights
    rows, gaps = sw.shape
    if gaps == 0:
        return
    cy, cx = west.shape[0], south.shape[1]
    lines[2][:gaps] = 0.0
    for jc in range(rows):
        j, jn = 2 * jc + 1, (jc + 1) % cy
        south_row, north_row = lines[0][: cx + 1], lines[1][: cx + 1]
        close_columns(south_row, south[jc], periodic[1])
        close_columns(north_row, north[jc], periodic[1])
        above = cy > jc + 1 or periodic[0]
        top_west, top_east = (west[jn], east[jn]) if above else (lines[2][:gaps], lines[2][:gaps])
        if diagonals:
            _collapse_nine_points(
                sw[jc],
                se[jc],
                nw[jc],
                ne[jc],
                face[j, 1:],
                riser[j, 1:],
                riser[j + 1, 1:],
                rising[j, 1:],
                falling[j, 2:],
                falling[j + 1, 1:],
                rising[j + 1, 2:],
                west[jc],
                east[jc],
                top_west,
                top_east,
                south_row[:gaps],
                north_row[:gaps],
                south_row[1:],
                north_row[1:],
            )
        else:
            _collapse_five_points(
                sw[jc],
                se[jc],
                nw[jc],
                ne[jc],
                face[j, 1:],
                riser[j, 1:],
                riser[j + 1, 1:],
                west[jc],
                east[jc],
                top_west,
                top_east,
                south_row[:gaps],
                north_row[:gaps],
                south_row[1:],
                north_row[1:],
            )


@row_kernel
def close_columns(out: np.ndarray, row: np.ndarray, periodic: bool) -> None:
    """Copy a row and one entry more: the first again where the box is periodic, zero beyond a wall."""
    for i in range(row.size):
        out[i] = row[i]
    out[row.size] = row[0] if periodic else np.float32(0.0)


@row_kernel
def _collapse_five_points(
    sw: np.ndarray,
    se: np.ndarray,
    nw: np.ndarray,
    ne: np.ndarray,
    face: np.ndarray,
    below: np.ndarray,
    above: np.ndarray,
    west: np.ndarray,
    east: np.ndarray,
    top_west: np.ndarray,
    top_east: np.ndarray,
    south: np.ndarray,
    north: np.ndarray,
    south_next: np.ndarray,
    north_next: np.ndarray,
) -> None:
    zero, one = np.float32(0.0), np.float32(1.0)
    for g in range(sw.size):
        i = 2 * g
        to_west, to_east, to_south, to_north = face[i], face[i + 1], below[i], above[i]
        total = to_west + to_east + to_south + to_north
        d = one / (total if total > zero else one)
        d = d if total > zero else zero
        sw[g] = d * (to_south * west[g] + to_west * south[g])
        se[g] = d * (to_south * east[g] + to_east * south_next[g])
        nw[g] = d * (to_north * top_west[g] + to_west * north[g])
        ne[g] = d * (to_north * top_east[g] + to_east * north_next[g])


@row_kernel
def _collapse_nine_points(
    sw: np.ndarray,
    se: np.ndarray,
    nw: np.ndarray,
    ne: np.ndarray,
    face: np.ndarray,
    below: np.ndarray,
    above: np.ndarray,
    southwest: np.ndarray,
    southeast: np.ndarray,
    northwest: np.ndarray,
    northeast: np.ndarray,
    west: np.ndarray,
    east: np.ndarray,
    top_west: np.ndarray,
    top_east: np.ndarray,
    south: np.ndarray,
    north: np.ndarray,
    south_next: np.ndarray,
    north_next: np.ndarray,
) -> None:
    zero, one = np.float32(0.0), np.float32(1.0)
    for g in range(sw.size):
        i = 2 * g
        to_west, to_east, to_south, to_north = face[i], face[i + 1], below[i], above[i]
        total = to_west + to_east + to_south + to_north
        total += southwest[i] + southeast[i] + northwest[i] + northeast[i]
        d = one / (total if total > zero else one)
        d = d if total > zero else zero
        sw[g] = d * (to_south * west[g] + to_west * south[g] + southwest[i])
        se[g] = d * (to_south * east[g] + to_east * south_next[g] + southeast[i])
        nw[g] = d * (to_north * top_west[g] + to_west * north[g] + northwest[i])
        ne[g] = d * (to_north * top_east[g] + to_east * north_next[g] + northeast[i])


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def interpolated_ones(weights: tuple, size: tuple, periodic: tuple, out: np.ndarray) -> None:
    """Set out = P 1: one, except in cells beside a wall that have no coarse point on that side."""
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
