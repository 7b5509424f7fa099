"""Probe a matrix for size, symmetry and definiteness, at the cost of a few dozen products.

The result says whether a property is *proven* (Gershgorin's circles, a negative Ritz value), *computed* (all
eigenvalues of a small matrix) or only *seen* (no negative Ritz value after k Lanczos steps).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from .components import floating_bodies, held_by_dominance
from .equilibration import symmetric_scale
from .symmetry import SYMMETRY_TOLERANCE, asymmetry, largest_of_rows, sizes_of_rows

LANCZOS_STEPS = 40

_DENSE = 200
"""Order up to which all eigenvalues are computed, in a few milliseconds."""

_FACTORABLE = 5_000
"""Order up to which a factorisation decides what Lanczos steps have only seen."""

_PIVOT_FLOOR = 10 * float(np.finfo(float).eps)
_NEARLY_SINGULAR = 1e-13
_ALIKE = 100.0
"""Largest entries of rows that differ by less need no scaling."""


@dataclass(frozen=True)
class MatrixProperties:
    """Hold the properties of a square matrix.

    Attributes
    ----------
    n, nnz : order and stored entries.
    complex : whether the entries are complex.
    symmetry : ``symmetric`` (real), ``hermitian``, ``complex symmetric`` or ``nonsymmetric``.
    asymmetry : max |a_ij − ā_ji| / √(d_i d_j), d_i the largest entry of row i and column i.
    definiteness : ``positive`` or ``negative``, ``definite`` or ``semidefinite``; ``indefinite``; or ``unknown`` where
        A ≠ Aᴴ, or it was not probed.
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


@np.errstate(all="ignore")
def matrix_properties(A: Any, steps: int = LANCZOS_STEPS, seed: int = 0, skew: float | None = None) -> MatrixProperties:
    """Probe a square sparse or dense matrix.

    Symmetry and definiteness are those of the matrix scaled symmetrically to a uniform size of its rows, which has the
    same inertia (Sylvester): a few rows of huge entries hide neither.

    Parameters
    ----------
    A : sparse or dense, (n, n), real or complex.
    steps : Lanczos steps of the definiteness probe; with 0 only what costs a few products is looked at.
    seed : seed of its start vector.
    skew : the asymmetry, if it is known.
    """
    A = sp.csr_array(A)
    n = A.shape[0]
    is_complex = A.dtype.kind == "c"
    skew = asymmetry(A) if skew is None else skew
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


def _definiteness(A: sp.csr_array, steps: int, seed: int) -> tuple[str, str, tuple[float, float] | None]:
    n = A.shape[0]
    diagonal = A.diagonal().real
    if diagonal.min() < 0 < diagonal.max():
        return "indefinite", "proven: the diagonal changes sign", None
    if not diagonal.any():
        if A.count_nonzero():
            return "indefinite", "proven: the diagonal is zero, and A is not", None
        return "positive semidefinite", "proven: A is zero", None
    radius = sizes_of_rows(A) - np.abs(diagonal)
    sign = 1.0 if diagonal.max() > 0.0 else -1.0
    if np.any((diagonal == 0.0) & (radius > 0.0)):
        return "indefinite", "proven: a zero on the diagonal of a row that is not zero", None
    which = "positive" if sign > 0.0 else "negative"
    lower = float((sign * diagonal - radius).min())
    if lower > 0:
        side = f"right of {lower:.3g}" if sign > 0.0 else f"left of {-lower:.3g}"
        return f"{which} definite", f"proven: Gershgorin's circles lie {side}", None
    if held_by_dominance(A, sign * diagonal, radius):
        return f"{which} definite", "proven: diagonally dominant, strictly so in a row of each component", None
    if lower >= -1e-12 * float(radius.max()) and (bodies := floating_bodies(A)) is not None:
        kernel = "A·1 = 0" if bodies.shape[1] == 1 and bodies.all() else f"{bodies.shape[1]} parts with A·1 = 0"
        return f"{which} semidefinite", f"proven: diagonally dominant, {kernel}", None
    if steps == 0:
        return "unknown", "not probed", None
    scaled = _equilibrated(A)
    if n <= _DENSE:
        theta = np.linalg.eigvalsh(scaled.toarray())
        how = "computed: eigenvalues"
    else:
        theta = lanczos_ritz_values(scaled, steps, seed)
        how = f"seen: Ritz values of {len(theta)} Lanczos steps"
    low, high = float(theta[0]), float(theta[-1])
    floor = 10 * np.finfo(float).eps * max(abs(low), abs(high), 1e-300) * np.sqrt(n)
    spread = f"from {low:.3g} to {high:.3g}"
    if low < -floor and high > floor:
        return "indefinite", f"{'proven' if n > _DENSE else 'computed'}: eigenvalues {spread} and beyond", (low, high)
    near = min(abs(low), abs(high))
    if near <= floor:
        return f"{which} semidefinite", f"{how} {spread}", (low, high)
    if n > _DENSE and n <= _FACTORABLE and (smallest := _smallest_pivot(scaled, sign)) is not None:
        if smallest < -_PIVOT_FLOOR * n:
            return "indefinite", f"seen: a pivot of {sign * smallest:.2g} in its factorisation", (low, high)
        if smallest <= _PIVOT_FLOOR * n:
            return f"{which} semidefinite", f"seen: a pivot of {smallest:.1g} in its factorisation", (low, high)
        return f"{which} definite", f"proven: its factorisation has pivots of at least {smallest:.2g}", (low, high)
    close = ", nearly singular" if near <= _NEARLY_SINGULAR * max(abs(low), abs(high)) else ""
    return f"{which} definite", f"{how} {spread}{close}", (low, high)


def _equilibrated(A: sp.csr_array) -> sp.csr_array:
    """Return D A D, D of powers of two, with rows whose largest entries are near one; A itself if they are alike."""
    sizes = largest_of_rows(A)
    sizes[sizes == 0.0] = 1.0
    if sizes.max() <= _ALIKE * sizes.min():
        return A
    scale = symmetric_scale(A)
    return sp.csr_array(sp.diags_array(scale) @ A @ sp.diags_array(scale))


def _smallest_pivot(A: sp.csr_array, sign: float) -> float | None:
    """Return the smallest pivot of ±A without row exchanges, relative to the largest; None where none can be had."""
    try:
        lu = spla.splu(
            (sign * A).tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True, "Equil": False},
        )
    except (RuntimeError, MemoryError):  # SuperLU's report of a zero pivot
        return 0.0
    pivots = lu.U.diagonal().real
    if not np.array_equal(lu.perm_r, lu.perm_c) or not np.isfinite(pivots).all():
        return None
    return float(pivots.min() / np.abs(pivots).max())


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
