"""Run the operations of a stage on the modes whose term was just computed; a coefficient is a line or a number."""

# ruff: noqa: RUF005 (compiled code joins tuples by +)
from __future__ import annotations

from numba import njit

from ...kernels.cache_lines import Lines, lanes_of, line_operation
from ...kernels.unaliased import no_inline

__all__ = ["update_columns", "update_modes"]


def _sum(lines: Lines, coefficients: Lines) -> tuple[Lines, Lines]:
    """Sum c a over pairs of lines; a pair without coefficient is added as it is."""
    pairs = list(zip(lines[0::2], lines[1::2], strict=True))
    if len(pairs) > len(coefficients):
        re, im = pairs.pop()
    else:
        (a, b), c = pairs.pop(), coefficients[-1]
        re, im = c * a, c * b
    for (a, b), c in zip(pairs, coefficients, strict=False):
        re, im = c.times_plus(a, re), c.times_plus(b, im)
    return [re], [im]


@line_operation((1, 1, 1), (), (1, 1))
def _lines1(c: Lines, a: Lines, b: Lines) -> tuple[Lines, Lines]:
    return _sum([*a, *b], c)


@line_operation((1, 1, 1, 1, 1, 1), (), (1, 1))
def _lines2(c: Lines, a: Lines, b: Lines, d: Lines, e: Lines, f: Lines) -> tuple[Lines, Lines]:
    return _sum([*a, *b, *e, *f], [*c, *d])


@line_operation((1, 1, 1, 1, 1), (), (1, 1))
def _lines3(c: Lines, a: Lines, b: Lines, e: Lines, f: Lines) -> tuple[Lines, Lines]:
    return _sum([*a, *b, *e, *f], c)


@line_operation((1, 1), (1,), (1, 1))
def _numbers1(a: Lines, b: Lines, c: Lines) -> tuple[Lines, Lines]:
    return _sum([*a, *b], c)


@line_operation((1, 1, 1, 1), (1, 1), (1, 1))
def _numbers2(a: Lines, b: Lines, e: Lines, f: Lines, c: Lines, d: Lines) -> tuple[Lines, Lines]:
    return _sum([*a, *b, *e, *f], [*c, *d])


@line_operation((1, 1, 1, 1), (1,), (1, 1))
def _numbers3(a: Lines, b: Lines, e: Lines, f: Lines, c: Lines) -> tuple[Lines, Lines]:
    return _sum([*a, *b, *e, *f], c)


@njit(cache=True, nogil=True)
def _update_lines(kind, count, V_re, V_im, o, a, b, C, c, d, step):  # type: ignore[no-untyped-def]
    """Run an operation of a :class:`StageProgram` on `count` lines, its coefficients at distances `step`."""
    no_inline()
    L = lanes_of(V_re)
    if kind == 1:
        for i in range(0, count * L, L):
            _lines1((C, c, 0, V_re, a + i, 0, V_im, a + i, 0, V_re, o + i, 0, V_im, o + i, 0))
            c += step
    elif kind == 2:
        for i in range(0, count * L, L):
            _lines2(
                (C, c, 0, V_re, a + i, 0, V_im, a + i, 0, C, d, 0, V_re, b + i, 0, V_im, b + i, 0)
                + (V_re, o + i, 0, V_im, o + i, 0)
            )
            c, d = c + step, d + step
    else:
        for i in range(0, count * L, L):
            _lines3(
                (C, c, 0, V_re, a + i, 0, V_im, a + i, 0, V_re, b + i, 0, V_im, b + i, 0)
                + (V_re, o + i, 0, V_im, o + i, 0)
            )
            c += step


@njit(cache=True, nogil=True)
def _update_numbers(kind, count, V_re, V_im, o, a, b, C, c, d):  # type: ignore[no-untyped-def]
    """Do as `_update_lines` with a number for each line's coefficient."""
    no_inline()
    L = lanes_of(V_re)
    if kind == 1:
        for k in range(count):
            i = k * L
            _numbers1((V_re, a + i, 0, V_im, a + i, 0, C, c + k, 0, V_re, o + i, 0, V_im, o + i, 0))
    elif kind == 2:
        for k in range(count):
            i = k * L
            _numbers2(
                (V_re, a + i, 0, V_im, a + i, 0, V_re, b + i, 0, V_im, b + i, 0, C, c + k, 0, C, d + k, 0)
                + (V_re, o + i, 0, V_im, o + i, 0)
            )
    else:
        for k in range(count):
            i = k * L
            _numbers3(
                (V_re, a + i, 0, V_im, a + i, 0, V_re, b + i, 0, V_im, b + i, 0, C, c + k, 0)
                + (V_re, o + i, 0, V_im, o + i, 0)
            )


@njit(cache=True, nogil=True)
def update_columns(program, size, K, block, evaluated, folded, C, V_re, V_im):  # type: ignore[no-untyped-def]
    """Run the operations of a stage on the 2K + 1 rows of a block, N at V[evaluated:]."""
    operations, begin, end = program
    L = lanes_of(V_re)
    at, rows = block * (2 * K + 2) * L, K + 1 if folded else 2 * K + 1
    every, own = size // (2 * K + 2) * rows, block * rows * L
    for k in range(6 * begin, 6 * end, 6):
        kind, o, a = operations[k], operations[k + 1], operations[k + 2]
        c, b, d = operations[k + 3], operations[k + 4], operations[k + 5]
        o = o * size + at
        a = evaluated if a < 0 else a * size + at
        b = evaluated if b < 0 else b * size + at
        c, d = c * every + own, d * every + own
        _update_lines(kind, K + 1, V_re, V_im, o, a, b, C, c, d, L)
        j = (K + 1) * L
        c, d = (c + K * L, d + K * L) if folded else (c + j, d + j)
        _update_lines(kind, K, V_re, V_im, o + j, a + j, b + j, C, c, d, -L if folded else L)


@njit(cache=True, nogil=True)
def update_modes(program, size, modes, first, count, evaluated, C, V_re, V_im):  # type: ignore[no-untyped-def]
    """Run the operations of a stage on `count` modes from number `first` of a line of `modes`."""
    operations, begin, end = program
    at = first * lanes_of(V_re)
    for k in range(6 * begin, 6 * end, 6):
        kind, o, a = operations[k], operations[k + 1], operations[k + 2]
        c, b, d = operations[k + 3], operations[k + 4], operations[k + 5]
        a = evaluated if a < 0 else a * size + at
        b = evaluated if b < 0 else b * size + at
        _update_numbers(kind, count, V_re, V_im, o * size + at, a, b, C, c * modes + first, d * modes + first)
