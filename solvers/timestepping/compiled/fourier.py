"""Plan Fourier transforms of many columns at once, compiled (`fourier.hpp`): one column a lane of the vector unit.

A block holds n rows of L lanes, L values of a cache line, real and imaginary parts apart: element (i, lane) of a flat
array is i·L + lane. A transform runs along the rows.

References
----------
Van Loan, Computational Frameworks for the Fast Fourier Transform, SIAM 1992, section 1.7.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ...kernels import Kernel

__all__ = ["LanePlan", "fft_lanes", "lane_plan"]

_RADICES = (8, 4, 2, 3, 5)
_transform = Kernel("transform_lanes", "int int i64* T* T* T* T* T* T*", "int")


class LanePlan(NamedTuple):
    """Hold the radices of the passes and all their twiddle factors, for one length and precision."""

    n: int
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
    return LanePlan(n, np.array(radices, np.int64), np.cos(phase).astype(dtype), np.sin(phase).astype(dtype))


def fft_lanes(plan: LanePlan, x: tuple[np.ndarray, ...], y: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Transform block x with e^{−2πi jk/n} and return where the result lies, in x or in y, which is as large.

    Blocks are pairs of real and imaginary parts. Exchange them to transform with e^{+2πi jk/n}; nothing is scaled.
    """
    return y if _transform(plan.n, len(plan.radices), *plan[1:], *x, *y) else x
