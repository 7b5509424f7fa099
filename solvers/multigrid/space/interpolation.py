"""Compute operator-dependent interpolation on a three-dimensional level (black-box multigrid).

Every other cell of an axis is a coarse point. A cell between two coarse points takes their values weighted by its links
to either side, with those to neighbouring rows and planes collapsed onto its own row. A cell in the centre of four
coarse points of a plane takes the value that satisfies its equation collapsed onto that plane, with right-hand side
zero; a cell in the centre of eight takes the value that satisfies its own equation. So the flux is continuous across
jumps of the coefficient. Beside a wall the missing coarse point counts as zero, weighted by the link to the wall.

The links are first split by the eight kinds of cells, even or odd along each axis, into the layout of the coarse grid
(`split_level`). A table, made once from the geometry of the stencil, then lists which products to form, and one loop
over the table serves all kinds of cells, tile by tile.

References
----------
Dendy, Black box multigrid, J. Comput. Phys. 48 (1982) 366; Dendy, Two multigrid methods for three-dimensional problems
with discontinuous and anisotropic coefficients, SIAM J. Sci. Stat. Comput. 8 (1987) 673.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numba
import numpy as np

from ...kernels.rows import FAST
from ...kernels.unaliased import load, load_written, no_inline, store
from .grids import (
    AXES,
    DIRECTIONS,
    GROUND,
    LINKS,
    NX,
    NY,
    NZ,
    STRIDE_X,
    STRIDE_Y,
    STRIDE_Z,
    WEIGHTS,
    N,
    S,
    W,
    close_rim,
    fill,
)
from .transfers import split

_AXES = np.array(AXES)

TILE = 256
"""Cells treated together: their sums stay in the first-level cache."""

LINES = 10
_ADD, _CLIP, _TIMES, _CLOSE, _FINISH = range(5)


@lru_cache(maxsize=2)
def interpolation_tables(diagonals: bool) -> tuple[np.ndarray, ...]:
    """Return the three tables of `weigh`: cells between two, four and eight coarse points.

    Rows are operations with five operands. Three of them gather the links in one direction: add split vector a, with a
    shift along z, y, x; clip the sum at zero; multiply it with weight vector b, shifted, and add that to the share of
    corner a. Then the sum is closed, and after all directions the shares of a kind of cells are divided by the sum over
    all of them.
    """
    stages: list[list[tuple[int, ...]]] = [[], [], []]
    directions = [d for d in itertools.product((-1, 0, 1), repeat=3) if any(d)]
    for parity in itertools.product((0, 1), repeat=3):
        gaps = [axis for axis in range(3) if parity[axis]]
        if not gaps:
            continue
        rows = stages[len(gaps) - 1]
        for along in itertools.product(*((-1, 0, 1) if p else (0,) for p in parity)):
            if not any(along):
                continue
            collapsed = [d for d in directions if all(d[axis] == along[axis] for axis in gaps)]
            terms = [_directed_link(parity, d, diagonals) for d in collapsed]
            if not any(terms):
                continue
            rows += [(_ADD, *term) for term in terms if term]
            if len(gaps) == 1:
                rows.append((_CLIP, 0, 0, 0, 0, 0))
            # The neighbour lies between the coarse points along the axes on which it does not step.
            shift = tuple(int(step > 0) for step in along)
            for corner in itertools.product(*((1, 2) if p else (0,) for p in parity)):
                if all(along[axis] == 0 or (along[axis] > 0) == (corner[axis] == 2) for axis in gaps):
                    source = tuple(corner[axis] if along[axis] == 0 else 0 for axis in range(3))
                    rows.append((_TIMES, _corner(corner), _kind(source), *shift))
            rows.append((_CLOSE, 0, 0, 0, 0, 0))
        corners = list(itertools.product(*((1, 2) if p else (0,) for p in parity)))
        rows += [(_FINISH, _corner(c), _kind(c), _parity(parity), len(gaps), c == corners[-1]) for c in corners]
    return tuple(np.array(rows, dtype=np.int64) for rows in stages)


def _kind(s: tuple[int, ...]) -> int:
    return 9 * s[0] + 3 * s[1] + s[2]


def _corner(s: tuple[int, ...]) -> int:
    return 4 * (s[0] == 2) + 2 * (s[1] == 2) + (s[2] == 2)


def _parity(p: tuple[int, ...]) -> int:
    return 4 * p[0] + 2 * p[1] + p[2]


def _directed_link(parity: tuple[int, ...], d: tuple[int, ...], diagonals: bool) -> tuple[int, ...] | None:
    """Return split vector and shift of the link of a kind of cell in one direction; None where there is none."""
    lower = d in DIRECTIONS
    m = DIRECTIONS.index(d if lower else tuple(-step for step in d))
    if not diagonals:
        if m not in AXES:
            return None
        m = AXES.index(m)
    if lower:
        return (8 * m + _parity(parity), 0, 0, 0, 0)
    # The neighbour stores it: it is of the other kind along the axes of the step, in the next coarse cell behind a gap.
    other = tuple(p ^ (step != 0) for p, step in zip(parity, d, strict=True))
    shift = tuple(
        1 if (p and step > 0) else -1 if (not p and step < 0) else 0 for p, step in zip(parity, d, strict=True)
    )
    return (8 * m + _parity(other), 0, *shift)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def split_level(
    arena: np.ndarray,
    row: np.ndarray,
    coarse: np.ndarray,
    vectors: int,
    wraps: tuple,
    walls: tuple,
    directions: np.ndarray,
    kinds: np.ndarray,
) -> None:
    """Split the links, and the links to walls, of a level by kinds of cells.

    `kinds` receives 8 vectors for each of the links, then 8 for the links to walls, then 8 for those links to walls
    that interpolation uses; where there are no cells they must be zero. Gaps that no cell fills (along axes that are
    not coarsened or of odd length) count as copies of the coarse point below them: their links are those of the
    point.
    """
    no_inline()
    n = coarse[N]
    nz, ny, nx = row[NZ], row[NY], row[NX]
    for m in range(vectors + 1):
        source = row[LINKS] + m * row[N] if m < vectors else row[GROUND]
        for k in range(nz):
            pz, kc = (k & 1, k >> 1) if row[STRIDE_Z] == 2 else (0, k)
            for j in range(ny):
                py, jc = (j & 1, j >> 1) if row[STRIDE_Y] == 2 else (0, j)
                a = (8 * m + 4 * pz + 2 * py) * n + (kc + 1) * coarse[S] + (jc + 1) * coarse[W] + 1
                start = source + (k + 1) * row[S] + (j + 1) * row[W] + 1
                split(kinds, a, kinds, a + n, arena, start, nx, row[STRIDE_X])
        if m == vectors:
            break
        for turn in range(2):  # gaps copy what lies beyond the upper rim, and the lower rim copies gaps
            if wraps[0] or wraps[1] or wraps[2]:
                for p in range(8):
                    close_rim(kinds, (8 * m + p) * n, coarse, wraps)
            if turn == 0:
                _fill_gaps(kinds, 8 * m * n, row, coarse, directions[m if vectors > 3 else _AXES[m]])
    _split_walls(kinds, 8 * vectors * n, row, coarse, wraps, walls)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def empty_gaps(axis: int, row: np.ndarray, coarse: np.ndarray) -> int:
    """Return the coarse index of the first gap along an axis that no cell fills."""
    return row[NZ + axis] // 2 if row[STRIDE_Z + axis] == 2 else 0


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def copy_gaps(
    to: np.ndarray, target: int, v: np.ndarray, source: int, shift: int, axis: int, first: int, coarse: np.ndarray
) -> None:
    """Copy (where v is not empty, else clear) the entries behind `first` along an axis, from `shift` cells ahead."""
    no_inline()
    nz, ny, nx, w, s = coarse[NZ], coarse[NY], coarse[NX], coarse[W], coarse[S]
    k0, j0, i0 = (first if axis == 0 else -1), (first if axis == 1 else -1), (first if axis == 2 else -1)
    ahead = shift * (s if axis == 0 else w if axis == 1 else 1)
    for k in range(k0 + 1, nz + 1 if axis == 0 else nz + 2):
        for j in range(j0 + 1, ny + 1 if axis == 1 else ny + 2):
            for i in range(i0 + 1, nx + 1 if axis == 2 else nx + 2):
                c = k * s + j * w + i
                if v.size > 0:
                    to[target + c] = v[source + c + ahead]
                else:
                    to[target + c] = 0.0


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _fill_gaps(kinds: np.ndarray, start: int, row: np.ndarray, coarse: np.ndarray, direction: np.ndarray) -> None:
    """Give the empty gaps of one link vector the links of the coarse points that they copy."""
    no_inline()
    n = coarse[N]
    for axis in range(2, -1, -1):
        first = empty_gaps(axis, row, coarse)
        if direction[axis] == 0 or first >= coarse[NZ + axis]:
            continue
        bit = 4 >> axis
        for p in range(8):
            if p & bit:
                source = start + (p ^ bit) * n
                copy_gaps(kinds, start + p * n, kinds, source, int(direction[axis] < 0), axis, first, coarse)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def clear_gaps(kinds: np.ndarray, vectors: int, row: np.ndarray, coarse: np.ndarray, directions: np.ndarray) -> None:
    """Keep one of the two copies of each link of a point with an empty gap, for the Galerkin product.

    As the gap lies above its point, the point keeps links to lower neighbours and the gap those to upper ones.
    """
    no_inline()
    n = coarse[N]
    for axis in range(3):
        first = empty_gaps(axis, row, coarse)
        if first >= coarse[NZ + axis]:
            continue
        bit = 4 >> axis
        for m in range(vectors):
            step = directions[m if vectors > 3 else _AXES[m], axis]
            for p in range(8):
                if (p & bit != 0) != (step > 0):
                    copy_gaps(kinds, (8 * m + p) * n, kinds[:0], np.int64(0), np.int64(0), axis, first, coarse)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _split_walls(
    kinds: np.ndarray, start: int, row: np.ndarray, coarse: np.ndarray, wraps: tuple, walls: tuple
) -> None:
    """Split off the links to walls that replace a missing coarse point: those of the last cell of an even axis.

    A cell at an edge or a corner of the box has one number for its walls; each gets the same share of it.
    """
    no_inline()
    n, w, s = coarse[N], coarse[W], coarse[S]
    nz, ny, nx = row[NZ], row[NY], row[NX]
    hangs_z = row[STRIDE_Z] == 2 and nz % 2 == 0 and not wraps[0]
    hangs_y = row[STRIDE_Y] == 2 and ny % 2 == 0 and not wraps[1]
    hangs_x = row[STRIDE_X] == 2 and nx % 2 == 0 and not wraps[2]
    for k in range(nz):
        pz, kc = (k & 1, k >> 1) if row[STRIDE_Z] == 2 else (0, k)
        count_z = int(k == 0 and walls[0]) + int(k == nz - 1 and walls[1])
        hang_z = int(hangs_z and k == nz - 1 and walls[1])
        for j in range(ny):
            py, jc = (j & 1, j >> 1) if row[STRIDE_Y] == 2 else (0, j)
            count_y = count_z + int(j == 0 and walls[2]) + int(j == ny - 1 and walls[3])
            hang_y = hang_z + int(hangs_y and j == ny - 1 and walls[3])
            for i in range(0 if hang_y else nx - 1, nx):
                hang = hang_y + int(hangs_x and i == nx - 1 and walls[5])
                if hang == 0:
                    continue
                count = count_y + int(i == 0 and walls[4]) + int(i == nx - 1 and walls[5])
                px, ic = (i & 1, i >> 1) if row[STRIDE_X] == 2 else (0, i)
                c = start + (4 * pz + 2 * py + px) * n + (kc + 1) * s + (jc + 1) * w + ic + 1
                kinds[c + 8 * n] = kinds[c] * np.float32(hang / count)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _add(tile: np.ndarray, line: int, v: np.ndarray, begin: int, count: int) -> None:
    for c in range(count):
        store(tile, line + c, load_written(tile, line + c) + load(v, begin + c))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _add_product(tile: np.ndarray, line: int, t: int, v: np.ndarray, begin: int, count: int) -> None:
    for c in range(count):
        store(tile, line + c, load_written(tile, line + c) + load(tile, t + c) * load(v, begin + c))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _clip(tile: np.ndarray, line: int, count: int) -> None:
    zero = np.float32(0.0)
    for c in range(count):
        store(tile, line + c, max(load_written(tile, line + c), zero))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _invert(tile: np.ndarray, kinds: np.ndarray, wall: int, count: int) -> None:
    """Set the first line to 1/(Σ links + link to the wall), zero where the sum is zero."""
    zero, one = np.float32(0.0), np.float32(1.0)
    for c in range(count):
        total = load_written(tile, c) + load(kinds, wall + c)
        inverse = one / total
        store(tile, c, inverse if total > zero else zero)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _divide(out: np.ndarray, to: int, tile: np.ndarray, line: int, share: float, count: int) -> None:
    """Set out = the weight of one corner, or `share` where the sum is zero."""
    zero = np.float32(0.0)
    for c in range(count):
        inverse = load(tile, c)
        weight = inverse * load(tile, line + c)
        store(out, to + c, weight if inverse > zero else share)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _weigh(
    arena: np.ndarray,
    row: np.ndarray,
    coarse: np.ndarray,
    kinds: np.ndarray,
    walls: int,
    table: np.ndarray,
    tile: np.ndarray,
) -> None:
    """Run one table of `interpolation_tables` over a level.

    Lines of the tile: the sum of all links of a cell, the sum of those in one direction, and the shares of the eight
    corners.
    """
    no_inline()
    n, w, s = coarse[N], coarse[W], coarse[S]
    first, last = s + w + 1, n - s - w - 1
    links, sums = TILE, 2 * TILE
    for begin in range(first, last, TILE):
        count = min(TILE, last - begin)
        fill(tile, np.int64(0), LINES * TILE, 0.0)
        first_corner = True
        for instruction in range(table.shape[0]):
            operation, a, b = table[instruction, 0], table[instruction, 1], table[instruction, 2]
            z, y, x = table[instruction, 3], table[instruction, 4], table[instruction, 5]
            ahead = begin + z * s + y * w + x
            if operation == _ADD:
                _add(tile, np.int64(links), kinds, a * n + ahead, count)
            elif operation == _CLIP:
                _clip(tile, links, count)
            elif operation == _TIMES:
                _add_product(tile, sums + a * TILE, links, arena, row[WEIGHTS] + b * n + ahead, count)
            elif operation == _CLOSE:
                _add(tile, np.int64(0), tile, np.int64(links), count)
                fill(tile, np.int64(links), links + TILE, 0.0)
            else:
                if first_corner:
                    _invert(tile, kinds, (walls + z) * n + begin, count)
                first_corner = x != 0
                share = np.float32(0.5) if y == 1 else np.float32(0.0)
                _divide(arena, row[WEIGHTS] + b * n + begin, tile, sums + a * TILE, share, count)
                if x:
                    fill(tile, np.int64(0), LINES * TILE, 0.0)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def interpolate(
    arena: np.ndarray,
    row: np.ndarray,
    coarse: np.ndarray,
    kinds: np.ndarray,
    vectors: int,
    wraps: tuple,
    tables: tuple,
    tile: np.ndarray,
) -> None:
    """Fill the weights of a level from the output of `split_level`."""
    no_inline()
    n, weights = coarse[N], row[WEIGHTS]
    fill(arena, weights, weights + n, 1.0)
    around = wraps[0] or wraps[1] or wraps[2]
    for table in tables:
        _weigh(arena, row, coarse, kinds, 8 * (vectors + 1), table, tile)
        if around:
            for kind in range(27):
                close_rim(arena, weights + kind * n, coarse, wraps)
    for axis in range(3):  # empty gaps copy the coarse point below them
        first = empty_gaps(axis, row, coarse)
        if first >= coarse[NZ + axis]:
            continue
        step = 9 if axis == 0 else 3 if axis == 1 else 1
        for kind in range(27):
            if kind // step % 3 == 1:
                start = weights + kind * n
                copy_gaps(arena, start, arena, start - step * n, np.int64(0), axis, first, coarse)
                copy_gaps(arena, start + step * n, arena[:0], np.int64(0), np.int64(0), axis, first, coarse)
    for kind in range(27):
        close_rim(arena, weights + kind * n, coarse, wraps)
