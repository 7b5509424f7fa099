"""Time steps on the CPU, compiled: transforms, products and combinations of a sample without leaving the cache.

In two dimensions a sample's columns are the lanes of :mod:`~.lane_fourier`, in one dimension several samples are.
Between the transforms along the two axes lies one transposition, in registers, into an array with x contiguous; there
the rows of a block are transformed to the points, multiplied and transformed back before the next block is looked at,
so that no field ever exists in memory as a whole. Columns that de-aliasing leaves empty are never transformed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numba.extending import overload

from .cache_lines import Line, aligned, line_operation, transpose_tile
from .fourier_grid import FourierGrid
from .lane_fourier import fft_lanes, lane_count, lane_plan, lanes_of
from .lane_real_fourier import merge_real, split_real
from .multigrid.unaliased import apart
from .spectral_terms import PolynomialTerm, VorticityTerm

__all__ = ["CompiledTerm", "compiled_term"]


@line_operation(2, 0, 2)
def _copy(a: Line, b: Line) -> tuple[Line, ...]:
    return a, b


@line_operation(0, 2, 2)
def _set(a: Line, b: Line) -> tuple[Line, ...]:
    return a, b


@line_operation(3, 0, 2)
def _scaled(c: Line, a: Line, b: Line) -> tuple[Line, ...]:
    return c * a, c * b


@line_operation(3, 0, 2)
def _scaled_by_i(c: Line, a: Line, b: Line) -> tuple[Line, ...]:
    return -(c * b), c * a


@line_operation(5, 0, 2)
def _added(c: Line, a: Line, b: Line, to: Line, to_i: Line) -> tuple[Line, ...]:
    return c.times_plus(a, to), c.times_plus(b, to_i)


@line_operation(2, 0, 2)
def _complex_square(a: Line, b: Line) -> tuple[Line, ...]:
    return (a - b) * (a + b), (a + a) * b


@line_operation(2, 2, 2)
def _powers(a: Line, b: Line, square: Line, cube: Line) -> tuple[Line, ...]:
    return a * a * cube.times_plus(a, square), b * b * cube.times_plus(b, square)


@line_operation(4, 0, 2)
def _times(c: Line, d: Line, a: Line, b: Line) -> tuple[Line, ...]:
    """(c + i d)(a + i b)."""
    return c.times_plus(a, -(d * b)), c.times_plus(b, d * a)


@line_operation(4, 0, 2)
def _minus_times_conjugate(c: Line, d: Line, a: Line, b: Line) -> tuple[Line, ...]:
    """−(c + i d)(a − i b)."""
    return -c.times_plus(a, d * b), c.times_plus(b, -(d * a))


@line_operation(8, 0, 2)
def _curl_of_products(
    a: Line, b: Line, c: Line, d: Line, product: Line, squares: Line, f: Line, g: Line
) -> tuple[Line, ...]:
    """N from a + i b = Q(k) and c + i d = Q(−k), Q the transform of z²."""
    return product.times_plus(b + d, squares.times_plus(a + c, f)), product.times_plus(
        c - a, squares.times_plus(b - d, g)
    )


@njit(cache=True, nogil=True)
def _combine(V_re, V_im, size, slots, coefficients, out, acc_re, acc_im):  # type: ignore[no-untyped-def]
    """V[out] = Σ_j coefficients[j] V[slots[j]], coefficients real; `out` may be among the slots."""
    apart()
    L = lanes_of(V_re)
    for start in range(0, size, len(acc_re)):
        count = min(len(acc_re), size - start)
        for j in range(len(slots)):
            c, v = j * size + start, slots[j] * size + start
            if j == 0:
                for i in range(0, count, L):
                    _scaled((coefficients, c + i, V_re, v + i, V_im, v + i, acc_re, i, acc_im, i))
            else:
                for i in range(0, count, L):
                    _added((coefficients, c + i, V_re, v + i, V_im, v + i, acc_re, i, acc_im, i, acc_re, i, acc_im, i))
        o = out * size + start
        for i in range(0, count, L):
            _copy((acc_re, i, acc_im, i, V_re, o + i, V_im, o + i))


@line_operation(3, 1, 1)
def _spoil(total: Line, a: Line, b: Line, zero: Line) -> tuple[Line, ...]:
    """0 as long as all numbers are finite."""
    return (a.times_plus(zero, b.times_plus(zero, total)),)


@njit(cache=True, nogil=True)
def _lanes_alive(size, V_re, V_im, total):  # type: ignore[no-untyped-def]
    """`total`, a line: 0 in the lanes of V[0] that hold finite numbers alone."""
    apart()
    L = lanes_of(V_re)
    total[:L] = 0.0
    for i in range(0, size, L):
        _spoil((total, 0, V_re, i, V_im, i, 0.0, total, 0))


@njit(cache=True, nogil=True)
def _fill_column(n, K, at, columns, m_re, m_im, w, w_re, w_im, reflected, x_re, x_im):  # type: ignore[no-untyped-def]
    """Rows of a block from the modes of L columns: c ω at k, or reflected −c conj(ω) at −k; zeros between."""
    apart()
    L = lanes_of(w_re)
    for i in range(2 * K + 1):
        row = i if i <= K else n - (2 * K + 1 - i)
        o = i * columns + at
        if reflected:
            r = ((n - row) % n) * L
            _minus_times_conjugate((m_re, o, m_im, o, w_re, w + o, w_im, w + o, x_re, r, x_im, r))
        else:
            r = row * L
            _times((m_re, o, m_im, o, w_re, w + o, w_im, w + o, x_re, r, x_im, r))
    _clear_rows(K + 1, n - K, x_re, x_im)


@njit(cache=True, nogil=True)
def _fill_plain(n, K, at, columns, w, w_re, w_im, x_re, x_im):  # type: ignore[no-untyped-def]
    """Rows of a block from the modes of L columns, zeros between."""
    L = lanes_of(w_re)
    _copy_rows(K + 1, w_re, w_im, w + at, columns, x_re, x_im, 0, L)
    _copy_rows(K, w_re, w_im, w + (K + 1) * columns + at, columns, x_re, x_im, (n - K) * L, L)
    _clear_rows(K + 1, n - K, x_re, x_im)


@njit(cache=True, nogil=True)
def _to_lines(n, first, x_re, x_im, t_re, t_im):  # type: ignore[no-untyped-def]
    """The columns of a block to lines of length n, the first of them number `first`.

    A line is stored with L values to spare: lengths that are powers of two would fall on few sets of the cache.
    """
    apart()
    L = lanes_of(x_re)
    stride = n + L
    for row in range(0, n, L):
        transpose_tile(x_re, row * L, L, t_re, first * stride + row, stride)
        transpose_tile(x_im, row * L, L, t_im, first * stride + row, stride)


@njit(cache=True, nogil=True)
def _from_lines(n, first, t_re, t_im, x_re, x_im):  # type: ignore[no-untyped-def]
    apart()
    L = lanes_of(x_re)
    stride = n + L
    for row in range(0, n, L):
        transpose_tile(t_re, first * stride + row, stride, x_re, row * L, L)
        transpose_tile(t_im, first * stride + row, stride, x_im, row * L, L)


@njit(cache=True, nogil=True)
def _copy_rows(count, a_re, a_im, a, a_step, b_re, b_im, b, b_step):  # type: ignore[no-untyped-def]
    """b[b + k·b_step] = a[a + k·a_step] for k < count, L values each."""
    apart()
    for k in range(count):
        i, j = a + k * a_step, b + k * b_step
        _copy((a_re, i, a_im, i, b_re, j, b_im, j))


@njit(cache=True, nogil=True)
def _clear_rows(first, last, x_re, x_im):  # type: ignore[no-untyped-def]
    apart()
    L = lanes_of(x_re)
    for i in range(first, last):
        _set((0.0, 0.0, x_re, i * L, x_im, i * L))


@njit(cache=True, nogil=True)
def _square(rows, x_re, x_im):  # type: ignore[no-untyped-def]
    apart()
    L = lanes_of(x_re)
    for i in range(0, rows * L, L):
        _complex_square((x_re, i, x_im, i, x_re, i, x_im, i))


@njit(cache=True, nogil=True)
def _polynomial(rows, square, cube, x_re, x_im):  # type: ignore[no-untyped-def]
    apart()
    L = lanes_of(x_re)
    for i in range(0, rows * L, L):
        _powers((x_re, i, x_im, i, square, cube, x_re, i, x_im, i))


@njit(cache=True, nogil=True)
def _multiply(n, K, at, columns, imaginary, multiplier, z_re, z_im, o, o_re, o_im):  # type: ignore[no-untyped-def]
    """D times the modes that lie in the rows of a block."""
    apart()
    L = lanes_of(z_re)
    for i in range(2 * K + 1):
        r, m = (i if i <= K else n - (2 * K + 1 - i)) * L, i * columns + at
        if imaginary:
            _scaled_by_i((multiplier, m, z_re, r, z_im, r, o_re, o + m, o_im, o + m))
        else:
            _scaled((multiplier, m, z_re, r, z_im, r, o_re, o + m, o_im, o + m))


@njit(cache=True, nogil=True)
def _curl(n, K, at, columns, z_re, z_im, q_re, q_im, product, squares, f_re, f_im, o, o_re, o_im):  # type: ignore[no-untyped-def]
    apart()
    L = lanes_of(z_re)
    for i in range(2 * K + 1):
        row = i if i <= K else n - (2 * K + 1 - i)
        r, m, q = ((n - row) % n) * L, i * columns + at, i * L
        _curl_of_products(
            (q_re, q, q_im, q, z_re, r, z_im, r, product, m, squares, m, f_re, m, f_im, m, o_re, o + m, o_im, o + m)
        )


@njit(cache=True, nogil=True)
def _vorticity(term, size, source, target, V_re, V_im, t_re, t_im, work):  # type: ignore[no-untyped-def]
    """V[target] = N(V[source]) for :class:`VorticityTerm`; see there for the formulas."""
    (n1, n2, K1, K2, C), plan_x, plan_y, (cx, cy, product, squares, f_re, f_im) = term
    L = lanes_of(V_re)
    a_re, a_im, b_re, b_im, q_re, q_im = work
    line, w, o = n1 + L, source * size, target * size
    for side in range(2):  # columns k_y ≥ 0, then −k_y
        for at in range(0, C, L):
            _fill_column(n1, K1, at, C, cx, cy, w, V_re, V_im, side == 1, a_re, a_im)
            z_im, z_re, _, _ = fft_lanes(n1, plan_x, a_im, a_re, b_im, b_re)
            _to_lines(n1, side * C + at, z_re, z_im, t_re, t_im)
    for x in range(0, n1, L):
        _copy_rows(K2 + 1, t_re, t_im, x, line, a_re, a_im, 0, L)
        _clear_rows(K2 + 1, n2 - K2, a_re, a_im)
        _copy_rows(K2, t_re, t_im, (C + 1) * line + x, line, a_re, a_im, (n2 - 1) * L, -L)
        z_im, z_re, y_im, y_re = fft_lanes(n2, plan_y, a_im, a_re, b_im, b_re)
        _square(n2, z_re, z_im)
        z_re, z_im, y_re, y_im = fft_lanes(n2, plan_y, z_re, z_im, y_re, y_im)
        _copy_rows(K2 + 1, z_re, z_im, 0, L, t_re, t_im, x, line)
        _copy_rows(1, z_re, z_im, 0, L, t_re, t_im, C * line + x, line)
        _copy_rows(K2, z_re, z_im, (n2 - 1) * L, -L, t_re, t_im, (C + 1) * line + x, line)
    for at in range(0, C, L):
        _from_lines(n1, at, t_re, t_im, a_re, a_im)
        z_re, z_im, _, _ = fft_lanes(n1, plan_x, a_re, a_im, b_re, b_im)
        _copy_rows(K1 + 1, z_re, z_im, 0, L, q_re, q_im, 0, L)
        _copy_rows(K1, z_re, z_im, (n1 - K1) * L, L, q_re, q_im, (K1 + 1) * L, L)
        _from_lines(n1, C + at, t_re, t_im, a_re, a_im)
        z_re, z_im, _, _ = fft_lanes(n1, plan_x, a_re, a_im, b_re, b_im)
        _curl(n1, K1, at, C, z_re, z_im, q_re, q_im, product, squares, f_re, f_im, o, V_re, V_im)


@njit(cache=True, nogil=True)
def _points_and_back(h, K, plan, roots, square, cube, u_re, u_im, work):  # type: ignore[no-untyped-def]
    """Modes 0…h of 2h real points, in place to the first K + 1 modes (times two, unscaled) of their polynomial."""
    a_re, a_im, b_re, b_im, _, _ = work
    merge_real(h, roots, u_re, u_im, a_re, a_im)
    z_im, z_re, y_im, y_re = fft_lanes(h, plan, a_im, a_re, b_im, b_re)
    _polynomial(h, square, cube, z_re, z_im)
    z_re, z_im, y_re, y_im = fft_lanes(h, plan, z_re, z_im, y_re, y_im)
    split_real(h, K, roots, z_re, z_im, u_re, u_im)


@njit(cache=True, nogil=True)
def _polynomial_line(term, size, source, target, V_re, V_im, t_re, t_im, work):  # type: ignore[no-untyped-def]
    """:class:`PolynomialTerm` in one dimension, a sample a lane."""
    (n, K), plan, roots, (square, cube, imaginary), multiplier = term
    L = lanes_of(V_re)
    u_re, u_im = work[4], work[5]
    _copy_rows(K + 1, V_re, V_im, source * size, L, u_re, u_im, 0, L)
    _clear_rows(K + 1, n // 2 + 1, u_re, u_im)
    _points_and_back(n // 2, K, plan, roots, square, cube, u_re, u_im, work)
    o = target * size
    for i in range(0, size, L):
        if imaginary:
            _scaled_by_i((multiplier, i, u_re, i, u_im, i, V_re, o + i, V_im, o + i))
        else:
            _scaled((multiplier, i, u_re, i, u_im, i, V_re, o + i, V_im, o + i))


@njit(cache=True, nogil=True)
def _polynomial_plane(term, size, source, target, V_re, V_im, t_re, t_im, work):  # type: ignore[no-untyped-def]
    """:class:`PolynomialTerm` in two dimensions."""
    (n1, n2, K1, K2, C), plan_x, plan_y, roots, (square, cube, imaginary), multiplier = term
    L = lanes_of(V_re)
    a_re, a_im, b_re, b_im, u_re, u_im = work
    line = n1 + L
    for at in range(0, C, L):
        _fill_plain(n1, K1, at, C, source * size, V_re, V_im, a_re, a_im)
        z_im, z_re, _, _ = fft_lanes(n1, plan_x, a_im, a_re, b_im, b_re)
        _to_lines(n1, at, z_re, z_im, t_re, t_im)
    for x in range(0, n1, L):
        _copy_rows(K2 + 1, t_re, t_im, x, line, u_re, u_im, 0, L)
        u_im[:L] = 0.0  # of a real field; rounding along the other axis must not feed back
        _clear_rows(K2 + 1, n2 // 2 + 1, u_re, u_im)
        _points_and_back(n2 // 2, K2, plan_y, roots, square, cube, u_re, u_im, work)
        _copy_rows(K2 + 1, u_re, u_im, 0, L, t_re, t_im, x, line)
    for at in range(0, C, L):
        _from_lines(n1, at, t_re, t_im, a_re, a_im)
        z_re, z_im, _, _ = fft_lanes(n1, plan_x, a_re, a_im, b_re, b_im)
        _multiply(n1, K1, at, C, imaginary, multiplier, z_re, z_im, target * size, V_re, V_im)


def _evaluate(term, size, source, target, V_re, V_im, t_re, t_im, work):  # type: ignore[no-untyped-def]
    """One of the three kernels above, by the number of the term's parts (for the compiler alone)."""


