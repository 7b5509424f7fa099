"""Check the coefficient of a diffusion operator: the one place where that is done."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..containers import refuse_masked
from ..errors import InputError
from ..operands import is_gpu


def read_coefficient(values: Any, axes: tuple[int, ...], expected: str, name: str = "coefficient") -> Any:
    """Return the cell values of a coefficient as an array of float64, on the device where they are.

    Parameters
    ----------
    values : array
    axes : tuple of int
        The numbers of axes that are accepted.
    expected : str
        The shapes that are accepted, in words, for the message.
    name : str
        The argument's name, for the message.

    Raises
    ------
    InputError
        If the values are not real numbers of an accepted shape, all positive and finite.
    """
    refuse_masked(values, name)
    try:
        array = values if is_gpu(values) else np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name} is not an array ({error}); expected {expected}.") from error
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        fix = f": pass {name}.real" if array.dtype.kind == "c" else ""
        raise InputError(f"{name} has dtype {array.dtype}; expected real numbers up to float64{fix}.")
    if array.ndim not in axes or array.size == 0:
        one = f": pass {name}[None] for one sample" if array.ndim == min(axes) - 1 and min(axes) > 1 else ""
        raise InputError(f"{name} has shape {array.shape}; expected {expected}, none of them zero{one}.")
    array = array.astype(np.float64, copy=False)
    if not (array.min() > 0.0 and array.max() < np.inf):
        bad = int((~((array > 0.0) & (array < np.inf))).sum())
        raise InputError(
            f"{name} holds {bad} values that are not positive and finite; "
            f"expected a > 0 in every cell, without which −∇·(a∇u) is not elliptic."
        )
    return array
