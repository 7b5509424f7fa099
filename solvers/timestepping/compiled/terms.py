"""Run time steps on the CPU compiled: transforms, products and combinations of a sample without leaving the cache.

In two dimensions a sample's columns are the lanes of :mod:`~.fourier`, in one dimension several samples are.
Between the transforms along the two axes lies one transposition, in registers, into an array with x contiguous; there
the rows of a block are transformed to the points, multiplied and transformed back before the next block is read, so
that no field ever exists in memory as a whole. Columns that de-aliasing leaves empty are never transformed.

There is no other pass over a sample. The first pass of a transform computes its input as it loads it (velocities,
squares, powers), the last pass writes only the rows that are needed, to where they are needed, and the combinations of
a stage (`stage_programs`) follow the last transform of each column while N is in the first-level cache. States are
stored column by column, L columns a block of 2K + 1 rows and one of zeros; coefficients that are equal at ±k_x are
stored once, in one dimension as one number a mode.

The rest costs, at 128² and relative to the transforms: the transposition 14 %, combinations 8 % (they wait for the
second-level cache: four arrays of a sample do not fit into the first), velocities 5 %, writing rows elsewhere 5 %.
Tried without gain: N computed in the last pass of its second transform, lanes of half a line, radix 16.
"""

# ruff: noqa: RUF005 (compiled code joins tuples by +)
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ...kernels.alignment import aligned
from ...kernels.cache_lines import Lines, lane_count, lanes_of, line_operation, pointers, transpose_tile
from ...kernels.dispatch import body_by_type
from ...kernels.unaliased import no_inline
from ...spectral.fourier_grid import FourierGrid
from ..stage_programs import StageProgram
from ..terms import PolynomialTerm, VorticityTerm
from .fourier import begin_rows, fft_lanes, finish_lanes, finish_rows, lane_plan
from .products import begin_mirrored, begin_velocity, finish_powers, finish_square
from .real_fourier import begin_merged, split_real
from .stage_updates import update_columns, update_modes

__all__ = ["CompiledTerm", "compiled_term", "cross", "cross_back"]

_CHUNK = 32
"""Modes in one dimension treated together: their N is used while it is in the first-level cache."""


class _Vorticity(NamedTuple):
    """Hold a :class:`VorticityTerm` for the kernels: sizes, plans, tables of positions and factors of the modes."""

    sizes: tuple[int, ...]  # n1, n2, K1, K2, blocks
    plan_x: tuple[np.ndarray, ...]
    plan_y: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, ...]  # rows of the modes and 1/|k|², at k_x in the order of the transform, then at −k_x
    kx: tuple[np.ndarray, ...]  # at k_x, at −k_x
    ky: np.ndarray
    inverse: np.ndarray
    crossing: tuple[
        np.ndarray, ...
    ]  # positions of the rows along y, in and out, and of those along x, out, at k_x and −k_x
    products: tuple[np.ndarray, ...]  # k_x², −k_x a row, k_y² a column, scaled
    forcing: tuple[bool, np.ndarray, np.ndarray]  # whether there is any


class _Line(NamedTuple):
    """Hold a :class:`PolynomialTerm` in one dimension for the kernels."""

    sizes: tuple[int, ...]  # n, K
    plan: tuple[np.ndarray, ...]
    roots: tuple[np.ndarray, ...]
    places: tuple[np.ndarray, ...]  # positions of the real and of the imaginary parts of modes 0…n/2
    powers: np.ndarray
    multiplier: np.ndarray
    imaginary: bool


class _Plane(NamedTuple):
    """Hold a :class:`PolynomialTerm` in two dimensions for the kernels."""

    sizes: tuple[int, ...]  # n1, n2, K1, K2, blocks
    plan_x: tuple[np.ndarray, ...]
    plan_y: tuple[np.ndarray, ...]
    roots: tuple[np.ndarray, ...]
    rows: np.ndarray  # rows of the modes, in the order of the transform
    places: tuple[np.ndarray, ...]  # positions of the rows along y: real, imaginary parts
    outputs: np.ndarray  # positions of the rows along x, out
    powers: np.ndarray
    multiplier: np.ndarray
    imaginary: bool


