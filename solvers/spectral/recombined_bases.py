"""Recombine polynomial bases so that every function satisfies homogeneous boundary conditions (Shen)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from ..errors import InputError
from .bases import Basis


@dataclass(frozen=True)
class Condition:
    """Require value·u + slope·∂u/∂ν = datum at one end of an interval, ν pointing outwards.

    Parameters
    ----------
    end : {'low', 'high'}
    value, slope : float
        1, 0 (the default) for Dirichlet, 0, 1 for Neumann, both for Robin; if they have one sign, −u'' is positive.
    """

    end: Literal["low", "high"]
    value: float = 1.0
    slope: float = 0.0

    def __post_init__(self) -> None:
        if self.end not in ("low", "high"):
            raise InputError(f"a boundary condition at end {self.end!r}; expected 'low' or 'high'")
        if not (np.isfinite(self.value) and np.isfinite(self.slope)) or (self.value == 0.0 and self.slope == 0.0):
            raise InputError(
                f"the condition {self.value}·u + {self.slope}·∂u/∂ν says nothing; expected finite, not both 0"
            )

    def row(self, basis: Basis) -> np.ndarray:
        """Return the left-hand side for each function of `basis`, shape (n,)."""
        point = np.array([basis.low if self.end == "low" else basis.high])
        outward = -1.0 if self.end == "low" else 1.0
        row = self.value * basis.evaluation_matrix(point)[0]
        if self.slope:
            row = row + self.slope * outward * basis.evaluation_matrix(point, 1)[0]
        return row


def at_both_ends(value: float = 1.0, slope: float = 0.0) -> tuple[Condition, Condition]:
    """Return one condition for the low and the high end."""
    return Condition("low", value, slope), Condition("high", value, slope)


def robin(value: float, slope: float) -> tuple[Condition, Condition]:
    """Return value·u + slope·∂u/∂ν = 0 at both ends."""
    return at_both_ends(value, slope)


DIRICHLET = at_both_ends(1.0, 0.0)
NEUMANN = at_both_ends(0.0, 1.0)


@dataclass(frozen=True)
class RecombinedBasis:
    """Hold ψ_k = p_k + Σ_{i=1}^{c} a_ki p_{k+i}, k = 0 … n − 1 − c: functions of `parent` that satisfy c conditions.

    The a_k solve a c×c system for each k, so that the map to the parent's coefficients is banded with c + 1 diagonals.
    Where such a system is singular (possible with Robin conditions of mixed sign), an orthonormal basis of the null
    space of the conditions replaces it, which is dense. Without conditions the basis is the parent; one condition at
    one end fits an initial value; Fourier bases take none.

    Attributes
    ----------
    banded : bool
        Whether the recombination is the banded one.

    References
    ----------
    Shen, Efficient spectral-Galerkin method I, SIAM J. Sci. Comput. 15 (1994); II, 16 (1995).
    """

    parent: Basis
    conditions: tuple[Condition, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.conditions)
        if count and self.parent.periodic:
            raise InputError("a periodic basis takes no boundary conditions; use Chebyshev or Legendre on that axis")
        if count >= self.parent.n:
            raise InputError(
                f"{count} boundary conditions on {self.parent.n} functions leave none; expected more functions"
            )
        if count and np.linalg.matrix_rank(self._scaled_rows()) < count:
            raise InputError(f"the boundary conditions {self.conditions} are not independent; remove one")

    @property
    def n(self) -> int:
        """Return the number of functions."""
        return self.parent.n - len(self.conditions)

    @property
    def banded(self) -> bool:
        """Return whether `matrix` is the banded recombination."""
        return self._banded_columns() is not None

    def rows(self) -> np.ndarray:
        """Return the conditions on the parent's coefficients, shape (c, n_parent)."""
        return np.array([condition.row(self.parent) for condition in self.conditions]).reshape(-1, self.parent.n)

    def matrix(self) -> np.ndarray:
        """Return S (n_parent, n): the parent's coefficients are S times those of this basis."""
        if not self.conditions:
            return np.eye(self.parent.n)
        columns = self._banded_columns()
        if columns is not None:
            return columns
        _, _, rows = np.linalg.svd(self._scaled_rows())
        return rows[len(self.conditions) :].T

    def sparse_matrix(self) -> sp.csr_array:
        """Return S in CSR form."""
        return sp.csr_array(self.matrix())

    def evaluation_matrix(self, points: np.ndarray, derivative: int = 0) -> np.ndarray:
        """Return d^r ψ_k/dx^r at `points`, shape (len(points), n)."""
        return self.parent.evaluation_matrix(points, derivative) @ self.matrix()

    def gram_matrix(self) -> np.ndarray:
        """Return ∫ ψ_j ψ_k dx."""
        S = self.matrix()
        return S.T @ self.parent.gram_matrix() @ S

    def stiffness_matrix(self) -> np.ndarray:
        """Return the bilinear form of −u'', ∫ψ_j'ψ_k' dx + Σ_ends (value/slope) ψ_jψ_k, symmetric.

        It is ∫ −ψ_j'' ψ_k dx by parts under the conditions; an end without a condition has the natural one, ∂u/∂ν = 0.
        """
        S = self.matrix()
        stiffness = self.parent.stiffness_matrix()
        for condition in self.conditions:
            if condition.slope:
                trace = Condition(condition.end).row(self.parent)
                stiffness = stiffness + (condition.value / condition.slope) * np.outer(trace, trace)
        return S.T @ stiffness @ S

    def projection_matrix(self) -> np.ndarray:
        """Return the matrix (n, n_parent) of the L² projection of the parent's functions on this basis."""
        S, gram = self.matrix(), self.parent.gram_matrix()
        return np.linalg.solve(S.T @ gram @ S, S.T @ gram)

    def lifting_matrix(self) -> np.ndarray:
        """Return the parent's coefficients (n_parent, c) of polynomials that have one datum 1 and the others 0.

        Their degree is at most c (with the least norm where that leaves a choice), or as much higher as the conditions
        need (on an interval of length 2, u − ∂u/∂ν has the same value at both ends for every quadratic). Then u =
        lifting @ data + S û satisfies the inhomogeneous conditions for every û.
        """
        count, rows = len(self.conditions), self.rows()
        size = min(count + 1, self.parent.n)
        while size < self.parent.n and np.linalg.matrix_rank(self._scaled_rows()[:, :size], tol=1e-10) < count:
            size += 1
        lifting = np.zeros((self.parent.n, count))
        lifting[:size] = np.linalg.pinv(rows[:, :size])
        return lifting

    def _scaled_rows(self) -> np.ndarray:
        rows = self.rows()
        return rows / np.abs(rows).max(axis=1, keepdims=True)

    def _banded_columns(self) -> np.ndarray | None:
        rows, count = self.rows(), len(self.conditions)
        S = np.zeros((self.parent.n, self.n))
        for k in range(self.n):
            block = rows[:, k + 1 : k + 1 + count]
            scaled = block / np.maximum(np.abs(block).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
            # Neighbouring degrees differ by O(1/k) in the ratio of slope to value: not singular, but 1e-10 is.
            if np.linalg.svd(scaled, compute_uv=False)[-1] < 1e-10:
                return None
            S[k, k] = 1.0
            S[k + 1 : k + 1 + count, k] = -np.linalg.solve(block, rows[:, k])
        return S
