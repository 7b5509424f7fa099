"""Transform real data on lanes: 2h real points are the real and imaginary parts of h complex ones.

References
----------
Van Loan, Computational Frameworks for the Fast Fourier Transform, SIAM 1992, section 4.2.
"""

# ruff: noqa: RUF005 (compiled code joins tuples by +)
from __future__ import annotations

from numba import njit

from ...kernels.cache_lines import Line, lanes_of, line_operation
from ...kernels.unaliased import no_inline
from .fourier import beginnings

__all__ = ["begin_merged", "split_real"]


def _merge(ar: Line, ai: Line, br: Line, bi: Line, c: Line, d: Line) -> tuple[Line, Line]:
    """Return imaginary part, then real part, as an inverse transform takes them."""
    dr, di = ar - br, ai + bi
    return (ai - bi) + dr.times_plus(c, -(di * d)), (ar + br) - dr.times_plus(d, di * c)


_merge2, _merge3, _merge4, _merge5, _merge8 = beginnings((1, 1, 1, 1), (1, 1), _merge, False)


@line_operation((2, 2), (1, 1), (1, 1))
def _split(z_re: list[Line], z_im: list[Line], c: list[Line], d: list[Line]) -> tuple[list[Line], ...]:
    dr, di = z_re[0] - z_re[1], z_im[0] + z_im[1]
    re = (z_re[0] + z_re[1]) + di.times_plus(c[0], -(dr * d[0]))
    return [re], [(z_im[0] - z_im[1]) - dr.times_plus(c[0], di * d[0])]


@njit(cache=True, nogil=True)
def begin_merged(h, plan, roots, u_re, u_im, u, real, imaginary, y_re, y_im):  # type: ignore[no-untyped-def]
    """Run the first pass of the inverse transform of length h to even + i odd points of 2h real ones, unscaled.

    Its rows are Z_k = (U_k + conj U_{h−k}) + i e^{2πik/2h} (U_k − conj U_{h−k}), k < h, of the modes U_0 … U_h. The
    parts of U_k lie at u + real[k] and u + imaginary[k]; `roots` holds the cosines and sines of 2πk/2h.
    """
    no_inline()
    radices, w_re, w_im = plan
    c_re, c_im = roots
    L = lanes_of(u_re)
    r = radices[0]
    m, b, w = h // r, 0, 0
    if r == 8:
        for p in range(m):
            _merge8(
                (u_re, u, real, p, m, u_im, u, imaginary, p, m, u_re, u, real, h - p, -m, u_im, u, imaginary, h - p, -m)
                + (c_re, p, m, c_im, p, m, w_re, w, 1, w_im, w, 1, y_im, b, L, y_re, b, L)
            )
            b, w = b + 8 * L, w + 7
    elif r == 4:
        for p in range(m):
            _merge4(
                (u_re, u, real, p, m, u_im, u, imaginary, p, m, u_re, u, real, h - p, -m, u_im, u, imaginary, h - p, -m)
                + (c_re, p, m, c_im, p, m, w_re, w, 1, w_im, w, 1, y_im, b, L, y_re, b, L)
            )
            b, w = b + 4 * L, w + 3
    elif r == 2:
        for p in range(m):
            _merge2(
                (u_re, u, real, p, m, u_im, u, imaginary, p, m, u_re, u, real, h - p, -m, u_im, u, imaginary, h - p, -m)
                + (c_re, p, m, c_im, p, m, w_re, w, 1, w_im, w, 1, y_im, b, L, y_re, b, L)
            )
            b, w = b + 2 * L, w + 1
    elif r == 3:
        for p in range(m):
            _merge3(
                (u_re, u, real, p, m, u_im, u, imaginary, p, m, u_re, u, real, h - p, -m, u_im, u, imaginary, h - p, -m)
                + (c_re, p, m, c_im, p, m, w_re, w, 1, w_im, w, 1, y_im, b, L, y_re, b, L)
            )
            b, w = b + 3 * L, w + 2
    else:
        for p in range(m):
            _merge5(
                (u_re, u, real, p, m, u_im, u, imaginary, p, m, u_re, u, real, h - p, -m, u_im, u, imaginary, h - p, -m)
                + (c_re, p, m, c_im, p, m, w_re, w, 1, w_im, w, 1, y_im, b, L, y_re, b, L)
            )
            b, w = b + 5 * L, w + 4


@njit(cache=True, nogil=True)
def split_real(h, first, last, roots, z_re, z_im, u_re, u_im, u, step):  # type: ignore[no-untyped-def]
    """Compute 2 U_k, `first` ≤ k ≤ `last` < h, of 2h real points from the transform of even + i odd points.

    2 U_k = (Z_k + conj Z_{h−k}) − i e^{−2πik/2h} (Z_k − conj Z_{h−k}), at u + (k − first)·step.
    """
    no_inline()
    L = lanes_of(z_re)
    c_re, c_im = roots
    for k in range(first, last + 1):
        i, j = k * L, ((h - k) % h - k) * L
        _split((z_re, i, j, z_im, i, j, c_re, k, 0, c_im, k, 0, u_re, u, 0, u_im, u, 0))
        u += step