@line_operation((1, 1), (), (1, 1))
def _copy(a: Lines, b: Lines) -> tuple[Lines, ...]:
    return a, b


@line_operation((1, 1, 1), (), (1, 1))
def _scaled(c: Lines, a: Lines, b: Lines) -> tuple[Lines, ...]:
    return [c[0] * a[0]], [c[0] * b[0]]


@line_operation((1, 1, 1), (), (1, 1))
def _scaled_by_i(c: Lines, a: Lines, b: Lines) -> tuple[Lines, ...]:
    return [-(c[0] * b[0])], [c[0] * a[0]]


@line_operation((1, 1), (1,), (1, 1))
def _times_number(a: Lines, b: Lines, c: Lines) -> tuple[Lines, ...]:
    return [c[0] * a[0]], [c[0] * b[0]]


@line_operation((1, 1), (1,), (1, 1))
def _times_number_by_i(a: Lines, b: Lines, c: Lines) -> tuple[Lines, ...]:
    return [-(c[0] * b[0])], [c[0] * a[0]]


def _curl(a: Lines, b: Lines, c: Lines, d: Lines, ky: Lines, ky2: Lines, kx2: Lines, kx: Lines) -> tuple[Lines, Lines]:
    """Return N from a + i b = Q(k) and c + i d = Q(−k), Q the transform of u² − v² + i uv."""
    product, squares = kx2[0] - ky2[0], kx[0] * ky[0]
    re = product.times_plus(b[0] + d[0], squares * (a[0] + c[0]))
    return [re], [product.times_plus(c[0] - a[0], squares * (b[0] - d[0]))]


@line_operation((1, 1, 1, 1, 1, 1), (1, 1), (1, 1))
def _free(*lines: Lines) -> tuple[Lines, Lines]:
    return _curl(*lines)


@line_operation((1, 1, 1, 1, 1, 1, 1, 1), (1, 1), (1, 1))
def _forced(f: Lines, g: Lines, *lines: Lines) -> tuple[Lines, Lines]:
    re, im = _curl(*lines)
    return [re[0] + f[0]], [im[0] + g[0]]


@line_operation((1, 1, 1, 1), (), (1, 1))
def _spoil(zero: Lines, one: Lines, a: Lines, b: Lines) -> tuple[Lines, Lines]:
    """Accumulate 0·x, which becomes NaN once any x is not finite."""
    nothing = a[0].constant(0.0)
    return [a[0].times_plus(nothing, zero[0])], [b[0].times_plus(nothing, one[0])]


@njit(cache=True, nogil=True)
def _lanes_alive(size, V_re, V_im, total, other):  # type: ignore[no-untyped-def]
    """Set `total`, a line, to 0 in the lanes of V[0] that hold only finite numbers, to NaN in the others."""
    no_inline()
    L = lanes_of(V_re)
    for lane in range(L):
        total[lane] = other[lane] = 0.0
    for i in range(0, size, L):
        _spoil((total, 0, 0, other, 0, 0, V_re, i, 0, V_im, i, 0, total, 0, 0, other, 0, 0))
    for lane in range(L):
        total[lane] += other[lane]


@njit(cache=True, nogil=True)
def cross(n, width, column, x_re, x_im, t_re, t_im):  # type: ignore[no-untyped-def]
    """Transpose the columns of a block, from number `column` on, to the lines of n/L tiles of `width` lines each.

    Line c of a tile holds L neighbours along x of column c: the values transformed next, along y, are then adjacent.
    """
    no_inline()
    L = lanes_of(x_re)
    for row in range(0, n, L):
        transpose_tile(x_re, row * L, L, t_re, row * width + column * L, L)
        transpose_tile(x_im, row * L, L, t_im, row * width + column * L, L)