@overload(_evaluate)
def _kernel_of_term(term, size, source, target, V_re, V_im, t_re, t_im, work):  # type: ignore[no-untyped-def]
    # Not a closure over the kernel: numba's cache knows a closure by what it holds, which differs from run to run.
    kernel = {4: _vorticity, 5: _polynomial_line, 6: _polynomial_plane}[len(term)]

    def evaluate(term, size, source, target, V_re, V_im, t_re, t_im, work):  # type: ignore[no-untyped-def]
        kernel(term, size, source, target, V_re, V_im, t_re, t_im, work)

    return evaluate


@njit(cache=True, nogil=True)
def _advance(states, first, last, steps, slots, ops, coefficients, term, room, lines, together, reached):  # type: ignore[no-untyped-def]
    """The loop over samples, steps and stages around a term; states (blocks, 2, size) are advanced in place."""
    size = states.shape[2]
    V_re, V_im = aligned(slots * size, states), aligned(slots * size, states)
    t_re, t_im = aligned(lines, states), aligned(lines, states)
    work = (
        aligned(room, states),
        aligned(room, states),
        aligned(room, states),
        aligned(room, states),
        aligned(room, states),
        aligned(room, states),
    )
    acc_re, acc_im = aligned(512, states), aligned(512, states)
    for b in range(first, last):
        V_re[:size], V_im[:size] = states[b, 0], states[b, 1]
        for step in range(steps):
            at = 0
            for row in range(ops.shape[0]):
                op = ops[row]
                _evaluate(term, size, op[0], op[1], V_re, V_im, t_re, t_im, work)
                _combine(V_re, V_im, size, op[4 : 4 + op[3]], coefficients[at:], op[2], acc_re, acc_im)
                at += op[3] * size
            _lanes_alive(size, V_re, V_im, acc_re)
            if together == 1:
                acc_re[0] = acc_re[: lanes_of(acc_re)].sum()
            alive = False
            for lane in range(together):
                if reached[b, lane] == step and acc_re[lane] == 0.0:
                    reached[b, lane] = step + 1
                    alive = True
            if not alive:
                break
        states[b, 0], states[b, 1] = V_re[:size], V_im[:size]


