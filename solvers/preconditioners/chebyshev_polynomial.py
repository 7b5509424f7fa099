"""Precondition by a Chebyshev polynomial in A."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import check_count
from ..errors import InputError
from ..iteration import Breakdown, Column
from ..krylov.spectrum import read_bounds, spectral_bounds
from ..matrices.symmetry import is_hermitian
from ..operands import CountedOperator, diagonal_of, is_gpu, read_operator, read_vectors
from ..preconditioner import Preconditioner

_SAFETY = 1.02


class ChebyshevPolynomial(Preconditioner):
    """Apply M = p(D⁻¹A) D⁻¹, p of degree `degree` − 1 such that 1 − t p(t) is smallest on [low, high]: a scaled T_d.

    These are `degree` steps of the Chebyshev iteration from zero, preconditioned by the diagonal. M is Hermitian
    positive definite as long as no eigenvalue of D⁻¹A lies above `high`; κ(MA) ≤ (1 + η)/(1 − η), η = 1/T_d((high +
    low)/(high − low)). It takes degree − 1 products an application, no inner products and no triangular solves, and
    needs of A its products and its diagonal only. As a preconditioner of cg it saves inner products, not products.

    Settings
    --------
    degree : int
        Number of steps.
    bounds : (low, high), optional
        Bounds of the spectrum of D⁻¹A, by default estimated by 20 Lanczos steps.

    Raises
    ------
    InputError
        If the diagonal of A is not positive, or a Ritz value proves A not to be positive definite.

    References
    ----------
    Johnson, Micchelli and Paul, SIAM J. Numer. Anal. 20 (1983) 362; Saad, SIAM J. Sci. Stat. Comput. 6 (1985) 865;
    Adams, Brezina, Hu and Tuminaro, J. Comput. Phys. 188 (2003) 593.
    """

    name = "chebyshev_polynomial"

    def __init__(self, degree: int = 4, bounds: tuple[float, float] | None = None) -> None:
        self.degree = check_count(self.name, "degree", degree, example=4)
        read_bounds(self.name, bounds)
        self._bounds = None if bounds is None else (float(bounds[0]), float(bounds[1]))

    def _build(self, A: Any, again: bool) -> None:
        self._A = read_operator(A)
        if self._A.matrix is not None and not is_gpu(self._A.matrix) and not is_hermitian(self._A.matrix):
            raise InputError(f"{self.name} needs A Hermitian, but A differs from its adjoint: use ilu0 with gmres.")
        diagonal = read_vectors(diagonal_of(A, self.name), self._A.n, "the diagonal of A").real
        if not bool((diagonal > 0.0).all()):
            raise InputError(
                f"{self.name} needs A positive definite, but its diagonal has entries ≤ 0: use ilut with gmres."
            )
        self._inverse = 1.0 / diagonal
        if self._bounds is not None:
            self.bounds = self._bounds
        else:
            jacobi = CountedOperator(lambda r: self._inverse * r, self._A.n, np.float64, self._A.xp, "D⁻¹", None)
            try:
                low, high = spectral_bounds(Column(self._A, jacobi, self._A.xp, self.dtype))
            except Breakdown as failure:
                raise InputError(f"{self.name}: {failure.reason}; use ilut or direct with gmres.") from failure
            self.bounds = (low, _SAFETY * high)
        self.kind = "spd"

    def _describe(self) -> dict[str, Any]:
        low, high = self.bounds
        return {"degree": self.degree, "bounds": f"({low:.3g}, {high:.3g})"}

    def _apply(self, r: Any) -> Any:
        low, high = self.bounds
        theta, delta = 0.5 * (high + low), max(0.5 * (high - low), 1e-12 * high)
        sigma = theta / delta
        rho = 1.0 / sigma
        d = self._inverse * r / theta
        z = d.copy()
        for _ in range(self.degree - 1):
            r = r - self._A(d)
            rho, previous = 1.0 / (2.0 * sigma - rho), rho
            d = (rho * previous) * d + (2.0 * rho / delta) * (self._inverse * r)
            z += d
        return z
