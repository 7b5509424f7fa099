"""Check the arguments of users: each check refuses with one line that names what came, what fits, and the fix."""

from __future__ import annotations

import difflib
import inspect
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any, TypeVar

from .errors import InputError

T = TypeVar("T")


def is_integer(value: Any) -> bool:
    """Return whether a value is an integer, Python's or NumPy's; True and False are not."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_real(value: Any) -> bool:
    """Return whether a value is a real number, Python's or NumPy's; True and False are not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the nearest known word, or an empty string if none is near."""
    near = difflib.get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


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
    if not names:
        raise InputError(f"unknown {what} {value!r}: there are none")
    hint = did_you_mean(value, names) or "; choose one of these"
    raise InputError(f"unknown {what} {value!r}: expected one of {', '.join(sorted(names))}{hint}")


def build(registry: Mapping[str, Callable[..., T]], what: str, name: str, settings: Mapping[str, Any]) -> T:
    """Build a member of a registry from the arguments of its constructor.

    Parameters
    ----------
    registry : mapping
        Classes, or functions that return an instance, by name.
    what : str
        What they are, for the messages: 'problem', 'operator', …
    name : str
        A key of the registry.
    settings : mapping
        Keyword arguments of the constructor.

    Raises
    ------
    InputError
        For an unknown name or setting (with the nearest one), or one that is missing.
    """
    constructor = registry[one_of(name, registry, what)]
    accepted = inspect.signature(constructor).parameters
    for key in settings:
        one_of(key, accepted, f"setting of {what} {name}")
    missing = [key for key, p in accepted.items() if p.default is inspect.Parameter.empty and key not in settings]
    if missing:
        raise InputError(f"{what} {name} needs {', '.join(missing)}: give it as a setting")
    return constructor(**settings)


def positive_number(value: Any, what: str) -> float:
    """Return `value` as a finite float > 0, or raise InputError."""
    return finite_number(value, what, " greater than 0", lambda number: number > 0.0)


def nonnegative_number(value: Any, what: str) -> float:
    """Return `value` as a finite float ≥ 0, or raise InputError."""
    return finite_number(value, what, " of at least 0", lambda number: number >= 0.0)


def finite_number(value: Any, what: str, which: str = "", fits: Callable[[float], bool] = lambda number: True) -> float:
    """Return `value` as a finite float that fits, or raise InputError, which says `which` numbers do."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number) or not fits(number):
        raise InputError(f"{what} is {value!r}: expected a finite number{which}")
    return number


def nonnegative_integer(value: Any, what: str) -> int:
    """Return `value` as an integer ≥ 0, or raise InputError (a float such as 3.0 is taken as 3)."""
    return integer(value, what, 0)


def positive_integer(value: Any, what: str) -> int:
    """Return `value` as an integer ≥ 1, or raise InputError (a float such as 3.0 is taken as 3)."""
    return integer(value, what, 1)


def integer(value: Any, what: str, least: int) -> int:
    """Return `value` as an integer ≥ `least`, or raise InputError (a float such as 3.0 is taken as 3)."""
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
    if not is_integer(value) or value < least:
        raise InputError(f"{solver}: {name} is {value!r}; expected an integer ≥ {least}, such as {example}.")
    return int(value)


def check_omega(name: str, omega: Any, upper: float) -> float:
    """Return ω as a float if 0 < ω < upper; InputError otherwise."""
    if not (is_real(omega) and 0.0 < omega < upper and math.isfinite(omega)):
        bounds = f"0 < omega < {upper:g}" if math.isfinite(upper) else "omega > 0"
        why = ", outside which no choice of A converges" if upper == 2.0 else ""
        raise InputError(f"{name}: omega is {omega!r}; expected {bounds}{why}.")
    return float(omega)
