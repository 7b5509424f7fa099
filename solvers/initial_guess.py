"""Read what a solver starts from: an array, or M b, which SciPy calls ``x0='Mb'``."""

from __future__ import annotations

from typing import Any

from .errors import InputError
from .operands import CountedOperator, read_vectors


def read_guess(x0: Any, rhs: Any, operator: CountedOperator, M: CountedOperator | None) -> Any:
    """Return x0 as an array of n rows and the columns of the right-hand side; None for None.

    Raises
    ------
    InputError
        If it does not fit.
    """
    n, shape = operator.n, (operator.n, *rhs.shape[1:])
    if x0 is None:
        return None
    if isinstance(x0, str):
        return _preconditioned(x0, rhs, operator, M)
    guess = read_vectors(x0, n, "x0")
    if guess.shape == shape:
        return guess
    if guess.size == n and rhs.size == rhs.shape[0]:  # as in SciPy, (n,) and (n, 1) go together
        return guess.reshape(shape)
    fit = "they must be equal" if rhs.shape[0] == n else f"expected {shape}, the shape of x"
    raise InputError(f"x0 has shape {tuple(guess.shape)} but b has shape {tuple(rhs.shape)}; {fit}.")


def _preconditioned(x0: str, rhs: Any, operator: CountedOperator, M: CountedOperator | None) -> Any:
    square = rhs.shape[0] == operator.n
    if x0 != "Mb" or not square:
        fits = "an array, None, or 'Mb' for M b" if square else "an array or None"
        raise InputError(f"x0 is the string {x0!r}; expected {fits}.")
    if M is None:
        return rhs.copy()
    guess = M(rhs) if rhs.ndim == 1 else operator.xp.stack([M(column) for column in rhs.T.copy()], axis=1)
    return read_vectors(guess, operator.n, "M b, for x0='Mb',")
