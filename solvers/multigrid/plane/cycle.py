"""Hold the two-dimensional hierarchy in one block of memory: its layout, its set-up and its V-cycle.

All arrays of all levels lie in one float32 `arena`; a row of the table `levels` says where. So one compiled function
serves every grid, and a thread allocates once for all its samples.
"""

from __future__ import annotations

import numba
import numpy as np

from ...kernels.alignment import whole_lines
from ...kernels.rows import FAST, row_kernel
from .galerkin import coarse_links, links_to_walls
from .interpolation import interpolated_ones, weights_along_columns, weights_along_rows, weights_amid_cells
from .levels import ascend_level, descend_level
from .sweeps import ascend, descend

# Columns of the table: size, strides to the next level, then offsets into the arena.
NY, NX, STRIDE_Y, STRIDE_X, R, X, Z, INVERSE_DIAGONAL, EAST, NORTH, RISING, FALLING, WEIGHTS, WORK, COLUMNS = range(15)


def plan(sizes: list[tuple[int, int]]) -> tuple[np.ndarray, int]:
    """Return the table of the levels of the given sizes (finest first), and the length of the arena."""
    table = np.zeros((len(sizes), COLUMNS), dtype=np.int64)
    end = 0

    def take(cells: int) -> int:
        nonlocal end
        begin, end = end, end + whole_lines(cells, 16)
        return begin

    for level, (ny, nx) in enumerate(sizes):
        row = table[level]
        row[NY], row[NX] = ny, nx
        last = level == len(sizes) - 1
        cy, cx = sizes[level] if last else sizes[level + 1]
        row[STRIDE_Y], row[STRIDE_X] = 2 if cy < ny else 1, 2 if cx < nx else 1
        # Coarse levels have a rim of one cell, and one spare row.
        tight = [ny * nx] * 4 + [ny * (nx + 1), (ny + 1) * nx, 1, 1]
        lengths = [(ny + 3) * (nx + 2)] * 8 if level else tight
        for column, length in zip(range(R, WEIGHTS), lengths, strict=True):
            row[column] = take(length)
        gaps_y, gaps_x = (ny // 2 if cy < ny else 0), (nx // 2 if cx < nx else 0)
        row[WEIGHTS] = take((ny * nx) ** 2 if last else 2 * cy * gaps_x + 2 * gaps_y * cx + 4 * gaps_y * gaps_x)
    work = max(((ny + 3) * (nx + 2) for ny, nx in sizes[1:]), default=1)
    table[:, WORK] = take(work)
    return table, end


@numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)
def grid(arena: np.ndarray, offset: int, rows: int, columns: int) -> np.ndarray:
    """Return a (rows, columns) array inside the arena."""
    return arena[offset : offset + rows * columns].reshape((rows, columns))


@numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)
def inside_rim(arena: np.ndarray, offset: int, rows: int, nx: int) -> np.ndarray:
    """Return the rows of an array with a rim, from its first inner cell on; entries from nx on belong to the rim."""
    start = offset + nx + 3
    return arena[start : start + rows * (nx + 2)].reshape((rows, nx + 2))


@numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)
def with_rim(arena: np.ndarray, offset: int, row: np.ndarray) -> np.ndarray:
    """Return an array of a coarse level as one vector, rim included."""
    return arena[offset : offset + (row[NY] + 2) * (row[NX] + 2)]


@numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)
def cells(arena: np.ndarray, levels: np.ndarray, level: int, column: int) -> np.ndarray:
    """Return a field of a level as rows of at least nx cells."""
    row = levels[level]
    if level == 0:
        return grid(arena, row[column], row[NY], row[NX])
    return inside_rim(arena, row[column], row[NY], row[NX])


@numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)
def links_of(arena: np.ndarray, levels: np.ndarray, level: int) -> tuple:
    """Return the east, north, rising and falling links of a level; diagonal ones of the finest level are placeholders.

    Entry (j, i) of the east links couples the cells (j, i − 1) and (j, i); of the north links (j − 1, i) and (j, i); of
    the rising links (j − 1, i − 1) and (j, i); of the falling links (j − 1, i) and (j, i − 1).
    """
    row = levels[level]
    ny, nx = row[NY], row[NX]
    if level == 0:
        return (
            grid(arena, row[EAST], ny, nx + 1),
            grid(arena, row[NORTH], ny + 1, nx),
            grid(arena, row[RISING], 1, 1),
            grid(arena, row[FALLING], 1, 1),
        )
    return (
        inside_rim(arena, row[EAST], ny + 1, nx),
        inside_rim(arena, row[NORTH], ny + 1, nx),
        inside_rim(arena, row[RISING], ny + 1, nx),
        inside_rim(arena, row[FALLING], ny + 1, nx),
    )


@numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)
def link_vectors(arena: np.ndarray, row: np.ndarray) -> tuple:
    """Return the links of a coarse level as vectors, rims included."""
    return (
        with_rim(arena, row[EAST], row),
        with_rim(arena, row[NORTH], row),
        with_rim(arena, row[RISING], row),
        with_rim(arena, row[FALLING], row),
    )


@numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)
def weights_of(arena: np.ndarray, row: np.ndarray, coarse: np.ndarray) -> tuple:
    """Return the eight arrays of interpolation weights between a level and the next."""
    ny, nx, cy, cx = row[NY], row[NX], coarse[NY], coarse[NX]
    gaps_y = ny // 2 if cy < ny else 0
    gaps_x = nx // 2 if cx < nx else 0
    a, b, c, start = cy * gaps_x, gaps_y * cx, gaps_y * gaps_x, row[WEIGHTS]
    inner = start + 2 * a + 2 * b
    return (
        grid(arena, start, cy, gaps_x),
        grid(arena, start + a, cy, gaps_x),
        grid(arena, start + 2 * a, gaps_y, cx),
        grid(arena, start + 2 * a + b, gaps_y, cx),
        grid(arena, inner, gaps_y, gaps_x),
        grid(arena, inner + c, gaps_y, gaps_x),
        grid(arena, inner + 2 * c, gaps_y, gaps_x),
        grid(arena, inner + 3 * c, gaps_y, gaps_x),
    )


@row_kernel
def _sum_links(
    total: np.ndarray, size: np.ndarray, low: np.ndarray, high: np.ndarray, low_next: np.ndarray, high_next: np.ndarray
) -> None:
    """Add four rows of links, and their magnitudes."""
    for i in range(total.size):
        total[i] += low[i] + high[i] + low_next[i] + high_next[i]
    for i in range(total.size):
        size[i] += abs(low[i]) + abs(high[i]) + abs(low_next[i]) + abs(high_next[i])


@row_kernel
def _invert_row(out: np.ndarray, total: np.ndarray, size: np.ndarray) -> None:
    """Set out = 2/(total + size), zero for cells without links."""
    two, zero = np.float32(2.0), np.float32(0.0)
    for i in range(total.size):
        d = total[i] + size[i]
        out[i] = two / d if d > zero else zero


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
def invert_diagonal(links: tuple, diagonals: bool, size: tuple, out: np.ndarray, lines: np.ndarray) -> None:
    """Set out = D⁻¹ for relaxation, D = (Σ links + Σ |links|)/2: the diagonal of A where no link is negative.

    Galerkin stencils may have a few negative links, beside high contrasts. With this D the spectrum of D⁻¹A stays in
    (0, 2], by Gershgorin's theorem; otherwise a few cells would force smaller steps everywhere.
    """
    face, riser, rising, falling = links
    ny, nx = size
    total, magnitude = lines[0][:nx], lines[1][:nx]
    for j in range(ny):
        total[:] = 0.0
        magnitude[:] = 0.0
        _sum_links(total, magnitude, face[j], face[j][1:], riser[j], riser[j + 1])
        if diagonals:
            _sum_links(total, magnitude, rising[j], rising[j + 1][1:], falling[j][1:], falling[j + 1])
        _invert_row(out[j][:nx], total, magnitude)


@numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)
def set_up_levels(
    arena: np.ndarray,
    levels: np.ndarray,
    periodic: tuple,
    walls: tuple,
    lines: np.ndarray,
) -> bool:
    """Fill the hierarchy from the links of its finest level; return whether the coarsest matrix is definite."""
    count = levels.shape[0]
    wall = walls[0] or walls[1] or walls[2] or walls[3]
    for level in range(count):
        row = levels[level]
        size = (row[NY], row[NX])
        links, diagonals = links_of(arena, levels, level), level > 0
        inverse_diagonal = cells(arena, levels, level, INVERSE_DIAGONAL)
        invert_diagonal(links, diagonals, size, inverse_diagonal, lines)
        if level == count - 1:
            n = size[0] * size[1]
            return invert_coarsest(links, diagonals, size[0], size[1], periodic, wall, grid(arena, row[WEIGHTS], n, n))
        weights = weights_of(arena, row, levels[level + 1])
        strides = (row[STRIDE_Y], row[STRIDE_X])
        weights_along_rows(links, diagonals, size[1], strides[0], periodic[1], weights[0], weights[1])
        weights_along_columns(links, diagonals, size[0], strides[1], periodic[0], weights[2], weights[3])
        if strides[0] == 2 and strides[1] == 2:
            weights_amid_cells(links, diagonals, weights, periodic, lines)
        coarse = links_of(arena, levels, level + 1)
        coarse_links(links, diagonals, size, weights, strides, periodic, coarse, lines)
        if wall:
            ones = cells(arena, levels, level, X)
            interpolated_ones(weights, size, periodic, ones)
            products = cells(arena, levels, level, Z)
            links_to_walls(links, diagonals, size, weights, strides, periodic, walls, ones, products, coarse)
    return True


@numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)
def invert_coarsest(
    links: tuple, diagonals: bool, ny: int, nx: int, periodic: tuple, wall: bool, out: np.ndarray
) -> bool:
    """Set out = A⁻¹ of the coarsest level, dense, by Cholesky in float64; without walls, the inverse of A + s 1 1ᵀ.

    Without walls A is singular and constants are its null space; A + s 1 1ᵀ acts like A orthogonally to it.
    """
    n = ny * nx
    matrix = np.zeros((n, n))
    face, riser, rising, falling = links
    for j in range(ny):
        for i in range(nx):
            me = j * nx + i
            for dj in range(-1, 2):
                for di in range(-1, 2):
                    if (dj == 0 and di == 0) or (not diagonals and dj != 0 and di != 0):
                        continue
                    jj, ii = j + dj, i + di
                    if dj == 0:
                        t = np.float64(face[j, max(i, ii)])
                    elif di == 0:
                        t = np.float64(riser[max(j, jj), i])
                    elif dj == di:
                        t = np.float64(rising[max(j, jj), max(i, ii)])
                    else:
                        t = np.float64(falling[max(j, jj), max(i, ii)])
                    matrix[me, me] += t
                    if periodic[0]:
                        jj %= ny
                    if periodic[1]:
                        ii %= nx
                    if 0 <= jj < ny and 0 <= ii < nx:
                        matrix[me, jj * nx + ii] -= t
    trace = 0.0
    for k in range(n):
        trace += matrix[k, k]
    if not wall:
        matrix += (trace if trace > 0.0 else 1.0) / (n * n)
    # Cholesky in place, then the inverse column by column.
    for k in range(n):
        pivot = matrix[k, k]
        for m in range(k):
            pivot -= matrix[k, m] * matrix[k, m]
        if not pivot > 0.0:
            return False
        root = np.sqrt(pivot)
        matrix[k, k] = root
        for i in range(k + 1, n):
            s = matrix[i, k]
            for m in range(k):
                s -= matrix[i, m] * matrix[k, m]
            matrix[i, k] = s / root
    column = np.empty(n)
    for c in range(n):
        for i in range(n):
            s = 1.0 if i == c else 0.0
            for m in range(c, i):
                s -= matrix[i, m] * column[m]
            column[i] = s / matrix[i, i] if i >= c else 0.0
        for i in range(n - 1, -1, -1):
            s = column[i]
            for m in range(i + 1, n):
                s -= matrix[m, i] * column[m]
            column[i] = s / matrix[i, i]
            out[i, c] = column[i]
    for i in range(n):
        for c in range(i):
            mean = np.float32(0.5) * (out[i, c] + out[c, i])
            out[i, c] = mean
            out[c, i] = mean
    return True


