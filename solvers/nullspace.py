"""Project onto the range of a singular Hermitian A of known null space: Neumann and periodic problems, free bodies.

For A = Aᴴ the range is the orthogonal complement of the null space, so A x = b has a solution exactly when Nᴴ b = 0,
and the solution orthogonal to N is the one of least norm. A solver projects residuals and directions onto that
complement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import InputError
from .operands import CountedOperator, on_host, read_vectors

_RANK_TOLERANCE = 1e-10
_ANNIHILATION_TOLERANCE = 1e-8


@dataclass(frozen=True)
class NullSpace:
    """Hold an orthonormal basis Q of the null space, (n, m)."""

    basis: Any
    adjoint: Any

    def project(self, v: Any) -> Any:
        """Return v − Q Qᴴ v, a new array."""
        return v - self.basis @ (self.adjoint @ v)

    def check_consistent(self, b: Any, rhs_norm: float, target: float) -> None:
        """Refuse a right-hand side if its part in the null space alone exceeds the tolerance."""
        part = float(np.linalg.norm(on_host(self.adjoint @ b)))
        if part > target:
            raise InputError(
                f"b has a part of relative size {part / rhs_norm:.2g} in the null space of A, so no x meets the "
                f"tolerance {target / rhs_norm:.2g}: subtract it, b - Q @ (Q.conj().T @ b) with Q orthonormal."
            )


def read_nullspace(nullspace: Any, A: CountedOperator) -> NullSpace:
    """Orthonormalise a basis (n, m) or one vector (n,) and check that A annihilates it.

    Raises
    ------
    InputError
        If the shape does not fit, the vectors are dependent, or ‖A N‖ is not small.
    """
    columns = read_vectors(nullspace, A.n, "nullspace")
    xp = A.xp
    columns = columns[:, None] if columns.ndim == 1 else columns
    if columns.shape[1] >= A.n:
        raise InputError(
            f"nullspace has {columns.shape[1]} vectors of length {A.n}; expected fewer, for A is then zero."
        )
    host, triangle = np.linalg.qr(on_host(columns))
    sizes = np.abs(np.diagonal(triangle))
    if not sizes.min() > _RANK_TOLERANCE * np.linalg.norm(triangle, axis=0).max():
        raise InputError("nullspace has columns that are linearly dependent or zero; expected a basis: drop them.")
    basis = xp.asarray(host)
    probe = np.random.default_rng(0).standard_normal(A.n)
    image = A(xp.asarray(probe / np.linalg.norm(probe)))
    typical = math.sqrt(float(xp.vdot(image, image).real))
    for j in range(basis.shape[1]):
        image = A(xp.ascontiguousarray(basis[:, j]))
        size = math.sqrt(float(xp.vdot(image, image).real))
        if size > _ANNIHILATION_TOLERANCE * typical:
            raise InputError(
                f"nullspace: A times vector {j} has norm {size:.2g}, where a random vector's is {typical:.2g}; "
                f"expected zero: leave nullspace out if A is not singular."
            )
    return NullSpace(basis, xp.ascontiguousarray(basis.conj().T))
