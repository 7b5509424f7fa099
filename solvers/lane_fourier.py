"""Compiled Fourier transforms of many columns at once: one column a lane of the vector unit, all of it in cache.

A block holds n rows of L lanes, L values of a cache line, real and imaginary parts apart: element (i, lane) of a flat
array is i·L + lane. A transform runs along the rows, the same operations in every lane, so a lane's bits do not depend
on its neighbours. Stockham's autosorting algorithm, decimation in frequency, radices 8, 4, 2, 3 and 5: each pass reads
one pair of arrays and writes the other. The inverse is the same code with real and imaginary parts exchanged.

References
----------
Van Loan, Computational Frameworks for the Fast Fourier Transform, SIAM 1992, section 1.7.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from .cache_lines import LINE, Line, line_operation
from .multigrid.unaliased import apart

__all__ = ["LanePlan", "fft_lanes", "lane_count", "lane_plan", "lanes_of"]

_RADICES = (8, 4, 2, 3, 5)


class LanePlan(NamedTuple):
    """Radices of the passes and all their twiddle factors, of one length and precision."""

    radices: np.ndarray
    cosines: np.ndarray
    sines: np.ndarray


def lane_count(dtype: Any) -> int:
    """Values of `dtype` in a cache line: 16 of float32, 8 of float64."""
    return LINE // np.dtype(dtype).itemsize


@lru_cache(maxsize=32)
def lane_plan(n: int, dtype: str) -> LanePlan | None:
    """The plan for length n, or None where n has another prime factor than 2, 3 and 5."""
    radices, left = [], n
    for radix in _RADICES:
        while left % radix == 0 and (radix != 8 or left != 16):  # 4·4 rather than 8·2
            radices.append(radix)
            left //= radix
    if left != 1 or n < 2:
        return None
    angles, length = [], n
    for radix in radices:
        p, k = np.meshgrid(np.arange(length // radix), np.arange(1, radix), indexing="ij")
        angles.append((-2.0 * np.pi * ((p * k) % length) / length).ravel())
        length //= radix
    phase = np.concatenate(angles)
    return LanePlan(np.array(radices), np.cos(phase).astype(dtype), np.sin(phase).astype(dtype))


@intrinsic
def lanes_of(typingctx: Any, array: Any) -> Any:
    """The number of lanes of an array's type, a constant to the compiler."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_constant(types.intp, LINE // (signature.args[0].dtype.bitwidth // 8))

    return types.intp(array), code


Pair = tuple[Line, Line]


def _plus(a: Pair, b: Pair) -> Pair:
    return a[0] + b[0], a[1] + b[1]


def _minus(a: Pair, b: Pair) -> Pair:
    return a[0] - b[0], a[1] - b[1]


def _turned(a: Pair) -> Pair:
    """−i a."""
    return a[1], -a[0]


def _times(a: Pair, c: Line, d: Line) -> Pair:
    """a (c + i d)."""
    return a[0].times_plus(c, -(a[1] * d)), a[0].times_plus(d, a[1] * c)


def _four(a: list[Pair]) -> list[Pair]:
    even, odd = _plus(a[0], a[2]), _plus(a[1], a[3])
    low, high = _minus(a[0], a[2]), _turned(_minus(a[1], a[3]))
    return [_plus(even, odd), _plus(low, high), _minus(even, odd), _minus(low, high)]


def _eight(a: list[Pair], half: Line) -> list[Pair]:
    """`half` is √½."""
    even, odd = _four(a[0::2]), _four(a[1::2])
    one, three = odd[1], odd[3]
    odd[1] = (one[0] + one[1]) * half, (one[1] - one[0]) * half
    odd[2] = _turned(odd[2])
    odd[3] = (three[1] - three[0]) * half, -((three[0] + three[1]) * half)
    return [_plus(e, o) for e, o in zip(even, odd, strict=True)] + [
        _minus(e, o) for e, o in zip(even, odd, strict=True)
    ]


def _prime(a: list[Pair], roots: list[Pair]) -> list[Pair]:
    """Radix 3 or 5: sums and differences of a_j and a_{r−j}, weighted with the roots cos, sin (2πj/r), j ≤ r/2."""
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
            cosine, sine = roots[min(turn, r - turn) - 1]
            s, d = sums[j - 1], differences[j - 1]
            even = s[0].times_plus(cosine, even[0]), s[1].times_plus(cosine, even[1])
            part = d[0] * sine, d[1] * sine
            if turn > r // 2:
                part = -part[0], -part[1]
            odd = part if odd is None else _plus(odd, part)
        assert odd is not None
        out[k], out[r - k] = _plus(even, _turned(odd)), _minus(even, _turned(odd))
    return out


