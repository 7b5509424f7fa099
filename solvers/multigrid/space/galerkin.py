"""Form the Galerkin coarse operators Pᵀ A P on three-dimensional levels, as links between neighbouring cells.

A level's operator is the energy ½ Σ t_ab (u_a − u_b)² over the links t_ab between cells, plus links to walls, where u =
0. A fine link inside a cube of the coarse grid depends on the cube's eight corners only, on fewer where it lies in a
face or on an edge. It adds the rank-one matrix t δ δᵀ, with δ the difference of two rows of P, to the cube's matrix:
−t δ_K δ_L to the coarse link KL. P preserves constants away from walls: there coarse rows sum to zero exactly, and
diagonals need not be computed. The links to the walls are the row sums Pᵀ A P 1.

Cubes are treated in tiles, with a table that lists the links of a cube; the links come from `split_level`.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numba
import numpy as np

from ...kernels.rows import FAST
from ...kernels.unaliased import load, load_written, load_written_slot, no_inline, store, store_slot
from .grids import (
    AXES,
    DIRECTIONS,
    GROUND,
    INVERSE_DIAGONAL,
    LINKS,
    NX,
    NY,
    NZ,
    WEIGHTS,
    N,
    R,
    S,
    W,
    X,
    Z,
    close_rim,
    copy,
    fill,
)
from .sweeps import residual_plane, sweep_level
from .transfers import prolong_plane, restrict_plane

TILE = 128
"""Cubes treated together: rows of P, differences and sums of a tile lie in the first-level cache."""

LINES = 58 + 28
_ZERO, _ONE, _SUMS = 0, 1, 58
_CORNERS = list(itertools.product((0, 1), repeat=3))
_PAIRS = list(itertools.combinations(range(8), 2))


@lru_cache(maxsize=2)
def galerkin_tables(diagonals: bool) -> tuple[np.ndarray, ...]:
    """Return the tables of `coarse_links`.

    - gathers, (64, 5): line, weight vector, shift along z, y, x: the entries of P in a cube that are not zero or one.
    - links, (·, 28): split vector, shift along z, y, x, number of corners it depends on, 0; then for each of these
      corners where the entries of P at both ends begin in the tile; from column 22 on where the sums for pairs of
      corners begin.
    - scatter, (28, 5): line, link vector of the coarse grid, shift of the cube's corner that keeps the link.
    """
    lines: dict[tuple[tuple[int, ...], int], int] = {}
    gathers: list[list[int]] = []
    for position in itertools.product((0, 1, 2), repeat=3):
        for number, corner in enumerate(_CORNERS):
            away = [p for p, c in zip(position, corner, strict=True) if p != 1 and p != 2 * c]
            if away:
                lines[position, number] = _ZERO
            elif 1 not in position:
                lines[position, number] = _ONE
            else:
                kind = [(1 + c) if p == 1 else 0 for p, c in zip(position, corner, strict=True)]
                lines[position, number] = 2 + len(gathers)
                shift = [int(p == 2) for p in position]
                gathers.append([2 + len(gathers), 9 * kind[0] + 3 * kind[1] + kind[2], *shift])
    links = []
    vectors = len(DIRECTIONS) if diagonals else len(AXES)
    for m in range(vectors):
        d = DIRECTIONS[m if diagonals else AXES[m]]
        for position in itertools.product((0, 1, 2), repeat=3):
            other = tuple(p + step for p, step in zip(position, d, strict=True))
            if not all(0 <= p <= 2 for p in other):
                continue
            if any(p == q == 2 for p, q in zip(position, other, strict=True)):
                continue  # it belongs to the next cube
            links.append(_link_row(8 * m, position, other, lines))
    for position in itertools.product((0, 1), repeat=3):
        if any(position):
            links.append(_link_row(8 * vectors, position, None, lines))
    scatter = []
    for line, (a, b) in enumerate(_PAIRS):
        for keeper, neighbour in ((a, b), (b, a)):
            step = tuple(q - p for p, q in zip(_CORNERS[keeper], _CORNERS[neighbour], strict=True))
            if step in DIRECTIONS:
                scatter.append([_SUMS + line, DIRECTIONS.index(step), *_CORNERS[keeper]])
    return tuple(np.array(rows, dtype=np.int64) for rows in (gathers, links, scatter))


def _link_row(
    vector: int,
    position: tuple[int, ...],
    other: tuple[int, ...] | None,
    lines: dict[tuple[tuple[int, ...], int], int],
) -> list[int]:
    """Return the row for the link between two positions in a cube, or between one and a wall (other None)."""
    kind = 4 * (position[0] & 1) + 2 * (position[1] & 1) + (position[2] & 1)
    ends = [(lines[position, c], lines[other, c] if other else _ZERO) for c in range(8)]
    # Each end depends on the corners of its own face or edge of the cube; two, four or all of them make simple loops.
    flat = [axis for axis in range(3) if position[axis] == 0 and (other is None or other[axis] == 0)]
    seen = [c for c in range(8) if not any(_CORNERS[c][axis] for axis in flat)]
    row = [vector + kind, *(int(p == 2) for p in position), len(seen), 0]
    row += [line * TILE for c in seen for line in ends[c]] + [0] * (16 - 2 * len(seen))
    sums = [(_SUMS + _PAIRS.index(pair)) * TILE for pair in itertools.combinations(seen, 2)]
    return row + (sums + [0] * 6)[:6]


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _empty(v: np.ndarray, begin: int, count: int) -> bool:
    total = np.float32(0.0)
    for c in range(count):
        total += abs(load(v, begin + c))
    return total == np.float32(0.0)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _couple_two(tile: np.ndarray, t: np.ndarray, begin: int, link: np.ndarray) -> None:
    """Subtract t δ_K δ_L for a link that depends on two corners."""
    no_inline()
    a0, b0, a1, b1, out = link[6], link[7], link[8], link[9], link[22]
    for c in range(TILE):
        d0, d1 = load(tile, a0 + c) - load(tile, b0 + c), load(tile, a1 + c) - load(tile, b1 + c)
        store(tile, out + c, load_written(tile, out + c) - load(t, begin + c) * d0 * d1)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _couple_four(tile: np.ndarray, t: np.ndarray, begin: int, link: np.ndarray) -> None:
    """Subtract t δ_K δ_L for the six pairs of a link that depends on four corners."""
    no_inline()
    a0, b0, a1, b1, a2, b2, a3, b3 = link[6], link[7], link[8], link[9], link[10], link[11], link[12], link[13]
    p0, p1, p2, p3, p4, p5 = link[22], link[23], link[24], link[25], link[26], link[27]
    for c in range(TILE):
        value = load(t, begin + c)
        d0, d1 = load(tile, a0 + c) - load(tile, b0 + c), load(tile, a1 + c) - load(tile, b1 + c)
        d2, d3 = load(tile, a2 + c) - load(tile, b2 + c), load(tile, a3 + c) - load(tile, b3 + c)
        e0, e1, e2 = value * d0, value * d1, value * d2
        store_slot(tile, p0 + c, load_written_slot(tile, p0 + c, 0) - e0 * d1, 0)
        store_slot(tile, p1 + c, load_written_slot(tile, p1 + c, 1) - e0 * d2, 1)
        store_slot(tile, p2 + c, load_written_slot(tile, p2 + c, 2) - e0 * d3, 2)
        store_slot(tile, p3 + c, load_written_slot(tile, p3 + c, 3) - e1 * d2, 3)
        store_slot(tile, p4 + c, load_written_slot(tile, p4 + c, 4) - e1 * d3, 4)
        store_slot(tile, p5 + c, load_written_slot(tile, p5 + c, 5) - e2 * d3, 5)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _couple_eight(tile: np.ndarray, t: np.ndarray, begin: int, link: np.ndarray) -> None:
    """Subtract t δ_K δ_L for the pairs of corners K < L of a link that depends on all eight."""
    no_inline()
    a0, b0, a1, b1, a2, b2, a3, b3 = link[6], link[7], link[8], link[9], link[10], link[11], link[12], link[13]
    a4, b4, a5, b5, a6, b6, a7, b7 = link[14], link[15], link[16], link[17], link[18], link[19], link[20], link[21]
    out = _SUMS * TILE
    for c in range(TILE):
        value = load(t, begin + c)
        d0 = load(tile, a0 + c) - load(tile, b0 + c)
        d1 = load(tile, a1 + c) - load(tile, b1 + c)
        d2 = load(tile, a2 + c) - load(tile, b2 + c)
        d3 = load(tile, a3 + c) - load(tile, b3 + c)
        d4 = load(tile, a4 + c) - load(tile, b4 + c)
        d5 = load(tile, a5 + c) - load(tile, b5 + c)
        d6 = load(tile, a6 + c) - load(tile, b6 + c)
        d7 = load(tile, a7 + c) - load(tile, b7 + c)
        e = value * d0
        store_slot(tile, out + c, load_written_slot(tile, out + c, 0) - e * d1, 0)
        store_slot(tile, out + 1 * TILE + c, load_written_slot(tile, out + 1 * TILE + c, 1) - e * d2, 1)
        store_slot(tile, out + 2 * TILE + c, load_written_slot(tile, out + 2 * TILE + c, 2) - e * d3, 2)
        store_slot(tile, out + 3 * TILE + c, load_written_slot(tile, out + 3 * TILE + c, 3) - e * d4, 3)
        store_slot(tile, out + 4 * TILE + c, load_written_slot(tile, out + 4 * TILE + c, 4) - e * d5, 4)
        store_slot(tile, out + 5 * TILE + c, load_written_slot(tile, out + 5 * TILE + c, 5) - e * d6, 5)
        store_slot(tile, out + 6 * TILE + c, load_written_slot(tile, out + 6 * TILE + c, 6) - e * d7, 6)
        e = value * d1
        store_slot(tile, out + 7 * TILE + c, load_written_slot(tile, out + 7 * TILE + c, 7) - e * d2, 7)
        store_slot(tile, out + 8 * TILE + c, load_written_slot(tile, out + 8 * TILE + c, 8) - e * d3, 8)
        store_slot(tile, out + 9 * TILE + c, load_written_slot(tile, out + 9 * TILE + c, 9) - e * d4, 9)
        store_slot(tile, out + 10 * TILE + c, load_written_slot(tile, out + 10 * TILE + c, 10) - e * d5, 10)
        store_slot(tile, out + 11 * TILE + c, load_written_slot(tile, out + 11 * TILE + c, 11) - e * d6, 11)
        store_slot(tile, out + 12 * TILE + c, load_written_slot(tile, out + 12 * TILE + c, 12) - e * d7, 12)
        e = value * d2
        store_slot(tile, out + 13 * TILE + c, load_written_slot(tile, out + 13 * TILE + c, 13) - e * d3, 13)
        store_slot(tile, out + 14 * TILE + c, load_written_slot(tile, out + 14 * TILE + c, 14) - e * d4, 14)
        store_slot(tile, out + 15 * TILE + c, load_written_slot(tile, out + 15 * TILE + c, 15) - e * d5, 15)
        store_slot(tile, out + 16 * TILE + c, load_written_slot(tile, out + 16 * TILE + c, 16) - e * d6, 16)
        store_slot(tile, out + 17 * TILE + c, load_written_slot(tile, out + 17 * TILE + c, 17) - e * d7, 17)
        e = value * d3
        store_slot(tile, out + 18 * TILE + c, load_written_slot(tile, out + 18 * TILE + c, 18) - e * d4, 18)
        store_slot(tile, out + 19 * TILE + c, load_written_slot(tile, out + 19 * TILE + c, 19) - e * d5, 19)
        store_slot(tile, out + 20 * TILE + c, load_written_slot(tile, out + 20 * TILE + c, 20) - e * d6, 20)
        store_slot(tile, out + 21 * TILE + c, load_written_slot(tile, out + 21 * TILE + c, 21) - e * d7, 21)
        e = value * d4
        store_slot(tile, out + 22 * TILE + c, load_written_slot(tile, out + 22 * TILE + c, 22) - e * d5, 22)
        store_slot(tile, out + 23 * TILE + c, load_written_slot(tile, out + 23 * TILE + c, 23) - e * d6, 23)
        store_slot(tile, out + 24 * TILE + c, load_written_slot(tile, out + 24 * TILE + c, 24) - e * d7, 24)
        e = value * d5
        store_slot(tile, out + 25 * TILE + c, load_written_slot(tile, out + 25 * TILE + c, 25) - e * d6, 25)
        store_slot(tile, out + 26 * TILE + c, load_written_slot(tile, out + 26 * TILE + c, 26) - e * d7, 26)
        e = value * d6
        store_slot(tile, out + 27 * TILE + c, load_written_slot(tile, out + 27 * TILE + c, 27) - e * d7, 27)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _accumulate(out: np.ndarray, to: int, tile: np.ndarray, line: int, count: int) -> None:
    for c in range(count):
        store(out, to + c, load_written(out, to + c) + load(tile, line + c))


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _clear_rim_cubes(tile: np.ndarray, begin: int, count: int, row: np.ndarray) -> None:
    """Clear the cubes that begin in the rim of a periodic grid: they are counted on the other side."""
    no_inline()
    for c in range(count):
        j, i = (begin + c) % row[S] // row[W], (begin + c) % row[W]
        if j < 1 or j > row[NY] or i < 1 or i > row[NX]:
            for line in range(_SUMS, LINES):
                tile[line * TILE + c] = 0.0


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def coarse_links(
    arena: np.ndarray,
    row: np.ndarray,
    coarse: np.ndarray,
    kinds: np.ndarray,
    wraps: tuple,
    tables: tuple,
    tile: np.ndarray,
) -> None:
    """Fill the thirteen link vectors of the coarse level."""
    no_inline()
    gathers, links, scatter = tables
    n, w, s = coarse[N], coarse[W], coarse[S]
    t = coarse[LINKS]
    fill(arena, t, t + 13 * n, 0.0)
    fill(tile, np.int64(0), LINES * TILE, 0.0)
    fill(tile, np.int64(_ONE * TILE), (_ONE + 1) * TILE, 1.0)
    first, last = s + w + 1, n - s - w - 1
    for begin in range(first, last, TILE):
        count = min(TILE, last - begin)
        for g in range(gathers.shape[0]):
            ahead = begin + gathers[g, 2] * s + gathers[g, 3] * w + gathers[g, 4]
            copy(tile, gathers[g, 0] * TILE, arena, row[WEIGHTS] + gathers[g, 1] * n + ahead, count)
        fill(tile, np.int64(_SUMS * TILE), LINES * TILE, 0.0)
        for m in range(links.shape[0]):
            ahead = begin + links[m, 1] * s + links[m, 2] * w + links[m, 3]
            start = links[m, 0] * n + ahead
            if _empty(kinds, start, count):
                continue
            if links[m, 4] == 8:
                _couple_eight(tile, kinds, start, links[m])
            elif links[m, 4] == 4:
                _couple_four(tile, kinds, start, links[m])
            else:
                _couple_two(tile, kinds, start, links[m])
        if wraps[1] or wraps[2]:
            _clear_rim_cubes(tile, begin, count, coarse)
        for m in range(scatter.shape[0]):
            ahead = begin + scatter[m, 2] * s + scatter[m, 3] * w + scatter[m, 4]
            _accumulate(arena, t + scatter[m, 1] * n + ahead, tile, scatter[m, 0] * TILE, count)
    for m in range(13):
        if wraps[0] or wraps[1] or wraps[2]:
            _fold(arena, t + m * n, coarse, wraps)
        close_rim(arena, t + m * n, coarse, wraps)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _fold(v: np.ndarray, start: int, row: np.ndarray, wraps: tuple) -> None:
    """Add what the upper rim has gathered to the cells that it is a copy of."""
    no_inline()
    nz, ny, nx, w, s = row[NZ], row[NY], row[NX], row[W], row[S]
    if wraps[2]:
        for c in range(start, start + row[N], w):
            v[c + 1] += v[c + nx + 1]
    if wraps[1]:
        for k in range(nz + 2):
            c = start + k * s + w
            _accumulate(v, c, v, c + ny * w, w)
    if wraps[0]:
        _accumulate(v, start + s, v, start + (nz + 1) * s, s)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _snap_to_one(v: np.ndarray, begin: int, count: int) -> None:
    """Remove rounding from rows of P that sum to one, so that differences of ones are exactly zero."""
    one = np.float32(1.0)
    for c in range(count):
        x = load_written(v, begin + c)
        store(v, begin + c, one if abs(x - one) < np.float32(1e-5) else x)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def links_to_walls(arena: np.ndarray, levels: np.ndarray, level: int, wraps: tuple, work: np.ndarray) -> None:
    """Fill the links to walls of the next level: Pᵀ A P 1."""
    no_inline()
    row, coarse = levels[level], levels[level + 1]
    nz, ny, nx, w, s, n = row[NZ], row[NY], row[NX], row[W], row[S], row[N]
    fill(arena, coarse[X], coarse[X] + coarse[N], 0.0)
    for k in range(coarse[NZ]):
        for j in range(coarse[NY]):
            begin = coarse[X] + (k + 1) * coarse[S] + (j + 1) * coarse[W] + 1
            fill(arena, begin, begin + coarse[NX], 1.0)
    close_rim(arena, coarse[X], coarse, wraps)
    fill(arena, row[X], row[X] + n, 0.0)
    for k in range(nz):
        prolong_plane(arena, row[X], k, row, coarse)
    for k in range(nz):
        for j in range(ny):
            _snap_to_one(arena, row[X] + (k + 1) * s + (j + 1) * w + 1, nx)
    close_rim(arena, row[X], row, wraps)
    fill(arena, coarse[R], coarse[R] + coarse[N], 0.0)
    zero = np.float32(0.0)
    if level > 0:
        sweep_level(arena, row[Z], row[X], row[R], row, work, zero, zero)
    for k in range(nz):
        if level == 0:
            residual_plane(work, np.int64(0), arena, row[X], row[R], row, (k + 1) * s, zero)
            restrict_plane(arena, work, np.int64(0), k, row, coarse, wraps)
        else:
            restrict_plane(arena, arena, row[Z] + (k + 1) * s, k, row, coarse, wraps)
    for c in range(coarse[N]):
        store(arena, coarse[GROUND] + c, -load(arena, coarse[R] + c))
    close_rim(arena, coarse[GROUND], coarse, (np.bool_(False), np.bool_(False), np.bool_(False)))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _sum_links(work: np.ndarray, arena: np.ndarray, low: int, high: int, count: int) -> None:
    """Add t + |t| of the links to both sides to work."""
    for c in range(count):
        a, b = load(arena, low + c), load(arena, high + c)
        store(work, c, load_written(work, c) + ((a + abs(a)) + (b + abs(b))))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _invert(arena: np.ndarray, to: int, work: np.ndarray, ground: int, count: int) -> None:
    two, zero = np.float32(2.0), np.float32(0.0)
    for c in range(count):
        wall = load(arena, ground + c)
        d = load(work, c) + (wall + abs(wall))
        store(arena, to + c, two / d if d > zero else zero)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def invert_diagonal(arena: np.ndarray, row: np.ndarray, directions: np.ndarray, work: np.ndarray) -> None:
    """Set D⁻¹ of a coarse level for relaxation, D = (Σ links + Σ |links|)/2: A's diagonal where no link is negative.

    Galerkin stencils may have a few negative links, beside high contrasts. With this D the spectrum of D⁻¹A stays in
    (0, 2], by Gershgorin's theorem; otherwise a few cells would force smaller steps everywhere.
    """
    no_inline()
    w, s, n, t = row[W], row[S], row[N], row[LINKS]
    first, last = s + w + 1, n - s - w - 1
    for begin in range(first, last, work.size):
        count = min(work.size, last - begin)
        fill(work, np.int64(0), count, 0.0)
        for m in range(13):
            start = t + m * n + begin
            distance = directions[m, 0] * s + directions[m, 1] * w + directions[m, 2]
            _sum_links(work, arena, start, start - distance, count)
        _invert(arena, row[INVERSE_DIAGONAL] + begin, work, row[GROUND] + begin, count)
    close_rim(arena, row[INVERSE_DIAGONAL], row, (np.bool_(False), np.bool_(False), np.bool_(False)))
