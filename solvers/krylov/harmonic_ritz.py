"""Harmonic Ritz vectors of a Hermitian problem, from what conjugate gradients or MINRES compute anyway."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.linalg

from ..iteration import Column
from ..operands import on_host
from ..stopping import EPSILON

_DEPENDENT = 1e-10
"""Share of the largest eigenvalue of the Gram matrix below which a direction of the window is left out."""


class Harvest:
    """Collects (z, A z, M A z) and condenses them, a window at a time, to the harmonic Ritz vectors of least modulus.

    The vectors kept so far and the window span Z; of (A Z)ᴴ M (A Z) y = θ (A Z)ᴴ Z y, the harmonic Ritz problem of M A
    in the inner product of M⁻¹, the y of least |θ| make the next vectors kept. It is definite on the left, so that θ is
    real and A indefinite does no harm. No product is taken: images are combined as their vectors are.

    Parameters
    ----------
    column : Column
    k, window : int
        Vectors kept, and those collected between two condensations.
    start : (U, C, M C)
        The space that the solve started from, in rows; or None.

    References
    ----------
    Wang, de Sturler and Paulino, Int. J. Numer. Methods Eng. 69 (2007) 2441; Saad, Yeung, Erhel and Guyomarc'h, SIAM
    J. Sci. Comput. 21 (2000) 1909.
    """

    def __init__(self, column: Column, k: int, window: int, start: tuple[Any, Any, Any] | None) -> None:
        self.xp, self.k, self.window = column.xp, min(k, column.A.n - 1), window
        kept = 0 if start is None else int(start[0].shape[0])
        self.room = max(k, kept) + window

        def store() -> Any:
            return self.xp.empty((self.room, column.A.n), dtype=column.dtype)

        self.Z, self.AZ = store(), store()
        self.MAZ = store() if column.preconditioned else self.AZ
        self.kept = self.filled = kept
        if start is not None:
            for rows, given in zip((self.Z, self.AZ, self.MAZ), start, strict=True):
                rows[:kept] = given

    def add(self, z: Any, Az: Any, MAz: Any) -> None:
        """Collect one direction with its image and M times that; copies are taken."""
        if self.k < 1:
            return
        self.Z[self.filled], self.AZ[self.filled] = z, Az
        if self.MAZ is not self.AZ:
            self.MAZ[self.filled] = MAz
        self.filled += 1
        if self.filled == self.room:
            self.condense()

    def condense(self) -> None:
        """Replace what is stored by the k vectors kept."""
        xp, m = self.xp, self.filled
        Z, AZ, MAZ = self.Z[:m], self.AZ[:m], self.MAZ[:m]
        K, F = on_host(xp.conj(AZ) @ MAZ.T), on_host(xp.conj(AZ) @ Z.T)
        Y = least_harmonic(K, F, self.k)
        if Y is None:
            self.filled = self.kept
            return
        combination = xp.asarray(Y.T)
        self.kept = self.filled = Y.shape[1]
        stores = [(self.Z, Z), (self.AZ, AZ)] + ([] if self.MAZ is self.AZ else [(self.MAZ, MAZ)])
        for store, rows in stores:
            store[: self.kept] = combination @ rows

    def space(self) -> tuple[Any, Any] | None:
        """(U, C) in rows of all that was collected, A U = C; None of nothing."""
        if self.filled > self.kept or self.kept > self.k:
            self.condense()
        return (self.Z[: self.kept].copy(), self.AZ[: self.kept].copy()) if self.kept else None


def least_harmonic(K: np.ndarray, F: np.ndarray, k: int) -> np.ndarray | None:
    """The y (m, j), j ≤ k, of least |θ| in K y = θ F y, K positive definite and F Hermitian, scaled to yᴴ K y = 1.

    None where an entry is not finite. Directions in which K is singular to working precision are left out.
    """
    sizes = np.sqrt(np.abs(np.diagonal(K).real))
    if not (np.isfinite(K).all() and np.isfinite(F).all() and sizes.max() > 0.0):
        return None
    scale = np.where(sizes > 0.0, 1.0 / np.where(sizes > 0.0, sizes, 1.0), 0.0)
    K, F = (0.5 * (scale[:, None] * G * scale + (scale[:, None] * G * scale).conj().T) for G in (K, F))
    sizes, vectors = np.linalg.eigh(K)
    kept = sizes > _DEPENDENT * sizes[-1]
    basis = vectors[:, kept] / np.sqrt(sizes[kept])
    inverse_values, vectors = np.linalg.eigh(basis.conj().T @ F @ basis)
    order = np.argsort(-np.abs(inverse_values), kind="stable")[:k]
    return scale[:, None] * (basis @ vectors[:, order])


_CONDITION = 1e13


def smallest_harmonic(G: np.ndarray, F: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Bases of the harmonic Ritz vectors of least modulus: Gᴴ G p = θ Gᴴ F p.

    With G = Q R that is (Qᴴ F R⁻¹) s = θ⁻¹ s, p = R⁻¹ s; an orthonormal basis S of the vectors s gives images Q S that
    are orthonormal as they are. Of a real problem S is real: a complex pair comes as its real and imaginary parts.

    Returns
    -------
    images : ndarray, (rows, j)
        Q S, the orthonormal G P.
    combination : ndarray, (columns, j)
        P = R⁻¹ S, j ≤ most (2 for most = 1 where a pair leads); None where G is singular to working precision.
    """
    Q, R = np.linalg.qr(G)
    pivots = np.abs(np.diagonal(R))
    if not (np.isfinite(pivots).all() and pivots.min() * _CONDITION > pivots.max()):
        return None
    inverse_values, vectors = np.linalg.eig(scipy.linalg.solve_triangular(R, (Q.conj().T @ F).T, trans="T").T)
    order = np.argsort(-np.abs(inverse_values), kind="stable")
    if np.iscomplexobj(G):
        chosen = vectors[:, order[:most]]
    else:
        chosen = _real_columns(inverse_values[order], vectors[:, order], most)
    S, triangle = np.linalg.qr(chosen)
    S = S[:, np.abs(np.diagonal(triangle)) > math.sqrt(EPSILON)]
    return Q @ S, scipy.linalg.solve_triangular(R, S)


def _real_columns(values: np.ndarray, vectors: np.ndarray, most: int) -> np.ndarray:
    """Real vectors for the leading eigenvalues of a real matrix, pairs whole, at most `most` (or one pair)."""
    columns: list[np.ndarray] = []
    for value, vector in zip(values, vectors.T, strict=True):
        if value.imag < 0.0:
            continue  # its conjugate brings both
        new = [vector.real] if value.imag == 0.0 else [vector.real, vector.imag]
        if len(columns) + len(new) > max(most, len(new) if not columns else 0):
            break
        columns += new
    return np.stack(columns, axis=1)