class CompiledTerm:
    """A term and its arrays, as the kernels take them, in one precision.

    `pack` turns modes (batch, *modes_shape) into states (blocks, 2, size), real and imaginary parts apart; `unpack` the
    other way; `spread` does it to an array of coefficients; `advance` runs the blocks first…last of states, in place.
    """

    def __init__(self, term: Any, dtype: str) -> None:
        grid: FourierGrid = term.grid
        self.grid, self.dtype, self.L = grid, np.dtype(dtype), lane_count(dtype)
        self.line = grid.ndim == 1
        K = grid.cutoff
        columns = -(-(K[-1] + 1) // self.L) * self.L
        self.size = (K[0] + 1) * self.L if self.line else (2 * K[0] + 1) * columns
        self.padded = (2 * K[0] + 1, columns)
        self.together = self.L if self.line else 1
        self.room = (max(grid.shape) + 1) * self.L
        scale = 1.0 / np.prod(grid.shape)
        if isinstance(term, VorticityTerm):
            plans = [lane_plan(n, dtype) for n in grid.shape]
            forcing = np.zeros(grid.modes_shape, complex) if term.forcing is None else term.forcing
            parts = (term.toward_x, term.toward_y, term.of_product * scale / 4.0, term.of_squares * scale / 2.0)
            self.term: Any = (
                (*grid.shape, *K, columns),
                tuple(plans[0] or ()),
                tuple(plans[1] or ()),
                tuple(self.spread(part) for part in (*parts, forcing.real, forcing.imag)),
            )
            self.lines = 2 * columns * (grid.shape[0] + self.L)
            return
        h = grid.shape[-1] // 2
        angle = np.pi * np.arange(h) / h
        roots = (np.cos(angle).astype(dtype), np.sin(angle).astype(dtype))
        number = np.dtype(dtype).type
        constants = (number(term.square), number(term.cube), term.derivative is not None)
        multiplier = self.spread(term.multiplier * scale / 2.0)
        plan = tuple(lane_plan(h, dtype) or ())
        if self.line:
            self.term = ((grid.shape[0], K[0]), plan, roots, constants, multiplier)
            self.lines = self.L
        else:
            plan_x = tuple(lane_plan(grid.shape[0], dtype) or ())
            self.term = ((*grid.shape, *K, columns), plan_x, plan, roots, constants, multiplier)
            self.lines = columns * (grid.shape[0] + self.L)

    def spread(self, coefficients: np.ndarray) -> np.ndarray:
        """Real coefficients of the modes in the layout of a state."""
        full = np.broadcast_to(coefficients, self.grid.modes_shape)
        if self.line:
            return np.repeat(full, self.L).astype(self.dtype)
        out = np.zeros(self.padded, self.dtype)
        out[:, : full.shape[1]] = full
        return out.ravel()

    def pack(self, modes: np.ndarray) -> np.ndarray:
        batch = len(modes)
        if self.line:
            blocks = -(-batch // self.L)
            lanes = np.zeros((blocks * self.L, self.grid.modes_shape[0]), modes.dtype)
            lanes[:batch] = modes
            lanes = lanes.reshape(blocks, self.L, -1).transpose(0, 2, 1)
            return np.ascontiguousarray(np.stack([lanes.real, lanes.imag], 1), self.dtype).reshape(blocks, 2, -1)
        states = np.zeros((batch, 2, *self.padded), self.dtype)
        states[:, 0, :, : modes.shape[-1]], states[:, 1, :, : modes.shape[-1]] = modes.real, modes.imag
        return states.reshape(batch, 2, -1)

    def unpack(self, states: np.ndarray, out: np.ndarray) -> None:
        batch = len(out)
        if self.line:
            lanes = states.reshape(len(states), 2, -1, self.L).transpose(1, 0, 3, 2)
            lanes = lanes.reshape(2, -1, self.grid.modes_shape[0])[:, :batch]
            out.real, out.imag = lanes[0], lanes[1]
            return
        shaped = states.reshape(batch, 2, *self.padded)[..., : out.shape[-1]]
        out.real, out.imag = shaped[:, 0], shaped[:, 1]

    def advance(
        self,
        states: np.ndarray,
        first: int,
        last: int,
        steps: int,
        slots: int,
        ops: np.ndarray,
        C: np.ndarray,
        reached: np.ndarray,
    ) -> None:
        _advance(states, first, last, steps, slots, ops, C, self.term, self.room, self.lines, self.together, reached)


def compiled_term(term: Any, dtype: str) -> CompiledTerm | None:
    """The compiled form of a term, or None where there is none: another kind of term, three axes, lengths with other
    prime factors than 2, 3 and 5, odd ones, or a first axis that is no multiple of the lanes."""
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
    if any(lane_plan(m, dtype) is None for m in lengths):
        return None
    return CompiledTerm(term, dtype)
