"""Galerkin coarse operators Pᵀ A P on two-dimensional levels, as links between neighbouring cells.

A level's operator is the energy ½ Σ t_ab (u_a − u_b)² over the links t_ab between a cell and its eight neighbours, plus
links to walls, where u = 0. The fine links inside a cell of the coarse grid see its four corners only, so each adds its
rank-one matrix t δ δᵀ, δ the difference of two rows of P, to that cell's 4 × 4 matrix: −t δ_K δ_L to the coarse link
KL. P preserves constants away from walls, so that coarse rows sum to zero there, exactly, and diagonals need no
arithmetic of their own; the links to the walls are the row sums of Pᵀ A P along the boundary.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from .rows import FAST, copy_row

TILE = 64
"""Cells treated together. Their numbers lie in one buffer at constant distances, which the compiler can turn into
vector instructions; it could not with a dozen arrays that might overlap."""

TILE_SLOTS = 30


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def coarse_links(
    links: tuple,
    diagonals: bool,
    size: tuple,
    weights: tuple,
    strides: tuple,
    periodic: tuple,
    coarse: tuple,
    tile: np.ndarray,
) -> None:
    """Fill the coarse links from the fine ones; those to walls stay zero.

    `size` is (ny, nx), `coarse` four arrays like `links` on the coarse grid, `tile` scratch of TILE·TILE_SLOTS numbers.
    """
    cy, cx = weights[0].shape[0], weights[2].shape[1]
    _links_along_rows(links[0], links[1], weights[0], weights[1], size[0], cx, strides, periodic, coarse[0])
    _links_along_columns(links[0], links[1], weights[2], weights[3], size[1], cy, strides, periodic, coarse[1])
    coarse[2][:] = 0.0
    coarse[3][:] = 0.0
    full_y, full_x = weights[2].shape[0], weights[0].shape[1]
    for jc in range(full_y):
        for begin in range(0, full_x, TILE):
            end = min(begin + TILE, full_x)
            _gather_tile(links, diagonals, weights, periodic, jc, begin, end, tile)
            _amid_straight(tile)
            if diagonals:
                _amid_diagonal(tile)
            _scatter_tile(coarse, (cy, cx), periodic, jc, begin, end, tile)
    for jc in range(cy if periodic[0] else max(cy - 1, full_y)):
        if cy == 1 and full_y == 0:
            break
        full_row = full_y > jc
        for ic in range(full_x if full_row else 0, cx if periodic[1] else max(cx - 1, full_x)):
            if cx == 1 and full_x == 0:
                break
            jn, in_ = (jc + 1) % cy, (ic + 1) % cx
            corners = (jc, ic, jn, in_)
            right = cx > ic + 1 or periodic[1]
            above = cy > jc + 1 or periodic[0]
            j, i = strides[0] * jc, strides[1] * ic
            if full_x > ic:
                s = _across_rows(links, diagonals, weights, corners, j, i + 1)
            elif full_row:
                s = _across_columns(links, diagonals, weights, corners, j + 1, i)
            else:
                s = _across_corner(links, diagonals, j + 1, i + 1)
            if right:
                coarse[0][jc, ic + 1] += s[0]
                if above:
                    coarse[0][jn, ic + 1] += s[1]
            if above:
                coarse[1][jc + 1, ic] += s[2]
                if right:
                    coarse[1][jc + 1, in_] += s[3]
                    coarse[2][jc + 1, ic + 1] += s[4]
                    coarse[3][jc + 1, ic + 1] += s[5]
    if periodic[1]:
        for jc in range(cy):
            coarse[0][jc, 0] = coarse[0][jc, cx]
        for jc in range(cy + 1):
            coarse[2][jc, 0] = coarse[2][jc, cx]
            coarse[3][jc, 0] = coarse[3][jc, cx]
    if periodic[0]:
        copy_row(coarse[1][0], coarse[1][cy])
        copy_row(coarse[2][0], coarse[2][cy])
        copy_row(coarse[3][0], coarse[3][cy])


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _copy(tile: np.ndarray, slot: int, row: np.ndarray, begin: int, end: int) -> None:
    copy_row(tile[slot * TILE : slot * TILE + end - begin], row[begin:end])


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _copy_every_other(tile: np.ndarray, slot: int, row: np.ndarray, first: int, count: int) -> None:
    out, source = tile[slot * TILE : slot * TILE + count], row[first:]
    for i in range(count):
        out[i] = source[2 * i]


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _gather_tile(
    links: tuple,
    diagonals: bool,
    weights: tuple,
    periodic: tuple,
    jc: int,
    begin: int,
    end: int,
    tile: np.ndarray,
) -> None:
    """Bring what the cells begin … end − 1 of coarse row jc need into the tile.

    Slots: 0–1 weights along the row below, 2–3 above, 4–5 along the column to the left, 6–7 to the right, 8–11 of the
    four corners, 12–15 links south, north, west, east of the cell amid, 16–19 its links to the corners SW, SE, NW, NE,
    20–23 the links between its neighbours S–W, S–E, N–W, N–E.
    """
    face, riser, rising, falling = links
    west, east, south, north, sw, se, nw, ne = weights
    cy, cx = west.shape[0], south.shape[1]
    count, j, i = end - begin, 2 * jc + 1, 2 * begin + 1
    _copy(tile, 0, west[jc], begin, end)
    _copy(tile, 1, east[jc], begin, end)
    if cy > jc + 1 or periodic[0]:
        _copy(tile, 2, west[(jc + 1) % cy], begin, end)
        _copy(tile, 3, east[(jc + 1) % cy], begin, end)
    else:
        tile[2 * TILE : 4 * TILE] = 0.0
    _copy(tile, 4, south[jc], begin, end)
    _copy(tile, 5, north[jc], begin, end)
    inner = min(end + 1, cx)
    _copy(tile, 6, south[jc], begin + 1, inner)
    _copy(tile, 7, north[jc], begin + 1, inner)
    if inner == end:  # the last column of cells ends at a wall or at the first column
        tile[6 * TILE + count - 1] = south[jc, 0] if periodic[1] else 0.0
        tile[7 * TILE + count - 1] = north[jc, 0] if periodic[1] else 0.0
    _copy(tile, 8, sw[jc], begin, end)
    _copy(tile, 9, se[jc], begin, end)
    _copy(tile, 10, nw[jc], begin, end)
    _copy(tile, 11, ne[jc], begin, end)
    _copy_every_other(tile, 12, riser[j], i, count)
    _copy_every_other(tile, 13, riser[j + 1], i, count)
    _copy_every_other(tile, 14, face[j], i, count)
    _copy_every_other(tile, 15, face[j], i + 1, count)
    if diagonals:
        _copy_every_other(tile, 16, rising[j], i, count)
        _copy_every_other(tile, 17, falling[j], i + 1, count)
        _copy_every_other(tile, 18, falling[j + 1], i, count)
        _copy_every_other(tile, 19, rising[j + 1], i + 1, count)
        _copy_every_other(tile, 20, falling[j], i, count)
        _copy_every_other(tile, 21, rising[j], i + 1, count)
        _copy_every_other(tile, 22, rising[j + 1], i, count)
        _copy_every_other(tile, 23, falling[j + 1], i + 1, count)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _amid_straight(tile: np.ndarray) -> None:
    """Slots 24–29: what the four links of the cells amid add to the coarse links (see `_rank_one` for the order)."""
    for i in range(TILE):
        f0, f1, f2, f3 = tile[8 * TILE + i], tile[9 * TILE + i], tile[10 * TILE + i], tile[11 * TILE + i]
        a, b = tile[i] - f0, tile[TILE + i] - f1
        c, d = tile[2 * TILE + i] - f2, tile[3 * TILE + i] - f3
        p, q = tile[4 * TILE + i] - f0, tile[5 * TILE + i] - f2
        u, v = tile[6 * TILE + i] - f1, tile[7 * TILE + i] - f3
        s, n, w, e = tile[12 * TILE + i], tile[13 * TILE + i], tile[14 * TILE + i], tile[15 * TILE + i]
        tile[24 * TILE + i] = w * p * f1 + e * f0 * u - s * a * b - n * f0 * f1
        tile[25 * TILE + i] = w * q * f3 + e * f2 * v - s * f2 * f3 - n * c * d
        tile[26 * TILE + i] = s * a * f2 + n * f0 * c - w * p * q - e * f0 * f2
        tile[27 * TILE + i] = s * b * f3 + n * f1 * d - w * f1 * f3 - e * u * v
        tile[28 * TILE + i] = s * a * f3 + n * f0 * d + w * p * f3 + e * f0 * v
        tile[29 * TILE + i] = s * b * f2 + n * f1 * c + w * f1 * q + e * u * f2


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _amid_diagonal(tile: np.ndarray) -> None:
    """Add what the links to the corners and those between the neighbours of the cells amid make."""
    one = np.float32(1.0)
    for i in range(TILE):
        f0, f1, f2, f3 = tile[8 * TILE + i], tile[9 * TILE + i], tile[10 * TILE + i], tile[11 * TILE + i]
        t0, t1, t2, t3 = tile[16 * TILE + i], tile[17 * TILE + i], tile[18 * TILE + i], tile[19 * TILE + i]
        g0, g1, g2, g3 = one - f0, one - f1, one - f2, one - f3
        tile[24 * TILE + i] += t0 * g0 * f1 + t1 * f0 * g1 - (t2 + t3) * f0 * f1
        tile[25 * TILE + i] += t2 * g2 * f3 + t3 * f2 * g3 - (t0 + t1) * f2 * f3
        tile[26 * TILE + i] += t0 * g0 * f2 + t2 * f0 * g2 - (t1 + t3) * f0 * f2
        tile[27 * TILE + i] += t1 * g1 * f3 + t3 * f1 * g3 - (t0 + t2) * f1 * f3
        tile[28 * TILE + i] += t0 * g0 * f3 + t3 * f0 * g3 - (t1 + t2) * f0 * f3
        tile[29 * TILE + i] += t1 * g1 * f2 + t2 * f1 * g2 - (t0 + t3) * f1 * f2
    for i in range(TILE):
        a, b, c, d = tile[i], tile[TILE + i], tile[2 * TILE + i], tile[3 * TILE + i]
        p, q, u, v = tile[4 * TILE + i], tile[5 * TILE + i], tile[6 * TILE + i], tile[7 * TILE + i]
        t0, t1, t2, t3 = tile[20 * TILE + i], tile[21 * TILE + i], tile[22 * TILE + i], tile[23 * TILE + i]
        tile[24 * TILE + i] -= t0 * (a - p) * b + t1 * a * (b - u)
        tile[25 * TILE + i] -= t2 * (c - q) * d + t3 * c * (d - v)
        tile[26 * TILE + i] += t0 * (a - p) * q + t2 * p * (c - q)
        tile[27 * TILE + i] += t1 * (b - u) * v + t3 * u * (d - v)
        tile[28 * TILE + i] += t1 * a * v + t2 * p * d
        tile[29 * TILE + i] += t0 * b * q + t3 * u * c


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _add(row: np.ndarray, begin: int, tile: np.ndarray, slot: int, count: int) -> None:
    out, source = row[begin : begin + count], tile[slot * TILE : slot * TILE + count]
    for i in range(count):
        out[i] += source[i]


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _scatter_tile(coarse: tuple, size: tuple, periodic: tuple, jc: int, begin: int, end: int, tile: np.ndarray) -> None:
    """Add the slots 24–29 to the coarse links around the cells; links to points beyond a wall do not exist."""
    cy, cx = size
    count = end - begin
    above = cy > jc + 1 or periodic[0]
    inner = count if end < cx or periodic[1] else count - 1
    _add(coarse[0][jc], begin + 1, tile, 24, inner)
    if above:
        _add(coarse[0][(jc + 1) % cy], begin + 1, tile, 25, inner)
        _add(coarse[1][jc + 1], begin, tile, 26, count)
        beside = min(end + 1, cx) - begin - 1
        _add(coarse[1][jc + 1], begin + 1, tile, 27, beside)
        if inner > beside:
            coarse[1][jc + 1, 0] += tile[27 * TILE + count - 1]
        _add(coarse[2][jc + 1], begin + 1, tile, 28, inner)
        _add(coarse[3][jc + 1], begin + 1, tile, 29, inner)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _rank_one(s: tuple, t: float, d: tuple) -> tuple:
    """Add −t δ_K δ_L for the pairs south, north, west, east edge and rising, falling diagonal of the corners."""
    a, b, c, e = t * d[0], t * d[1], d[2], d[3]
    return (s[0] - a * d[1], s[1] - t * c * e, s[2] - a * c, s[3] - b * e, s[4] - a * e, s[5] - b * c)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _across_rows(links: tuple, diagonals: bool, weights: tuple, corners: tuple, j: int, i: int) -> tuple:
    """The cell between two neighbouring fine rows j, j + 1 that are both coarse."""
    _, riser, rising, falling = links
    jc, ic, jn, _ = corners
    zero, one = np.float32(0.0), np.float32(1.0)
    a, b = weights[0][jc, ic], weights[1][jc, ic]
    c, d = weights[0][jn, ic], weights[1][jn, ic]
    s = (zero, zero, zero, zero, zero, zero)
    s = _rank_one(s, riser[j + 1, i], (a, b, -c, -d))
    if not diagonals:
        return s
    s = _rank_one(s, rising[j + 1, i], (one, zero, -c, -d))
    s = _rank_one(s, falling[j + 1, i], (a, b, -one, zero))
    s = _rank_one(s, rising[j + 1, i + 1], (a, b, zero, -one))
    return _rank_one(s, falling[j + 1, i + 1], (zero, one, -c, -d))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _across_columns(links: tuple, diagonals: bool, weights: tuple, corners: tuple, j: int, i: int) -> tuple:
    """The cell between two neighbouring fine columns i, i + 1 that are both coarse."""
    face, _, rising, falling = links
    jc, ic, _, in_ = corners
    zero, one = np.float32(0.0), np.float32(1.0)
    p, q = weights[2][jc, ic], weights[3][jc, ic]
    u, v = weights[2][jc, in_], weights[3][jc, in_]
    s = (zero, zero, zero, zero, zero, zero)
    s = _rank_one(s, face[j, i + 1], (p, -u, q, -v))
    if not diagonals:
        return s
    s = _rank_one(s, rising[j, i + 1], (one, -u, zero, -v))
    s = _rank_one(s, falling[j, i + 1], (p, -one, q, zero))
    s = _rank_one(s, rising[j + 1, i + 1], (p, zero, q, -one))
    return _rank_one(s, falling[j + 1, i + 1], (zero, -u, one, -v))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _across_corner(links: tuple, diagonals: bool, j: int, i: int) -> tuple:
    """The cell between four neighbouring fine cells that are all coarse points."""
    zero = np.float32(0.0)
    if diagonals:
        return (zero, zero, zero, zero, links[2][j, i], links[3][j, i])
    return (zero, zero, zero, zero, zero, zero)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _links_along_rows(
    face: np.ndarray,
    riser: np.ndarray,
    west: np.ndarray,
    east: np.ndarray,
    ny: int,
    cx: int,
    strides: tuple,
    periodic: tuple,
    coarse: np.ndarray,
) -> None:
    """The links along coarse rows that the fine faces of those rows make."""
    one = np.float32(1.0)
    rows, gaps = west.shape
    coarse[:] = 0.0
    for jc in range(rows):
        j = strides[0] * jc
        for ic in range(gaps if periodic[1] else min(gaps, cx - 1)):
            a, b, i = west[jc, ic], east[jc, ic], 2 * ic + 1
            coarse[jc, ic + 1] = face[j, i] * (one - a) * b + face[j, i + 1] * a * (one - b)
        for ic in range(gaps, cx if periodic[1] else cx - 1):
            i = strides[1] * ic
            coarse[jc, ic + 1] = face[j, i + 1]
    # The links from cells in between to the walls beside their row couple the coarse points that they hang on.
    if not periodic[0]:
        for ic in range(gaps if periodic[1] else min(gaps, cx - 1)):
            coarse[0, ic + 1] -= riser[0, 2 * ic + 1] * west[0, ic] * east[0, ic]
            if strides[0] * (rows - 1) == ny - 1:
                coarse[rows - 1, ic + 1] -= riser[ny, 2 * ic + 1] * west[rows - 1, ic] * east[rows - 1, ic]


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _links_along_columns(
    face: np.ndarray,
    riser: np.ndarray,
    south: np.ndarray,
    north: np.ndarray,
    nx: int,
    cy: int,
    strides: tuple,
    periodic: tuple,
    coarse: np.ndarray,
) -> None:
    """The links along coarse columns that the fine faces of those columns make."""
    one = np.float32(1.0)
    gaps, columns = south.shape
    coarse[:] = 0.0
    for jc in range(gaps if periodic[0] else min(gaps, cy - 1)):
        j = 2 * jc + 1
        for ic in range(columns):
            i = strides[1] * ic
            p, q = south[jc, ic], north[jc, ic]
            coarse[jc + 1, ic] = riser[j, i] * (one - p) * q + riser[j + 1, i] * p * (one - q)
        if not periodic[1]:
            coarse[jc + 1, 0] -= face[j, 0] * south[jc, 0] * north[jc, 0]
            last = columns - 1
            if strides[1] * last == nx - 1:
                coarse[jc + 1, last] -= face[j, nx] * south[jc, last] * north[jc, last]
    for jc in range(gaps, cy if periodic[0] else cy - 1):
        j = strides[0] * jc
        for ic in range(columns):
            coarse[jc + 1, ic] = riser[j + 1, strides[1] * ic]


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def links_to_walls(
    links: tuple,
    diagonals: bool,
    size: tuple,
    weights: tuple,
    strides: tuple,
    periodic: tuple,
    walls: tuple,
    ones: np.ndarray,
    coarse: tuple,
) -> None:
    """Set the coarse links to walls from the row sums Pᵀ A P 1 along the boundary.

    `walls` says which of the sides south, north, west, east are walls of value zero; `ones` is P 1 on the fine grid.
    """
    cy, cx = weights[0].shape[0], weights[2].shape[1]
    south, north, west, east = walls
    # A point at a corner, or between two walls, has its row sum in one place only.
    for jc in range(cy):
        if west:
            coarse[0][jc, 0] = _row_sum(links, diagonals, size, weights, strides, periodic, ones, jc, 0)
        if east and (cx > 1 or not west):
            coarse[0][jc, cx] = _row_sum(links, diagonals, size, weights, strides, periodic, ones, jc, cx - 1)
    for ic in range(1 if west else 0, cx - 1 if east else cx):
        if south:
            coarse[1][0, ic] = _row_sum(links, diagonals, size, weights, strides, periodic, ones, 0, ic)
        if north and (cy > 1 or not south):
            coarse[1][cy, ic] = _row_sum(links, diagonals, size, weights, strides, periodic, ones, cy - 1, ic)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _row_sum(
    links: tuple,
    diagonals: bool,
    size: tuple,
    weights: tuple,
    strides: tuple,
    periodic: tuple,
    ones: np.ndarray,
    jc: int,
    ic: int,
) -> Any:
    """(Pᵀ A P 1) at a coarse point, over the cells that hang on it."""
    west, east, south, north, sw, se, nw, ne = weights
    ny, nx = size
    gaps_y, gaps_x = south.shape[0], west.shape[1]
    j, i = strides[0] * jc, strides[1] * ic
    below = jc - 1 if jc > 0 or not (periodic[0] and 2 * gaps_y == ny) else gaps_y - 1
    left = ic - 1 if ic > 0 or not (periodic[1] and 2 * gaps_x == nx) else gaps_x - 1
    up, down, right, back = gaps_y > jc, 0 <= below < gaps_y, gaps_x > ic, 0 <= left < gaps_x
    total = _product(links, diagonals, size, periodic, ones, j, i)
    if right:
        total += west[jc, ic] * _product(links, diagonals, size, periodic, ones, j, i + 1)
    if back:
        total += east[jc, left] * _product(links, diagonals, size, periodic, ones, j, 2 * left + 1)
    if up:
        total += south[jc, ic] * _product(links, diagonals, size, periodic, ones, j + 1, i)
        if right:
            total += sw[jc, ic] * _product(links, diagonals, size, periodic, ones, j + 1, i + 1)
        if back:
            total += se[jc, left] * _product(links, diagonals, size, periodic, ones, j + 1, 2 * left + 1)
    if down:
        j = 2 * below + 1
        total += north[below, ic] * _product(links, diagonals, size, periodic, ones, j, i)
        if right:
            total += nw[below, ic] * _product(links, diagonals, size, periodic, ones, j, i + 1)
        if back:
            total += ne[below, left] * _product(links, diagonals, size, periodic, ones, j, 2 * left + 1)
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _product(links: tuple, diagonals: bool, size: tuple, periodic: tuple, u: np.ndarray, j: int, i: int) -> Any:
    """(A u) at one cell; neighbours beyond a wall are zero."""
    face, riser, rising, falling = links
    ny, nx = size
    if (periodic[0] or 1 <= j < ny - 2) and (periodic[1] or 1 <= i < nx - 2):
        return np.float32(0.0)  # P preserves constants this far from the walls
    x = u[j, i]
    south, north = _neighbour(j - 1, ny, periodic[0]), _neighbour(j + 1, ny, periodic[0])
    west, east = _neighbour(i - 1, nx, periodic[1]), _neighbour(i + 1, nx, periodic[1])
    total = face[j, i] * (x - _at(u, j, west)) + face[j, i + 1] * (x - _at(u, j, east))
    total += riser[j, i] * (x - _at(u, south, i)) + riser[j + 1, i] * (x - _at(u, north, i))
    if diagonals:
        total += rising[j, i] * (x - _at(u, south, west)) + rising[j + 1, i + 1] * (x - _at(u, north, east))
        total += falling[j, i + 1] * (x - _at(u, south, east)) + falling[j + 1, i] * (x - _at(u, north, west))
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _neighbour(i: int, n: int, periodic: bool) -> int:
    """An index of a neighbour, −1 beyond a wall."""
    if i >= n:
        return 0 if periodic else -1
    return n - 1 if i < 0 and periodic else i


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _at(u: np.ndarray, j: int, i: int) -> Any:
    return u[j, i] if j >= 0 and i >= 0 else np.float32(0.0)