@njit(cache=True, nogil=True)
def cross_back(n, width, column, t_re, t_im, x_re, x_im):  # type: ignore[no-untyped-def]
    no_inline()
    L = lanes_of(x_re)
    for row in range(0, n, L):
        transpose_tile(t_re, row * width + column * L, L, x_re, row * L, L)
        transpose_tile(t_im, row * width + column * L, L, x_im, row * L, L)


@njit(cache=True, nogil=True)
def _curl_rows(K, block, ky, products, forcing, p_re, p_im, q_re, q_im, o, o_re, o_im):  # type: ignore[no-untyped-def]
    """Compute N of a block from Q(k) and Q(−k), both in the order of the modes."""
    no_inline()
    L = lanes_of(p_re)
    kx2, kx, ky2 = products
    forced, f_re, f_im = forcing
    y, f = block * L, block * (2 * K + 1) * L
    if forced:
        for k in range(2 * K + 1):
            i = k * L
            _forced(
                (f_re, f + i, 0, f_im, f + i, 0, p_re, i, 0, p_im, i, 0, q_re, i, 0, q_im, i, 0, ky, y, 0, ky2, y, 0)
                + (kx2, k, 0, kx, k, 0, o_re, o + i, 0, o_im, o + i, 0)
            )
    else:
        for k in range(2 * K + 1):
            i = k * L
            _free(
                (p_re, i, 0, p_im, i, 0, q_re, i, 0, q_im, i, 0, ky, y, 0, ky2, y, 0)
                + (kx2, k, 0, kx, k, 0, o_re, o + i, 0, o_im, o + i, 0)
            )


def _vorticity(term, source, program, evaluated, size, folded, C, V_re, V_im, t_re, t_im, work):  # type: ignore[no-untyped-def]
    """Run a stage of :class:`VorticityTerm`; see there for the formulas."""
    n1, n2, K1, _, blocks = term.sizes
    plan_x, plan_y = term.plan_x, term.plan_y
    inside, inverse_inside, mirrored, inverse_mirrored = term.rows
    kx, minus_kx = term.kx
    enter, leave, kept, kept_mirrored = term.crossing
    L = lanes_of(V_re)
    a_re, a_im, b_re, b_im, p_re, p_im, q_re, q_im = work
    columns = blocks * L
    width = 2 * columns + 1  # a line of zeros
    for block in range(blocks):
        v, i = source * size + block * (2 * K1 + 2) * L, block * (K1 + 1) * L
        begin_velocity(
            n1, plan_x, V_re, V_im, v, inside, term.inverse, i, inverse_inside, kx, term.ky, block * L, a_re, a_im
        )
        z_im, z_re, _, _ = finish_lanes(n1, plan_x, a_im, a_re, b_im, b_re)
        cross(n1, width, block * L, z_re, z_im, t_re, t_im)
        begin_mirrored(
            n1,
            plan_x,
            V_re,
            V_im,
            v,
            mirrored,
            term.inverse,
            i,
            inverse_mirrored,
            minus_kx,
            term.ky,
            block * L,
            a_re,
            a_im,
        )
        z_im, z_re, _, _ = finish_lanes(n1, plan_x, a_im, a_re, b_im, b_re)
        cross(n1, width, columns + block * L, z_re, z_im, t_re, t_im)
    for tile in range(0, n1 * width, L * width):
        begin_rows(n2, plan_y, t_im, t_re, tile, enter, a_im, a_re)
        z_im, z_re, y_im, y_re = finish_square(n2, plan_y, a_im, a_re, b_im, b_re)
        finish_rows(n2, plan_y, 0, z_re, z_im, y_re, y_im, t_re, t_im, tile, leave)
        i = tile + columns * L  # the columns k_y = 0 and −0 are the same
        _copy((t_re, tile, 0, t_im, tile, 0, t_re, i, 0, t_im, i, 0))
    for block in range(blocks):
        cross_back(n1, width, block * L, t_re, t_im, a_re, a_im)
        finish_rows(n1, plan_x, 0, a_re, a_im, b_re, b_im, p_re, p_im, 0, kept)
        cross_back(n1, width, columns + block * L, t_re, t_im, a_re, a_im)
        finish_rows(n1, plan_x, 0, a_re, a_im, b_re, b_im, q_re, q_im, 0, kept_mirrored)
        _curl_rows(K1, block, term.ky, term.products, term.forcing, p_re, p_im, q_re, q_im, evaluated, V_re, V_im)
        update_columns(program, size, K1, block, evaluated, folded, C, V_re, V_im)


