"""Pose two-dimensional flow for learning in coefficients: time is an axis, the residual exact, the reference ETDRK4."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from resolvent.solvers import (
    BASES,
    Condition,
    Fourier,
    FourierGrid,
    HeatEquation,
    InputError,
    TensorBasis,
    TimeStepper,
    VorticityTerm,
)
from resolvent.solvers.arguments import finite_number, one_of, positive_integer, positive_number

from ..random_fields.kernel import KernelField
from .classical import ClassicalSolver
from .problem import SpectralProblem, sizes_of_axes


class _Family(NamedTuple):
    nu: float
    final_time: float
    forcing: float
    reference_points: int


_FAMILIES = {
    "nsm_re2": _Family(1e-2, 3.0, 0.0, 64),
    "nsm_re3": _Family(1e-3, 3.0, 0.0, 64),
    "nsm_re4": _Family(1e-4, 3.0, 0.0, 128),
    "nsm_forced": _Family(2e-3, 50.0, 0.1, 64),
}
_ESTIMATE_POINTS, _ESTIMATE_STEP = 32, 0.1  # of the error equation: fewest points an axis, longest step


class SpectralNavierStokes(SpectralProblem):
    """Vorticity obeys ∂ω/∂t + u·∇ω = νΔω + f on the periodic unit square, t in [0, T]; u = (∂ψ/∂y, −∂ψ/∂x), −Δψ = ω.

    Axes are (τ, x, y) with τ = t/T: polynomials in time, Fourier in space; an input is ω(0, x, y), the same at every τ.
    It is drawn as in Neural Spectral Methods: the periodic `KernelField` of length 0.8 on 64² points, mean removed,
    of covariance exp(−Σ sin²(πΔ_d)/(2·0.8²)). f = a (sin 2π(x+y) + cos 2π(x+y)). A `family` sets the arguments that
    are None:

    ==============  =====  ====  ====
    family          ν      T     a
    ==============  =====  ====  ====
    ``nsm_re2``     1e-2   3     0
    ``nsm_re3``     1e-3   3     0
    ``nsm_re4``     1e-4   3     0
    ``nsm_forced``  2e-3   50    0.1
    ==============  =====  ====  ====

    **Residual.** ∂ω/∂t + u·∇ω − νΔω − f in physical time, in the basis that holds every product of two series: nothing
    aliases and nothing is cut off. (The published code takes the product on as many points as modes.)

    **Reference.** ETDRK4 in time and Fourier with the 2/3 rule in space, on `reference_points`² points with steps of at
    most `reference_step`; every requested time ends a step, so nothing is interpolated. `reference_error` measures
    its error: with the defaults about 1e-7 in every family.

    Parameters
    ----------
    family : str, default 'nsm_re2'
    nu, final_time, forcing : float, optional
        ν, T and a, where they are not those of the family.
    modes : (int, int, int), default (8, 15, 15)
        Functions in τ, x and y. The published networks have (12, 31, 31), forced (18, 31, 31).
    time_basis : {'chebyshev', 'legendre'}
    length, points
        Passed to `KernelField`.
    reference_points : int, optional
        64 by default, 128 for ``nsm_re4``.
    reference_step : float, default 1/32
        Longest step, in units of t.

    References
    ----------
    Du, Chalapathi and Krishnapriyan, Neural Spectral Methods, ICLR 2024, section 5.3.
    """

    name = "spectral_navier_stokes"

    def __init__(
        self,
        family: str = "nsm_re2",
        nu: float | None = None,
        final_time: float | None = None,
        forcing: float | None = None,
        modes: Sequence[int] = (8, 15, 15),
        time_basis: str = "chebyshev",
        length: float = 0.8,
        points: int = 64,
        reference_points: int | None = None,
        reference_step: float = 1.0 / 32.0,
    ) -> None:
        self.family = one_of(family, _FAMILIES, "family of flows")
        usual = _FAMILIES[self.family]
        self.nu = positive_number(usual.nu if nu is None else nu, "nu")
        self.final_time = positive_number(usual.final_time if final_time is None else final_time, "final_time")
        self.forcing = finite_number(usual.forcing if forcing is None else forcing, "forcing", ", 0 for none")
        sizes = sizes_of_axes(modes, 3)
        if sizes[0] < 2 or min(sizes[1:]) < 3:
            raise InputError(
                f"modes={list(sizes)}: expected at least 2 in time and 3 in x and y, for something to move"
            )
        self.time_basis = one_of(time_basis, ("chebyshev", "legendre"), "time_basis")
        self.basis = TensorBasis(BASES[self.time_basis](sizes[0]), Fourier(sizes[1]), Fourier(sizes[2]))
        self.conditions = ((Condition("low"),), (), ())
        self.points = positive_integer(points, "points")
        self.initial = KernelField("periodic", 2, length, self.points, mean_free=True)
        self.length = self.initial.length
        size = usual.reference_points if reference_points is None else reference_points
        self.reference_points = positive_integer(size, "reference_points")
        self.reference_step = positive_number(reference_step, "reference_step")
        if self.reference_points < 8:
            raise InputError(f"reference_points is {reference_points}: expected at least 8")
        # Odd derivatives of a Nyquist cosine are sines of that frequency; an axis that has the cosine gets them too.
        self._whole = self.basis.resized([axis.derivative_size() for axis in self.basis.axes])
        self._frequencies = tuple(a.frequencies for a in self._whole.axes[1:] if isinstance(a, Fourier))
        steppers = self._stepper(self.reference_points), self._stepper(self._estimate_points())
        self._reference_stepper, self._estimate_stepper = steppers

    @property
    def residual_basis(self) -> TensorBasis:
        return self._whole.product_basis(2)

    @property
    def response_basis(self) -> TensorBasis:
        """The basis of `response` has one polynomial more in time than that of the residual."""
        time, x, y = self.residual_basis.axes
        return TensorBasis(time.resized(time.n + 1), x, y)

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Draw the coefficients of ω(0, x, y), shape (count, points, points)."""
        return self.initial.sample(rng, count)

    def as_inputs(self, drawn: np.ndarray) -> np.ndarray:
        """Return ω(0, x, y) for all τ; frequencies beyond the basis are cut off."""
        inputs = np.zeros((len(drawn), *self.basis.shape))
        inputs[:, 0] = self.initial.basis.resize(drawn, self.basis.shape[1:])
        return inputs

    def residual(self, inputs: Any, solutions: Any) -> Any:
        """Return ∂ω/∂t + u·∇ω − νΔω − f, without truncation."""
        xp, target = array_api_compat.array_namespace(solutions), self.residual_basis
        basis, omega = self._whole, self.basis.resize(solutions, self._whole.shape)
        kx, ky = self._frequencies
        squared = kx[:, None] ** 2 + ky**2
        rates, inverse = self.nu * squared, np.where(squared > 0.0, 1.0 / np.where(squared > 0.0, squared, 1.0), 0.0)
        device = array_api_compat.device(solutions)
        rates, inverse = (xp.asarray(a, dtype=solutions.dtype, device=device) for a in (rates, inverse))
        stream = omega * inverse
        factors = [basis.derivative(field, axis) for field, axis in ((stream, 2), (omega, 1), (stream, 1), (omega, 2))]
        u, along_x, minus_v, along_y = (basis.to_values(factor, target.shape) for factor in factors)
        linear = basis.derivative(omega, 0) / self.final_time + rates * omega
        forcing = xp.asarray(self._forcing(), dtype=solutions.dtype, device=device)
        total = basis.resize(linear - forcing, target.shape)
        return total + target.to_coefficients(u * along_x - minus_v * along_y)

    def response(self, residual: Any) -> Any:
        """Return the coefficients in `response_basis` of e with ∂e/∂t − νΔe = r and e = 0 at first.

        Where the flow is slow, −e is the error of the guess with the residual r; its L² norm weighs residuals by what
        they do to ω, as the H⁻² norm does for Poisson's equation: −e is the Picard iterate after the guess, less it.
        In time the equation holds at as many Gauss points as the residual has functions; e has one more, for its start.
        """
        return self._equation(self.response_basis).response(self.final_time * residual)

    def error_estimate(self, inputs: np.ndarray, solutions: np.ndarray) -> np.ndarray:
        """Estimate ‖ω − v‖/‖v‖ of a guess v by solving the equation of its error e on a coarse grid.

        ∂e/∂t = νΔe − (u_v + u_e)·∇e − u_e·∇v − r(v), e(0) = 0,

        by ETDRK4 on as few points as hold v, or 32 an axis, with steps of at most 0.1. The equation is the error's own,
        so the estimate is wrong by the relative error of the coarse scheme, a few per cent at most, however small e is.
        It costs as much as a coarse solution, and leaves out what the basis cuts off the initial state.
        """
        steps = math.ceil(self.final_time / _ESTIMATE_STEP)
        stepper = self._estimate_stepper
        dt = self.final_time / steps
        scheme = stepper.coefficients(dt)
        guess, residual = self.basis, self.residual_basis
        r = self.residual(inputs, solutions)
        half = np.arange(2 * steps + 1) / (2 * steps)

        def modes_of(basis: TensorBasis, coefficients: np.ndarray, index: int) -> np.ndarray:
            row = basis.axes[0].evaluation_matrix(half[index : index + 1])[0]
            return self._to_modes(
                stepper.grid, TensorBasis(*basis.axes[1:]), np.einsum("t,bt...->b...", row, coefficients)
            )

        def surroundings(index: int) -> tuple[np.ndarray, ...]:
            v = modes_of(guess, solutions, index)
            return (*_flow_fields(stepper.grid, v), modes_of(residual, r, index))

        def slope(e: np.ndarray, around: tuple[np.ndarray, ...]) -> np.ndarray:
            (u, v, along_x, along_y), (ue, ve, ex, ey) = around[:4], _flow_fields(stepper.grid, e)
            advected = (u + ue) * ex + (v + ve) * ey + ue * along_x + ve * along_y
            return -stepper.grid.to_modes(advected) - around[4]

        V: list[Any] = [None] * scheme.slots
        now = surroundings(0)
        V[0] = np.zeros_like(now[4])
        error, size = np.zeros(len(solutions)), np.zeros(len(solutions))
        for step in range(steps):
            middle, end = surroundings(2 * step + 1), surroundings(2 * step + 2)
            for stage, around in zip(scheme.stages, (now, middle, middle, end), strict=True):
                V[stage.target] = slope(V[stage.source], around)
                V[stage.out] = sum(c * V[slot] for slot, c in stage.terms)
            now, weight = end, 0.5 if step == steps - 1 else 1.0  # the trapezoidal rule
            error += weight * _mean_square(V[0])
            size += weight * _mean_square(modes_of(guess, solutions, 2 * step + 2))
        size += 0.5 * _mean_square(modes_of(guess, solutions, 0))
        return np.asarray(np.sqrt(error / size))

    def linear_solution(self, inputs: Any) -> Any:
        """Return the coefficients in `basis` of the solution without advection, ∂ω/∂t = νΔω + f: decaying modes.

        It has the initial value of `inputs` exactly, and satisfies the equation at as many Gauss points in time as
        functions are left.
        """
        xp = array_api_compat.array_namespace(inputs)
        forcing = self.final_time * self._whole.resize(self._forcing(), self.basis.shape)
        forcing = xp.asarray(forcing, dtype=inputs.dtype, device=array_api_compat.device(inputs))
        return self._equation(self.basis).evolved(inputs, forcing)

    def _equation(self, basis: TensorBasis) -> HeatEquation:
        return HeatEquation(basis, self.nu * self.final_time)

    def classical(self) -> list[ClassicalSolver]:
        """Return solvers by the reference's scheme on fewer points with longer steps; each requested time ends one."""
        fewer: list[ClassicalSolver] = []
        for points, step in ((8, 1.0), (12, 0.5), (16, 0.5), (16, 0.25), (24, 0.25), (32, 0.125), (48, 0.0625)):
            coarser = {**self.settings(), "reference_points": points, "reference_step": step}
            other = SpectralNavierStokes(**coarser)

            def solve(drawn: np.ndarray, shape: tuple[int, ...], other: SpectralNavierStokes = other) -> np.ndarray:
                return other.reference(drawn, *self.basis.cell_centres(shape))

            fewer.append(ClassicalSolver(f"{points}² points, steps ≤ {step:g}", solve))
        return fewer

    def reference(self, drawn: np.ndarray, *points: np.ndarray) -> np.ndarray:
        times, x, y = (np.asarray(p, dtype=np.float64) for p in points)
        if times.size and not (times.min() >= 0.0 and times.max() <= 1.0):
            raise InputError(
                f"times from {times.min():g} to {times.max():g}; expected 0 to 1, in units of "
                f"final_time={self.final_time:g}"
            )
        solutions = np.empty((len(drawn), len(times), len(x), len(y)))
        order = np.argsort(times, kind="stable")
        for index, values in zip(order, self._states(drawn, times[order], x, y), strict=True):
            solutions[:, index] = values
        return solutions

    def reference_error(self, drawn: np.ndarray, *points: np.ndarray) -> np.ndarray:
        """Return the reference's relative error in L² over a grid of points, shape (count,).

        It is the distance to the solution on twice the points with half the steps, whose own error is far smaller.
        """
        finer = {"reference_points": 2 * self.reference_points, "reference_step": 0.5 * self.reference_step}
        other = SpectralNavierStokes(**{**self.settings(), **finer}).reference(drawn, *points)
        axes = (1, 2, 3)
        return np.sqrt(((self.reference(drawn, *points) - other) ** 2).sum(axis=axes) / (other**2).sum(axis=axes))

    def _states(self, drawn: np.ndarray, times: np.ndarray, x: np.ndarray, y: np.ndarray) -> Iterator[np.ndarray]:
        """Yield ω at ascending times on a grid of points."""
        stepper = self._reference_stepper
        grid = stepper.grid
        kx, ky = (k.ravel() for k in grid.wave_numbers())
        # A real field is twice the real part of its modes of k_y > 0, and the mean over y.
        waves_x = np.exp(1j * np.outer(x, kx))
        waves_y = np.exp(1j * np.outer(y, ky)).T * np.where(ky > 0.0, 2.0, 1.0)[:, None]
        modes, now = self._to_modes(grid, self.initial.basis, drawn), 0.0
        for time in times:
            gap = self.final_time * (time - now)
            if gap > 0.0:
                steps = math.ceil(gap / self.reference_step - 1e-9)
                advanced = stepper.advance(modes, gap / steps, steps)
                if (advanced.reached < steps).any():
                    raise InputError(
                        f"the reference for nu={self.nu:g} blew up before t={self.final_time * time:g} with "
                        f"reference_step={self.reference_step:g}: lower reference_step"
                    )
                modes, now = advanced.modes, time
            yield np.real(waves_x @ modes @ waves_y)

    def _to_modes(self, grid: FourierGrid, space: TensorBasis, coefficients: np.ndarray) -> np.ndarray:
        """Return the modes of a series in space, cut to those that a grid keeps."""
        shape = [2 * K + 1 for K in grid.cutoff]
        return np.asarray(grid.to_modes(space.resized(shape).to_values(space.resize(coefficients, shape), grid.shape)))

    def _stepper(self, n: int) -> TimeStepper:
        grid = FourierGrid((n, n), (1.0, 1.0), 2)
        x, y = np.meshgrid(*grid.points(), indexing="ij")
        angle = 2.0 * np.pi * (x + y)
        forcing = self.forcing * (np.sin(angle) + np.cos(angle)) if self.forcing else None
        return TimeStepper(self.nu * grid.laplacian(), VorticityTerm(grid, forcing))

    def _estimate_points(self) -> int:
        """Return an even number for which the 2/3 rule keeps what the basis holds."""
        most = max(axis.cosines for axis in self._whole.axes[1:] if isinstance(axis, Fourier))
        return max(_ESTIMATE_POINTS, 2 * math.ceil((3 * most + 1) / 2))

    def _forcing(self) -> np.ndarray:
        """Return f in the whole basis."""
        coefficients = np.zeros(self._whole.shape)
        one_x, one_y = (axis.n // 2 + 1 for axis in self._whole.axes[1:])  # the places of sin 2πx and sin 2πy
        for i, j, sign in ((1, 1, 1.0), (one_x, one_y, -1.0), (one_x, 1, 1.0), (1, one_y, 1.0)):
            coefficients[0, i, j] = sign * self.forcing
        return coefficients


def _flow_fields(grid: FourierGrid, modes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return u, v, ∂ω/∂x and ∂ω/∂y at the points."""
    kx, ky = grid.wave_numbers()
    squared = kx**2 + ky**2
    squared[0, 0] = 1.0
    stream = modes / squared
    return tuple(grid.to_fields(1j * f) for f in (ky * stream, -kx * stream, kx * modes, ky * modes))


def _mean_square(modes: np.ndarray) -> np.ndarray:
    """Return the mean square of each real field by Parseval; a mode of k_y > 0 stands for two."""
    squares = np.abs(modes) ** 2
    return np.asarray(squares[..., 0].sum(axis=-1) + 2.0 * squares[..., 1:].sum(axis=(-2, -1)))
