"""Pose Poisson's equation in a spectral basis: −Δu = f with periodic or Dirichlet conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from resolvent.solvers import (
    DIRICHLET,
    Basis,
    Chebyshev,
    CoefficientNorm,
    Fourier,
    Legendre,
    SeparablePoisson,
    TensorBasis,
)
from resolvent.solvers.arguments import one_of, positive_integer

from ..random_fields.kernel import KernelField
from .classical import ClassicalSolver, PoissonModes
from .problem import SpectralProblem, sizes_of_axes


class SpectralPoisson(SpectralProblem):
    """Poisson's equation is −Δu = s on the unit square, periodic or with u = 0 on the boundary.

    The sources are those of Neural Spectral Methods: `KernelField` of length 0.2 on 16 × 16 points, periodic with the
    mean removed, or squared exponential on Chebyshev points. The reference is `SeparablePoisson`: for periodic data the
    exact division by |2πk|²; for Dirichlet data Legendre's Galerkin method on `reference_modes` an axis, exact but for
    the corners, where u has an r² log r: with 48 modes its error is about 1e-6 of the solution.

    Parameters
    ----------
    boundary : {'periodic', 'dirichlet'}
    modes : int or pair of them, default 17
        Functions an axis that inputs and solutions are taken in. 17 hold 16 periodic points with the sine beside the
        Nyquist cosine.
    basis : {'chebyshev', 'legendre'}
        Polynomials of the Dirichlet problem.
    length, points
        Passed to `KernelField`.
    reference_modes : int, default 48
    """

    name = "spectral_poisson"
    residual_norm = "H-1"  # the loss is then the energy of the error

    def __init__(
        self,
        boundary: str = "periodic",
        modes: int | Sequence[int] = 17,
        basis: str = "chebyshev",
        length: float = 0.2,
        points: int = 16,
        reference_modes: int = 48,
    ) -> None:
        self.boundary = one_of(boundary, ("periodic", "dirichlet"), "boundary")
        self._polynomials = one_of(basis, ("chebyshev", "legendre"), "basis")
        periodic = boundary == "periodic"
        kind: type[Basis] = Fourier if periodic else {"chebyshev": Chebyshev, "legendre": Legendre}[basis]
        self.basis = TensorBasis(*(kind(n) for n in sizes_of_axes(modes, 2)))
        self.conditions = ((), ()) if periodic else (DIRICHLET, DIRICHLET)
        self.gauge_free = periodic
        self.sources = KernelField(
            "periodic" if periodic else "squared_exponential", 2, length, points, mean_free=periodic
        )
        self.length, self.points = self.sources.length, points
        self.reference_modes = positive_integer(reference_modes, "reference_modes")

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "basis": self._polynomials}

    @property
    def residual_basis(self) -> TensorBasis:
        return self.basis

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        return self.sources.sample(rng, count)

    def as_inputs(self, drawn: np.ndarray) -> np.ndarray:
        """Return the source in `basis`: exact if that holds the source's functions, else (fewer modes) a projection."""
        drawn_basis = self.sources.basis
        if type(drawn_basis.axes[0]) is type(self.basis.axes[0]):
            return np.asarray(drawn_basis.resize(drawn, self.basis.shape))
        larger = self.basis.resized([max(a.n, b.n) for a, b in zip(drawn_basis.axes, self.basis.axes, strict=True)])
        values = drawn_basis.evaluate(drawn, *larger.points())
        return np.asarray(larger.resize(larger.to_coefficients(values), self.basis.shape))

    def residual(self, inputs: Any, solutions: Any) -> Any:
        """Return s + Δu."""
        return inputs + self.basis.laplacian(solutions)

    def error_estimate(self, inputs: np.ndarray, solutions: np.ndarray) -> np.ndarray:
        """Return ‖Δ⁻¹r‖/‖u‖: the distance to the solution of the same modes, up to what the basis leaves out of r.

        It is exact for periodic data that the basis holds; for Dirichlet data the error of the n modes is not in it.
        """
        distance = CoefficientNorm(self.basis, "H-2", self.conditions).squared(self.residual(inputs, solutions))
        if self.gauge_free:
            solutions = solutions.copy()
            solutions[:, 0, 0] = 0.0
        return np.asarray(np.sqrt(distance / CoefficientNorm(self.basis, "L2").squared(solutions)))

    def reference(self, drawn: np.ndarray, *points: np.ndarray) -> np.ndarray:
        space, source = self.sources.basis, drawn
        if self.boundary != "periodic":
            space = TensorBasis(*(Legendre(self.reference_modes),) * 2)
            source = space.to_coefficients(self.sources.basis.evaluate(drawn, *space.points()))
        return np.asarray(space.evaluate(SeparablePoisson(space, self.conditions).solve(source), *points))

    def classical(self) -> list[ClassicalSolver]:
        """Return solvers of fewer modes, in Legendre's basis where there are walls."""
        drawn_basis, solvers = self.sources.basis, []
        if self.boundary == "periodic":
            sizes = [n for n in (3, 5, 7, 9, 11, 13, 15, 17, 21, 25, 33) if n <= drawn_basis.shape[0] + 1]
        else:
            sizes = [n for n in (6, 8, 10, 12, 14, 16, 20, 24, 32, 40, 48) if n <= self.reference_modes]
        for n in sizes:
            space = drawn_basis.resized((n, n)) if self.boundary == "periodic" else TensorBasis(*(Legendre(n),) * 2)
            solvers.append(ClassicalSolver(f"{n}² modes", PoissonModes(drawn_basis, space, self.conditions)))
        return solvers
