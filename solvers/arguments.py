"""Checks of the arguments a user gives to problems, generation and readers: one line that says the fix."""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np

from .errors import InputError

__all__ = [
    "check_count",
    "check_omega",
    "nonnegative_integer",
    "nonnegative_number",
    "one_of",
    "positive_integer",
    "positive_number",
]


def one_of(value: Any, options: Iterable[str], what: str) -> str:
    """Return `value` if it is one of `options`; else raise, with the nearest option as a suggestion.

    Raises
    ------
    InputError
        Naming what came, the options, and the nearest one.
    """
    names = list(options)
    if isinstance(value, str) and value in names:
        return value
    near = difflib.get_close_matches(str(value), names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "choose one of these"
    raise InputError(f"unknown {what} {value!r}: expected one of {', '.join(sorted(names))}; {hint}")


def positive_number(value: Any, what: str) -> float:
    """Return `value` as a finite float > 0, or raise InputError."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number) or number <= 0.0:
        raise InputError(f"{what} is {value!r}: expected a finite number greater than 0")
    return number


def nonnegative_number(value: Any, what: str) -> float:
    """Return `value` as a finite float ≥ 0, or raise InputError."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number) or number < 0.0:
        raise InputError(f"{what} is {value!r}: expected a finite number of at least 0")
    return number


def nonnegative_integer(value: Any, what: str) -> int:
    """Return `value` as an integer ≥ 0, or raise InputError (a float such as 3.0 is taken as 3)."""
    return integer(value, what, 0)


def positive_integer(value: Any, what: str) -> int:
    """Return `value` as an integer ≥ 1, or raise InputError (a float such as 3.0 is taken as 3)."""
    return integer(value, what, 1)


def integer(value: Any, what: str, least: int) -> int:
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    try:
        if isinstance(number, bool):
            raise TypeError
        number = operator.index(number)
    except TypeError:
        raise InputError(f"{what} is {value!r}: expected an integer of at least {least}") from None
    if number < least:
        raise InputError(f"{what} is {number}: expected an integer of at least {least}")
    return number


def check_count(solver: str, name: str, value: Any, least: int = 1, example: int = 30) -> int:
    """Return an integer setting ≥ `least`; InputError otherwise."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise InputError(f"{solver}: {name} is {value!r}; expected an integer ≥ {least}, such as {example}.")
    return int(value)


def check_omega(name: str, omega: Any, upper: float) -> float:
    """Return ω as a float if 0 < ω < upper; InputError otherwise."""
    number = isinstance(omega, int | float | np.integer | np.floating) and not isinstance(omega, bool)
    if not (number and 0.0 < omega < upper and math.isfinite(omega)):
        bounds = f"0 < omega < {upper:g}" if math.isfinite(upper) else "omega > 0"
        why = ", outside which no choice of A converges" if upper == 2.0 else ""
        raise InputError(f"{name}: omega is {omega!r}; expected {bounds}{why}.")
    return float(omega)
