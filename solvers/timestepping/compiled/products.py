"""Run transforms that begin with velocities from a vorticity, or end with squares or polynomials."""

# ruff: noqa: RUF005 (compiled code joins tuples by +)
from __future__ import annotations

from numba import njit

from ...kernels.cache_lines import Line, lanes_of
from ...kernels.unaliased import no_inline
from .fourier import beginnings, endings, passes_between

__all__ = ["begin_mirrored", "begin_velocity", "finish_powers", "finish_square"]


def _of_vorticity(a: Line, b: Line, inverse: Line, ky: Line, kx: Line) -> tuple[Line, Line]:
    """Return imaginary and real part of (k_x + i k_y) ω̂/|k|²."""
    a, b = a * inverse, b * inverse
    return kx.times_plus(b, ky * a), kx.times_plus(a, -(ky * b))


def _of_mirrored(a: Line, b: Line, inverse: Line, ky: Line, kx: Line) -> tuple[Line, Line]:
    """Return imaginary and real part of −(k_x + i k_y) conj(ω̂)/|k|², which is û + i v̂ at −k."""
    a, b = a * inverse, b * inverse
    return kx.times_plus(b, -(ky * a)), -kx.times_plus(a, ky * b)


def _of_square(a: Line, b: Line) -> tuple[Line, Line]:
    """Return imaginary (halved) and real part of (b + i a)², in products alone: the pass itself has only sums."""
    return a * b, b.times_plus(b, -(a * a))


def _of_powers(a: Line, b: Line, square: Line, cube: Line) -> tuple[Line, Line]:
    return a * a * cube.times_plus(a, square), b * b * cube.times_plus(b, square)


_velocity2, _velocity3, _velocity4, _velocity5, _velocity8 = beginnings((1, 1, 1, 0), (1,), _of_vorticity, True)
_mirrored2, _mirrored3, _mirrored4, _mirrored5, _mirrored8 = beginnings((1, 1, 1, 0), (1,), _of_mirrored, True)
_square2, _square3, _square4, _square5, _square8 = endings(0, _of_square, False)
_powers2, _powers3, _powers4, _powers5, _powers8 = endings(2, _of_powers, False)


@njit(cache=True, nogil=True)
def begin_velocity(n, plan, V_re, V_im, v, rows, inverse, i, inverse_rows, kx, ky, c, y_re, y_im):  # type: ignore[no-untyped-def]
    """Run the first pass of the inverse transform of û + i v̂ at k_y ≥ 0, from the vorticity at v + rows[k]."""
    no_inline()
    radices, w_re, w_im = plan
    L = lanes_of(y_re)
    r = radices[0]
    m, b, w = n // r, 0, 0
    if r == 8:
        for p in range(m):
            _velocity8(
                (V_re, v, rows, p, m, V_im, v, rows, p, m, inverse, i, inverse_rows, p, m)
                + (ky, c, 0, kx, p, m, w_re, w, 1, w_im, w, 1, y_im, b, L, y_re, b, L)
            )
            b, w = b + 8 * L, w + 7
    elif r == 4:
        for p in range(m):
            _velocity4(
                (V_re, v, rows, p, m, V_im, v, rows, p, m, inverse, i, inverse_rows, p, m)
                + (ky, c, 0, kx, p, m, w_re, w, 1, w_im, w, 1, y_im, b, L, y_re, b, L)
            )
            b, w = b + 4 * L, w + 3
    elif r == 2:
        for p in range(m):
            _velocity2(
                (V_re, v, rows, p, m, V_im, v, rows, p, m, inverse, i, inverse_rows, p, m)
                + (ky, c, 0, kx, p, m, w_re, w, 1, w_im, w, 1, y_im, b, L, y_re, b, L)
            )
            b, w = b + 2 * L, w + 1
    elif r == 3:
        for p in range(m):
            _velocity3(
                (V_re, v, rows, p, m, V_im, v, rows, p, m, inverse, i, inverse_rows, p, m)
                + (ky, c, 0, kx, p, m, w_re, w, 1, w_im, w, 1, y_im, b, L, y_re, b, L)
            )
            b, w = b + 3 * L, w + 2
    else:
        for p in range(m):
            _velocity5(
                (V_re, v, rows, p, m, V_im, v, rows, p, m, inverse, i, inverse_rows, p, m)
                + (ky, c, 0, kx, p, m, w_re, w, 1, w_im, w, 1, y_im, b, L, y_re, b, L)
            )
            b, w = b + 5 * L, w + 4


