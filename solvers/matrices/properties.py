"""Probe a matrix for size, symmetry and definiteness, at the cost of a few dozen products.

The result says whether a property is *proven* (a negative pivot, Gershgorin's
circles, a negative Ritz value) or only *seen* (no negative Ritz value after k Lanczos steps).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from .symmetry import SYMMETRY_TOLERANCE, asymmetry

LANCZOS_STEPS = 40


@dataclass(frozen=True)
class MatrixProperties:
    """Hold the properties of a square matrix.

    Attributes
    ----------
    n, nnz : order and stored entries.
    complex : whether the entries are complex.
    symmetry : ``symmetric`` (real), ``hermitian``, ``complex symmetric`` or ``nonsymmetric``.
    asymmetry : max |A − Aᴴ| / max |A|.
    definiteness : ``positive definite``, ``positive semidefinite``, ``indefinite``, ``negative definite``, or
        ``unknown`` where A ≠ Aᴴ.
    evidence : how definiteness is known.
    ritz : smallest and largest Ritz value seen, or ``None``.
    """

    n: int
    nnz: int
    complex: bool
    symmetry: str
    asymmetry: float
    definiteness: str
    evidence: str
    ritz: tuple[float, float] | None

    @property
    def self_adjoint(self) -> bool:
        """Return whether A = Aᴴ to rounding."""
        return self.symmetry in ("symmetric", "hermitian")

    @property
    def may_use_cg(self) -> bool:
        """Return whether the conjugate-gradient method applies, as far as the probe could tell."""
        return self.self_adjoint and self.definiteness.startswith("positive")


def matrix_properties(A: Any, steps: int = LANCZOS_STEPS, seed: int = 0) -> MatrixProperties:
    """Probe a square sparse or dense matrix.

    Parameters
    ----------
    A : sparse or dense, (n, n), real or complex.
    steps : Lanczos steps of the definiteness probe.
    seed : seed of its start vector.
    """
    A = sp.csr_array(A)
    n = A.shape[0]
    is_complex = A.dtype.kind == "c"
    skew = asymmetry(A)
    if skew <= SYMMETRY_TOLERANCE:
        symmetry = "hermitian" if is_complex else "symmetric"
    elif is_complex and asymmetry(A, conjugate=False) <= SYMMETRY_TOLERANCE:
        symmetry = "complex symmetric"
    else:
        symmetry = "nonsymmetric"
    if symmetry not in ("symmetric", "hermitian"):
        return MatrixProperties(n, A.nnz, is_complex, symmetry, skew, "unknown", "probed only for A = Aᴴ", None)
    definiteness, evidence, ritz = _definiteness(A, steps, seed)
    return MatrixProperties(n, A.nnz, is_complex, symmetry, skew, definiteness, evidence, ritz)


def _definiteness(A: Any, steps: int, seed: int) -> tuple[str, str, tuple[float, float] | None]:
    n = A.shape[0]
    diagonal = A.diagonal().real
    if diagonal.min() < 0 < diagonal.max():
        return "indefinite", "proven: the diagonal changes sign", None
    radius = np.asarray(abs(A).sum(axis=1)).ravel() - np.abs(diagonal)
    lower = float((diagonal - radius).min())
    if lower > 0:
        return "positive definite", f"proven: Gershgorin's circles lie right of {lower:.3g}", None
    theta = lanczos_ritz_values(A, steps, seed)
    low, high = float(theta[0]), float(theta[-1])
    scale = max(abs(low), abs(high))
    floor = 10 * np.finfo(float).eps * max(scale, 1e-300) * np.sqrt(n)
    steps = len(theta)
    if low < -floor and high > floor:
        return "indefinite", f"proven: Ritz values from {low:.3g} to {high:.3g}", (low, high)
    if high <= floor and low < -floor:
        return (
            "negative definite",
            f"seen: Ritz values from {low:.3g} to {high:.3g} in {steps} Lanczos steps",
            (low, high),
        )
    if low <= floor:
        return "positive semidefinite", f"seen: smallest Ritz value {low:.3g} in {steps} Lanczos steps", (low, high)
    sure = " = n: exact" if steps == n else ""
    return "positive definite", f"seen: smallest Ritz value {low:.3g} in {steps} Lanczos steps{sure}", (low, high)


def lanczos_ritz_values(A: Any, steps: int = LANCZOS_STEPS, seed: int = 0) -> np.ndarray:
    """Return the Ritz values of a Hermitian matrix after k Lanczos steps with full reorthogonalisation, ascending.

    Every Ritz value lies between the smallest and the largest eigenvalue, so a negative one proves A not to be positive
    definite (Golub and Van Loan, Matrix Computations, §10.1).
    """
    n = A.shape[0]
    k = min(steps, n)
    rng = np.random.default_rng(seed)
    basis = np.zeros((k, n), dtype=np.result_type(A.dtype, np.float64))
    alpha, beta = np.zeros(k), np.zeros(max(k - 1, 0))
    q = rng.standard_normal(n).astype(basis.dtype)
    basis[0] = q / np.linalg.norm(q)
    done = k
    for j in range(k):
        w = A @ basis[j]
        alpha[j] = np.vdot(basis[j], w).real
        for _ in range(2):  # twice is enough (Parlett)
            w -= basis[: j + 1].T @ (basis[: j + 1].conj() @ w)
        if j + 1 == k:
            break
        beta[j] = np.linalg.norm(w)
        if beta[j] <= np.finfo(float).eps * max(abs(alpha[: j + 1]).max(), beta[: j + 1].max()) * n:
            done = j + 1  # an invariant subspace: its Ritz values are eigenvalues
            break
        basis[j + 1] = w / beta[j]
    return np.asarray(scipy.linalg.eigh_tridiagonal(alpha[:done], beta[: done - 1], eigvals_only=True))
