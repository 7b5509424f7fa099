"""State the contract of problems for learning in coefficients: random inputs, the residual of a guess, a reference.

Nothing is stored: inputs are drawn when they are needed, from a seeded generator, and a network can be trained on the
residual alone. The classical spectral solver gives the reference for a test set.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from resolvent.solvers import Condition, InputError, TensorBasis
from resolvent.solvers.arguments import positive_integer

from ..seeding import sample_generator
from ..settings import HasSettings
from .classical import ClassicalSolver


class SpectralProblem(HasSettings, ABC):
    """Describe a PDE with random inputs on the unit box, a ↦ u, one function each, in coefficients of `basis`.

    Attributes
    ----------
    basis : TensorBasis
        Inputs and solutions are arrays (batch, *basis.shape) of its coefficients.
    conditions : tuple
        For each axis the `Condition` tuples that u satisfies; () on periodic axes.
    gauge_free : bool
        Whether u is determined up to a constant only.
    residual_norm : str
        The member of `NORMS` to measure residuals in by default.
    """

    name: ClassVar[str]
    residual_norm: ClassVar[str] = "L2"
    basis: TensorBasis
    conditions: tuple[tuple[Condition, ...], ...]
    gauge_free: bool = False

    @abstractmethod
    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Draw `count` inputs as coefficients of their own basis, float64; see `as_inputs`."""

    @abstractmethod
    def as_inputs(self, drawn: np.ndarray) -> np.ndarray:
        """Return what was drawn as coefficients in `basis`, shape (count, *basis.shape)."""

    @abstractmethod
    def residual(self, inputs: Any, solutions: Any) -> Any:
        """Return the coefficients of the equation's residual, in `residual_basis`; NumPy, CuPy or torch arrays."""

    @property
    @abstractmethod
    def residual_basis(self) -> TensorBasis:
        """The basis that holds the residual exactly, without aliases."""

    @abstractmethod
    def reference(self, drawn: np.ndarray, *points: np.ndarray) -> np.ndarray:
        """Return the classical spectral solutions of what was drawn, on a tensor grid, shape (count, m_1, …)."""

    @abstractmethod
    def error_estimate(self, inputs: np.ndarray, solutions: np.ndarray) -> np.ndarray:
        """Estimate the relative L² error of guesses from their residuals alone, shape (count,)."""

    @property
    def modes(self) -> list[int]:
        """Count the functions of `basis` along each axis."""
        return list(self.basis.shape)

    def classical(self) -> list[ClassicalSolver]:
        """Return classical solvers from coarse to fine, to compare at equal error; by default the reference alone."""

        def solve(drawn: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
            return self.reference(drawn, *self.basis.cell_centres(shape))

        return [ClassicalSolver("the reference", solve)]

    def test_functions(self, count: int = 128, seed: int = 0) -> np.ndarray:
        """Draw the test set: sample i depends on (seed, problem, i) alone."""
        draws = [self.draw(sample_generator(seed, f"{self.name} test", i), 1) for i in range(count)]
        return np.concatenate(draws)


def sizes_of_axes(modes: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    """Return the functions along each axis for one number or `ndim` of them."""
    sizes = [modes] * ndim if isinstance(modes, int) else list(modes)
    if len(sizes) != ndim:
        raise InputError(f"modes={sizes} names {len(sizes)} axes; expected one number or {ndim} of them")
    return tuple(positive_integer(n, "modes") for n in sizes)
