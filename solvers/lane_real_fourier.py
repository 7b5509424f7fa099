"""Real transforms on lanes: 2h real points as the even and odd parts of h complex ones.

References
----------
Van Loan, Computational Frameworks for the Fast Fourier Transform, SIAM 1992, section 4.2.
"""

from __future__ import annotations

from numba import njit

from .cache_lines import Line, line_operation
from .lane_fourier import lanes_of
from .multigrid.unaliased import apart

__all__ = ["merge_real", "split_real"]


@line_operation(4, 2, 2)
def _merge(ar: Line, ai: Line, br: Line, bi: Line, c: Line, d: Line) -> tuple[Line, ...]:
    dr, di = ar - br, ai + bi
    return (ar + br) - dr.times_plus(d, di * c), (ai - bi) + dr.times_plus(c, -(di * d))


@line_operation(4, 2, 2)
def _split(ar: Line, ai: Line, br: Line, bi: Line, c: Line, d: Line) -> tuple[Line, ...]:
    dr, di = ar - br, ai + bi
    return (ar + br) + dr.times_plus(d, di * c), (ai - bi) - dr.times_plus(c, -(di * d))


@njit(cache=True, nogil=True)
def merge_real(h, roots, u_re, u_im, z_re, z_im):  # type: ignore[no-untyped-def]
    """Modes 0…h of 2h real points to the transform of length h whose inverse holds even + i odd points, unscaled.

    Z_k = (U_k + conj U_{h−k}) + i e^{2πik/2h} (U_k − conj U_{h−k}); `roots` holds the cosines and sines of 2πk/2h.
    """
    apart()
    L = lanes_of(u_re)
    c_re, c_im = roots
    for k in range(h):
        i, j = k * L, (h - k) * L
        _merge((u_re, i, u_im, i, u_re, j, u_im, j, c_re[k], c_im[k], z_re, i, z_im, i))


@njit(cache=True, nogil=True)
def split_real(h, last, roots, z_re, z_im, u_re, u_im):  # type: ignore[no-untyped-def]
    """Modes 0…`last` < h of 2h real points, times two, from the transform of length h of even + i odd points.

    2 U_k = (Z_k + conj Z_{h−k}) − i e^{−2πik/2h} (Z_k − conj Z_{h−k}).
    """
    apart()
    L = lanes_of(u_re)
    c_re, c_im = roots
    for k in range(last + 1):
        i, j = k * L, ((h - k) % h) * L
        _split((z_re, i, z_im, i, z_re, j, z_im, j, c_re[k], -c_im[k], u_re, i, u_im, i))
