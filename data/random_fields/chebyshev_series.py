"""Draw truncated Chebyshev series with random coefficients, on the unit box."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.polynomial.chebyshev import chebvander

from resolvent.solvers.arguments import nonnegative_integer

from ..settings import HasSettings


class ChebyshevSeries(HasSettings):
    """Draw f(x) = Σ_{k_1+…+k_d ≤ degree} a_k ∏_i T_{k_i}(2x_i − 1), a_k independent and uniform on (−1, 1).

    These are smooth, have mean zero, and span a space of dimension C(degree + d, d).

    Parameters
    ----------
    degree : int
    ndim : int
        d, at least 0; a series of no variables is a constant a_0.

    References
    ----------
    Trefethen, Approximation Theory and Approximation Practice, SIAM 2013, ch. 3.
    """

    def __init__(self, degree: Any = 5, ndim: Any = 2) -> None:
        self.degree = nonnegative_integer(degree, "degree")
        self.ndim = nonnegative_integer(ndim, "ndim")
        orders = np.indices((self.degree + 1,) * self.ndim).sum(axis=0)
        self._mask = orders <= self.degree

    @property
    def size(self) -> int:
        """The number of coefficients that are drawn."""
        return int(self._mask.sum())

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Draw the coefficients a_k, shape ``(degree + 1,)*ndim``, zero where |k| > degree."""
        coefficients = np.zeros(self._mask.shape)
        coefficients[self._mask] = rng.uniform(-1.0, 1.0, self.size)
        return coefficients

    @staticmethod
    def evaluate(coefficients: np.ndarray, *points: np.ndarray) -> np.ndarray:
        """Return the values on the tensor grid of `points` in (0, 1), one array an axis."""
        if len(points) != coefficients.ndim:
            raise ValueError(f"{len(points)} arrays of points came for a series of {coefficients.ndim} variables")
        values = coefficients
        for x in points:  # each step takes the leading axis and puts its grid axis last
            basis = chebvander(2.0 * np.asarray(x) - 1.0, coefficients.shape[0] - 1)
            values = np.tensordot(values, basis, axes=(0, 1))
        return values
