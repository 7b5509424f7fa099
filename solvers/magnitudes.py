"""Bring numbers near the ends of float64 to a safe size by powers of two, which round nothing.

A solver forms products of norms: rᴴA r of a matrix of 1e-310 is zero, of one of 1e200 infinite, though the system is
harmless. So b is divided by 2^k, and A by 2^m, where their norms lie outside `SAFE`; the solution is that of the scaled
system times 2^(k − m), and the one step that may lose something is this product. What it has lost is measured
(`representable`, and the residual of what it returns).
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np

SAFE = (1e-70, 1e70)
"""Norms that need no scaling: products of two norms of A and two of b stay within float64."""

EPSILON = float(np.finfo(np.float64).eps)

LARGEST = float(np.finfo(np.float64).max)
_LEAST_NORMAL = -1021
"""The exponent, as `math.frexp` gives it, of the smallest number of full precision."""


def sum_of_squares(xp: Any, values: Any) -> float:
    """Return Σ |v|²: finite only if all values are, and infinite or zero also where the squares leave float64."""
    flat = values.ravel(order="A")
    return float(xp.vdot(flat, flat).real)


def is_safe(square: float) -> bool:
    """Return whether the root of a sum of squares lies within `SAFE`."""
    return SAFE[0] ** 2 <= square <= SAFE[1] ** 2


def norm_of(xp: Any, values: Any) -> float:
    """Return ‖v‖₂ (Frobenius norm), also where its square leaves float64."""
    square = sum_of_squares(xp, values)
    if is_safe(square) or math.isnan(square):
        return math.sqrt(square)
    size = float(xp.max(_sizes(xp, values))) if values.size else 0.0
    if not (size > 0.0 and math.isfinite(size)):
        return size
    exponent = math.frexp(size)[1]
    return times_two_to(math.sqrt(sum_of_squares(xp, array_times_two_to(xp, values, -exponent))), exponent)


def exponent_of_vector(xp: Any, b: Any) -> int:
    """Return k with ‖b‖_∞ 2^-k in [½, 1), or 0 if the norm is safe or b is zero."""
    if is_safe(sum_of_squares(xp, b)):
        return 0
    return math.frexp(float(xp.max(_sizes(xp, b))))[1]


def exponent_of_entries(xp: Any, entries: Any) -> int:
    """Return m such that entries·2^-m have a safe norm, or come as near to it as no entry loses a digit.

    The entries of diag(1e300, 1e-300) cannot both be near one: nothing is divided there, for a small entry may be all
    that its row has.
    """
    sizes = _sizes(xp, entries)
    largest = math.frexp(float(xp.max(sizes)))[1]
    if largest <= 0:
        return largest
    nonzero = sizes[sizes > 0.0]
    smallest = math.frexp(float(xp.min(nonzero)))[1] if nonzero.size else largest
    return max(0, min(largest, smallest - _LEAST_NORMAL))


def _sizes(xp: Any, values: Any) -> Any:
    """Return the larger of |Re v| and |Im v|: the modulus itself may overflow."""
    if values.dtype.kind == "c":
        return xp.maximum(xp.abs(values.real), xp.abs(values.imag))
    return xp.abs(values)


def times_two_to(value: float, exponent: int) -> float:
    """Return value·2^exponent, infinite where it overflows."""
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.copysign(math.inf, value)


def array_times_two_to(xp: Any, values: Any, exponent: int) -> Any:
    """Return values·2^exponent, a new array (the values themselves for exponent 0), real or complex."""
    if exponent == 0:
        return values
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if values.dtype.kind != "c":
            return xp.ldexp(values, exponent)
        parts = xp.ascontiguousarray(values).view(np.float64)
        return xp.ldexp(parts, exponent).view(np.complex128)


def representable(xp: Any, values: Any, exponent: int) -> Any:
    """Return the numbers of float64 that are nearest to values·2^exponent: the largest ones where it overflows."""
    scaled = array_times_two_to(xp, values, exponent)
    if scaled.dtype.kind != "c":
        return xp.clip(scaled, -LARGEST, LARGEST)
    return xp.clip(scaled.view(np.float64), -LARGEST, LARGEST).view(np.complex128)


def shown(value: float, exponent: int = 0) -> str:
    """Return value·2^exponent with three digits, also where float64 does not hold it."""
    if exponent == 0 or value == 0.0 or not math.isfinite(value):
        return f"{value:.3g}"
    return f"{Decimal(value) * Decimal(2) ** exponent:.3g}"
