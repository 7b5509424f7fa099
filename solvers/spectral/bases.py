"""Define one-dimensional bases for spectral methods: Fourier, Chebyshev and Legendre series with real coefficients.

A basis is a set of n functions φ_k on an interval, with matrices between coefficients and values. All matrices are
computed once, in float64; `on_device_of` stores a copy for each array library, device and dtype that uses it.
`TensorBasis` applies them along the axes of NumPy, CuPy and torch arrays.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, TypeVar

import array_api_compat
import numpy as np
from numpy.polynomial import chebyshev as chebyshev_series
from numpy.polynomial import legendre as legendre_series

from ..arguments import is_integer
from ..errors import InputError

REAL_ARRAYS = "expected a float32 or float64 array: convert it, as x.astype(float) or x.double()"
_STENCIL = 6  # points of the local polynomials through values at cell centres
SomeBasis = TypeVar("SomeBasis", bound="Basis")


@dataclass(frozen=True)
class Basis(ABC):
    """Describe n functions φ_0 … φ_{n−1} on [low, high], orthogonal in an inner product of the basis.

    Instances are immutable, hashable and cheap; what they compute is remembered.

    Parameters
    ----------
    n : int
        Number of functions, at least 1.
    low, high : float, default 0, 1

    Raises
    ------
    InputError
        For n below one or an empty interval.
    """

    n: int
    low: float = 0.0
    high: float = 1.0

    name: ClassVar[str]
    periodic: ClassVar[bool]

    def __post_init__(self) -> None:
        if not is_integer(self.n) or self.n < 1:
            raise InputError(f"n={self.n!r} functions in a {self.name} basis; expected an integer of at least 1")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InputError(f"the interval of a {self.name} basis is [{self.low}, {self.high}]; expected low < high")

    @property
    def length(self) -> float:
        """Return high − low."""
        return self.high - self.low

    def resized(self: SomeBasis, n: int) -> SomeBasis:
        """Return the same kind of basis on the same interval with `n` functions."""
        return replace(self, n=int(n))

    @abstractmethod
    def points(self, m: int | None = None) -> np.ndarray:
        """Return the m collocation points (n by default), ascending, shape (m,)."""

    @abstractmethod
    def evaluation_matrix(self, points: np.ndarray, derivative: int = 0) -> np.ndarray:
        """Return d^r φ_k/dx^r at `points`, shape (len(points), n). Series go on beyond the interval."""

    def synthesis_matrix(self, m: int | None = None) -> np.ndarray:
        """Return the matrix (m, n) from coefficients to values at `points(m)`."""
        return self.evaluation_matrix(self.points(m))

    @abstractmethod
    def analysis_matrix(self, m: int | None = None) -> np.ndarray:
        """Return the matrix (n, m) from values at `points(m)` to coefficients.

        It is exact for every function of the basis if m ≥ n. With m < n it returns the coefficients that m points
        determine, and zero for the others. The functions beyond n alias by quadrature, which `dealiased_points` avoids.
        """

    @abstractmethod
    def dealiased_points(self, factors: int = 2) -> int:
        """Return the least m for which the first n coefficients of a product of `factors` series are exact."""

    @abstractmethod
    def product_size(self, factors: int = 2) -> int:
        """Return the number of functions that hold every product of `factors` series."""

    @abstractmethod
    def derivative_size(self) -> int:
        """Return the number of functions that hold every derivative (n, but for the Nyquist cosine)."""

    @abstractmethod
    def derivative_matrix(self, order: int = 1, rows: int | None = None) -> np.ndarray:
        """Return the matrix (rows, n) of the derivative; with `rows` below `derivative_size` it is truncated."""

    @abstractmethod
    def integral_matrix(self, rows: int | None = None) -> np.ndarray:
        """Return the matrix (rows, n) of an antiderivative; see each basis for its constant and size."""

    @abstractmethod
    def integrals(self) -> np.ndarray:
        """Return ∫ φ_k dx over the interval, shape (n,)."""

    @abstractmethod
    def gram_matrix(self) -> np.ndarray:
        """Return G_jk = ∫ φ_j φ_k dx, exactly: ∫ u v dx = uᵀGv for coefficients u, v."""

    @abstractmethod
    def weighted_squares(self) -> np.ndarray:
        """Return ∫ φ_k² w dx with the weight w that makes the basis orthogonal, shape (n,)."""

    @abstractmethod
    def places(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of the functions shared with the basis of `n` functions: in this one, and in that one."""

    def quadrature_weights(self, m: int | None = None) -> np.ndarray:
        """Return the weights of ∫ f dx ≈ Σ_j w_j f(x_j) over `points(m)`: the integral of the interpolant."""
        m = self.n if m is None else m
        basis = self.resized(m)
        return basis.analysis_matrix(m).T @ basis.integrals()

    def cell_centres(self, m: int) -> np.ndarray:
        """Return the centres of m equal cells of the interval."""
        return self.low + self.length * (np.arange(m) + 0.5) / m

    def cell_analysis_matrix(self, m: int) -> np.ndarray:
        """Return the matrix (n, m) from values at the centres of m equal cells to coefficients.

        Polynomials through many equidistant points oscillate. So the values are interpolated to a fine grid of the
        basis's points by local polynomials of degree five, with an error O(m⁻⁶), and analysed there.
        """
        fine = max(2 * m, 2 * self.n)
        return self.analysis_matrix(fine) @ _local_interpolation(self.cell_centres(m), self.points(fine))

    def cell_synthesis_matrix(self, m: int) -> np.ndarray:
        """Return the matrix (m, n) from coefficients to values at the centres of m equal cells."""
        return self.evaluation_matrix(self.cell_centres(m))

    def stiffness_matrix(self) -> np.ndarray:
        """Return K_jk = ∫ φ_j' φ_k' dx, exactly."""
        rows = self.derivative_size()
        derivative = self.derivative_matrix(1, rows)
        return derivative.T @ self.resized(rows).gram_matrix() @ derivative

    def _check_points(self, m: int | None) -> int:
        m = self.n if m is None else int(m)
        if m < 1:
            raise InputError(f"{m} points of a {self.name} basis; expected at least 1")
        return m


