"""Compute Fourier transforms of many columns at once, compiled: one column a lane of the vector unit, all in cache.

A block holds n rows of L lanes, L values of a cache line, real and imaginary parts apart: element (i, lane) of a flat
array is i·L + lane. A transform runs along the rows, the same operations in every lane, so a lane's bits do not depend
on its neighbours. Stockham's autosorting algorithm, decimation in frequency, radices 8, 4, 2, 3 and 5: each pass reads
one pair of arrays and writes the other; the last has no twiddle factors. The inverse is the same code with real and
imaginary parts exchanged.

A transform of two passes or more may read and write outside a block. Its first pass reads its rows through a table of
positions (:func:`begin_rows`; other modules add first passes that compute the rows as they load them, and last passes
that process the rows before they store them), :func:`finish_lanes` does the rest, and :func:`finish_rows` writes the
rows of the result through a table of positions. So no pass only moves rows: rows that are zero are read from one line
of zeros, and rows that nothing uses are not written. The last pass reads and writes the same rows, so it works in
place and occupies less of the first-level cache.

References
----------
Van Loan, Computational Frameworks for the Fast Fourier Transform, SIAM 1992, section 1.7.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ...kernels.cache_lines import Line, Lines, lanes_of, line_operation
from ...kernels.unaliased import no_inline

__all__ = [
    "LanePlan",
    "begin_rows",
    "beginnings",
    "endings",
    "fft_lanes",
    "finish_lanes",
    "finish_rows",
    "lane_plan",
    "passes_between",
]

_RADICES = (8, 4, 2, 3, 5)


class LanePlan(NamedTuple):
    """Hold the radices of the passes and all their twiddle factors, for one length and precision."""

    radices: np.ndarray
    cosines: np.ndarray
    sines: np.ndarray


@lru_cache(maxsize=32)
def lane_plan(n: int, dtype: str) -> LanePlan | None:
    """Return the plan for length n, or None if it has a prime factor other than 2, 3, 5; one pass if n is prime."""
    radices, left = [], n
    for radix in _RADICES:
        while left % radix == 0 and (radix != 8 or left != 16) and (radix not in (4, 8) or radix != n):
            radices.append(radix)  # 4·4 rather than 8·2
            left //= radix
    if left != 1 or n < 2:
        return None
    radices.reverse()  # most work in the last pass, which has no twiddle factors; the first may compute its rows
    angles, length = [], n
    for radix in radices:
        p, k = np.meshgrid(np.arange(length // radix), np.arange(1, radix), indexing="ij")
        angles.append((-2.0 * np.pi * ((p * k) % length) / length).ravel())
        length //= radix
    phase = np.concatenate(angles)
    return LanePlan(np.array(radices), np.cos(phase).astype(dtype), np.sin(phase).astype(dtype))


Pair = tuple[Line, Line]


def _plus(a: Pair | None, b: Pair | None) -> Any:
    """Add two lines, of which None stands for zero."""
    return b if a is None else a if b is None else (a[0] + b[0], a[1] + b[1])


def _minus(a: Pair | None, b: Pair | None) -> Any:
    if a is None or b is None:
        return a if b is None else (-b[0], -b[1])
    return a[0] - b[0], a[1] - b[1]


def _turned(a: Pair) -> Pair:
    """Return −i a."""
    return a[1], -a[0]


def _times(a: Pair, c: Line, d: Line) -> Pair:
    """Return a (c + i d)."""
    return a[0].times_plus(c, -(a[1] * d)), a[0].times_plus(d, a[1] * c)


def _four(a: list[Any]) -> list[Pair]:
    even, odd = _plus(a[0], a[2]), _plus(a[1], a[3])
    low, high = _minus(a[0], a[2]), _turned(_minus(a[1], a[3]))
    return [_plus(even, odd), _plus(low, high), _minus(even, odd), _minus(low, high)]


def _eight(a: list[Any]) -> list[Pair]:
    half = a[0][0].constant(float(np.sqrt(0.5)))
    even, odd = _four(a[0::2]), _four(a[1::2])
    one, three = odd[1], odd[3]
    odd[1] = (one[0] + one[1]) * half, (one[1] - one[0]) * half
    odd[2] = _turned(odd[2])
    odd[3] = (three[1] - three[0]) * half, -((three[0] + three[1]) * half)
    return [_plus(e, o) for e, o in zip(even, odd, strict=True)] + [
        _minus(e, o) for e, o in zip(even, odd, strict=True)
    ]


def _prime(a: list[Pair]) -> list[Pair]:
    """Transform by radix 3 or 5: sums and differences of a_j and a_{r−j}, weighted with cos, sin (2πj/r), j ≤ r/2."""
    r = len(a)
    sums = [_plus(a[j], a[r - j]) for j in range(1, (r + 1) // 2)]
    differences = [_minus(a[j], a[r - j]) for j in range(1, (r + 1) // 2)]
    out = [a[0]] * r
    for each in sums:
        out[0] = _plus(out[0], each)
    for k in range(1, (r + 1) // 2):
        even, odd = a[0], None
        for j in range(1, (r + 1) // 2):
            turn = (j * k) % r
            angle = 2.0 * np.pi * min(turn, r - turn) / r
            cosine, sine = (a[0][0].constant(float(f(angle))) for f in (np.cos, np.sin))
            s, d = sums[j - 1], differences[j - 1]
            even = s[0].times_plus(cosine, even[0]), s[1].times_plus(cosine, even[1])
            part = d[0] * sine, d[1] * sine
            if turn > r // 2:
                part = -part[0], -part[1]
            odd = part if odd is None else _plus(odd, part)
        assert odd is not None
        out[k], out[r - k] = _plus(even, _turned(odd)), _minus(even, _turned(odd))
    return out


def _butterfly(a: list[Any], twiddles: list[Pair]) -> tuple[Lines, Lines]:
    """Return real and imaginary parts of the output of a pass for one row of each of its r parts."""
    r = len(a)
    out = {2: lambda: [_plus(*a), _minus(*a)], 4: lambda: _four(a), 8: lambda: _eight(a)}.get(r, lambda: _prime(a))()
    out[1:] = [_times(out[k], *twiddles[k - 1]) for k in range(1, r)] if twiddles else out[1:]
    return [each[0] for each in out], [each[1] for each in out]


def beginnings(reads: tuple[int, ...], numbers: tuple[int, ...], rows: Any, gap: bool) -> tuple[Any, ...]:
    """Return first passes of radix 2, 3, 4, 5 and 8 whose rows `rows` computes from what they load.

    For each row it gets a line of each group of `reads` and of `numbers` (groups given as 0 are one line for all
    rows), and returns its real and imaginary part. With `gap` rows 3n/8 to 5n/8 are zero, and radix 8 leaves them out.
    """

    def make(r: int) -> Any:
        sizes = tuple(r if each else 1 for each in (*reads, *numbers))

        @line_operation(sizes[: len(reads)], (*sizes[len(reads) :], r - 1, r - 1), (r, r))
        def butterfly(*groups: Lines) -> tuple[Lines, Lines]:
            own, twiddles = groups[:-2], list(zip(groups[-2], groups[-1], strict=True))
            fixed = [len(each) == 1 for each in own]
            a = [rows(*(g[0] if one else g[k] for g, one in zip(own, fixed, strict=True))) for k in range(r)]
            if gap and r == 8:
                a[3] = a[4] = None
            return _butterfly(a, twiddles)

        return butterfly

    return tuple(make(r) for r in (2, 3, 4, 5, 8))


def endings(numbers: int, rows: Any, gap: bool) -> tuple[Any, ...]:
    """Return last passes of radix 2, 3, 4, 5 and 8; `rows` maps each pair of lines, with `numbers` numbers, to another.

    With `gap` nothing uses rows 3n/8 to 5n/8, and radix 8 leaves them out.
    """

    def make(r: int) -> Any:
        @line_operation((r, r), (1,) * numbers, (r, r))
        def butterfly(x_re: Lines, x_im: Lines, *constants: Lines) -> tuple[list[Any], list[Any]]:
            re, im = _butterfly(list(zip(x_re, x_im, strict=True)), [])
            out = [rows(a, b, *(each[0] for each in constants)) for a, b in zip(re, im, strict=True)]
            if gap and r == 8:
                out[3] = out[4] = (None, None)
            return [each[0] for each in out], [each[1] for each in out]

        return butterfly

    return tuple(make(r) for r in (2, 3, 4, 5, 8))


def _itself(a: Line, b: Line) -> Pair:
    return a, b


_plain2, _plain3, _plain4, _plain5, _plain8 = beginnings((1, 1), (), _itself, False)
_begin2, _begin3, _begin4, _begin5, _begin8 = beginnings((1, 1), (), _itself, True)
_last2, _last3, _last4, _last5, _last8 = endings(0, _itself, False)
_kept2, _kept3, _kept4, _kept5, _kept8 = endings(0, _itself, True)


@njit(cache=True, nogil=True)
def _pass(r, m, s, w_re, w_im, w, x_re, x_im, y_re, y_im):  # type: ignore[no-untyped-def]
    """Run a pass of radix r over m groups of s rows."""
    no_inline()
    L = lanes_of(x_re)
    i, o, d = s * m * L, s * L, r - 1
    if r == 8:
        for p in range(m):
            for a in range(s * p * L, s * (p + 1) * L, L):
                b = a + 7 * s * p * L
                _plain8((x_re, a, i, x_im, a, i, w_re, w, 1, w_im, w, 1, y_re, b, o, y_im, b, o))
            w += d
    elif r == 4:
        for p in range(m):
            for a in range(s * p * L, s * (p + 1) * L, L):
                b = a + 3 * s * p * L
                _plain4((x_re, a, i, x_im, a, i, w_re, w, 1, w_im, w, 1, y_re, b, o, y_im, b, o))
            w += d
    elif r == 2:
        for p in range(m):
            for a in range(s * p * L, s * (p + 1) * L, L):
                b = a + s * p * L
                _plain2((x_re, a, i, x_im, a, i, w_re, w, 1, w_im, w, 1, y_re, b, o, y_im, b, o))
            w += d
    elif r == 3:
        for p in range(m):
            for a in range(s * p * L, s * (p + 1) * L, L):
                b = a + 2 * s * p * L
                _plain3((x_re, a, i, x_im, a, i, w_re, w, 1, w_im, w, 1, y_re, b, o, y_im, b, o))
            w += d
    else:
        for p in range(m):
            for a in range(s * p * L, s * (p + 1) * L, L):
                b = a + 4 * s * p * L
                _plain5((x_re, a, i, x_im, a, i, w_re, w, 1, w_im, w, 1, y_re, b, o, y_im, b, o))
            w += d


@njit(cache=True, nogil=True)
def _last_pass(r, s, x_re, x_im):  # type: ignore[no-untyped-def]
    """Run the last pass in place: it reads and writes the same rows."""
    no_inline()
    L = lanes_of(x_re)
    o = s * L
    if r == 8:
        for a in range(0, o, L):
            _last8((x_re, a, o, x_im, a, o, x_re, a, o, x_im, a, o))
    elif r == 4:
        for a in range(0, o, L):
            _last4((x_re, a, o, x_im, a, o, x_re, a, o, x_im, a, o))
    elif r == 2:
        for a in range(0, o, L):
            _last2((x_re, a, o, x_im, a, o, x_re, a, o, x_im, a, o))
    elif r == 3:
        for a in range(0, o, L):
            _last3((x_re, a, o, x_im, a, o, x_re, a, o, x_im, a, o))
    else:
        for a in range(0, o, L):
            _last5((x_re, a, o, x_im, a, o, x_re, a, o, x_im, a, o))


@njit(cache=True, nogil=True)
def _last_rows(r, s, x_re, x_im, y_re, y_im, y, rows):  # type: ignore[no-untyped-def]
    """Run the last pass; row k goes to y + rows[k]."""
    no_inline()
    L = lanes_of(x_re)
    i = s * L
    if r == 8:
        for q in range(s):
            a = q * L
            _kept8((x_re, a, i, x_im, a, i, y_re, y, rows, q, s, y_im, y, rows, q, s))
    elif r == 4:
        for q in range(s):
            a = q * L
            _kept4((x_re, a, i, x_im, a, i, y_re, y, rows, q, s, y_im, y, rows, q, s))
    elif r == 2:
        for q in range(s):
            a = q * L
            _kept2((x_re, a, i, x_im, a, i, y_re, y, rows, q, s, y_im, y, rows, q, s))
    elif r == 3:
        for q in range(s):
            a = q * L
            _kept3((x_re, a, i, x_im, a, i, y_re, y, rows, q, s, y_im, y, rows, q, s))
    else:
        for q in range(s):
            a = q * L
            _kept5((x_re, a, i, x_im, a, i, y_re, y, rows, q, s, y_im, y, rows, q, s))


@njit(cache=True, nogil=True)
def begin_rows(n, plan, x_re, x_im, x, rows, y_re, y_im):  # type: ignore[no-untyped-def]
    """Run the first pass on n rows into block y, row k read at x + rows[k]; rows 3n/8 to 5n/8 are zero."""
    no_inline()
    radices, w_re, w_im = plan
    L = lanes_of(x_re)
    r = radices[0]
    m, b, w = n // r, 0, 0
    if r == 8:
        for p in range(m):
            _begin8((x_re, x, rows, p, m, x_im, x, rows, p, m, w_re, w, 1, w_im, w, 1, y_re, b, L, y_im, b, L))
            b, w = b + 8 * L, w + 7
    elif r == 4:
        for p in range(m):
            _begin4((x_re, x, rows, p, m, x_im, x, rows, p, m, w_re, w, 1, w_im, w, 1, y_re, b, L, y_im, b, L))
            b, w = b + 4 * L, w + 3
    elif r == 2:
        for p in range(m):
            _begin2((x_re, x, rows, p, m, x_im, x, rows, p, m, w_re, w, 1, w_im, w, 1, y_re, b, L, y_im, b, L))
            b, w = b + 2 * L, w + 1
    elif r == 3:
        for p in range(m):
            _begin3((x_re, x, rows, p, m, x_im, x, rows, p, m, w_re, w, 1, w_im, w, 1, y_re, b, L, y_im, b, L))
            b, w = b + 3 * L, w + 2
    else:
        for p in range(m):
            _begin5((x_re, x, rows, p, m, x_im, x, rows, p, m, w_re, w, 1, w_im, w, 1, y_re, b, L, y_im, b, L))
            b, w = b + 5 * L, w + 4


@njit(cache=True, nogil=True)
def passes_between(n, plan, first, x_re, x_im, y_re, y_im):  # type: ignore[no-untyped-def]
    """Run the passes from number `first` to the last but one; return the result's pair, the other, the last radix."""
    radices, w_re, w_im = plan
    s, w, k, r = 1, 0, 0, radices[0]
    m = n // r
    while m > 1:
        if k >= first:
            _pass(r, m, s, w_re, w_im, w, x_re, x_im, y_re, y_im)
            x_re, x_im, y_re, y_im = y_re, y_im, x_re, x_im
        w += m * (r - 1)
        s *= r
        k += 1
        r = radices[k]
        m //= r
    return x_re, x_im, y_re, y_im, r


