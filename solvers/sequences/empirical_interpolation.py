"""Interpolate a family of vectors empirically, from a few of its members and a few of their entries.

From v_1, …, v_N the greedy algorithm picks members i_m and "magic" entries q_m so that

    v ≈ Σ_m β_m v_{i_m},   Σ_m β_m (v_{i_m})_{q_l} = (v)_{q_l},   l = 1, …, Q.

Applied to the entries of the matrices of a family it finds an affine dependence A(μ) = Σ_m β_m(μ) A(μ_m) from assembled
matrices alone, without the code that assembled them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_TRAINED = 4
"""Training vectors for each term that an interpolation may have."""


@dataclass(frozen=True)
class Interpolation:
    """Hold the members, entries and coefficients of an empirical interpolation.

    Attributes
    ----------
    members, entries : ndarray of int, (Q,)
        i_m and q_m.
    coefficients : ndarray, (N, Q)
        The β of each vector.
    error : float
        max |v − Σ β_m v_{i_m}| over all vectors and entries, relative to the largest entry of all.
    """

    members: np.ndarray
    entries: np.ndarray
    coefficients: np.ndarray
    error: float

    @property
    def rank(self) -> int:
        """Return the number of terms Q."""
        return len(self.members)


def empirical_interpolation(values: np.ndarray, tolerance: float, most: int) -> Interpolation | None:
    """Interpolate the rows of (N, p) to a relative error in the maximum norm; None if `most` terms do not suffice.

    Each step takes the largest entry of the remainder and eliminates its row and column, as Gaussian elimination with
    complete pivoting does: O(N p Q), and N p numbers of memory.

    References
    ----------
    Barrault, Maday, Nguyen and Patera, C. R. Acad. Sci. Paris I 339 (2004) 667; Casenave, Ern and Lelièvre, Adv.
    Comput. Math. 41 (2015) 1161 (arXiv 1307.4330).
    """
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return Interpolation(np.zeros(0, int), np.zeros(0, int), np.zeros((len(values), 0)), 0.0)
    rest = values.copy()
    members: list[int] = []
    entries: list[int] = []
    while True:
        i, q = np.unravel_index(np.argmax(np.abs(rest)), rest.shape)
        error = float(np.abs(rest[i, q])) / largest
        if error <= tolerance:
            break
        if len(members) == min(most, *values.shape):
            return None
        members.append(int(i))
        entries.append(int(q))
        rest -= np.outer(rest[:, q] / rest[i, q], rest[i])
    square = values[np.ix_(members, entries)]
    coefficients = np.linalg.solve(square.T, values[:, entries].T).T
    return Interpolation(np.array(members), np.array(entries), coefficients, error)


def interpolation_of_many(vectors: list[np.ndarray], tolerance: float, most: int) -> Interpolation | None:
    """Interpolate many vectors by `empirical_interpolation` of a few of them, checked on each.

    None if the few need more than `most` terms, or another vector is not met; memory is that of the few.
    """
    count = len(vectors)
    trained = np.unique(np.linspace(0, count - 1, min(count, _TRAINED * most)).astype(int))
    interpolation = empirical_interpolation(np.stack([vectors[i] for i in trained]), tolerance, most)
    if interpolation is None:
        return None
    members, error = trained[interpolation.members], interpolation.error
    terms = [vectors[i] for i in members]
    basis = np.stack(terms) if terms else np.zeros((0, vectors[0].size))
    entries = np.stack([vector[interpolation.entries] for vector in vectors])
    coefficients = np.linalg.solve(basis[:, interpolation.entries].T, entries.T).T if terms else np.zeros((count, 0))
    largest = max(float(np.abs(vector).max(initial=0.0)) for vector in vectors)
    for vector, beta in zip(vectors, coefficients, strict=True):
        remainder = float(np.abs(vector - beta @ basis).max(initial=0.0))
        if remainder > 10.0 * tolerance * largest:
            return None
        error = max(error, remainder / largest if largest > 0.0 else 0.0)
    return Interpolation(members, interpolation.entries, coefficients, error)


def spanning_columns(columns: np.ndarray, tolerance: float, most: int) -> tuple[np.ndarray, float] | None:
    """Return an orthonormal Q (n, r) with ‖v − Q Qᴴ v‖ ≤ tolerance ‖v‖ for all columns v, and the largest such ratio.

    Each step adds the column of (n, m) that is represented worst, by Gram–Schmidt with reorthogonalisation: O(n m r).
    None if r would exceed `most`.
    """
    sizes = np.linalg.norm(columns, axis=0)
    rest = columns / np.where(sizes > 0.0, sizes, 1.0)
    basis: list[np.ndarray] = []
    while True:
        remainder = np.linalg.norm(rest, axis=0)
        worst = int(np.argmax(remainder))
        if remainder[worst] <= tolerance:
            return np.stack(basis, axis=1) if basis else np.zeros((len(columns), 0), columns.dtype), float(
                remainder[worst]
            )
        if len(basis) == most:
            return None
        q = rest[:, worst] / remainder[worst]
        for _ in range(2):
            for p in basis:
                q = q - p * np.vdot(p, q)
            q = q / np.linalg.norm(q)
        basis.append(q)
        rest -= np.outer(q, q.conj() @ rest)
