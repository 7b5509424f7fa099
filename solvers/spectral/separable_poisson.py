"""Solve shift·u − Δu = f on boxes by a spectral Galerkin method, and compute Sobolev norms of coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import array_api_compat
import numpy as np
import scipy.linalg

from ..errors import InputError
from .bases import Basis, Fourier, on_device_of
from .recombined_bases import Condition, RecombinedBasis
from .tensor_basis import TensorBasis, apply_along

#: Norms of coefficient arrays, for `CoefficientNorm`.
NORMS = ("coefficient", "L2", "weighted_L2", "H-1", "H-2")

_ENDS: tuple[Literal["low", "high"], ...] = ("low", "high")
_SINGULAR = 1e-12  # relative: shift + Σλ is zero where it is below this part of its terms


@dataclass(frozen=True)
class _Axis:
    """Hold the eigenfunctions of −u'' on one axis: Kv = λGv and vᵀGv = 1, in the parent's coefficients."""

    recombined: RecombinedBasis

    def eigenvalues(self) -> np.ndarray:
        return _eigenpairs(self.recombined)[0]

    def synthesis(self) -> np.ndarray:
        """Return SV, (n_parent, n): from amplitudes of eigenfunctions to coefficients."""
        return _eigenpairs(self.recombined)[1]

    def analysis(self) -> np.ndarray:
        """Return (SV)ᵀG, (n, n_parent): inner products of a function with the eigenfunctions."""
        return _eigenpairs(self.recombined)[1].T @ self.recombined.parent.gram_matrix()


@lru_cache(maxsize=128)
def _eigenpairs(recombined: RecombinedBasis) -> tuple[np.ndarray, np.ndarray]:
    """Return λ, ascending, and SV, from the inverted pencil Gv = μ(K + σG)v with λ = 1/μ − σ.

    Rounding errors of eigenvalues are relative to the largest one of the pencil. The largest λ grow as n⁴ and matter
    least in a solution; the largest μ are those of the smooth functions. σ makes K + σG positive, whatever the
    conditions."""
    S = recombined.matrix()
    gram, stiffness = recombined.gram_matrix(), recombined.stiffness_matrix()
    if isinstance(recombined.parent, Fourier):
        # Each function is an eigenfunction. Cosine before sine: an eigensolver would order equal values by rounding.
        order = np.argsort(recombined.parent.frequencies, kind="stable")
        mass = np.diag(gram)[order]
        return np.diag(stiffness)[order] / mass, np.eye(len(order))[:, order] / np.sqrt(mass)
    length = recombined.parent.length
    # Robin conditions of mixed sign, −β u² at an end: u² ≤ (1/ℓ + 2β)‖u‖² + ‖u'‖²/2β there.
    beta = -sum(min(c.value / c.slope, 0.0) for c in recombined.conditions if c.slope)
    sigma = 1.0 / length**2 + beta / length + 2.0 * beta**2
    positive = stiffness + sigma * gram
    # Unit diagonal first: recombined functions of high degree differ in size by powers of k.
    scale = 1.0 / np.sqrt(np.diag(positive))
    gram, positive = (0.5 * (M + M.T) * np.outer(scale, scale) for M in (gram, positive))
    inverses, vectors = scipy.linalg.eigh(gram, positive)
    inverses, vectors = inverses[::-1], vectors[:, ::-1]
    values = 1.0 / inverses - sigma
    values[np.argsort(np.abs(values))[: _harmonic_functions(recombined)]] = 0.0  # known exactly
    return values, S @ (scale[:, None] * vectors / np.sqrt(inverses))


def _harmonic_functions(recombined: RecombinedBasis) -> int:
    """Return how many independent functions with u'' = 0 satisfy the conditions (∂u/∂ν = 0 at an end without one)."""
    parent = recombined.parent
    if parent.periodic:
        return 1
    constrained = {condition.end for condition in recombined.conditions}
    natural = [Condition(end, 0.0, 1.0) for end in _ENDS if end not in constrained]
    lines = parent.resized(2)
    conditions = (*recombined.conditions, *natural)
    rows = np.array([condition.row(lines) for condition in conditions])
    rows /= np.abs(rows).max(axis=1, keepdims=True)
    return 2 - int(np.linalg.matrix_rank(rows, tol=1e-12))


