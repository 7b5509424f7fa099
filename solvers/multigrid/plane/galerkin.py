"""Form the Galerkin coarse operators Pᵀ A P on two-dimensional levels, as links between neighbouring cells.

A level's operator is the energy ½ Σ t_ab (u_a − u_b)² over the links t_ab between a cell and its eight neighbours, plus
links to walls, where u = 0. A fine link inside a cell of the coarse grid depends on the four corners of that cell only.
It adds the rank-one matrix t δ δᵀ, with δ the difference of two rows of P, to the cell's 4 × 4 matrix: −t δ_K δ_L to
the coarse link KL. P preserves constants away from walls: there coarse rows sum to zero exactly, and diagonals need not
be computed. The links to the walls are the row sums of Pᵀ A P along the boundary.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from ...kernels.rows import FAST, row_kernel
from .interpolation import close_columns
from .rows import copy_row

LINES = 9
"""Rows of working memory that the set-up of a level needs."""


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def coarse_links(
    links: tuple,
    diagonals: bool,
    size: tuple,
    weights: tuple,
    strides: tuple,
    periodic: tuple,
    coarse: tuple,
    lines: np.ndarray,
) -> None:
    """Fill the coarse links from the fine ones; those to walls stay zero.

    `size` is (ny, nx), `coarse` holds four arrays like `links` on the coarse grid, `lines` is working memory (LINES,
    ≥ cx + 1).
    """
    cy, cx = weights[0].shape[0], weights[2].shape[1]
    _links_along_rows(links[0], links[1], weights[0], weights[1], size[0], cx, strides, periodic, coarse[0])
    _links_along_columns(links[0], links[1], weights[2], weights[3], size[1], cy, strides, periodic, coarse[1])
    coarse[2][:] = 0.0
    coarse[3][:] = 0.0
    full_y, full_x = weights[2].shape[0], weights[0].shape[1]
    if full_x > 0:
        for jc in range(full_y):
            _links_around_cells(links, diagonals, weights, periodic, jc, lines)
            _add_links_around_cells(coarse, (cy, cx), periodic, jc, full_x, lines)
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


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def _links_around_cells(
    links: tuple, diagonals: bool, weights: tuple, periodic: tuple, jc: int, lines: np.ndarray
) -> None:
    """Compute what coarse row jc adds to the coarse links on the south, north, west, east and diagonals of its cells.

    The six rows go to lines[3:9].
    """
    face, riser, rising, falling = links
    west, east, south, north, sw, se, nw, ne = weights
    cy, cx = west.shape[0], south.shape[1]
    gaps, j, jn = west.shape[1], 2 * jc + 1, (jc + 1) % cy
    south_row, north_row = lines[0][: cx + 1], lines[1][: cx + 1]
    close_columns(south_row, south[jc], periodic[1])
    close_columns(north_row, north[jc], periodic[1])
    lines[2][:gaps] = 0.0
    above = cy > jc + 1 or periodic[0]
    top_west, top_east = (west[jn], east[jn]) if above else (lines[2][:gaps], lines[2][:gaps])
    _straight(
        lines[3][:gaps],
        lines[4],
        lines[5],
        lines[6],
        lines[7],
        lines[8],
        west[jc],
        east[jc],
        top_west,
        top_east,
        south_row,
        north_row,
        south_row[1:],
        north_row[1:],
        sw[jc],
        se[jc],
        nw[jc],
        ne[jc],
        riser[j, 1:],
        riser[j + 1, 1:],
        face[j, 1:],
    )
    if diagonals:
        _corners(
            lines[3][:gaps],
            lines[4],
            lines[5],
            lines[6],
            lines[7],
            lines[8],
            sw[jc],
            se[jc],
            nw[jc],
            ne[jc],
            rising[j, 1:],
            falling[j, 2:],
            falling[j + 1, 1:],
            rising[j + 1, 2:],
        )
        _across(
            lines[3][:gaps],
            lines[4],
            lines[5],
            lines[6],
            lines[7],
            lines[8],
            west[jc],
            east[jc],
            top_west,
            top_east,
            south_row,
            north_row,
            south_row[1:],
            north_row[1:],
            falling[j, 1:],
            rising[j, 2:],
            rising[j + 1, 1:],
            falling[j + 1, 2:],
        )


@row_kernel
def _straight(
    along_south: np.ndarray,
    along_north: np.ndarray,
    along_west: np.ndarray,
    along_east: np.ndarray,
    rising: np.ndarray,
    falling: np.ndarray,
    west: np.ndarray,
    east: np.ndarray,
    top_west: np.ndarray,
    top_east: np.ndarray,
    south: np.ndarray,
    north: np.ndarray,
    south_next: np.ndarray,
    north_next: np.ndarray,
    sw: np.ndarray,
    se: np.ndarray,
    nw: np.ndarray,
    ne: np.ndarray,
    below: np.ndarray,
    above: np.ndarray,
    face: np.ndarray,
) -> None:
    """Compute the contribution of the four links of the cell-centre points (see `_rank_one` for the order)."""
    for g in range(along_south.size):
        i = 2 * g
        f0, f1, f2, f3 = sw[g], se[g], nw[g], ne[g]
        a, b, c, d = west[g] - f0, east[g] - f1, top_west[g] - f2, top_east[g] - f3
        p, q, u, v = south[g] - f0, north[g] - f2, south_next[g] - f1, north_next[g] - f3
        s, n, w, e = below[i], above[i], face[i], face[i + 1]
        along_south[g] = w * p * f1 + e * f0 * u - s * a * b - n * f0 * f1
        along_north[g] = w * q * f3 + e * f2 * v - s * f2 * f3 - n * c * d
        along_west[g] = s * a * f2 + n * f0 * c - w * p * q - e * f0 * f2
        along_east[g] = s * b * f3 + n * f1 * d - w * f1 * f3 - e * u * v
        rising[g] = s * a * f3 + n * f0 * d + w * p * f3 + e * f0 * v
        falling[g] = s * b * f2 + n * f1 * c + w * f1 * q + e * u * f2


@row_kernel
def _corners(
    along_south: np.ndarray,
    along_north: np.ndarray,
    along_west: np.ndarray,
    along_east: np.ndarray,
    rising: np.ndarray,
    falling: np.ndarray,
    sw: np.ndarray,
    se: np.ndarray,
    nw: np.ndarray,
    ne: np.ndarray,
    southwest: np.ndarray,
    southeast: np.ndarray,
    northwest: np.ndarray,
    northeast: np.ndarray,
) -> None:
    """Add the contribution of the links between the cell-centre points and the corners."""
    one = np.float32(1.0)
    for g in range(along_south.size):
        i = 2 * g
        f0, f1, f2, f3 = sw[g], se[g], nw[g], ne[g]
        t0, t1, t2, t3 = southwest[i], southeast[i], northwest[i], northeast[i]
        g0, g1, g2, g3 = one - f0, one - f1, one - f2, one - f3
        along_south[g] += t0 * g0 * f1 + t1 * f0 * g1 - (t2 + t3) * f0 * f1
        along_north[g] += t2 * g2 * f3 + t3 * f2 * g3 - (t0 + t1) * f2 * f3
        along_west[g] += t0 * g0 * f2 + t2 * f0 * g2 - (t1 + t3) * f0 * f2
        along_east[g] += t1 * g1 * f3 + t3 * f1 * g3 - (t0 + t2) * f1 * f3
        rising[g] += t0 * g0 * f3 + t3 * f0 * g3 - (t1 + t2) * f0 * f3
        falling[g] += t1 * g1 * f2 + t2 * f1 * g2 - (t0 + t3) * f1 * f2


@row_kernel
def _across(
    along_south: np.ndarray,
    along_north: np.ndarray,
    along_west: np.ndarray,
    along_east: np.ndarray,
    rising: np.ndarray,
    falling: np.ndarray,
    west: np.ndarray,
    east: np.ndarray,
    top_west: np.ndarray,
    top_east: np.ndarray,
    south: np.ndarray,
    north: np.ndarray,
    south_next: np.ndarray,
    north_next: np.ndarray,
    southwest: np.ndarray,
    southeast: np.ndarray,
    northwest: np.ndarray,
    northeast: np.ndarray,
) -> None:
    """Add the contribution of the links between neighbours of the cell-centre points: south to west, and so on."""
    for g in range(along_south.size):
        i = 2 * g
        a, b, c, d = west[g], east[g], top_west[g], top_east[g]
        p, q, u, v = south[g], north[g], south_next[g], north_next[g]
        t0, t1, t2, t3 = southwest[i], southeast[i], northwest[i], northeast[i]
        along_south[g] -= t0 * (a - p) * b + t1 * a * (b - u)
        along_north[g] -= t2 * (c - q) * d + t3 * c * (d - v)
        along_west[g] += t0 * (a - p) * q + t2 * p * (c - q)
        along_east[g] += t1 * (b - u) * v + t3 * u * (d - v)
        rising[g] += t1 * a * v + t2 * p * d
        falling[g] += t0 * b * q + t3 * u * c


@row_kernel
def _add(out: np.ndarray, row: np.ndarray) -> None:
    for i in range(out.size):
        out[i] += row[i]


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def _add_links_around_cells(
    coarse: tuple, size: tuple, periodic: tuple, jc: int, count: int, lines: np.ndarray
) -> None:
    """Add lines[3:9] to the coarse links; links to points beyond a wall do not exist."""
    cy, cx = size
    above = cy > jc + 1 or periodic[0]
    inner = count if count < cx or periodic[1] else count - 1
    _add(coarse[0][jc, 1 : inner + 1], lines[3])
    if above:
        _add(coarse[0][(jc + 1) % cy, 1 : inner + 1], lines[4])
        _add(coarse[1][jc + 1, :count], lines[5])
        beside = min(count + 1, cx)
        _add(coarse[1][jc + 1, 1:beside], lines[6])
        if periodic[1] and beside == count:
            coarse[1][jc + 1, 0] += lines[6, count - 1]
        _add(coarse[2][jc + 1, 1 : inner + 1], lines[7])
        _add(coarse[3][jc + 1, 1 : inner + 1], lines[8])


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def _rank_one(s: tuple, t: float, d: tuple) -> tuple:
    """Add −t δ_K δ_L for the pairs south, north, west, east edge and rising, falling diagonal of the corners."""
    a, b, c, e = t * d[0], t * d[1], d[2], d[3]
    return (s[0] - a * d[1], s[1] - t * c * e, s[2] - a * c, s[3] - b * e, s[4] - a * e, s[5] - b * c)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def _across_rows(links: tuple, diagonals: bool, weights: tuple, corners: tuple, j: int, i: int) -> tuple:
    """Treat the cell between two neighbouring fine rows j, j + 1 that are both coarse."""
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


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def _across_columns(links: tuple, diagonals: bool, weights: tuple, corners: tuple, j: int, i: int) -> tuple:
    """Treat the cell between two neighbouring fine columns i, i + 1 that are both coarse."""
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


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def _across_corner(links: tuple, diagonals: bool, j: int, i: int) -> tuple:
    """Treat the cell between four neighbouring fine cells that are all coarse points."""
    zero = np.float32(0.0)
    if diagonals:
        return (zero, zero, zero, zero, links[2][j, i], links[3][j, i])
    return (zero, zero, zero, zero, zero, zero)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
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
    """Compute the links along coarse rows from the fine faces of those rows."""
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
    # Links from the cells in between to the walls beside their row couple the two coarse points they depend on.
    if not periodic[0]:
        for ic in range(gaps if periodic[1] else min(gaps, cx - 1)):
            coarse[0, ic + 1] -= riser[0, 2 * ic + 1] * west[0, ic] * east[0, ic]
            if strides[0] * (rows - 1) == ny - 1:
                coarse[rows - 1, ic + 1] -= riser[ny, 2 * ic + 1] * west[rows - 1, ic] * east[rows - 1, ic]


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
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
    """Compute the links along coarse columns from the fine faces of those columns."""
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


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def links_to_walls(
    links: tuple,
    diagonals: bool,
    size: tuple,
    weights: tuple,
    strides: tuple,
    periodic: tuple,
    walls: tuple,
    ones: np.ndarray,
    products: np.ndarray,
    coarse: tuple,
) -> None:
    """Set the coarse links to walls from the row sums Pᵀ A P 1 along the boundary.

    `walls` says which of the sides south, north, west, east are walls of value zero; `ones` is P 1 on the fine grid,
    `products` is working memory of its size.
    """
    ny, nx = size
    # P preserves constants except in the outermost row and column, so A P 1 is zero further in.
    for j in range(ny):
        products[j, :nx] = 0.0
        if not periodic[1]:
            for i in (0, max(nx - 2, 0), nx - 1):
                products[j, i] = _product(links, diagonals, size, periodic, ones, j, i)
    if not periodic[0]:
        for j in (0, max(ny - 2, 0), ny - 1):
            for i in range(nx):
                products[j, i] = _product(links, diagonals, size, periodic, ones, j, i)
    cy, cx = weights[0].shape[0], weights[2].shape[1]
    south, north, west, east = walls
    # A point at a corner, or between two walls, has its row sum in one place only.
    for jc in range(cy):
        if west:
            coarse[0][jc, 0] = _row_sum(products, size, weights, strides, periodic, jc, 0)
        if east and (cx > 1 or not west):
            coarse[0][jc, cx] = _row_sum(products, size, weights, strides, periodic, jc, cx - 1)
    for ic in range(1 if west else 0, cx - 1 if east else cx):
        if south:
            coarse[1][0, ic] = _row_sum(products, size, weights, strides, periodic, 0, ic)
        if north and (cy > 1 or not south):
            coarse[1][cy, ic] = _row_sum(products, size, weights, strides, periodic, cy - 1, ic)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def _row_sum(
    products: np.ndarray,
    size: tuple,
    weights: tuple,
    strides: tuple,
    periodic: tuple,
    jc: int,
    ic: int,
) -> Any:
    """Return (Pᵀ A P 1) at a coarse point: the sum over the cells interpolated from it."""
    west, east, south, north, sw, se, nw, ne = weights
    ny, nx = size
    gaps_y, gaps_x = south.shape[0], west.shape[1]
    j, i = strides[0] * jc, strides[1] * ic
    below = jc - 1 if jc > 0 or not (periodic[0] and 2 * gaps_y == ny) else gaps_y - 1
    left = ic - 1 if ic > 0 or not (periodic[1] and 2 * gaps_x == nx) else gaps_x - 1
    up, down, right, back = gaps_y > jc, 0 <= below < gaps_y, gaps_x > ic, 0 <= left < gaps_x
    total = products[j, i]
    if right:
        total += west[jc, ic] * products[j, i + 1]
    if back:
        total += east[jc, left] * products[j, 2 * left + 1]
    if up:
        total += south[jc, ic] * products[j + 1, i]
        if right:
            total += sw[jc, ic] * products[j + 1, i + 1]
        if back:
            total += se[jc, left] * products[j + 1, 2 * left + 1]
    if down:
        j = 2 * below + 1
        total += north[below, ic] * products[j, i]
        if right:
            total += nw[below, ic] * products[j, i + 1]
        if back:
            total += ne[below, left] * products[j, 2 * left + 1]
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def _product(links: tuple, diagonals: bool, size: tuple, periodic: tuple, u: np.ndarray, j: int, i: int) -> Any:
    """Return (A u) at one cell; neighbours beyond a wall are zero."""
    face, riser, rising, falling = links
    ny, nx = size
    x = u[j, i]
    south, north = _neighbour(j - 1, ny, periodic[0]), _neighbour(j + 1, ny, periodic[0])
    west, east = _neighbour(i - 1, nx, periodic[1]), _neighbour(i + 1, nx, periodic[1])
    total = face[j, i] * (x - _at(u, j, west)) + face[j, i + 1] * (x - _at(u, j, east))
    total += riser[j, i] * (x - _at(u, south, i)) + riser[j + 1, i] * (x - _at(u, north, i))
    if diagonals:
        total += rising[j, i] * (x - _at(u, south, west)) + rising[j + 1, i + 1] * (x - _at(u, north, east))
        total += falling[j, i + 1] * (x - _at(u, south, east)) + falling[j + 1, i] * (x - _at(u, north, west))
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def _neighbour(i: int, n: int, periodic: bool) -> int:
    """Return the index of a neighbour, −1 beyond a wall."""
    if i >= n:
        return 0 if periodic else -1
    return n - 1 if i < 0 and periodic else i


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def _at(u: np.ndarray, j: int, i: int) -> Any:
    return u[j, i] if j >= 0 and i >= 0 else np.float32(0.0)