@dataclass(frozen=True)
class Fourier(Basis):
    """Hold 1, cos ωx, cos 2ωx, …, then sin ωx, sin 2ωx, …, with ω = 2π/(high − low) and x measured from `low`.

    There are ⌊n/2⌋ cosines beside the constant and ⌊(n−1)/2⌋ sines: for even n the last cosine, of frequency n/2, has
    no sine beside it (that sine is zero at all n points). The functions are not normalised: the constant's coefficient
    is the mean, and cos² has half the mean of 1² (so Parseval's sum needs `gram_matrix`).

    The derivative of the Nyquist cosine is a sine outside the basis: an odd derivative drops it, unless it is requested
    in ``derivative_size() = n + 1`` functions; even derivatives are exact. The integral is that of u − mean(u), and has
    mean zero.
    """

    name: ClassVar[str] = "fourier"
    periodic: ClassVar[bool] = True

    @property
    def cosines(self) -> int:
        """Return the highest frequency, ⌊n/2⌋."""
        return self.n // 2

    @property
    def sines(self) -> int:
        """Return the highest frequency that has a sine, ⌊(n−1)/2⌋."""
        return (self.n - 1) // 2

    @property
    def frequencies(self) -> np.ndarray:
        """Return ωk of each function, shape (n,)."""
        orders = np.concatenate((np.arange(self.cosines + 1), np.arange(1, self.sines + 1)))
        return 2.0 * np.pi / self.length * orders

    def points(self, m: int | None = None) -> np.ndarray:
        m = self._check_points(m)
        return self.low + self.length * np.arange(m) / m

    def evaluation_matrix(self, points: np.ndarray, derivative: int = 0) -> np.ndarray:
        unit = (np.asarray(points, dtype=np.float64) - self.low) / self.length
        return self._waves(2.0 * np.pi * (unit - np.floor(unit)), derivative)

    def analysis_matrix(self, m: int | None = None) -> np.ndarray:
        m = self._check_points(m)
        return self._trapezoid(2.0 * np.pi * np.arange(m) / m, nyquist="cosine")

    def cell_analysis_matrix(self, m: int) -> np.ndarray:
        """Return the matrix by the trapezoidal rule, exact for frequencies below the Nyquist limit of m cells."""
        m = self._check_points(m)
        return self._trapezoid(2.0 * np.pi * (np.arange(m) + 0.5) / m, nyquist="none")

    def _trapezoid(self, angles: np.ndarray, nyquist: str) -> np.ndarray:
        m = len(angles)
        orders = np.rint(self.frequencies * self.length / (2.0 * np.pi))
        matrix = self._waves(angles).T * np.where(orders == 0, 1.0, 2.0)[:, None] / m
        matrix[2 * orders > m] = 0.0
        limit = np.flatnonzero(2 * orders == m)
        # At the Nyquist limit of the points, cos² has the mean 1 on them and the sine vanishes.
        for row in limit:
            matrix[row] = 0.5 * matrix[row] if nyquist == "cosine" and row <= self.cosines else 0.0
        return matrix

    def dealiased_points(self, factors: int = 2) -> int:
        return max(self.n, (factors + 1) * self.cosines + 1)

    def product_size(self, factors: int = 2) -> int:
        return 2 * factors * self.cosines + 1

    def derivative_size(self) -> int:
        return self.n if self.n % 2 else self.n + 1

    def derivative_matrix(self, order: int = 1, rows: int | None = None) -> np.ndarray:
        rows = self.n if rows is None else rows
        target = self.resized(rows)
        matrix = np.zeros((rows, self.n))
        for column, frequency in enumerate(self.frequencies):
            is_sine = column > self.cosines
            k = column - self.cosines if is_sine else column
            # d/dx: cos → −ω sin, sin → ω cos; two of them multiply by −ω².
            sign = (-1.0) ** (order // 2)
            if order % 2 == 0:
                inside, row = (k <= target.sines, target.cosines + k) if is_sine else (k <= target.cosines, k)
            elif is_sine:
                inside, row = k <= target.cosines, k
            else:
                inside, row, sign = 0 < k <= target.sines, target.cosines + k, -sign
            if inside:
                matrix[row, column] = sign * frequency**order
        return matrix

    def integral_matrix(self, rows: int | None = None) -> np.ndarray:
        rows = self.n if rows is None else rows
        matrix = self.derivative_matrix(1, rows)
        nonzero = matrix != 0.0
        matrix[nonzero] = -1.0 / matrix[nonzero]  # ∫cos = sin/ω where d cos = −ω sin, ∫sin = −cos/ω where d sin = ω cos
        return matrix

    def integrals(self) -> np.ndarray:
        values = np.zeros(self.n)
        values[0] = self.length
        return values

    def gram_matrix(self) -> np.ndarray:
        return np.diag(self.weighted_squares())

    def weighted_squares(self) -> np.ndarray:
        squares = np.full(self.n, 0.5 * self.length)
        squares[0] = self.length
        return squares

    def places(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        other = self.resized(n)
        cosines, sines = min(self.cosines, other.cosines), min(self.sines, other.sines)
        even, odd = np.arange(cosines + 1), np.arange(1, sines + 1)
        return np.concatenate((even, self.cosines + odd)), np.concatenate((even, other.cosines + odd))

    def _waves(self, angles: np.ndarray, derivative: int = 0) -> np.ndarray:
        shift = 0.5 * np.pi * (derivative % 4)
        even = np.outer(angles, np.arange(self.cosines + 1))
        odd = np.outer(angles, np.arange(1, self.sines + 1))
        waves = np.concatenate((np.cos(even + shift), np.sin(odd + shift)), axis=1)
        return waves * self.frequencies**derivative if derivative else waves


class _Polynomials(Basis):
    """Share what Chebyshev and Legendre series have in common: degree k in ξ = (2x − low − high)/(high − low)."""

    periodic: ClassVar[bool] = False

    def product_size(self, factors: int = 2) -> int:
        return factors * (self.n - 1) + 1

    def dealiased_points(self, factors: int = 2) -> int:
        # m Gauss points integrate degree 2m − 1; the test function adds n − 1 to the product's degree.
        return max(self.n, math.ceil(((factors + 1) * (self.n - 1) + 1) / 2))

    def derivative_size(self) -> int:
        return self.n

    def places(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        shared = np.arange(min(n, self.n))
        return shared, shared

    def _unit(self, points: np.ndarray) -> np.ndarray:
        return (2.0 * np.asarray(points, dtype=np.float64) - self.low - self.high) / self.length

    def _physical(self, unit: np.ndarray) -> np.ndarray:
        return 0.5 * (self.low + self.high) + 0.5 * self.length * unit

    def _resized_rows(self, matrix: np.ndarray, rows: int | None, default: int) -> np.ndarray:
        size = default if rows is None else rows
        result = np.zeros((size, matrix.shape[1]))
        shared = min(size, len(matrix))
        result[:shared] = matrix[:shared]
        return result


@dataclass(frozen=True)
class Chebyshev(_Polynomials):
    """Hold T_0 … T_{n−1} on [low, high]; collocation is at the Chebyshev points of the first kind (the zeros of T_m).

    T_k are orthogonal with the weight (1 − ξ²)^{−1/2}, not in plain L²: `gram_matrix` is ∫T_jT_k, dense in each parity.
    The integral vanishes at `low` and has one degree more, n + 1 rows by default.
    """

    name: ClassVar[str] = "chebyshev"

    def points(self, m: int | None = None) -> np.ndarray:
        m = self._check_points(m)
        return self._physical(-np.cos(np.pi * (np.arange(m) + 0.5) / m))

    def evaluation_matrix(self, points: np.ndarray, derivative: int = 0) -> np.ndarray:
        values = chebyshev_series.chebvander(self._unit(points), self.n - 1)
        return values @ self.derivative_matrix(derivative) if derivative else values

    def synthesis_matrix(self, m: int | None = None) -> np.ndarray:
        # T_k(x_j) = (−1)^k cos(πk(2j + 1)/2m): the integer product is reduced first, so no digits are lost. At the
        # points themselves, as rounded numbers, T_k is uncertain by k² roundings near the ends.
        m = self._check_points(m)
        k = np.arange(self.n)
        angles = np.outer(2 * np.arange(m) + 1, k) % (4 * m)
        return np.cos(np.pi * angles / (2.0 * m)) * (-1.0) ** k

    def analysis_matrix(self, m: int | None = None) -> np.ndarray:
        matrix = (2.0 / self._check_points(m)) * self.synthesis_matrix(m).T
        matrix[0] *= 0.5
        matrix[matrix.shape[1] :] = 0.0
        return matrix

    def derivative_matrix(self, order: int = 1, rows: int | None = None) -> np.ndarray:
        matrix = chebyshev_series.chebder(np.eye(self.n), m=order, scl=2.0 / self.length, axis=0)
        return self._resized_rows(matrix, rows, self.n)

    def integral_matrix(self, rows: int | None = None) -> np.ndarray:
        matrix = chebyshev_series.chebint(np.eye(self.n), lbnd=-1.0, scl=0.5 * self.length, axis=0)
        return self._resized_rows(matrix, rows, self.n + 1)

    def integrals(self) -> np.ndarray:
        return 0.5 * self.length * _chebyshev_integrals(np.arange(self.n))

    def gram_matrix(self) -> np.ndarray:
        j, k = np.indices((self.n, self.n))
        return 0.25 * self.length * (_chebyshev_integrals(j + k) + _chebyshev_integrals(np.abs(j - k)))

    def weighted_squares(self) -> np.ndarray:
        squares = np.full(self.n, 0.25 * np.pi * self.length)
        squares[0] *= 2.0
        return squares


@dataclass(frozen=True)
class Legendre(_Polynomials):
    """Hold P_0 … P_{n−1} on [low, high], orthogonal in L²; collocation is at Gauss's points.

    The integral vanishes at `low` and has one degree more, n + 1 rows by default.
    """

    name: ClassVar[str] = "legendre"

    def points(self, m: int | None = None) -> np.ndarray:
        return self._physical(_gauss(self._check_points(m))[0])

    def evaluation_matrix(self, points: np.ndarray, derivative: int = 0) -> np.ndarray:
        values = legendre_series.legvander(self._unit(points), self.n - 1)
        return values @ self.derivative_matrix(derivative) if derivative else values

    def analysis_matrix(self, m: int | None = None) -> np.ndarray:
        m = self._check_points(m)
        points, weights = _gauss(m)
        k = np.arange(self.n)
        matrix = legendre_series.legvander(points, self.n - 1).T * weights * (k + 0.5)[:, None]
        matrix[m:] = 0.0
        return matrix

    def derivative_matrix(self, order: int = 1, rows: int | None = None) -> np.ndarray:
        matrix = legendre_series.legder(np.eye(self.n), m=order, scl=2.0 / self.length, axis=0)
        return self._resized_rows(matrix, rows, self.n)

    def integral_matrix(self, rows: int | None = None) -> np.ndarray:
        matrix = legendre_series.legint(np.eye(self.n), lbnd=-1.0, scl=0.5 * self.length, axis=0)
        return self._resized_rows(matrix, rows, self.n + 1)

    def integrals(self) -> np.ndarray:
        values = np.zeros(self.n)
        values[0] = self.length
        return values

    def gram_matrix(self) -> np.ndarray:
        return np.diag(self.weighted_squares())

    def weighted_squares(self) -> np.ndarray:
        return self.length / (2.0 * np.arange(self.n) + 1.0)


#: The bases by name.
BASES: dict[str, type[Basis]] = {kind.name: kind for kind in (Fourier, Chebyshev, Legendre)}


def on_device_of(basis: Any, kind: str, *arguments: Any, like: Any) -> Any:
    """Return ``getattr(basis, kind)(*arguments)`` in the array library, dtype and on the device of `like`, remembered.

    `basis` and `arguments` must be hashable.
    """
    xp = array_api_compat.array_namespace(like)
    return _placed(basis, kind, arguments, xp, like.dtype, array_api_compat.device(like))


@lru_cache(maxsize=1024)
def _placed(basis: Any, kind: str, arguments: tuple[Any, ...], xp: Any, dtype: Any, device: Any) -> Any:
    if not _real_floating(xp, dtype):
        raise InputError(f"an array of {dtype} for a {getattr(basis, 'name', 'spectral')} basis; {REAL_ARRAYS}")
    matrix = np.ascontiguousarray(_matrix(basis, kind, arguments))
    # A tensor born in inference mode could not be used in training later.
    with xp.inference_mode(False) if hasattr(xp, "inference_mode") else nullcontext():
        return xp.asarray(matrix, dtype=dtype, device=device, copy=True)


def check_real(array: Any) -> None:
    """Raise InputError unless `array` is one of float32 or float64: a matrix cast to integers would be all zeros."""
    if not hasattr(array, "dtype") or not _real_floating(array_api_compat.array_namespace(array), array.dtype):
        raise InputError(f"got {getattr(array, 'dtype', type(array).__name__)}; {REAL_ARRAYS}")


def _real_floating(xp: Any, dtype: Any) -> bool:
    return dtype in (xp.float32, xp.float64)


@lru_cache(maxsize=1024)
def _matrix(basis: Any, kind: str, arguments: tuple[Any, ...]) -> np.ndarray:
    matrix: np.ndarray = getattr(basis, kind)(*arguments)
    return matrix


@lru_cache(maxsize=64)
def _gauss(m: int) -> tuple[np.ndarray, np.ndarray]:
    return legendre_series.leggauss(m)


def _chebyshev_integrals(k: np.ndarray) -> np.ndarray:
    """Return ∫_{−1}^{1} T_k dξ = 2/(1 − k²) for even k, 0 for odd k."""
    even = k % 2 == 0
    return np.where(even, 2.0 / np.where(even, 1.0 - k.astype(np.float64) ** 2, 1.0), 0.0)


def _local_interpolation(nodes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the matrix (points, nodes) of interpolation by polynomials through the nearest `_STENCIL` nodes."""
    width = min(_STENCIL, len(nodes))
    first = np.clip(np.searchsorted(nodes, points) - width // 2, 0, len(nodes) - width)
    columns = first[:, None] + np.arange(width)
    near = nodes[columns]
    matrix = np.zeros((len(points), len(nodes)))
    for i in range(width):
        others = np.delete(near, i, axis=1)
        lagrange = np.prod((points[:, None] - others) / (near[:, i, None] - others), axis=1)
        matrix[np.arange(len(points)), columns[:, i]] = lagrange
    return matrix
