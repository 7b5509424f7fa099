"""Scale rows and columns by powers of two, where entries are so large or small that products of them leave float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from .portrait import Compressed, Portrait

_SAFE = (1e-100, 1e100)
_ABSENT = -5000  # below the exponent of any number
_GROWTH = 2  # of entries of a definite matrix that is scaled to a unit diagonal, in powers of two


def is_extreme(facts: Portrait) -> bool:
    """Return whether a matrix without empty rows needs scaling."""
    low, high = _SAFE
    return facts.largest > high or min(facts.smallest_row, facts.smallest_column) < low


class Equilibration:
    """Scale a matrix to entries of at most 1 by magnitude: a_ij 2^(rows_i + columns_j).

    With a positive diagonal the scaling is symmetric, if that suffices, and keeps a definite matrix definite.
    """

    def __init__(self, rows: Compressed, facts: Portrait) -> None:
        indices = np.repeat(np.arange(rows.n), np.diff(rows.indptr))
        exponents = _exponents(rows.data)
        if facts.positive:
            self.rows = self.columns = -(_exponents(facts.diagonal) // 2)
            if int((exponents + self.rows[indices] + self.columns[rows.indices]).max()) <= _GROWTH:
                return
        self.rows = -np.maximum.reduceat(exponents, rows.indptr[:-1])
        columns = np.full(rows.n, _ABSENT)
        np.maximum.at(columns, rows.indices, exponents + self.rows[indices])
        self.columns = -columns

    def scaled(self, rows: Compressed) -> Compressed:
        """Return the scaled matrix by its rows."""
        indices = np.repeat(np.arange(rows.n), np.diff(rows.indptr))
        return rows._replace(data=_times(rows.data, self.rows[indices] + self.columns[rows.indices]))

    def unscaled_solve(self, solve: Any, r: np.ndarray) -> np.ndarray:
        """Return the solution for the right-hand side r by a function that solves the scaled system."""
        largest = int(_exponents(r).max())
        shift = largest if largest > _ABSENT else 0
        return _times(solve(_times(r, self.rows - shift)), self.columns + shift)


def _exponents(values: np.ndarray) -> np.ndarray:
    """Return e such that 2^(e − 1) ≤ max(|Re|, |Im|) < 2^e."""
    parts = np.abs(values.real) if values.dtype.kind != "c" else np.maximum(np.abs(values.real), np.abs(values.imag))
    return np.where(parts > 0.0, np.frexp(parts)[1], _ABSENT)


def _times(values: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """Return values · 2^exponents."""
    with np.errstate(all="ignore"):
        if values.dtype.kind == "c":
            parts = np.ascontiguousarray(values).view(np.float64).reshape(-1, 2)
            return np.ascontiguousarray(np.ldexp(parts, exponents[:, None])).view(np.complex128).reshape(-1)
        return np.ldexp(values, exponents)