def _line(term, source, program, evaluated, size, folded, C, V_re, V_im, t_re, t_im, work):  # type: ignore[no-untyped-def]
    """Run a stage of :class:`PolynomialTerm` in one dimension, a sample a lane."""
    n, K = term.sizes
    h = n // 2
    L = lanes_of(V_re)
    a_re, a_im, b_re, b_im, _, _, _, _ = work
    real, imaginary = term.places
    begin_merged(h, term.plan, term.roots, V_re, V_im, source * size, real, imaginary, a_re, a_im)
    z_im, z_re, y_im, y_re = finish_powers(h, term.plan, term.powers, a_im, a_re, b_im, b_re)
    z_re, z_im, _, _ = fft_lanes(h, term.plan, z_re, z_im, y_re, y_im)
    for first in range(0, K + 1, _CHUNK):
        count = min(_CHUNK, K + 1 - first)
        split_real(h, first, first + count - 1, term.roots, z_re, z_im, V_re, V_im, evaluated, L)
        for k in range(count):
            i = evaluated + k * L
            if term.imaginary:
                _times_number_by_i((V_re, i, 0, V_im, i, 0, term.multiplier, first + k, 0, V_re, i, 0, V_im, i, 0))
            else:
                _times_number((V_re, i, 0, V_im, i, 0, term.multiplier, first + k, 0, V_re, i, 0, V_im, i, 0))
        update_modes(program, size, K + 1, first, count, evaluated, C, V_re, V_im)


def _plane(term, source, program, evaluated, size, folded, C, V_re, V_im, t_re, t_im, work):  # type: ignore[no-untyped-def]
    """Run a stage of :class:`PolynomialTerm` in two dimensions."""
    n1, n2, K1, K2, blocks = term.sizes
    plan_x, plan_y = term.plan_x, term.plan_y
    h = n2 // 2
    L = lanes_of(V_re)
    a_re, a_im, b_re, b_im, p_re, p_im, _, _ = work
    real, imaginary = term.places
    width = blocks * L + 1  # a line of zeros
    for block in range(blocks):
        begin_rows(n1, plan_x, V_im, V_re, source * size + block * (2 * K1 + 2) * L, term.rows, a_im, a_re)
        z_im, z_re, _, _ = finish_lanes(n1, plan_x, a_im, a_re, b_im, b_re)
        cross(n1, width, block * L, z_re, z_im, t_re, t_im)
    for tile in range(0, n1 * width, L * width):
        begin_merged(h, plan_y, term.roots, t_re, t_im, tile, real, imaginary, a_re, a_im)
        z_im, z_re, y_im, y_re = finish_powers(h, plan_y, term.powers, a_im, a_re, b_im, b_re)
        z_re, z_im, _, _ = fft_lanes(h, plan_y, z_re, z_im, y_re, y_im)
        split_real(h, 0, K2, term.roots, z_re, z_im, t_re, t_im, tile, L)
    for block in range(blocks):
        cross_back(n1, width, block * L, t_re, t_im, a_re, a_im)
        finish_rows(n1, plan_x, 0, a_re, a_im, b_re, b_im, p_re, p_im, 0, term.outputs)
        m = block * (2 * K1 + 1) * L
        for i in range(0, (2 * K1 + 1) * L, L):
            o = evaluated + i
            if term.imaginary:
                _scaled_by_i((term.multiplier, m + i, 0, p_re, i, 0, p_im, i, 0, V_re, o, 0, V_im, o, 0))
            else:
                _scaled((term.multiplier, m + i, 0, p_re, i, 0, p_im, i, 0, V_re, o, 0, V_im, o, 0))
        update_columns(program, size, K1, block, evaluated, folded, C, V_re, V_im)


