"""Multiply one-dimensional bases to tensor bases: transforms, calculus and products of real coefficient arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import array_api_compat
import numpy as np

from ..errors import InputError
from .bases import Basis, Chebyshev, Fourier, check_real, on_device_of

#: An axis of more points is transformed by the FFT and differentiated by sums, a shorter one by matrix products, which
#: are faster there (the matrices of an axis of 4096 points take 160 times as long, and 128 MiB each).
DENSE_POINTS = 256


class TensorBasis:
    """Describe functions u(x) = Σ_k û_k ∏_d φ_{k_d}(x_d) on a box, with one basis an axis, of any mix of kinds.

    Coefficients û are real arrays of shape (*batch, n_1, …, n_d), values of shape (*batch, m_1, …, m_d): the last d
    axes are those of space, the ones before them are a batch. Arrays may be NumPy's, CuPy's or torch's, in float32 or
    float64 (others raise InputError); the results are of the same library, dtype and device, and torch differentiates
    through every method. An axis of up to `DENSE_POINTS` points is transformed by a dense matrix product, a longer
    Fourier or Chebyshev axis by the FFT; Legendre axes always by matrices.

    Parameters
    ----------
    *axes : Basis
        One for each space dimension.

    References
    ----------
    Boyd, Chebyshev and Fourier Spectral Methods, 2nd ed., Dover 2001.
    Canuto, Hussaini, Quarteroni and Zang, Spectral Methods: Fundamentals in Single Domains, Springer 2006.
    """

    def __init__(self, *axes: Basis) -> None:
        for axis in axes:
            if not isinstance(axis, Basis):
                raise InputError(f"an axis of a tensor basis is {axis!r}; expected Fourier, Chebyshev or Legendre")
        if not axes:
            raise InputError("a tensor basis of no axes; expected at least one")
        self.axes = axes

    @property
    def ndim(self) -> int:
        """Return d, the number of space dimensions."""
        return len(self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the number of coefficients along each axis."""
        return tuple(axis.n for axis in self.axes)

    @property
    def volume(self) -> float:
        """Return the volume of the box."""
        return math.prod(axis.length for axis in self.axes)

    def __repr__(self) -> str:
        return f"TensorBasis({', '.join(map(repr, self.axes))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorBasis) and self.axes == other.axes

    def __hash__(self) -> int:
        return hash(self.axes)

    def resized(self, shape: Sequence[int]) -> TensorBasis:
        """Return the basis with `shape` functions along the axes."""
        return TensorBasis(*(axis.resized(n) for axis, n in zip(self.axes, self._read_shape(shape), strict=True)))

    # Transforms

    def points(self, shape: Sequence[int] | None = None) -> tuple[np.ndarray, ...]:
        """Return the collocation points of each axis; as many as coefficients by default."""
        return tuple(axis.points(m) for axis, m in zip(self.axes, self._read_shape(shape), strict=True))

    def cell_centres(self, shape: Sequence[int]) -> tuple[np.ndarray, ...]:
        """Return the centres of equal cells along each axis."""
        return tuple(axis.cell_centres(m) for axis, m in zip(self.axes, self._read_shape(shape), strict=True))

    def to_values(self, coefficients: Any, shape: Sequence[int] | None = None) -> Any:
        """Return the values on `points(shape)`."""
        self.check(coefficients)
        for d, m in enumerate(self._read_shape(shape)):
            basis, axis = self.axes[d], d - self.ndim
            if _fast(basis, m) and math.prod(coefficients.shape):  # torch does not transform empty arrays
                coefficients = _fast_synthesis(basis, coefficients, axis, m)
            else:
                coefficients = apply_along(
                    on_device_of(basis, "synthesis_matrix", m, like=coefficients), coefficients, axis
                )
        return coefficients

    def to_coefficients(self, values: Any) -> Any:
        """Return the coefficients of values at any number m_d of collocation points, see `Basis.analysis_matrix`."""
        self._check_values(values)
        for d, basis in enumerate(self.axes):
            axis = d - self.ndim
            m = values.shape[axis]
            if _fast(basis, m) and math.prod(values.shape):
                values = _fast_analysis(basis, values, axis)
            else:
                values = apply_along(on_device_of(basis, "analysis_matrix", m, like=values), values, axis)
        return values

    def from_cells(self, values: Any) -> Any:
        """Return the coefficients of values at the centres of equal cells; see :meth:`Basis.cell_analysis_matrix`."""
        self._check_values(values)
        for d, basis in enumerate(self.axes):
            axis = d - self.ndim
            values = apply_along(
                on_device_of(basis, "cell_analysis_matrix", values.shape[axis], like=values), values, axis
            )
        return values

    def to_cells(self, coefficients: Any, shape: Sequence[int]) -> Any:
        """Return the values at the centres of equal cells."""
        self.check(coefficients)
        for d, (basis, m) in enumerate(zip(self.axes, self._read_shape(shape), strict=True)):
            matrix = on_device_of(basis, "cell_synthesis_matrix", m, like=coefficients)
            coefficients = apply_along(matrix, coefficients, d - self.ndim)
        return coefficients

    def evaluate(self, coefficients: Any, *points: np.ndarray, derivatives: Sequence[int] | None = None) -> Any:
        """Return the values of u, or of its partial derivative of orders `derivatives`, on a tensor grid.

        Parameters
        ----------
        coefficients : array, shape (*batch, *shape)
        *points : ndarray, shape (m_d,)
            For each axis.

        Returns
        -------
        array, shape (*batch, m_1, …, m_d)
        """
        for d, matrix in enumerate(self._evaluation(coefficients, points, derivatives)):
            coefficients = apply_along(matrix, coefficients, d - self.ndim)
        return coefficients

    def evaluate_at(self, coefficients: Any, points: np.ndarray, derivatives: Sequence[int] | None = None) -> Any:
        """Return the values at scattered `points` of shape (p, d), shape (*batch, p)."""
        points = np.asarray(points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != self.ndim:
            raise InputError(f"points of shape {points.shape}; expected (p, {self.ndim})")
        xp = array_api_compat.array_namespace(coefficients)
        *others, last = self._evaluation(coefficients, points.T, derivatives)
        values = coefficients @ last.T
        for matrix in reversed(others):
            values = xp.sum(values * matrix.T, axis=-2)
        return values

    def _evaluation(self, coefficients: Any, points: Any, derivatives: Sequence[int] | None) -> list[Any]:
        self.check(coefficients)
        orders = (0,) * self.ndim if derivatives is None else tuple(derivatives)
        if len(points) != self.ndim or len(orders) != self.ndim:
            raise InputError(f"{len(points)} axes of points and {len(orders)} orders; expected {self.ndim} of each")
        xp, device = array_api_compat.array_namespace(coefficients), array_api_compat.device(coefficients)
        return [
            xp.asarray(basis.evaluation_matrix(x, order), dtype=coefficients.dtype, device=device)
            for basis, x, order in zip(self.axes, points, orders, strict=True)
        ]

    def resize(self, coefficients: Any, shape: Sequence[int]) -> Any:
        """Return the coefficients in `resized(shape)`: dropped functions are cut off, new ones get zero."""
        self.check(coefficients)
        xp, device = array_api_compat.array_namespace(coefficients), array_api_compat.device(coefficients)
        for d, (basis, n) in enumerate(zip(self.axes, self._read_shape(shape), strict=True)):
            if n == basis.n:
                continue
            axis = coefficients.ndim + d - self.ndim
            here, there = basis.places(n)
            # Shared and new functions form runs, cosines and sines: the result joins slices and zeros.
            pieces, filled = [], 0
            for run in _runs(here, there):
                if run[1] > filled:
                    pieces.append(_zeros(xp, coefficients, axis, run[1] - filled, device))
                pieces.append(coefficients[(slice(None),) * axis + (slice(run[0], run[0] + run[2]),)])
                filled = run[1] + run[2]
            if n > filled:
                pieces.append(_zeros(xp, coefficients, axis, n - filled, device))
            coefficients = xp.concat(pieces, axis=axis)
        return coefficients

    # Calculus

    def derivative(self, coefficients: Any, axis: int, order: int = 1) -> Any:
        """Return the coefficients of ∂^order u/∂x_axis^order in the same basis.

        It is exact except for the Nyquist cosine of an even Fourier axis: its odd derivatives are not in the basis and
        are dropped; ``resize`` to ``derivative_size()`` functions first to keep them.
        """
        self.check(coefficients, axis)
        basis = self.axes[axis]
        if basis.n > DENSE_POINTS and math.prod(coefficients.shape):
            if isinstance(basis, Fourier):
                return _fourier_derivative(basis, coefficients, axis - self.ndim, order)
            if isinstance(basis, Chebyshev):
                for _ in range(order):
                    coefficients = _chebyshev_derivative(basis, coefficients, axis - self.ndim)
                return coefficients
        return self._apply("derivative_matrix", coefficients, axis, order)

    def laplacian(self, coefficients: Any) -> Any:
        """Return the coefficients of Δu: exact in every basis."""
        terms = [self.derivative(coefficients, d, 2) for d in range(self.ndim)]
        return sum(terms[1:], terms[0])

    def integral(self, coefficients: Any, axis: int) -> Any:
        """Return an antiderivative along `axis`, in the same basis.

        For polynomials it is zero at the axis's low end, and the highest degree is truncated (``resize`` to n + 1
        first to keep it). For Fourier series it is that of u − mean u, and has mean zero.
        """
        return self._apply("integral_matrix", coefficients, axis, self.axes[axis].n)

    def integrate(self, coefficients: Any) -> Any:
        """Return ∫ u dx over the box, shape (*batch)."""
        self.check(coefficients)
        for basis in reversed(self.axes):
            coefficients = coefficients @ on_device_of(basis, "integrals", like=coefficients)
        return coefficients

    def inner(self, first: Any, second: Any) -> Any:
        """Return the exact L² inner product ∫ u v dx over the box, shape (*batch)."""
        self.check(first)
        xp = array_api_compat.array_namespace(first)
        return xp.sum(first * self.mass(second), axis=tuple(range(-self.ndim, 0)))

    def mass(self, coefficients: Any) -> Any:
        """Return the Gram matrix times the coefficients, ∫ u φ_k dx."""
        self.check(coefficients)
        for d, basis in enumerate(self.axes):
            if isinstance(basis, Chebyshev):
                coefficients = self._apply("gram_matrix", coefficients, d)
            else:  # orthogonal
                squares = on_device_of(basis, "weighted_squares", like=coefficients)
                coefficients = coefficients * squares.reshape(-1, *(1,) * (self.ndim - 1 - d))
        return coefficients

    def quadrature_weights(self, shape: Sequence[int] | None = None) -> tuple[np.ndarray, ...]:
        """Return the weights of each axis for values on `points(shape)`."""
        return tuple(axis.quadrature_weights(m) for axis, m in zip(self.axes, self._read_shape(shape), strict=True))

    # Products

    def dealiased_shape(self, factors: int = 2) -> tuple[int, ...]:
        """Return the points an axis needs for a product of `factors` series without aliases in the basis."""
        return tuple(axis.dealiased_points(factors) for axis in self.axes)

    def multiply(self, *factors: Any, dealias: bool = True, full: bool = False) -> Any:
        """Return the coefficients of the product of functions.

        Parameters
        ----------
        *factors : arrays, shape (*batch, *shape)
        dealias : bool, default True
            Whether to collocate on enough points (3/2 of the functions for two factors) for the result to be the exact
            product, projected on the basis in the inner product in which it is orthogonal; False takes as many points
            as functions, and higher ones alias.
        full : bool, default False
            Whether to return the whole product, in ``product_basis(len(factors))``.
        """
        target = self.product_basis(len(factors)) if full else self
        shape = target.shape if full else self.dealiased_shape(len(factors)) if dealias else self.shape
        product = self.to_values(factors[0], shape)
        for factor in factors[1:]:
            product = product * self.to_values(factor, shape)
        return target.to_coefficients(product)

    def product_basis(self, factors: int = 2) -> TensorBasis:
        """Return the basis that holds every product of `factors` series exactly."""
        return self.resized([axis.product_size(factors) for axis in self.axes])

    def pointwise(self, function: Callable[..., Any], *coefficients: Any, factors: int = 1) -> Any:
        """Return the coefficients of function(u, v, …), evaluated on the points for products of `factors` series.

        One factor is collocation with as many points as functions. More factors reduce the aliases; functions that are
        not polynomials always have some.
        """
        shape = self.shape if factors == 1 else self.dealiased_shape(factors)
        return self.to_coefficients(function(*(self.to_values(c, shape) for c in coefficients)))

    def _apply(self, kind: str, coefficients: Any, axis: int, *arguments: Any) -> Any:
        self.check(coefficients, axis)
        matrix = on_device_of(self.axes[axis], kind, *arguments, like=coefficients)
        return apply_along(matrix, coefficients, axis - self.ndim)

    def check(self, coefficients: Any, axis: int = 0) -> None:
        """Raise InputError unless `coefficients` are a real array (*batch, *shape), and the basis has the `axis`."""
        check_real(coefficients)
        if not 0 <= axis < self.ndim:
            raise InputError(f"axis={axis} of a basis with {self.ndim} axes; expected 0 to {self.ndim - 1}")
        if tuple(coefficients.shape[-self.ndim :]) != self.shape or coefficients.ndim < self.ndim:
            raise InputError(
                f"coefficients of shape {tuple(coefficients.shape)} for a basis of {self.shape} functions; "
                f"expected (*batch, {', '.join(map(str, self.shape))})"
            )

    def _check_values(self, values: Any) -> None:
        check_real(values)
        if values.ndim < self.ndim or 0 in values.shape[-self.ndim :]:
            raise InputError(
                f"values of shape {tuple(values.shape)} for a basis of {self.ndim} axes; expected (*batch, "
                f"{', '.join(f'm_{d + 1}' for d in range(self.ndim))})"
            )

    def _read_shape(self, shape: Sequence[int] | None) -> tuple[int, ...]:
        if shape is None:
            return self.shape
        if len(shape) != self.ndim:
            raise InputError(f"shape {tuple(shape)} for a basis of {self.ndim} axes; expected one number for each")
        return tuple(int(m) for m in shape)


def apply_along(matrix: Any, array: Any, axis: int) -> Any:
    """Multiply the `axis` (negative) of `array` by `matrix` (rows, n)."""
    if axis == -1:
        return array @ matrix.T
    if axis == -2:
        return matrix @ array
    shape = tuple(array.shape)
    flat = array.reshape(*shape[: array.ndim + axis], shape[axis], math.prod(shape[axis + 1 :]))
    return (matrix @ flat).reshape(*shape[: array.ndim + axis], matrix.shape[0], *shape[axis + 1 :])


def _fast(basis: Basis, m: int) -> bool:
    return m > DENSE_POINTS and m >= basis.n and isinstance(basis, Fourier | Chebyshev)


def _fast_synthesis(basis: Basis, coefficients: Any, axis: int, m: int) -> Any:
    """Return values at m points by an inverse real FFT along `axis`."""
    xp, device = array_api_compat.array_namespace(coefficients), array_api_compat.device(coefficients)
    series = xp.moveaxis(coefficients, axis, -1)
    if isinstance(basis, Fourier):
        cosines, sines = basis.cosines, basis.sines
        nothing = xp.zeros((*series.shape[:-1], 1), dtype=series.dtype, device=device)
        sine = [nothing, series[..., cosines + 1 :]] + ([nothing] if sines < cosines else [])
        scale = xp.asarray(_fourier_scale(cosines, m), dtype=series.dtype, device=device)
        spectrum = _complex(xp, series[..., : cosines + 1] * scale, -xp.concat(sine, axis=-1) * scale)
        values = xp.fft.irfft(_padded(xp, spectrum, m // 2 + 1, device), n=m, axis=-1)
    else:
        k = np.arange(basis.n)
        scale = m * ((-1.0) ** k) * np.where(k == 0, 2.0, 1.0)
        turn = [xp.asarray(scale * part, dtype=series.dtype, device=device) for part in _half_turn(k, m)]
        spectrum = _complex(xp, series * turn[0], series * turn[1])
        values = xp.fft.irfft(_padded(xp, spectrum, m + 1, device), n=2 * m, axis=-1)[..., :m]
    return xp.moveaxis(values, -1, axis)


def _fast_analysis(basis: Basis, values: Any, axis: int) -> Any:
    """Return coefficients by a real FFT along `axis`."""
    xp, device = array_api_compat.array_namespace(values), array_api_compat.device(values)
    series = xp.moveaxis(values, axis, -1)
    m = series.shape[-1]
    if isinstance(basis, Fourier):
        spectrum = xp.fft.rfft(series, axis=-1)
        scale = xp.asarray(1.0 / _fourier_scale(basis.cosines, m), dtype=values.dtype, device=device)
        cosine = xp.real(spectrum)[..., : basis.cosines + 1] * scale
        sine = -xp.imag(spectrum)[..., 1 : basis.sines + 1] * scale[1 : basis.sines + 1]
        coefficients = xp.concat((cosine, sine), axis=-1)
    else:
        spectrum = xp.fft.rfft(xp.concat((series, xp.flip(series, axis=-1)), axis=-1), axis=-1)[..., : basis.n]
        k = np.arange(basis.n)
        scale = ((-1.0) ** k) * np.where(k == 0, 0.5, 1.0) / m
        turn = [xp.asarray(scale * part, dtype=values.dtype, device=device) for part in _half_turn(k, m)]
        coefficients = xp.real(spectrum) * turn[0] + xp.imag(spectrum) * turn[1]
    return xp.moveaxis(coefficients, -1, axis)


def _fourier_derivative(basis: Fourier, coefficients: Any, axis: int, order: int) -> Any:
    """Differentiate by d^r cos ωx/dx^r = ω^r cos(ωx + rπ/2), and the sines likewise: O(n), not n² as by the matrix."""
    xp, device = array_api_compat.array_namespace(coefficients), array_api_compat.device(coefficients)
    series = xp.moveaxis(coefficients, axis, -1)
    powers = xp.asarray(basis.frequencies**order, dtype=series.dtype, device=device)
    cosine, sine = series[..., : basis.cosines + 1], series[..., basis.cosines + 1 :]
    sign = -1.0 if order % 4 in (1, 2) else 1.0
    if order % 2 == 0:
        pieces = [sign * series * powers]
    else:
        rest = basis.cosines - basis.sines  # the sine of the Nyquist frequency is not in the basis
        ends = [_zeros(xp, series, series.ndim - 1, size, device) for size in (1, rest)]
        turned = sign * cosine[..., 1 : basis.sines + 1] * powers[1 : basis.sines + 1]
        pieces = [ends[0], -sign * sine * powers[1 : basis.sines + 1], ends[1], turned]
    return xp.moveaxis(xp.concat(pieces, axis=-1), -1, axis)


def _chebyshev_derivative(basis: Chebyshev, coefficients: Any, axis: int) -> Any:
    """Compute c'_j = (2/ℓ) Σ 2k c_k over k > j with k − j odd, c'_0 half of that, by running sums from the end."""
    xp, device = array_api_compat.array_namespace(coefficients), array_api_compat.device(coefficients)
    series = xp.moveaxis(coefficients, axis, -1)
    weights = np.arange(basis.n) * (4.0 / basis.length)
    weighted = series * xp.asarray(weights, dtype=series.dtype, device=device)
    rows = (basis.n + 1) // 2
    sums = []
    for part in (weighted[..., 1::2], weighted[..., 2::2]):  # of even and odd j
        total = xp.flip(xp.cumulative_sum(xp.flip(part, axis=-1), axis=-1), axis=-1)
        sums.append(xp.concat((total, _zeros(xp, series, series.ndim - 1, rows - part.shape[-1], device)), axis=-1))
    slopes = xp.reshape(xp.stack(sums, axis=-1), (*series.shape[:-1], 2 * rows))[..., : basis.n]
    half = xp.asarray(np.where(np.arange(basis.n) == 0, 0.5, 1.0), dtype=series.dtype, device=device)
    return xp.moveaxis(slopes * half, -1, axis)


def _fourier_scale(cosines: int, m: int) -> np.ndarray:
    """Return F_k of cos(kωx) on m points: m for k = 0 and at the Nyquist limit, m/2 between."""
    scale = np.full(cosines + 1, 0.5 * m)
    scale[0] = m
    if 2 * cosines == m:
        scale[-1] = m
    return scale


def _half_turn(k: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return real and imaginary part of e^{iπk/2m}, the shift of the points by half a spacing."""
    return np.cos(np.pi * k / (2.0 * m)), np.sin(np.pi * k / (2.0 * m))


def _complex(xp: Any, real: Any, imaginary: Any) -> Any:
    return real + 1j * imaginary


def _padded(xp: Any, spectrum: Any, size: int, device: Any) -> Any:
    missing = size - spectrum.shape[-1]
    if missing <= 0:
        return spectrum
    zeros = xp.zeros((*spectrum.shape[:-1], missing), dtype=spectrum.dtype, device=device)
    return xp.concat((spectrum, zeros), axis=-1)


def _zeros(xp: Any, like: Any, axis: int, size: int, device: Any) -> Any:
    shape = (*like.shape[:axis], size, *like.shape[axis + 1 :])
    return xp.zeros(shape, dtype=like.dtype, device=device)


def _runs(here: np.ndarray, there: np.ndarray) -> list[tuple[int, int, int]]:
    """Split pairs of indices into runs (start here, start there, length) in which both step by one."""
    breaks = np.flatnonzero((np.diff(here) != 1) | (np.diff(there) != 1)) + 1
    starts = [0, *breaks.tolist(), len(here)]
    return [(int(here[a]), int(there[a]), b - a) for a, b in pairwise(starts)]