def _butterfly(r: int) -> Any:
    """The butterfly of radix r as a line operation: r pairs in, constants and r − 1 twiddle factors, r pairs out."""
    constants = {2: 0, 4: 0, 8: 1, 3: 2, 5: 4}[r]

    @line_operation(2 * r, constants + 2 * (r - 1), 2 * r)
    def butterfly(*lines: Line) -> tuple[Line, ...]:
        a = [(lines[2 * j], lines[2 * j + 1]) for j in range(r)]
        fixed, twiddles = lines[2 * r : 2 * r + constants], lines[2 * r + constants :]
        if r == 2:
            out = [_plus(*a), _minus(*a)]
        elif r == 4:
            out = _four(a)
        elif r == 8:
            out = _eight(a, fixed[0])
        else:
            out = _prime(a, [(fixed[2 * j], fixed[2 * j + 1]) for j in range(constants // 2)])
        turned = [out[0]] + [_times(out[k], twiddles[2 * k - 2], twiddles[2 * k - 1]) for k in range(1, r)]
        return tuple(part for pair in turned for part in pair)

    return butterfly


_butterfly2, _butterfly3, _butterfly4, _butterfly5, _butterfly8 = (_butterfly(r) for r in (2, 3, 4, 5, 8))
_HALF = float(np.sqrt(0.5))
_C3, _S3 = float(np.cos(2 * np.pi / 3)), float(np.sin(2 * np.pi / 3))
_C5, _S5, _C52, _S52 = (float(f(a)) for a in (2 * np.pi / 5, 4 * np.pi / 5) for f in (np.cos, np.sin))


@njit(cache=True, nogil=True)
def _pass2(x_re, x_im, y_re, y_im, m, s, w_re, w_im, w):  # type: ignore[no-untyped-def]
    apart()
    L = lanes_of(x_re)
    i, o = s * m * L, s * L
    for p in range(m):
        for q in range(s):
            a, b = (q + s * p) * L, (q + 2 * s * p) * L
            _butterfly2(
                (
                    x_re,
                    a,
                    x_im,
                    a,
                    x_re,
                    a + i,
                    x_im,
                    a + i,
                    w_re[w],
                    w_im[w],
                    y_re,
                    b,
                    y_im,
                    b,
                    y_re,
                    b + o,
                    y_im,
                    b + o,
                )
            )
        w += 1


@njit(cache=True, nogil=True)
def _pass3(x_re, x_im, y_re, y_im, m, s, w_re, w_im, w):  # type: ignore[no-untyped-def]
    apart()
    L = lanes_of(x_re)
    i, o = s * m * L, s * L
    for p in range(m):
        for q in range(s):
            a, b = (q + s * p) * L, (q + 3 * s * p) * L
            _butterfly3(
                (
                    x_re,
                    a,
                    x_im,
                    a,
                    x_re,
                    a + i,
                    x_im,
                    a + i,
                    x_re,
                    a + 2 * i,
                    x_im,
                    a + 2 * i,
                    _C3,
                    _S3,
                    w_re[w],
                    w_im[w],
                    w_re[w + 1],
                    w_im[w + 1],
                    y_re,
                    b,
                    y_im,
                    b,
                    y_re,
                    b + o,
                    y_im,
                    b + o,
                    y_re,
                    b + 2 * o,
                    y_im,
                    b + 2 * o,
                )
            )
        w += 2


@njit(cache=True, nogil=True)
def _pass4(x_re, x_im, y_re, y_im, m, s, w_re, w_im, w):  # type: ignore[no-untyped-def]
    apart()
    L = lanes_of(x_re)
    i, o = s * m * L, s * L
    for p in range(m):
        for q in range(s):
            a, b = (q + s * p) * L, (q + 4 * s * p) * L
            _butterfly4(
                (
                    x_re,
                    a,
                    x_im,
                    a,
                    x_re,
                    a + i,
                    x_im,
                    a + i,
                    x_re,
                    a + 2 * i,
                    x_im,
                    a + 2 * i,
                    x_re,
                    a + 3 * i,
                    x_im,
                    a + 3 * i,
                    w_re[w],
                    w_im[w],
                    w_re[w + 1],
                    w_im[w + 1],
                    w_re[w + 2],
                    w_im[w + 2],
                    y_re,
                    b,
                    y_im,
                    b,
                    y_re,
                    b + o,
                    y_im,
                    b + o,
                    y_re,
                    b + 2 * o,
                    y_im,
                    b + 2 * o,
                    y_re,
                    b + 3 * o,
                    y_im,
                    b + 3 * o,
                )
            )
        w += 3


@njit(cache=True, nogil=True)
def _pass5(x_re, x_im, y_re, y_im, m, s, w_re, w_im, w):  # type: ignore[no-untyped-def]
    apart()
    L = lanes_of(x_re)
    i, o = s * m * L, s * L
    for p in range(m):
        for q in range(s):
            a, b = (q + s * p) * L, (q + 5 * s * p) * L
            _butterfly5(
                (
                    x_re,
                    a,
                    x_im,
                    a,
                    x_re,
                    a + i,
                    x_im,
                    a + i,
                    x_re,
                    a + 2 * i,
                    x_im,
                    a + 2 * i,
                    x_re,
                    a + 3 * i,
                    x_im,
                    a + 3 * i,
                    x_re,
                    a + 4 * i,
                    x_im,
                    a + 4 * i,
                    _C5,
                    _S5,
                    _C52,
                    _S52,
                    w_re[w],
                    w_im[w],
                    w_re[w + 1],
                    w_im[w + 1],
                    w_re[w + 2],
                    w_im[w + 2],
                    w_re[w + 3],
                    w_im[w + 3],
                    y_re,
                    b,
                    y_im,
                    b,
                    y_re,
                    b + o,
                    y_im,
                    b + o,
                    y_re,
                    b + 2 * o,
                    y_im,
                    b + 2 * o,
                    y_re,
                    b + 3 * o,
                    y_im,
                    b + 3 * o,
                    y_re,
                    b + 4 * o,
                    y_im,
                    b + 4 * o,
                )
            )
        w += 4


@njit(cache=True, nogil=True)
def _pass8(x_re, x_im, y_re, y_im, m, s, w_re, w_im, w):  # type: ignore[no-untyped-def]
    apart()
    L = lanes_of(x_re)
    i, o = s * m * L, s * L
    for p in range(m):
        for q in range(s):
            a, b = (q + s * p) * L, (q + 8 * s * p) * L
            _butterfly8(
                (
                    x_re,
                    a,
                    x_im,
                    a,
                    x_re,
                    a + i,
                    x_im,
                    a + i,
                    x_re,
                    a + 2 * i,
                    x_im,
                    a + 2 * i,
                    x_re,
                    a + 3 * i,
                    x_im,
                    a + 3 * i,
                    x_re,
                    a + 4 * i,
                    x_im,
                    a + 4 * i,
                    x_re,
                    a + 5 * i,
                    x_im,
                    a + 5 * i,
                    x_re,
                    a + 6 * i,
                    x_im,
                    a + 6 * i,
                    x_re,
                    a + 7 * i,
                    x_im,
                    a + 7 * i,
                    _HALF,
                    w_re[w],
                    w_im[w],
                    w_re[w + 1],
                    w_im[w + 1],
                    w_re[w + 2],
                    w_im[w + 2],
                    w_re[w + 3],
                    w_im[w + 3],
                    w_re[w + 4],
                    w_im[w + 4],
                    w_re[w + 5],
                    w_im[w + 5],
                    w_re[w + 6],
                    w_im[w + 6],
                    y_re,
                    b,
                    y_im,
                    b,
                    y_re,
                    b + o,
                    y_im,
                    b + o,
                    y_re,
                    b + 2 * o,
                    y_im,
                    b + 2 * o,
                    y_re,
                    b + 3 * o,
                    y_im,
                    b + 3 * o,
                    y_re,
                    b + 4 * o,
                    y_im,
                    b + 4 * o,
                    y_re,
                    b + 5 * o,
                    y_im,
                    b + 5 * o,
                    y_re,
                    b + 6 * o,
                    y_im,
                    b + 6 * o,
                    y_re,
                    b + 7 * o,
                    y_im,
                    b + 7 * o,
                )
            )
        w += 7


@njit(cache=True, nogil=True)
def fft_lanes(n, plan, x_re, x_im, y_re, y_im):  # type: ignore[no-untyped-def]
    """Transform x (n rows) with e^{−2πi jk/n}; y is as large. Returns the pair that holds the result, then the other.

    Exchange the real and the imaginary arrays to transform with e^{+2πi jk/n}; nothing is scaled.
    """
    radices, w_re, w_im = plan
    s, left, at = 1, n, 0
    for r in radices:
        m = left // r
        if r == 8:
            _pass8(x_re, x_im, y_re, y_im, m, s, w_re, w_im, at)
        elif r == 4:
            _pass4(x_re, x_im, y_re, y_im, m, s, w_re, w_im, at)
        elif r == 2:
            _pass2(x_re, x_im, y_re, y_im, m, s, w_re, w_im, at)
        elif r == 3:
            _pass3(x_re, x_im, y_re, y_im, m, s, w_re, w_im, at)
        else:
            _pass5(x_re, x_im, y_re, y_im, m, s, w_re, w_im, at)
        x_re, x_im, y_re, y_im = y_re, y_im, x_re, x_im
        at += m * (r - 1)
        s *= r
        left = m
    return x_re, x_im, y_re, y_im