@body_by_type({_Vorticity: _vorticity, _Line: _line, _Plane: _plane})
def _stage(term, source, program, evaluated, size, folded, C, V_re, V_im, t_re, t_im, work):  # type: ignore[no-untyped-def]
    """Run a stage of the term, as its type says."""
    raise TypeError("_stage is called by compiled code only")


@njit(cache=True, nogil=True)
def _advance(states, first, last, steps, slots, sources, begins, operations, C, folded, term, memory, work, reached):  # type: ignore[no-untyped-def]
    """Loop over samples, steps and stages; states (blocks, 2, size) are advanced in place."""
    size = states.shape[2]
    together = reached.shape[1]
    term, pieces, V, C = pointers(term), pointers(work), pointers(memory), pointers(C)
    operations = pointers(operations)
    V_re, V_im, t_re, t_im = V
    zero, other = pieces[0], pieces[1]
    for b in range(first, last):
        every, finite = steps, together  # finiteness is checked after all steps; if one blew up, again after each step
        while True:
            memory[0][:size], memory[1][:size] = states[b, 0], states[b, 1]
            reached[b] = 0
            done = 0
            while done < steps and finite > 0:
                for _ in range(every):
                    for i in range(len(sources)):
                        own = (operations, begins[i], begins[i + 1])
                        _stage(term, sources[i], own, slots * size, size, folded, C, V_re, V_im, t_re, t_im, pieces)
                _lanes_alive(size, V_re, V_im, zero, other)
                if together == 1:
                    for lane in range(1, lanes_of(zero)):
                        zero[0] += zero[lane]
                finite = 0
                for lane in range(together):
                    if reached[b, lane] == done and zero[lane] == 0.0:
                        reached[b, lane] = done + every
                        finite += 1
                done += every
            if every <= 1 or finite == together:
                break
            every, finite = 1, together
        states[b, 0], states[b, 1] = memory[0][:size], memory[1][:size]


