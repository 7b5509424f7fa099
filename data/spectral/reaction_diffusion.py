"""Pose Fisher's reaction–diffusion equation in space and time, in a spectral basis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from resolvent.solvers import Basis, Chebyshev, Condition, Fourier, InputError, TensorBasis
from resolvent.solvers.arguments import positive_integer, positive_number

from ..random_fields.kernel import KernelField
from .classical import ClassicalSolver, FisherSteps
from .problem import SpectralProblem, sizes_of_axes


class SpectralReactionDiffusion(SpectralProblem):
    """Fisher's equation is ∂u/∂t = ν ∂²u/∂x² + ρ u(1 − u) on (0, 1) in t and x, periodic in x, u(0, x) random.

    Axes are (t, x): Chebyshev in time, Fourier in space; an input is u(0, x), the same at every t. It is drawn as
    in Neural Spectral Methods: the periodic `KernelField` of length 0.2 on 64 points, scaled so that its smallest and
    largest values there are 0 and 1.

    **Reference.** Spectral in both: on each of `slabs` intervals of time a Chebyshev collocation of `slab_points`
    points, the diffusion implicit for each frequency, the reaction by fixed-point iteration to rounding (it contracts
    as ρ/slabs); Fourier with `reference_modes`, products de-aliased.

    Parameters
    ----------
    nu : float, default 0.01
    rho : float, default 5
    modes : (int, int), default (16, 33)
        Functions in t and x.
    length, points
        Passed to `KernelField`.
    reference_modes, slabs, slab_points : int
    """

    name = "spectral_reaction_diffusion"

    def __init__(
        self,
        nu: float = 0.01,
        rho: float = 5.0,
        modes: Sequence[int] = (16, 33),
        length: float = 0.2,
        points: int = 64,
        reference_modes: int = 129,
        slabs: int = 32,
        slab_points: int = 10,
    ) -> None:
        self.nu, self.rho = positive_number(nu, "nu"), positive_number(rho, "rho")
        nt, nx = sizes_of_axes(modes, 2)
        self.basis = TensorBasis(Chebyshev(nt), Fourier(nx))
        self.conditions = ((Condition("low"),), ())
        self.initial = KernelField("periodic", 1, length, points)
        self.length, self.points = self.initial.length, points
        self.reference_modes = positive_integer(reference_modes, "reference_modes")
        self.slabs, self.slab_points = positive_integer(slabs, "slabs"), positive_integer(slab_points, "slab_points")

    @property
    def residual_basis(self) -> TensorBasis:
        return self.basis.product_basis(2)

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Draw the coefficients of u(0, x), shape (count, points)."""
        space = self.initial.basis
        values = space.to_values(self.initial.sample(rng, count))
        low, high = values.min(axis=-1, keepdims=True), values.max(axis=-1, keepdims=True)
        return np.asarray(space.to_coefficients((values - low) / (high - low)))

    def as_inputs(self, drawn: np.ndarray) -> np.ndarray:
        """Return u(0, x) for all t; frequencies beyond the basis are cut off."""
        nt, nx = self.basis.shape
        inputs = np.zeros((len(drawn), nt, nx))
        inputs[:, 0] = self.initial.basis.resize(drawn, (nx,))
        return inputs

    def residual(self, inputs: Any, solutions: Any) -> Any:
        """Return u_t − ν u_xx − ρ u(1 − u), with the whole product: no aliases and no truncation."""
        linear = self.basis.derivative(solutions, 0) - self.nu * self.basis.derivative(solutions, 1, 2)
        linear = self.basis.resize(linear - self.rho * solutions, self.residual_basis.shape)
        return linear + self.rho * self.basis.multiply(solutions, solutions, full=True)

    def error_estimate(self, inputs: np.ndarray, solutions: np.ndarray) -> np.ndarray:
        """Return ‖e‖/‖v‖ with the error e of a guess v solved for from its residual r, linearised at the guess.

        u = v − e solves the equation if e_t = ν e_xx + ρ(1 − 2v) e + ρ e² + r; the square is left out. Steps of 1/256
        are split (second order): half a step of reaction, exact at each point; diffusion and r, exact in Fourier modes,
        with r averaged over the step (near the ends it oscillates faster than the steps); the other half of the
        reaction. The estimate leaves out what the basis cuts off the initial value.
        """
        basis, count = self.residual_basis, 256
        axis = basis.axes[1]
        assert isinstance(axis, Fourier)
        t, x = np.arange(count + 1) / count, axis.points()
        longer = basis.resized((basis.shape[0] + 1, basis.shape[1]))
        summed = longer.integral(basis.resize(self.residual(inputs, solutions), longer.shape), 0)
        rates = self.nu / count * axis.frequencies**2
        means = np.where(rates > 0.0, -np.expm1(-rates) / np.where(rates > 0.0, rates, 1.0), 1.0)
        # Symmetric matrices between values on the points.
        heat, mean = (
            (axis.synthesis_matrix(axis.n) * factors) @ axis.analysis_matrix(axis.n)
            for factors in (np.exp(-rates), means)
        )
        sources = np.diff(longer.evaluate(summed, t, x), axis=-2) @ mean
        guess = self.basis.evaluate(solutions, 0.5 * (t[1:] + t[:-1]), x)
        # For a guess far below zero, where u cannot be, the estimate is just large: the bound keeps it finite.
        growth = np.exp(np.minimum(self.rho * (1.0 - 2.0 * guess), 200.0) / (2.0 * count))
        error, total = np.zeros_like(sources[:, 0]), np.zeros(len(sources))
        for step in range(count):
            error = growth[:, step] * ((growth[:, step] * error) @ heat + sources[:, step])
            total += (error**2).mean(axis=-1) * (1.0 if step < count - 1 else 0.5)  # the trapezoidal rule
        return np.asarray(np.sqrt(total / count / (guess**2).mean(axis=(-2, -1))))

    def classical(self) -> list[ClassicalSolver]:
        """Return solvers by ETDRK4 with fewer points and longer steps."""
        pairs = ((16, 4), (24, 4), (24, 8), (32, 8), (48, 8), (48, 16), (64, 16), (64, 32), (96, 32), (128, 64))
        drawn_basis = self.initial.basis
        return [
            ClassicalSolver(
                f"{points} points, {steps} steps", FisherSteps(drawn_basis, self.nu, self.rho, points, steps)
            )
            for points, steps in pairs
        ]

    def reference(self, drawn: np.ndarray, *points: np.ndarray) -> np.ndarray:
        times, x = (np.asarray(p, dtype=np.float64) for p in points)
        space = TensorBasis(Fourier(self.reference_modes))
        state = self.initial.basis.resize(drawn, space.shape)
        step = 1.0 / self.slabs
        slab = Chebyshev(self.slab_points + 1, 0.0, step)
        inverse = self._slab_inverse(slab, space.axes[0])
        values = np.empty((len(drawn), len(times), self.reference_modes))
        for index in range(self.slabs):
            start = index * step
            inside = (times >= start) & ((times < start + step) | (index == self.slabs - 1))
            history = self._advance(state, slab, inverse, space)
            values[:, inside] = np.matmul(slab.evaluation_matrix(times[inside] - start), history)
            state = np.matmul(slab.evaluation_matrix(np.array([step])), history)[:, 0]
        return np.asarray(space.evaluate(values, x))

    def _slab_inverse(self, slab: Chebyshev, axis: Basis) -> np.ndarray:
        """Return for each frequency the inverse of (u(0), u_t + (νω² − ρ)u at the points), from values to coefficients.

        u has one coefficient more than there are points, for the initial value.
        """
        points = slab.points(slab.n - 1)
        values, slopes = slab.evaluation_matrix(points), slab.evaluation_matrix(points, 1)
        first = slab.evaluation_matrix(np.zeros(1))
        assert isinstance(axis, Fourier)
        rates = self.nu * axis.frequencies**2 - self.rho
        return np.stack([np.linalg.inv(np.concatenate((first, slopes + rate * values))) for rate in rates])

    def _advance(self, state: np.ndarray, slab: Chebyshev, inverse: np.ndarray, space: TensorBasis) -> np.ndarray:
        """Return coefficients in t and x over one slab, shape (count, slab.n, modes)."""
        values = slab.evaluation_matrix(slab.points(slab.n - 1))
        history = np.zeros((len(state), slab.n, state.shape[-1]))
        history[:, 0] = state
        change = math.inf
        for _ in range(200):
            nodal = np.matmul(values, history)
            right = np.concatenate((state[:, None], -self.rho * space.multiply(nodal, nodal)), axis=1)
            previous, history = history, np.einsum("kpq,bqk->bpk", inverse, right, optimize=True)
            last, change = change, float(np.abs(history - previous).max())
            if change < 1e-15 or (change < 1e-12 and change >= 0.5 * last):
                return history
            if not change < 1e6:  # u stays within [0, 1]
                break
        raise InputError(
            f"the reference for nu={self.nu:g}, rho={self.rho:g} did not converge with slabs={self.slabs}: raise slabs"
        )