@row_kernel
def _solve_coarsest(r: np.ndarray, x: np.ndarray, inverse: np.ndarray, ny: int, nx: int) -> float:
    """Set x = A⁻¹ r on the coarsest level; return rᵀ x."""
    energy = 0.0
    for j in range(ny):
        for i in range(nx):
            line = inverse[j * nx + i]
            s = np.float32(0.0)
            for jj in range(ny):
                for ii in range(nx):
                    s += line[jj * nx + ii] * r[jj, ii]
            x[j, i] = s
            energy += np.float64(s) * np.float64(r[j, i])
    return energy


@numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)
def cycle(
    arena: np.ndarray,
    levels: np.ndarray,
    periodic: tuple,
    omegas: np.ndarray,
    rings: np.ndarray,
    lines: np.ndarray,
) -> tuple[int, float]:
    """Run one V-cycle for the right-hand side in the finest level's R; return the offset of z ≈ A⁻¹ r, and rᵀ z."""
    last = levels.shape[0] - 1
    for level in range(last):
        row, coarse = levels[level], levels[level + 1]
        coarse_r = cells(arena, levels, level + 1, R)
        weights = weights_of(arena, row, coarse)
        if level == 0:
            links = links_of(arena, levels, 0)
            descend(
                cells(arena, levels, 0, R),
                cells(arena, levels, 0, X),
                coarse_r,
                links[0],
                links[1],
                cells(arena, levels, 0, INVERSE_DIAGONAL),
                weights,
                (coarse[NY], coarse[NX]),
                omegas,
                periodic,
                rings,
                lines,
            )
        else:
            descend_level(
                with_rim(arena, row[R], row),
                with_rim(arena, row[X], row),
                with_rim(arena, row[Z], row),
                with_rim(arena, row[WORK], row),
                (row[NY], row[NX]),
                link_vectors(arena, row),
                with_rim(arena, row[INVERSE_DIAGONAL], row),
                omegas,
                periodic,
                coarse_r,
                (coarse[NY], coarse[NX]),
                weights,
                lines,
            )
    row = levels[last]
    n = row[NY] * row[NX]
    energy = _solve_coarsest(
        cells(arena, levels, last, R),
        cells(arena, levels, last, X),
        grid(arena, row[WEIGHTS], n, n),
        row[NY],
        row[NX],
    )
    for level in range(last - 1, 0, -1):
        row, coarse = levels[level], levels[level + 1]
        ascend_level(
            with_rim(arena, row[R], row),
            with_rim(arena, row[X], row),
            with_rim(arena, row[Z], row),
            (row[NY], row[NX]),
            link_vectors(arena, row),
            with_rim(arena, row[INVERSE_DIAGONAL], row),
            omegas,
            periodic,
            cells(arena, levels, level + 1, X),
            (coarse[NY], coarse[NX]),
            weights_of(arena, row, coarse),
        )
    row = levels[0]
    if last == 0:
        return row[X], energy
    target = Z if periodic[0] else X
    coarse = levels[1]
    links = links_of(arena, levels, 0)
    energy = ascend(
        cells(arena, levels, 0, R),
        cells(arena, levels, 0, X),
        cells(arena, levels, 0, target),
        cells(arena, levels, 1, X),
        links[0],
        links[1],
        cells(arena, levels, 0, INVERSE_DIAGONAL),
        weights_of(arena, row, coarse),
        (coarse[NY], coarse[NX]),
        omegas,
        periodic,
        rings,
        lines,
    )
    return row[target], energy