@njit(cache=True, nogil=True)
def finish_lanes(n, plan, x_re, x_im, y_re, y_im):  # type: ignore[no-untyped-def]
    """Run all passes but the first on block x; y is as large. Return the result's pair, then the other."""
    x_re, x_im, y_re, y_im, r = passes_between(n, plan, 1, x_re, x_im, y_re, y_im)
    _last_pass(r, n // r, x_re, x_im)
    return x_re, x_im, y_re, y_im


@njit(cache=True, nogil=True)
def finish_rows(n, plan, first, x_re, x_im, y_re, y_im, to_re, to_im, to, rows):  # type: ignore[no-untyped-def]
    """Run the passes from number `first` (0 or 1) on block x; row k of the result goes to `to` + rows[k].

    Rows 3n/8 to 5n/8, and all whose entry is negative, are not written.
    """
    x_re, x_im, y_re, y_im, r = passes_between(n, plan, first, x_re, x_im, y_re, y_im)
    _last_rows(r, n // r, x_re, x_im, to_re, to_im, to, rows)


@njit(cache=True, nogil=True)
def fft_lanes(n, plan, x_re, x_im, y_re, y_im):  # type: ignore[no-untyped-def]
    """Transform x (n rows) with e^{−2πi jk/n}; y is as large. Return the result's pair, then the other.

    Exchange the real and the imaginary arrays to transform with e^{+2πi jk/n}; nothing is scaled.
    """
    x_re, x_im, y_re, y_im, r = passes_between(n, plan, 0, x_re, x_im, y_re, y_im)
    _last_pass(r, n // r, x_re, x_im)
    return x_re, x_im, y_re, y_im
