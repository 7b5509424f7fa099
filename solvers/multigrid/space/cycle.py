"""Run the V-cycle on three-dimensional grids.

On the finest level, relaxation steps follow each other through the planes like waves: step s is at plane t − s while
step 0 is at plane t, so that each plane is read from memory once and its k steps, the residual and the transfer happen
while it is in the second-level cache. Where the box is periodic in z, and on coarse levels, steps are whole passes.
"""

from __future__ import annotations

import numba
import numpy as np

from ...kernels.rows import FAST
from ...kernels.unaliased import load, no_inline
from .grids import INVERSE_DIAGONAL, NX, NY, NZ, WEIGHTS, N, R, S, W, X, Z, close_plane, close_rim, fill
from .linear_transfers import prolong_linear, restrict_linear
from .sweeps import first_step, relax_plane, residual_plane, sweep_level
from .transfers import prolong_plane, restrict_plane


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
def _product(arena: np.ndarray, a: int, b: int, count: int) -> float:
    no_inline()
    total = 0.0
    for c in range(count):
        total += np.float64(load(arena, a + c)) * np.float64(load(arena, b + c))
    return total


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _solve_coarsest(arena: np.ndarray, row: np.ndarray, wraps: tuple) -> float:
    """Set x = A⁻¹ r by the dense inverse; return rᵀ x."""
    no_inline()
    nz, ny, nx, w, s = row[NZ], row[NY], row[NX], row[W], row[S]
    line = row[WEIGHTS]
    energy = 0.0
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                total = np.float32(0.0)
                for kk in range(nz):
                    for jj in range(ny):
                        start = row[R] + (kk + 1) * s + (jj + 1) * w + 1
                        for ii in range(nx):
                            total += arena[line] * arena[start + ii]
                            line += 1
                c = (k + 1) * s + (j + 1) * w + i + 1
                arena[row[X] + c] = total
                energy += np.float64(total) * np.float64(arena[row[R] + c])
    close_rim(arena, row[X], row, wraps)
    return energy


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _relax(
    arena: np.ndarray, seven: bool, row: np.ndarray, to: int, x: int, omega: float, wraps: tuple, work: np.ndarray
) -> None:
    """Do one step on a whole level, from one vector to another."""
    no_inline()
    if seven:
        s = row[S]
        for k in range(1, row[NZ] + 1):
            p = k * s
            relax_plane(arena, to + p, arena, x + p - s, x + p, x + p + s, arena, row[R] + p, row, p, omega)
    else:
        sweep_level(arena, to, x, row[R], row, work, omega, np.float32(1.0))
    if wraps[0] or wraps[1] or wraps[2]:
        close_rim(arena, to, row, wraps)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _descend(
    arena: np.ndarray,
    levels: np.ndarray,
    level: int,
    omegas: np.ndarray,
    wraps: tuple,
    work: np.ndarray,
    linear: bool,
    ends: np.ndarray,
) -> None:
    """Do k steps from zero into Z (X if k is even), and set R of the next level = Pᵀ (r − A x)."""
    no_inline()
    row, coarse = levels[level], levels[level + 1]
    s, k, seven = row[S], omegas.size, linear or level == 0
    x, z = row[Z], row[X]  # so that k steps and k more end in X
    first_step(arena, x, arena, row[R], row[INVERSE_DIAGONAL], row[N], omegas[0])
    if wraps[0] or wraps[1] or wraps[2]:
        close_rim(arena, x, row, wraps)
    for m in range(1, k):
        _relax(arena, seven, row, z, x, omegas[m], wraps, work)
        x, z = z, x
    if not seven:
        sweep_level(arena, z, x, row[R], row, work, np.float32(0.0), np.float32(1.0))
    for plane in range(row[NZ]):
        p = (plane + 1) * s
        if seven:
            residual_plane(work, np.int64(0), arena, x, row[R], row, p, np.float32(1.0))
            if linear:
                restrict_linear(arena, work, np.int64(0), plane, row, coarse, wraps, ends[level])
            else:
                restrict_plane(arena, work, np.int64(0), plane, row, coarse, wraps)
        else:
            restrict_plane(arena, arena, z + p, plane, row, coarse, wraps)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _ascend(
    arena: np.ndarray,
    levels: np.ndarray,
    level: int,
    omegas: np.ndarray,
    wraps: tuple,
    work: np.ndarray,
    linear: bool,
    ends: np.ndarray,
) -> None:
    """Do k steps into X from the result of `_descend` plus P x of the next level."""
    no_inline()
    row, coarse = levels[level], levels[level + 1]
    k, seven = omegas.size, linear or level == 0
    x, z = (row[Z], row[X]) if k % 2 else (row[X], row[Z])
    for plane in range(row[NZ]):
        if linear:
            prolong_linear(arena, x, plane, row, coarse, wraps, ends[level])
        else:
            prolong_plane(arena, x, plane, row, coarse)
    if wraps[0] or wraps[1] or wraps[2]:
        close_rim(arena, x, row, wraps)
    for m in range(k):
        _relax(arena, seven, row, z, x, omegas[m], wraps, work)
        x, z = z, x


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _descend_in_waves(
    arena: np.ndarray,
    levels: np.ndarray,
    omegas: np.ndarray,
    wraps: tuple,
    rings: np.ndarray,
    linear: bool,
    ends: np.ndarray,
) -> None:
    """Do what `_descend` does on the finest level of a box that is not periodic in z; the result is in X.

    `rings` holds four planes for each of the steps but the last, and one more.
    """
    no_inline()
    row, coarse = levels[0], levels[1]
    s, nz, k = row[S], row[NZ], omegas.size
    around = wraps[1] or wraps[2]
    r, x, d, work = row[R], row[X], row[INVERSE_DIAGONAL], 4 * s * (k - 1)
    fill(rings, np.int64(0), work, 0.0)
    for t in range(nz + k):
        p = (t + 1) * s
        if t < nz:
            if k == 1:
                first_step(arena, x + p, arena, r + p, d + p, s, omegas[0])
                if around:
                    close_plane(arena, x + p, row, wraps)
            else:
                to = (t & 3) * s
                first_step(rings, to, arena, r + p, d + p, s, omegas[0])
                if around:
                    close_plane(rings, to, row, wraps)
        elif k > 1:
            fill(rings, (t & 3) * s, (t & 3) * s + s, 0.0)
        for m in range(1, k):
            j = t - m
            if j < 0 or j > nz:
                continue
            p, base, to = (j + 1) * s, 4 * s * (m - 1), 4 * s * m + (j & 3) * s
            below, here, above = base + ((j - 1) & 3) * s, base + (j & 3) * s, base + ((j + 1) & 3) * s
            if m < k - 1:
                if j < nz:
                    relax_plane(rings, to, rings, below, here, above, arena, r + p, row, p, omegas[m])
                    if around:
                        close_plane(rings, to, row, wraps)
                else:
                    fill(rings, to, to + s, 0.0)
            elif j < nz:
                relax_plane(arena, x + p, rings, below, here, above, arena, r + p, row, p, omegas[m])
                if around:
                    close_plane(arena, x + p, row, wraps)
        j = t - k
        if j >= 0:
            residual_plane(rings, work, arena, x, r, row, (j + 1) * s, np.float32(1.0))
            if linear:
                restrict_linear(arena, rings, work, j, row, coarse, wraps, ends[0])
            else:
                restrict_plane(arena, rings, work, j, row, coarse, wraps)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _ascend_in_waves(
    arena: np.ndarray,
    levels: np.ndarray,
    omegas: np.ndarray,
    wraps: tuple,
    rings: np.ndarray,
    linear: bool,
    ends: np.ndarray,
) -> float:
    """Do what `_ascend` does on the finest level of a box not periodic in z, at least two steps, in X; return rᵀ x."""
    no_inline()
    row, coarse = levels[0], levels[1]
    s, nz, k = row[S], row[NZ], omegas.size
    around = wraps[1] or wraps[2]
    r, x = row[R], row[X]
    energy = 0.0
    fill(rings, np.int64(0), 4 * s * (k - 1), 0.0)
    for t in range(nz + k):
        if t < nz:
            if linear:
                prolong_linear(arena, x, t, row, coarse, wraps, ends[0])
            else:
                prolong_plane(arena, x, t, row, coarse)
            if around:
                close_plane(arena, x + (t + 1) * s, row, wraps)
        for m in range(1, k + 1):
            j = t - m
            if j < 0 or j > nz:
                continue
            p, base, to = (j + 1) * s, 4 * s * (m - 2), 4 * s * (m - 1) + (j & 3) * s
            below, here, above = base + ((j - 1) & 3) * s, base + (j & 3) * s, base + ((j + 1) & 3) * s
            if j == nz:
                if m < k:
                    fill(rings, to, to + s, 0.0)
                continue
            if m == 1:
                relax_plane(rings, to, arena, x + p - s, x + p, x + p + s, arena, r + p, row, p, omegas[0])
            elif m < k:
                relax_plane(rings, to, rings, below, here, above, arena, r + p, row, p, omegas[m - 1])
            else:
                relax_plane(arena, x + p, rings, below, here, above, arena, r + p, row, p, omegas[m - 1])
                energy += _product(arena, r + p, x + p, s)
            if around and m < k:
                close_plane(rings, to, row, wraps)
    return energy


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def cycle(
    arena: np.ndarray,
    levels: np.ndarray,
    omegas: np.ndarray,
    omegas_below: np.ndarray,
    wraps: tuple,
    rings: np.ndarray,
    work: np.ndarray,
    linear: bool,
    ends: np.ndarray,
) -> float:
    """Run one V-cycle for the right-hand side in the finest level's R; leave z ≈ A⁻¹ r in its X and return rᵀ z.

    `linear` says whether coarse operators have seven points and transfers are linear, with the weights `ends`; else
    operators have twenty-seven points and transfers are operator-dependent. `omegas` are the steps on the finest level,
    `omegas_below` those on the others.
    """
    last = levels.shape[0] - 1
    waves = not wraps[0] and omegas.size > 1
    for level in range(last):
        coarse = levels[level + 1]
        fill(arena, coarse[R], coarse[R] + coarse[N], 0.0)
        if level == 0 and waves:
            _descend_in_waves(arena, levels, omegas, wraps, rings, linear, ends)
        else:
            _descend(arena, levels, level, omegas if level == 0 else omegas_below, wraps, work, linear, ends)
    energy = _solve_coarsest(arena, levels[last], wraps)
    for level in range(last - 1, -1, -1):
        if level == 0 and waves:
            energy = _ascend_in_waves(arena, levels, omegas, wraps, rings, linear, ends)
        else:
            _ascend(arena, levels, level, omegas if level == 0 else omegas_below, wraps, work, linear, ends)
            if level == 0:
                row = levels[0]
                energy = _product(arena, row[R], row[X], row[N])
    return energy
