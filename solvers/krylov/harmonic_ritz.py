"""Compute harmonic Ritz vectors from what a Krylov method has at hand, without further products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.linalg

from ..iteration import Column
from ..operands import on_host
from ..stopping import EPSILON

_DEPENDENT = 1e-10
"""A direction of the window is dropped below this share of the largest eigenvalue of the Gram matrix."""


class Harvest:
    """Collect (z, A z, M A z) and condense them, a window at a time, to the harmonic Ritz vectors of least modulus.

    The condensed vectors and the window span Z. The harmonic Ritz problem of M A in the inner product of M⁻¹ is
    (A Z)ᴴ M (A Z) y = θ (A Z)ᴴ Z y; its y of least |θ| make the next condensed vectors. The matrix on the left is
    definite, so θ is real, and A may be indefinite. No product is taken: images are combined as their vectors are.

    Parameters
    ----------
    column : Column
    k, window : int
        Condensed vectors, and vectors collected between two condensations.
    start : (U, C, M C)
        The space that the solve starts from, in rows; or None.

    References
    ----------
    Wang, de Sturler and Paulino, Int. J. Numer. Methods Eng. 69 (2007) 2441; Saad, Yeung, Erhel and Guyomarc'h, SIAM
    J. Sci. Comput. 21 (2000) 1909.
    """

    def __init__(self, column: Column, k: int, window: int, start: tuple[Any, Any, Any] | None) -> None:
        self.xp, self.k, self.window = column.xp, min(k, column.A.n - 1), window
        condensed = 0 if start is None else int(start[0].shape[0])
        self.capacity = max(k, condensed) + window

        def store() -> Any:
            return self.xp.empty((self.capacity, column.A.n), dtype=column.dtype)

        self.Z, self.AZ = store(), store()
        self.MAZ = store() if column.preconditioned else self.AZ
        self.condensed = self.filled = condensed
        if start is not None:
            for rows, vectors in zip((self.Z, self.AZ, self.MAZ), start, strict=True):
                rows[:condensed] = vectors

    def add(self, z: Any, Az: Any, MAz: Any) -> None:
        """Collect copies of one direction, its image and M times that."""
        if self.k < 1:
            return
        self.Z[self.filled], self.AZ[self.filled] = z, Az
        if self.MAZ is not self.AZ:
            self.MAZ[self.filled] = MAz
        self.filled += 1
        if self.filled == self.capacity:
            self.condense()

    def condense(self) -> None:
        """Replace what is stored by the k harmonic Ritz vectors of least modulus."""
        xp, m = self.xp, self.filled
        Z, AZ, MAZ = self.Z[:m], self.AZ[:m], self.MAZ[:m]
        K, F = on_host(xp.conj(AZ) @ MAZ.T), on_host(xp.conj(AZ) @ Z.T)
        Y = least_harmonic(K, F, self.k)
        if Y is None:
            self.filled = self.condensed
            return
        combination = xp.asarray(Y.T)
        self.condensed = self.filled = Y.shape[1]
        stores = [(self.Z, Z), (self.AZ, AZ)] + ([] if self.MAZ is self.AZ else [(self.MAZ, MAZ)])
        for store, rows in stores:
            store[: self.condensed] = combination @ rows

    def space(self) -> tuple[Any, Any] | None:
        """Return (U, C), A U = C, in rows, condensed from all that was collected; None if nothing was."""
        if self.filled > self.condensed or self.condensed > self.k:
            self.condense()
        return (self.Z[: self.condensed].copy(), self.AZ[: self.condensed].copy()) if self.condensed else None


def least_harmonic(K: np.ndarray, F: np.ndarray, k: int) -> np.ndarray | None:
    """Return the y (m, j), j ≤ k, of least |θ| in K y = θ F y, K positive definite, F Hermitian, with yᴴ K y = 1.

    None if an entry is not finite. Directions in which K is singular to working precision are dropped.
    """
    sizes = np.sqrt(np.abs(np.diagonal(K).real))
    if not (np.isfinite(K).all() and np.isfinite(F).all() and sizes.max() > 0.0):
        return None
    scale = np.where(sizes > 0.0, 1.0 / np.where(sizes > 0.0, sizes, 1.0), 0.0)
    K, F = (0.5 * (scale[:, None] * G * scale + (scale[:, None] * G * scale).conj().T) for G in (K, F))
    if not (np.isfinite(K).all() and np.isfinite(F).all()):
        return None
    sizes, vectors = np.linalg.eigh(K)
    independent = sizes > _DEPENDENT * sizes[-1]
    basis = vectors[:, independent] / np.sqrt(sizes[independent])
    projected = basis.conj().T @ F @ basis
    if not np.isfinite(projected).all():
        return None
    inverse_values, vectors = np.linalg.eigh(projected)
    order = np.argsort(-np.abs(inverse_values), kind="stable")[:k]
    return scale[:, None] * (basis @ vectors[:, order])


_CONDITION = 1e13


def smallest_harmonic(G: np.ndarray, F: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return bases of the harmonic Ritz vectors of least modulus, those of Gᴴ G p = θ Gᴴ F p.

    With G = Q R this reads (Qᴴ F R⁻¹) s = θ⁻¹ s, p = R⁻¹ s; an orthonormal basis S of the vectors s has orthonormal
    images Q S. For a real problem S is real: a complex pair enters as its real and imaginary parts.

    Returns
    -------
    images : ndarray, (rows, j)
        Q S, the orthonormal G P.
    combination : ndarray, (columns, j)
        P = R⁻¹ S, j ≤ most (2 for most = 1 where a pair leads); None if G is singular to working precision, or an entry
        is not finite.
    """
    if not (np.isfinite(G).all() and np.isfinite(F).all()):
        return None
    Q, R = np.linalg.qr(G)
    pivots = np.abs(np.diagonal(R))
    if not (np.isfinite(pivots).all() and pivots.min() * _CONDITION > pivots.max()):
        return None
    projected = scipy.linalg.solve_triangular(R, (Q.conj().T @ F).T, trans="T", check_finite=False).T
    if not np.isfinite(projected).all():
        return None
    inverse_values, vectors = np.linalg.eig(projected)
    order = np.argsort(-np.abs(inverse_values), kind="stable")
    if np.iscomplexobj(G):
        chosen = vectors[:, order[:most]]
    else:
        chosen = _real_columns(inverse_values[order], vectors[:, order], most)
    S, triangle = np.linalg.qr(chosen)
    S = S[:, np.abs(np.diagonal(triangle)) > math.sqrt(EPSILON)]
    return Q @ S, scipy.linalg.solve_triangular(R, S)


def _real_columns(values: np.ndarray, vectors: np.ndarray, most: int) -> np.ndarray:
    """Return real vectors for the leading eigenvalues of a real matrix, whole pairs, at most `most` (or one pair)."""
    columns: list[np.ndarray] = []
    for value, vector in zip(values, vectors.T, strict=True):
        if value.imag < 0.0:
            continue  # its conjugate brings both
        new = [vector.real] if value.imag == 0.0 else [vector.real, vector.imag]
        if len(columns) + len(new) > max(most, len(new) if not columns else 0):
            break
        columns += new
    return np.stack(columns, axis=1)
