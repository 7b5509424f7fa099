"""Compute the best ω of over-relaxation, by Young's theory, from the spectral radius of the Jacobi iteration."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from ..errors import InputError
from ..matrices.symmetry import is_hermitian
from ..operands import as_csr
from .splitting import nonzero_diagonal

_DENSE_LIMIT = 400


def spectral_radius_jacobi(A: Any) -> float:
    """Return ρ(I − D⁻¹A), the asymptotic factor of Jacobi's iteration.

    For A Hermitian with a positive diagonal the eigenvalues are those of I − S, S = D^{-½} A D^{-½}; both ends of the
    spectrum of S are computed by shift-invert Lanczos with shifts outside of it. Otherwise Arnoldi's method finds
    the eigenvalue of largest modulus.

    Parameters
    ----------
    A : sparse or dense matrix, or an operator with `tocsr()`; (n, n)
        With a diagonal free of zeros.

    Raises
    ------
    InputError
        If A does not fit, or the eigenvalues do not converge.
    """
    matrix = as_csr(A, "spectral_radius_jacobi")
    diagonal = nonzero_diagonal(matrix, "spectral_radius_jacobi")
    n = matrix.shape[0]
    hermitian = is_hermitian(matrix) and bool(np.all(diagonal.real > 0.0))
    if n <= _DENSE_LIMIT:
        iteration = np.eye(n) - matrix.toarray() / diagonal[:, None]
        return float(np.abs(np.linalg.eigvals(iteration)).max())
    start = np.random.default_rng(0).standard_normal(n).astype(matrix.dtype)
    try:
        if hermitian:
            side = sp.diags_array(1.0 / np.sqrt(diagonal.real))
            scaled = sp.csc_array(side @ matrix @ side)
            # λ_min(S) may be 0 (singular A): the shift lies a little below any eigenvalue of a semidefinite S.
            bound = float(abs(scaled).sum(axis=1).max())
            low, high = (
                float(spla.eigsh(scaled, k=1, sigma=sigma, which="LM", v0=start, return_eigenvectors=False)[0])
                for sigma in (-1e-10 * bound, bound * (1.0 + 1e-10))
            )
            return max(abs(1.0 - low), abs(1.0 - high))
        iteration = sp.eye_array(n, format="csr") - sp.diags_array(1.0 / diagonal) @ matrix
        return float(abs(spla.eigs(iteration, k=1, which="LM", v0=start, return_eigenvectors=False)[0]))
    except (spla.ArpackError, RuntimeError) as error:
        raise InputError(
            f"spectral_radius_jacobi: the eigenvalues of the {n} × {n} matrix did not converge ({error}); "
            f"estimate ρ on a coarser grid."
        ) from error


def optimal_omega(A: Any) -> float:
    """Return Young's ω = 2/(1 + √(1 − ρ²)), ρ = ρ(I − D⁻¹A), which minimises the spectral radius of SOR to ω − 1.

    It holds for *consistently ordered* A (property A, in a compatible order of the unknowns: five- and seven-point
    stencils in C order, block tridiagonal matrices with diagonal blocks) whose Jacobi eigenvalues are real with ρ <
    1, which Hermitian positive definite A of that class have. For other matrices it is a guess. ω − 1 is an asymptotic
    factor: the best ω for a finite tolerance differs a little.

    Raises
    ------
    InputError
        If ρ ≥ 1 (Jacobi's iteration does not converge and the theory says nothing), or A does not fit.

    References
    ----------
    Young, Trans. Amer. Math. Soc. 76 (1954) 92; *Iterative Solution of Large Linear Systems* (1971), chapter 6.
    """
    rho = spectral_radius_jacobi(A)
    if rho >= 1.0:
        raise InputError(
            f"optimal_omega: the Jacobi iteration has spectral radius {rho:.6g} ≥ 1, "
            f"where Young's theory says nothing; scan omega in (0, 2) instead."
        )
    return 2.0 / (1.0 + math.sqrt(1.0 - rho * rho))
