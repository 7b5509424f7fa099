"""Precondition by the symmetric polynomials of Doikov and Rodomanov."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..arguments import check_count
from ..errors import InputError
from ..matrices.properties import lanczos_ritz_values
from ..matrices.symmetry import is_hermitian
from ..operands import as_csr
from ..preconditioner import Preconditioner

_HIGHEST_DEGREE = 6


class SymmetricPolynomial(Preconditioner):
    """Apply M ∝ P_τ(A), P_0 = I, P_1 = tr(A) I − A, P_τ = (1/τ) Σ_{i=1}^τ (−1)^{i−1} P_{τ−i} (tr(Aⁱ) I − Aⁱ).

    On the eigenvector of λ_i, P_τ is e_τ(λ without λ_i), the elementary symmetric polynomial of the other eigenvalues:
    positive for every Hermitian positive definite A, and needs no bounds of the spectrum. By Newton's identities

        P_τ = Σ_{j=0}^τ (−1)^j e_{τ−j}(λ) A^j,

    evaluated by Horner's rule in τ products. Where τ eigenvalues stand out, κ(P_τ A) falls from λ_1/λ_n to about
    Σ_{j>τ} λ_j/λ_n; where the trace is spread over the spectrum, as for a Laplacian on a fine grid, P_τ is nearly a
    multiple of the identity and gains little.

    Settings
    --------
    degree : int
        τ, 1 to 6; the traces are computed exactly, from powers of A up to ⌈τ/2⌉.

    Raises
    ------
    InputError
        If A is not Hermitian with a positive diagonal, or a Ritz value proves that it is not positive definite.

    References
    ----------
    Doikov and Rodomanov, *Polynomial preconditioning for gradient methods*, ICML 2023, arXiv 2301.13194.
    """

    name = "symmetric_polynomial"

    def __init__(self, degree: int = 2) -> None:
        self.degree = check_count(self.name, "degree", degree, example=2)
        if self.degree > _HIGHEST_DEGREE:
            raise InputError(f"{self.name}: degree is {degree}; expected at most {_HIGHEST_DEGREE}.")

    def _build(self, A: Any, again: bool) -> None:
        matrix = as_csr(A, self.name)
        if not is_hermitian(matrix) or not bool(np.all(matrix.diagonal().real > 0.0)):
            raise InputError(
                f"{self.name} needs A Hermitian positive definite, but A differs from its adjoint or has a diagonal "
                f"≤ 0: use ilu0 or ilut with gmres."
            )
        ritz = lanczos_ritz_values(matrix, steps=30)
        if not ritz[0] > -1e-10 * ritz[-1]:
            raise InputError(
                f"{self.name} needs A positive definite, but it has a Ritz value {ritz[0]:.3g}: use ilut with gmres."
            )
        degree = min(self.degree, matrix.shape[0] - 1)  # e_τ of fewer than τ other eigenvalues is zero
        self._matrix, self._unit = matrix, 1.0 / float(ritz[-1])
        self._coefficients = symmetric_coefficients(_power_sums(matrix * self._unit, degree))
        # Scaled like A⁻¹: the largest eigenvalue of M A that the Ritz values show is 1.
        theta = np.clip(ritz * self._unit, 0.0, None)
        largest = float((theta * np.polynomial.polynomial.polyval(theta, self._coefficients)).max())
        self._coefficients *= self._unit / (largest if largest > 0.0 else 1.0)
        self.kind = "spd"

    def _apply(self, r: np.ndarray) -> np.ndarray:
        coefficients = self._coefficients
        z = coefficients[-1] * r
        for coefficient in coefficients[-2::-1]:
            z = self._unit * (self._matrix @ z) + coefficient * r
        return z


def symmetric_coefficients(power_sums: np.ndarray) -> np.ndarray:
    """Return the coefficients (−1)^j e_{τ−j}, j = 0…τ, of P_τ from the power sums tr(Aⁱ), i = 1…τ."""
    degree = len(power_sums)
    elementary = np.zeros(degree + 1)
    elementary[0] = 1.0
    for t in range(1, degree + 1):
        signs = (-1.0) ** np.arange(t)
        elementary[t] = np.sum(signs * elementary[t - 1 :: -1][:t] * power_sums[:t]) / t
    return (-1.0) ** np.arange(degree + 1) * elementary[::-1]


def _power_sums(matrix: sp.csr_array, degree: int) -> np.ndarray:
    """Return tr(Aⁱ), i = 1…degree, exactly: tr(A^{j+k}) = Σ (A^j)_{pq} conj((A^k)_{pq}) for Hermitian A."""
    powers = [matrix]
    while 2 * len(powers) < degree:
        powers.append(sp.csr_array(powers[-1] @ matrix))
    sums = [float(matrix.diagonal().real.sum())][:degree]
    for i in range(2, degree + 1):
        left, right = powers[i // 2 - 1], powers[i - i // 2 - 1]
        sums.append(float(left.multiply(right.conj()).sum().real))
    return np.array(sums)
