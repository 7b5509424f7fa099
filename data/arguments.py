"""Checks of the arguments a user gives to problems, generation and readers: one line that says the fix."""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

from resolvent.solvers import InputError

__all__ = [
    "default_modes",
    "grid_shape",
    "nonnegative_integer",
    "nonnegative_number",
    "one_of",
    "plain_resolution",
    "positive_integer",
    "positive_number",
    "space_dimension",
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
    return _integer(value, what, 0)


def positive_integer(value: Any, what: str) -> int:
    """Return `value` as an integer ≥ 1, or raise InputError (a float such as 3.0 is taken as 3)."""
    return _integer(value, what, 1)


def _integer(value: Any, what: str, least: int) -> int:
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


def grid_shape(resolution: Any, ndim: int, least: int = 2) -> tuple[int, ...]:
    """Cells per axis from one integer (the same on every axis) or `ndim` of them.

    Raises
    ------
    InputError
        For another number of axes, or fewer than `least` cells on one.
    """
    if isinstance(resolution, str) or not isinstance(resolution, Sequence):
        values: list[Any] = [resolution] * ndim
    else:
        values = list(resolution)
    if len(values) != ndim:
        raise InputError(f"resolution {resolution!r} has {len(values)} axes: expected one integer or {ndim} of them")
    return tuple(_integer(value, "resolution", least) for value in values)


def plain_resolution(shape: tuple[int, ...]) -> int | list[int]:
    """The shortest setting that :func:`grid_shape` reads back: one integer where all axes have as many cells."""
    return shape[0] if len(set(shape)) == 1 else list(shape)


def space_dimension(value: Any) -> int:
    """Return a `dimension` setting, 2 or 3, or raise InputError."""
    number = _integer(value, "dimension", 1)
    if number not in (2, 3):
        raise InputError(f"dimension is {number}: expected 2 (the square) or 3 (the cube)")
    return number


def default_modes(modes: Any, ndim: int) -> int:
    """Frequencies an axis of a random field; None is 128 on the square and 32 in the cube, where they are cubed."""
    return positive_integer(modes if modes is not None else 128 if ndim < 3 else 32, "modes")
