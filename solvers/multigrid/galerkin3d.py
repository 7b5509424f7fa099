"""Galerkin coarse operators Pᵀ A P on three-dimensional levels, as links between neighbouring cells.

A level's operator is the energy ½ Σ t_ab (u_a − u_b)² over the links t_ab between cells, plus links to walls, where u =
0. A fine link inside a cube of the coarse grid sees the cube's eight corners only, and fewer where it lies in a face or
on an edge of it, so that it adds its rank-one matrix t δ δᵀ, δ the difference of two rows of P, to that cube's matrix:
−t δ_K δ_L to the coarse link KL. P preserves constants away from walls, so that coarse rows sum to zero there, exactly,
and no diagonal needs arithmetic of its own; the links to the walls are the row sums Pᵀ A P 1.

Cubes are treated in tiles, with a table that lists the links of a cube; the links come from `split_level`.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numba
import numpy as np

from .grids3d import AXES, DIRECTIONS, GROUND, INVERSE_DIAGONAL, LINKS, NX, NY, NZ, WEIGHTS, N, R, S, W, X, Z, close_rim, copy, fill
from .interpolation3d import clear_gaps
from .rows import FAST
from .sweeps3d import residual_plane, sweep_level
from .transfers3d import prolong_plane, restrict_plane
from .unaliased import apart, get, old, put

TILE = 128
"""Cubes treated together: rows of P, differences and sums of a tile lie in the first-level cache."""

LINES = 66 + 8 + 28
_ZERO, _ONE, _DELTA, _SUMS = 0, 1, 66, 74
_CORNERS = list(itertools.product((0, 1), repeat=3))
_PAIRS = list(itertools.combinations(range(8), 2))


@lru_cache(maxsize=2)
def galerkin_tables(diagonals: bool) -> tuple[np.ndarray, ...]:
    """Return the tables of `coarse_links`.

    - gathers, (64, 5): line, weight vector, shift along z, y, x: the entries of P in a cube that are not zero or one.
    - links, (·, 6 + 16): split vector, shift along z, y, x, number of corners seen, 0, then for each corner the lines
      of P at both ends.
    - corners, (·, 8): the corners seen.
    - pairs, (8, 8): line of the sum for a pair of corners.
    - scatter, (28, 5): line, link vector of the coarse grid, shift of the cube's corner that keeps the link.
    """
    lines: dict[tuple[tuple[int, ...], int], int] = {}
    gathers = []
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
    links, corners = [], []
    vectors = len(DIRECTIONS) if diagonals else len(AXES)
    for m in range(vectors):
        d = DIRECTIONS[m if diagonals else AXES[m]]
        for position in itertools.product((0, 1, 2), repeat=3):
            other = tuple(p + step for p, step in zip(position, d, strict=True))
            if not all(0 <= p <= 2 for p in other):
                continue
            if any(p == q == 2 for p, q in zip(position, other, strict=True)):
                continue  # it belongs to the next cube
            links.append(_link_row(8 * m, position, other, lines, corners))
    for position in itertools.product((0, 1), repeat=3):
        if any(position):
            links.append(_link_row(8 * vectors, position, None, lines, corners))
    pairs = np.zeros((8, 8), dtype=np.int64)
    scatter = []
    for line, (a, b) in enumerate(_PAIRS):
        pairs[a, b] = pairs[b, a] = _SUMS + line
        for keeper, neighbour in ((a, b), (b, a)):
            step = tuple(q - p for p, q in zip(_CORNERS[keeper], _CORNERS[neighbour], strict=True))
            if step in DIRECTIONS:
                scatter.append([_SUMS + line, DIRECTIONS.index(step), *_CORNERS[keeper]])
    tables = (gathers, links, corners)
    return (*(np.array(rows, dtype=np.int64) for rows in tables), pairs, np.array(scatter, dtype=np.int64))


def _link_row(
    vector: int,
    position: tuple[int, ...],
    other: tuple[int, ...] | None,
    lines: dict[tuple[tuple[int, ...], int], int],
    corners: list[list[int]],
) -> list[int]:
    """A row for the link between two positions in a cube, or between one and a wall (other None)."""
    kind = 4 * (position[0] & 1) + 2 * (position[1] & 1) + (position[2] & 1)
    ends = [(lines[position, c], lines[other, c] if other else _ZERO) for c in range(8)]
    seen = [c for c in range(8) if ends[c] != (_ZERO, _ZERO)]
    corners.append(seen + [0] * (8 - len(seen)))
    return [vector + kind, *(int(p == 2) for p in position), len(seen), 0, *itertools.chain(*ends)]


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _empty(v: np.ndarray, begin: int, count: int) -> bool:
    total = np.float32(0.0)
    for c in range(count):
        total += abs(get(v, begin + c))
    return total == np.float32(0.0)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _difference(tile: np.ndarray, to: int, a: int, b: int) -> None:
    for c in range(TILE):
        put(tile, to + c, get(tile, a + c) - get(tile, b + c))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _scaled(tile: np.ndarray, to: int, v: np.ndarray, begin: int, a: int, count: int) -> None:
    for c in range(count):
        put(tile, to + c, get(v, begin + c) * get(tile, a + c))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _subtract_product(tile: np.ndarray, to: int, a: int, b: int) -> None:
    for c in range(TILE):
        put(tile, to + c, old(tile, to + c) - get(tile, a + c) * get(tile, b + c))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _accumulate(out: np.ndarray, to: int, tile: np.ndarray, line: int, count: int) -> None:
    for c in range(count):
        put(out, to + c, old(out, to + c) + get(tile, line + c))


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _clear_rim_cubes(tile: np.ndarray, begin: int, count: int, row: np.ndarray) -> None:
    """Cubes that begin in the rim of a periodic grid are counted on the other side."""
    apart()
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
    apart()
    gathers, links, corners, pairs, scatter = tables
    n, w, s = coarse[N], coarse[W], coarse[S]
    t = coarse[LINKS]
    fill(arena, t, t + 13 * n, 0.0)
    fill(tile, np.int64(0), LINES * TILE, 0.0)
    fill(tile, np.int64(_ONE * TILE), (_ONE + 1) * TILE, 1.0)
    scaled = LINES * TILE
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
            seen = links[m, 4]
            for q in range(seen):
                k = corners[m, q]
                delta = (_DELTA + k) * TILE
                _difference(tile, delta, links[m, 6 + 2 * k] * TILE, links[m, 7 + 2 * k] * TILE)
            for q in range(seen - 1):
                k = corners[m, q]
                _scaled(tile, scaled, kinds, start, (_DELTA + k) * TILE, count)
                for p in range(q + 1, seen):
                    _subtract_product(tile, pairs[k, corners[m, p]] * TILE, scaled, (_DELTA + corners[m, p]) * TILE)
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
    """Add what the upper rim has gathered to the cells that it stands for."""
    apart()
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
    """Take rounding away from rows of P that sum to one, so that differences of ones are exactly zero."""
    one = np.float32(1.0)
    for c in range(count):
        x = old(v, begin + c)
        put(v, begin + c, one if abs(x - one) < np.float32(1e-5) else x)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def links_to_walls(
    arena: np.ndarray, levels: np.ndarray, level: int, wraps: tuple, work: np.ndarray
) -> None:
    """Fill the links to walls of the next level: Pᵀ A P 1."""
    apart()
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
        put(arena, coarse[GROUND] + c, -get(arena, coarse[R] + c))
    close_rim(arena, coarse[GROUND], coarse, (np.bool_(False), np.bool_(False), np.bool_(False)))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _sum_links(work: np.ndarray, arena: np.ndarray, low: int, high: int, count: int) -> None:
    """work += t + |t| of the links to both sides."""
    for c in range(count):
        a, b = get(arena, low + c), get(arena, high + c)
        put(work, c, old(work, c) + ((a + abs(a)) + (b + abs(b))))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _invert(arena: np.ndarray, to: int, work: np.ndarray, ground: int, count: int) -> None:
    two, zero = np.float32(2.0), np.float32(0.0)
    for c in range(count):
        wall = get(arena, ground + c)
        d = get(work, c) + (wall + abs(wall))
        put(arena, to + c, two / d if d > zero else zero)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def invert_diagonal(arena: np.ndarray, row: np.ndarray, directions: np.ndarray, work: np.ndarray) -> None:
    """D⁻¹ of a coarse level for relaxation, with D = (Σ links + Σ |links|)/2: A's diagonal where no link is negative.

    Galerkin stencils may have a few negative links, beside high contrasts. With this D the spectrum of D⁻¹A stays in
    (0, 2], by Gershgorin's theorem, without smaller steps everywhere on account of a few cells.
    """
    apart()
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