@njit(cache=True, nogil=True)
def begin_mirrored(n, plan, V_re, V_im, v, rows, inverse, i, inverse_rows, kx, ky, c, y_re, y_im):  # type: ignore[no-untyped-def]
    """Do as `begin_velocity` at −k_y ≤ 0, from the vorticity at k = (k_x, k_y); tables are in the order of −k_x."""
    no_inline()
    radices, w_re, w_im = plan
    L = lanes_of(y_re)
    r = radices[0]
    m, b, w = n // r, 0, 0
    if r == 8:
        for p in range(m):
            _mirrored8(
                (V_re, v, rows, p, m, V_im, v, rows, p, m, inverse, i, inverse_rows, p, m)
                + (ky, c, 0, kx, p, m, w_re, w, 1, w_im, w, 1, y_im, b, L, y_re, b, L)
            )
            b, w = b + 8 * L, w + 7
    elif r == 4:
        for p in range(m):
            _mirrored4(
                (V_re, v, rows, p, m, V_im, v, rows, p, m, inverse, i, inverse_rows, p, m)
                + (ky, c, 0, kx, p, m, w_re, w, 1, w_im, w, 1, y_im, b, L, y_re, b, L)
            )
            b, w = b + 4 * L, w + 3
    elif r == 2:
        for p in range(m):
            _mirrored2(
                (V_re, v, rows, p, m, V_im, v, rows, p, m, inverse, i, inverse_rows, p, m)
                + (ky, c, 0, kx, p, m, w_re, w, 1, w_im, w, 1, y_im, b, L, y_re, b, L)
            )
            b, w = b + 2 * L, w + 1
    elif r == 3:
        for p in range(m):
            _mirrored3(
                (V_re, v, rows, p, m, V_im, v, rows, p, m, inverse, i, inverse_rows, p, m)
                + (ky, c, 0, kx, p, m, w_re, w, 1, w_im, w, 1, y_im, b, L, y_re, b, L)
            )
            b, w = b + 3 * L, w + 2
    else:
        for p in range(m):
            _mirrored5(
                (V_re, v, rows, p, m, V_im, v, rows, p, m, inverse, i, inverse_rows, p, m)
                + (ky, c, 0, kx, p, m, w_re, w, 1, w_im, w, 1, y_im, b, L, y_re, b, L)
            )
            b, w = b + 5 * L, w + 4


@njit(cache=True, nogil=True)
def finish_square(n, plan, x_re, x_im, y_re, y_im):  # type: ignore[no-untyped-def]
    """Run :func:`finish_lanes` on an inverse transform u + iv, parts exchanged, and map it to u² − v² + i uv."""
    no_inline()
    x_re, x_im, y_re, y_im, r = passes_between(n, plan, 1, x_re, x_im, y_re, y_im)
    L = lanes_of(x_re)
    o = n // r * L
    if r == 8:
        for a in range(0, o, L):
            _square8((x_re, a, o, x_im, a, o, x_re, a, o, x_im, a, o))
    elif r == 4:
        for a in range(0, o, L):
            _square4((x_re, a, o, x_im, a, o, x_re, a, o, x_im, a, o))
    elif r == 2:
        for a in range(0, o, L):
            _square2((x_re, a, o, x_im, a, o, x_re, a, o, x_im, a, o))
    elif r == 3:
        for a in range(0, o, L):
            _square3((x_re, a, o, x_im, a, o, x_re, a, o, x_im, a, o))
    else:
        for a in range(0, o, L):
            _square5((x_re, a, o, x_im, a, o, x_re, a, o, x_im, a, o))
    return x_re, x_im, y_re, y_im


@njit(cache=True, nogil=True)
def finish_powers(n, plan, powers, x_re, x_im, y_re, y_im):  # type: ignore[no-untyped-def]
    """Run :func:`finish_lanes` and map both parts of the transform to their polynomial."""
    no_inline()
    x_re, x_im, y_re, y_im, r = passes_between(n, plan, 1, x_re, x_im, y_re, y_im)
    L = lanes_of(x_re)
    o = n // r * L
    if r == 8:
        for a in range(0, o, L):
            _powers8((x_re, a, o, x_im, a, o, powers, 0, 0, powers, 1, 0, x_re, a, o, x_im, a, o))
    elif r == 4:
        for a in range(0, o, L):
            _powers4((x_re, a, o, x_im, a, o, powers, 0, 0, powers, 1, 0, x_re, a, o, x_im, a, o))
    elif r == 2:
        for a in range(0, o, L):
            _powers2((x_re, a, o, x_im, a, o, powers, 0, 0, powers, 1, 0, x_re, a, o, x_im, a, o))
    elif r == 3:
        for a in range(0, o, L):
            _powers3((x_re, a, o, x_im, a, o, powers, 0, 0, powers, 1, 0, x_re, a, o, x_im, a, o))
    else:
        for a in range(0, o, L):
            _powers5((x_re, a, o, x_im, a, o, powers, 0, 0, powers, 1, 0, x_re, a, o, x_im, a, o))
    return x_re, x_im, y_re, y_im
