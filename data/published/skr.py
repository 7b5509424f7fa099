"""Build what the published experiments on Krylov recycling built for Darcy's and Helmholtz' equations, defects too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from resolvent.solvers import InputError
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem
from resolvent.solvers.matrices.box_stencil import stencil_matrix

from ..format.field import Field, Role

SKR_VARIANTS = ("skr", "skr_aligned")
"""The settings `legacy` that build them: as published, and without the error in the start of a slice."""


class SkrDarcy:
    """Build the matrices of the published "Darcy" family on p² points, n = (p − 2)² unknowns (:func:`skr_matrix`).

    The coefficient is c = exp(z) with z ~ N(0, τ^{2α−2}(−Δ + τ²)^{−α}), periodic, α = 2.5 and τ = 7. (100 points make
    their "10000" unknowns, which are 9 604; `modes` of half the resolution gives the law of the published field.)

    What is wrong with them: the matrix is meant as that of −Δ(cu), not −∇·(c∇u); an off-diagonal band is shifted by two
    cells, which amounts to a term that grows with 1/h and makes the matrix indefinite; the coefficient hardly varies
    (standard deviation of log c 0.185, contrast about 2.5); the right-hand side is the same in all samples; field and
    matrix disagree about the grid (points i/p of a period against h = 1/(p − 3)); and the published inputs were stored
    with their first and last columns zeroed. ``skr_aligned`` puts the band in its place: A = L·diag(c) with one
    constant L, so that one solve gives every sample, u = (L⁻¹b)/c.

    Parameters
    ----------
    legacy : {'skr', 'skr_aligned'}
    shape : (int, int)
        Points along x and y.

    Raises
    ------
    InputError
        If the grid, on which the published slices must fit together, is not a square of at least 5 × 5 points.
    """

    boundary, alpha, tau = "periodic", 2.5, 7.0  # of the random field
    solver: ClassVar = SolverSpec("gmres", {"rtol": 1e-10}, "direct", {})  # the matrix is nonsymmetric
    quantities: ClassVar[dict[str, tuple[str, Role]]] = {
        "coefficient": ("permeability a at the points i/p", "input"),
        "source": ("source term f at the points i/p", "constant"),
        "solution": ("pressure u at the points i/p", "output"),
    }

    def __init__(self, legacy: str, shape: tuple[int, ...]) -> None:
        if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 5:
            raise InputError(
                f"resolution {shape} with legacy={legacy!r}: expected a square of at least 5x5 points, dimension=2"
            )
        self.shape, self.aligned = shape, legacy == "skr_aligned"

    @property
    def axes(self) -> tuple[np.ndarray, ...]:
        """The published periodic field stands on the points i/p."""
        return tuple(np.arange(p) / p for p in self.shape)

    def system(self, parameters: Mapping[str, Any]) -> LinearSystem:
        """Return the published matrix for ``coefficient``, and the right-hand side of a source of 1."""
        coefficient = np.asarray(parameters["coefficient"], dtype=np.float64)
        matrix, rhs = skr_matrix(coefficient, self._shift(parameters), self.aligned)
        return LinearSystem(matrix, rhs, tuple(n - 2 for n in self.shape))

    def fields(self, parameters: Mapping[str, Any], solution: np.ndarray) -> dict[str, Field]:
        """Return what is stored of a sample; the solution has the zero boundary around it."""
        values = np.zeros(self.shape)
        values[1:-1, 1:-1] = np.asarray(solution).reshape(self.shape[0] - 2, self.shape[1] - 2)
        arrays = {"source": np.ones(self.shape), **parameters, "solution": values}
        return {name: Field(np.asarray(arrays[name]), "1", *about) for name, about in self.quantities.items()}

    def residual(self, fields: Mapping[str, np.ndarray]) -> float:
        """Return ‖b − Au‖/‖b‖ on the points, without a matrix; infinite where a boundary value is not zero."""
        c, u, f = _read(fields)
        rim = np.concatenate([u[0], u[-1], u[:, 0], u[:, -1]])
        if np.any(rim != 0.0):
            return float("inf")
        h_squared = 1.0 / (c.shape[0] - 3) ** 2
        b = h_squared * f[1:-1, 1:-1]
        residual = b - _action(c, u, -1.0, self.aligned) + h_squared * self._shift(fields) * u[1:-1, 1:-1]
        return float(np.linalg.norm(residual) / np.linalg.norm(b))

    def rounding(self, fields: Mapping[str, np.ndarray], dtype: Any) -> float:
        """Bound what rounding c, u, f and the square root of the shift to `dtype` can add to :meth:`residual`."""
        unit = np.finfo(dtype).eps / 2.0
        c, u, f = (np.abs(values) for values in _read(fields))
        h_squared = 1.0 / (c.shape[0] - 3) ** 2
        reach = (2.0 + unit) * np.linalg.norm(_action(c, u, 1.0, self.aligned))
        reach += 3.1 * h_squared * self._shift(fields) * np.linalg.norm(u)
        return float(1.01 * unit * (reach / (h_squared * np.linalg.norm(f[1:-1, 1:-1])) + 1.0))

    @staticmethod
    def _shift(arrays: Mapping[str, Any]) -> float:
        """Return what is subtracted from the diagonal, in units of h²."""
        return 0.0


class SkrHelmholtz(SkrDarcy):
    """Build the matrices of the published "Helmholtz" family: those of :class:`SkrDarcy` less h²k² on the diagonal.

    k ~ U(0, 1) is one number a sample. What is wrong with them beyond that: k < 1 is far below the first resonance of
    4.44, and h²k² is at most 1.1e-4 beside a diagonal of 4c. There are no waves, and what is indefinite about the
    matrices comes from the shifted band alone.
    """

    quantities: ClassVar[dict[str, tuple[str, Role]]] = {
        "coefficient": ("coefficient at the points i/p", "input"),
        "wavenumber": ("wavenumber k, one number a sample", "input"),
        "source": ("source term f at the points i/p", "constant"),
        "solution": ("solution u at the points i/p", "output"),
    }

    def sample(self, z: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
        """Draw k for a coefficient exp(z)."""
        return {"coefficient": np.exp(z), "wavenumber": np.full(self.shape, rng.uniform())}

    def residual(self, fields: Mapping[str, np.ndarray]) -> float:
        """Return ‖b − Au‖/‖b‖; infinite where a boundary value is not zero, or k not one number."""
        k = np.asarray(fields["wavenumber"])
        return float("inf") if np.any(k != k.flat[0]) else super().residual(fields)

    @staticmethod
    def _shift(arrays: Mapping[str, Any]) -> float:
        return float(np.asarray(arrays["wavenumber"], dtype=np.float64).flat[0]) ** 2


def skr_matrix(coefficient: np.ndarray, shift: float = 0.0, aligned: bool = False) -> tuple[sp.csr_array, np.ndarray]:
    """Return the matrix and right-hand side for a coefficient c on p × p points, n = (p − 2)² unknowns.

    With s = p − 2, h = 1/(s − 1) and the inner points in C order: 4c_i − h²·`shift` on the diagonal, −c_j in the
    columns of the neighbours j = i ± 1 (not across the ends of a row) and j = i + s. The band j = i − s holds, instead
    of −c_j, the coefficient two places before it in C order (of the inner columns, from the row −1 on): an error in
    the start of a slice. The right-hand side is h² for a source of 1.

    Without that error (`aligned`) A = L·diag(c) with the constant five-point Laplacian L, so that u = (L⁻¹b)/c: the
    matrix belongs to −Δ(cu) = f and not to −∇·(c∇u) = f, is nonsymmetric by construction, and one solve serves every
    sample. The error adds, over h², a term −(2/h) ∂c/∂x u: it grows as the grid is refined, outweighs the smallest
    eigenvalues 2π²h²c and makes some of them negative (found in every sample looked at, at 48² and 98² unknowns). So
    the published matrices discretise no equation, are indefinite, and are no scalings of one another.
    """
    p = coefficient.shape[0]
    s = p - 2
    h_squared = 1.0 / (s - 1) ** 2
    above = coefficient[:-2, 1:-1]
    if not aligned:
        above = np.roll(above, 2)  # the published slice starts two places early
    below, left, right = coefficient[2:, 1:-1], coefficient[1:-1, :-2], coefficient[1:-1, 2:]
    diagonal = 4.0 * coefficient[1:-1, 1:-1] - h_squared * shift
    matrix = stencil_matrix(diagonal, (-above, -left), (-below, -right), (False, False))
    return matrix, np.full(s * s, h_squared)


def _read(fields: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    return [np.asarray(fields[name], dtype=np.float64) for name in ("coefficient", "solution", "source")]


def _action(c: np.ndarray, u: np.ndarray, sign: float, aligned: bool) -> np.ndarray:
    """Return 4 c u ∓ its neighbours at the inner points; c two places early at the one above, unless `aligned`."""
    product = c * u
    above = product[:-2, 1:-1]
    if not aligned:
        early = np.zeros_like(above)
        early.flat[2:] = c[:-2, 1:-1].flat[:-2]
        above = early * u[:-2, 1:-1]
    return 4.0 * product[1:-1, 1:-1] + sign * (product[2:, 1:-1] + product[1:-1, 2:] + product[1:-1, :-2] + above)