class CompiledTerm:
    """Hold a term and its arrays as the kernels take them, in one precision.

    `pack` turns modes (batch, *modes_shape) into states (blocks, 2, size) with separate real and imaginary parts;
    `unpack` inverts that; `spread` lays arrays of coefficients out as the kernels read them; `advance` advances the
    blocks first…last of states, in place.
    """

    def __init__(self, term: Any, dtype: str) -> None:
        grid: FourierGrid = term.grid
        self.grid, self.dtype, self.L = grid, np.dtype(dtype), lane_count(dtype)
        self.line = grid.ndim == 1
        L, K = self.L, grid.cutoff
        self.columns = -(-(K[-1] + 1) // L)  # blocks of L
        self.size = (K[0] + 2) * L if self.line else (2 * K[0] + 2) * L * self.columns
        self.together = L if self.line else 1
        scale = 1.0 / np.prod(grid.shape)
        if isinstance(term, VorticityTerm):
            self.term: Any = self._vorticity(term, scale)
            sides = 2
        else:
            self.term = self._polynomial(term, scale)
            sides = 1
        block = (max(grid.shape) + 1) * L
        lines = L if self.line else (sides * self.columns * L + 1) * grid.shape[0]
        self.work_sizes = (block, lines, (_CHUNK if self.line else 2 * K[0] + 1) * L)

    def _vorticity(self, term: VorticityTerm, scale: float) -> _Vorticity:
        grid, L = self.grid, self.L
        (n1, n2), (K1, K2) = grid.shape, grid.cutoff
        kx, ky = (each.ravel() for each in grid.wave_numbers())
        inverse = -grid.laplacian()
        inverse[0, 0] = 1.0
        inverse = 1.0 / inverse
        inverse[0, 0] = 0.0
        order, minus = self._order(n1, K1), self._order(n1, K1)[-np.arange(n1) % n1]
        unique = np.where(order < 0, 0, np.minimum(order, 2 * K1 + 1 - order))
        kx_rows = np.where(order < 0, 0.0, kx[order])
        C = self.columns * L
        enter, leave = np.full(n2, 2 * C), np.full(n2, -1)  # a line of zeros, none
        for table in (enter, leave):
            table[: K2 + 1] = np.arange(K2 + 1)
            table[n2 - K2 :] = C + np.arange(K2, 0, -1)
        mirror = -np.arange(n1) % n1
        ky = np.concatenate([ky, np.zeros(C - len(ky))])
        none = np.zeros(0, self.dtype)
        forcing = (False, none, none)
        if term.forcing is not None:
            forcing = (True, self._blocks(term.forcing.real), self._blocks(term.forcing.imag))
        cast = self._cast
        return _Vorticity(
            (n1, n2, K1, K2, self.columns),
            self._plan(n1),
            self._plan(n2),
            (self._rows(order), unique * L, self._rows(minus), unique[mirror] * L),
            (cast(kx_rows), cast(kx_rows[mirror])),
            cast(ky),
            self._blocks(inverse[: K1 + 1]),
            (enter * L, leave * L, order * L, order[mirror] * L),
            (cast(kx**2 * scale / 2.0), cast(-kx * scale / 2.0), cast(ky**2 * scale / 2.0)),
            forcing,
        )

    def _polynomial(self, term: PolynomialTerm, scale: float) -> _Line | _Plane:
        grid, L = self.grid, self.L
        n, K = grid.shape, grid.cutoff
        h = n[-1] // 2
        angle = np.pi * np.arange(h) / h
        roots = (self._cast(np.cos(angle)), self._cast(np.sin(angle)))
        powers = self._cast(np.array([term.square, term.cube]))
        multiplier, imaginary = term.multiplier * scale / 2.0, term.derivative is not None
        zero = K[0] + 1 if self.line else self.columns * L
        real = np.full(h + 1, zero)
        real[: K[-1] + 1] = np.arange(K[-1] + 1)
        places = (real * L, np.where(real == 0, zero, real) * L)  # the mean of a real field is real
        if self.line:
            return _Line((*n, *K), self._plan(h), roots, places, powers, self._cast(multiplier), imaginary)
        order = self._order(n[0], K[0])
        return _Plane(
            (*n, *K, self.columns),
            self._plan(n[0]),
            self._plan(h),
            roots,
            self._rows(order),
            places,
            order * L,
            powers,
            self._blocks(multiplier),
            imaginary,
        )

    def _plan(self, n: int) -> tuple[np.ndarray, ...]:
        return tuple(lane_plan(n, self.dtype.name) or ())

    def _cast(self, values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(values, self.dtype)

    @staticmethod
    def _order(n: int, K: int) -> np.ndarray:
        """Return for each row k of a transform of length n its row in a state, −1 where there is none."""
        order = np.full(n, -1)
        order[: K + 1] = np.arange(K + 1)
        order[n - K :] = np.arange(K + 1, 2 * K + 1)
        return order

    def _rows(self, order: np.ndarray) -> np.ndarray:
        return np.where(order < 0, 2 * self.grid.cutoff[0] + 1, order) * self.L

    def _blocks(self, values: np.ndarray) -> np.ndarray:
        """Turn (rows, K_2 + 1) into blocks of L columns, filled up with zeros."""
        out = np.zeros((len(values), self.columns * self.L), self.dtype)
        out[:, : values.shape[1]] = values
        return np.ascontiguousarray(out.reshape(len(values), self.columns, self.L).transpose(1, 0, 2)).ravel()

    def spread(self, coefficients: list[np.ndarray]) -> tuple[np.ndarray, bool]:
        """Return real coefficients of the modes, and whether a row stands for both k_x and −k_x."""
        full = [np.broadcast_to(c, self.grid.modes_shape) for c in coefficients]
        if self.line:
            return np.concatenate([self._cast(c) for c in full]), False
        K = self.grid.cutoff[0]
        folded = all(np.array_equal(c[1 : K + 1], c[:K:-1]) for c in full)
        return np.concatenate([self._blocks(c[: K + 1] if folded else c) for c in full]), folded

    def pack(self, modes: np.ndarray) -> np.ndarray:
        """Turn modes (batch, *modes_shape) into states (blocks, 2, size)."""
        batch, L, (rows, *_) = len(modes), self.L, self.grid.modes_shape
        if self.line:
            blocks = -(-batch // L)
            lanes = np.zeros((blocks * L, rows + 1), modes.dtype)
            lanes[:batch, :rows] = modes
            lanes = lanes.reshape(blocks, L, -1).transpose(0, 2, 1)
            return np.ascontiguousarray(np.stack([lanes.real, lanes.imag], 1), self.dtype).reshape(blocks, 2, -1)
        states = np.zeros((batch, 2, self.columns, rows + 1, L), self.dtype)
        for block in range(self.columns):
            part = modes[..., block * L : (block + 1) * L]
            states[:, 0, block, :rows, : part.shape[-1]] = part.real
            states[:, 1, block, :rows, : part.shape[-1]] = part.imag
        return states.reshape(batch, 2, -1)

    def unpack(self, states: np.ndarray, out: np.ndarray) -> None:
        """Turn states (blocks, 2, size) into the modes `out`."""
        batch, L, (rows, *_) = len(out), self.L, self.grid.modes_shape
        if self.line:
            lanes = states.reshape(len(states), 2, -1, L)[:, :, :rows].transpose(1, 0, 3, 2)
            lanes = lanes.reshape(2, -1, rows)[:, :batch]
            out.real, out.imag = lanes[0], lanes[1]
            return
        shaped = states.reshape(batch, 2, self.columns, rows + 1, L)
        for block in range(self.columns):
            part = out[..., block * L : (block + 1) * L]
            part.real = shaped[:, 0, block, :rows, : part.shape[-1]]
            part.imag = shaped[:, 1, block, :rows, : part.shape[-1]]

    def advance(
        self,
        states: np.ndarray,
        first: int,
        last: int,
        steps: int,
        program: StageProgram,
        coefficients: tuple[np.ndarray, bool],
        reached: np.ndarray,
    ) -> None:
        """Advance the blocks first…last of states by `steps` steps, in place; `reached` counts finite steps."""
        slots, sources, begins, operations, _ = program
        C, folded = coefficients
        block, lines, evaluated = self.work_sizes
        memory = aligned(4, max(slots * self.size + evaluated, lines), self.dtype)
        work = aligned(8, block, self.dtype)
        flat = operations.ravel()
        _advance(states, first, last, steps, slots, sources, begins, flat, C, folded, self.term, memory, work, reached)


def compiled_term(term: Any, dtype: str) -> CompiledTerm | None:
    """Return the compiled form of a term, or None where there is none.

    That is so for other kinds of terms, three axes, lengths that are odd, prime or have prime factors other than 2, 3
    and 5, and a first axis that is no multiple of the lanes.
    """
    grid: FourierGrid = term.grid
    if not isinstance(term, (PolynomialTerm, VorticityTerm)) or grid.ndim > 2:
        return None
    complex_last = isinstance(term, VorticityTerm)
    n = grid.shape[-1]
    if not complex_last and n % 2:
        return None
    lengths = [n if complex_last else n // 2]
    if grid.ndim == 2:
        if grid.shape[0] % lane_count(dtype):
            return None
        lengths.append(grid.shape[0])
    plans = [lane_plan(m, dtype) for m in lengths]
    if any(plan is None or len(plan.radices) < 2 for plan in plans):
        return None
    return CompiledTerm(term, dtype)
