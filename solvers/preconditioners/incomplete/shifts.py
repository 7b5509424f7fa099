"""Shift the diagonal of a matrix until an incomplete factorisation exists."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from ...arguments import is_real
from ...errors import InputError

_FIRST_SHIFT = 1e-3
_LAST_SHIFT = 1e3

Factor = TypeVar("Factor")


def read_shift(name: str, shift: Any) -> float:
    """Return the setting `shift` of a preconditioner as a number.

    Raises
    ------
    InputError
        If it is no finite number ≥ 0.
    """
    if not is_real(shift) or not 0.0 <= shift < math.inf:
        raise InputError(f"{name}: shift is {shift!r}; expected a finite number ≥ 0.")
    return float(shift)


def shifted(name: str, factor: Callable[[float], Factor | None], first: float, instead: str) -> tuple[float, Factor]:
    """Factor A + α diag(A) for α = `first`, then 1e-3 and doubled, until it works; return α and the factor.

    Parameters
    ----------
    name : str
        The preconditioner's name.
    factor : callable
        From α to the factor, or to None where a pivot fails.
    first : float
        The first α to try.
    instead : str
        The end of the message where no α works: why, and what to use.

    Raises
    ------
    InputError
        If no α up to 1000 works.

    References
    ----------
    Manteuffel, Math. Comp. 34 (1980) 473.
    """
    shift = first
    while (result := factor(shift)) is None:
        shift = max(2.0 * shift, _FIRST_SHIFT)
        if shift > _LAST_SHIFT:
            raise InputError(f"{name} found no factor of A + α diag(A) up to α = {_LAST_SHIFT:g}: {instead}.")
    return shift, result