class SeparablePoisson:
    """Solve shift·u − Δu = f by Galerkin's method in a tensor basis, with boundary conditions of each axis.

    On each axis the generalised eigenproblem of stiffness and mass is solved once; then u = V (Vᵀ M f)/(shift + Σλ) V,
    direct and exact up to rounding, O(n) for each coefficient and axis (Lynch, Rice and Thomas). Where shift + Σλ = 0
    (the constant, in a periodic or pure Neumann problem without shift; or a resonance) the amplitude is left out: the
    mean of f is ignored, and u has mean zero. Torch differentiates the solution with respect to f.

    Parameters
    ----------
    basis : TensorBasis
    conditions : sequence, optional
        For each axis a tuple of `Condition`, such as `DIRICHLET`; () for a periodic axis, and for natural conditions
        on another one. By default () everywhere.
    shift : float, default 0

    References
    ----------
    Lynch, Rice and Thomas, Direct solution of partial difference equations by tensor product methods, 1964.
    Shen, Efficient spectral-Galerkin method I, SIAM J. Sci. Comput. 15 (1994).
    """

    def __init__(
        self, basis: TensorBasis, conditions: Sequence[tuple[Condition, ...]] | None = None, shift: float = 0.0
    ) -> None:
        per_axis = ((),) * basis.ndim if conditions is None else tuple(conditions)
        if len(per_axis) != basis.ndim:
            raise InputError(
                f"boundary conditions for {len(per_axis)} axes of a basis with {basis.ndim}; expected one each"
            )
        self.basis, self.shift = basis, float(shift)
        self.recombined = tuple(
            RecombinedBasis(axis, tuple(sides)) for axis, sides in zip(basis.axes, per_axis, strict=True)
        )
        self._axes = tuple(_Axis(recombined) for recombined in self.recombined)

    def __repr__(self) -> str:
        return f"SeparablePoisson({self.basis}, shift={self.shift})"

    def symbol(self) -> np.ndarray:
        """Return shift + Σ_d λ_d for each product of eigenfunctions, shape (n_1 − c_1, …)."""
        total: np.ndarray = np.full((1,) * self.basis.ndim, self.shift)
        for d, axis in enumerate(self._axes):
            total = total + axis.eigenvalues().reshape(-1, *(1,) * (self.basis.ndim - 1 - d))
        return total

    def amplitudes(self, coefficients: Any) -> Any:
        """Return the inner products ∫ f ψ dx with the eigenfunctions, orthonormal in L²."""
        self.basis.check(coefficients)
        return self._map("analysis", coefficients)

    def from_amplitudes(self, amplitudes: Any) -> Any:
        """Return the coefficients of Σ amplitude·ψ; they satisfy the boundary conditions."""
        expected = tuple(recombined.n for recombined in self.recombined)
        if tuple(amplitudes.shape[-self.basis.ndim :]) != expected:
            raise InputError(
                f"amplitudes of shape {tuple(amplitudes.shape)}; expected (*batch, {', '.join(map(str, expected))})"
            )
        return self._map("synthesis", amplitudes)

    def solve(self, source: Any) -> Any:
        """Return the coefficients of u from those of f, both in `basis`, shape (*batch, *basis.shape)."""
        return self.from_amplitudes(self.amplitudes(source) * self._inverse_symbol(source))

    def _inverse_symbol(self, like: Any, power: float = 1.0) -> Any:
        symbol = self.symbol()
        largest = np.maximum(np.abs(self.shift), np.abs(symbol - self.shift))
        regular = np.abs(symbol) > _SINGULAR * largest
        inverse = np.where(regular, 1.0 / np.where(regular, symbol, 1.0) ** power, 0.0)
        xp = array_api_compat.array_namespace(like)
        return xp.asarray(inverse, dtype=like.dtype, device=array_api_compat.device(like))

    def _map(self, kind: str, array: Any) -> Any:
        for d, axis in enumerate(self._axes):
            array = apply_along(on_device_of(axis, kind, like=array), array, d - self.basis.ndim)
        return array


class CoefficientNorm:
    """Compute squared norms of functions from their coefficients, exactly: ‖Σ_k r_k φ_k‖² = Σ_j w_j (T r)_j².

    ============== ===================================================================================================
    kind           ‖r‖²
    ============== ===================================================================================================
    coefficient    Σ_k r_k², not a norm of the function: it depends on the scaling of the basis
    L2             ∫ r² dx over the box, by the Gram matrix
    weighted_L2    ∫ r² ∏w_d dx, with the weight that makes each basis orthogonal (L2 for Fourier and Legendre)
    H-1            ⟨r, (shift − Δ)^{−1} r⟩, in the space of the basis under the boundary conditions
    H-2            ‖(shift − Δ)^{−1} r‖²: for a residual r of Poisson's equation the L² error of the solution
    ============== ===================================================================================================

    The dual norms leave out amplitudes that (shift − Δ) annihilates. With conditions they measure only the part of r
    that is not orthogonal to all functions that satisfy them, as a Galerkin residual does.

    Parameters
    ----------
    basis : TensorBasis
    kind : str
        A member of `NORMS`.
    conditions, shift
        Conditions and shift of the dual norms, as for `SeparablePoisson`.
    mean : bool, default False
        Whether to divide by the volume of the box (a mean square instead of an integral; not for 'coefficient').
    """

    def __init__(
        self,
        basis: TensorBasis,
        kind: str = "L2",
        conditions: Sequence[tuple[Condition, ...]] | None = None,
        shift: float = 0.0,
        mean: bool = False,
    ) -> None:
        if kind not in NORMS:
            raise InputError(f"unknown norm {kind!r}; expected one of {', '.join(NORMS)}")
        self.basis, self.kind = basis, kind
        self.scale = 1.0 / basis.volume if mean and kind != "coefficient" else 1.0
        self._poisson = SeparablePoisson(basis, conditions, shift)

    def squared(self, coefficients: Any) -> Any:
        """Return ‖r‖² of each function of the batch, shape (*batch)."""
        self.basis.check(coefficients)
        xp = array_api_compat.array_namespace(coefficients)
        axes = tuple(range(-self.basis.ndim, 0))
        if self.kind == "coefficient":
            terms = coefficients * coefficients
        elif self.kind in ("L2", "weighted_L2"):
            terms = coefficients * coefficients
            if self.kind == "weighted_L2" or all(_orthogonal(axis) for axis in self.basis.axes):
                for d, axis in enumerate(self.basis.axes):
                    weights = on_device_of(axis, "weighted_squares", like=coefficients)
                    terms = terms * weights.reshape(-1, *(1,) * (self.basis.ndim - 1 - d))
            else:
                terms = coefficients * self.basis.mass(coefficients)
        else:
            amplitudes = self._poisson.amplitudes(coefficients)
            power = {"H-1": 1.0, "H-2": 2.0}[self.kind]
            terms = amplitudes * amplitudes * self._poisson._inverse_symbol(coefficients, power)
        return self.scale * xp.sum(terms, axis=axes)


def _orthogonal(axis: Basis) -> bool:
    gram = axis.gram_matrix()
    return not np.any(gram - np.diag(np.diag(gram)))
