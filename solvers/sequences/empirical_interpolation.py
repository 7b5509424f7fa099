"""Empirical interpolation: a family of vectors from a few of its members and a few of their entries.

Of v_1, …, v_N the greedy algorithm picks members i_m and "magic" entries q_m so that

    v ≈ Σ_m β_m v_{i_m},   Σ_m β_m (v_{i_m})_{q_l} = (v)_{q_l},   l = 1, …, Q.

Applied to the entries of the matrices of a family it finds an affine dependence A(μ) = Σ_m β_m(μ) A(μ_m) from assembled
matrices alone, without the code that assembled them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_TRAINED = 4
"""Vectors that an interpolation is trained on, for each term it may have."""


@dataclass(frozen=True)
class Interpolation:
    """Members, entries and coefficients of an empirical interpolation.

    Attributes
    ----------
    members, entries : ndarray of int, (Q,)
        i_m and q_m.
    coefficients : ndarray, (N, Q)
        β of each vector.
    error : float
        max |v − Σ β_m v_{i_m}| over all vectors and entries, relative to the largest entry of all.
    """

    members: np.ndarray
    entries: np.ndarray
    coefficients: np.ndarray
    error: float

    @property
    def rank(self) -> int:
        return len(self.members)


def empirical_interpolation(values: np.ndarray, tolerance: float, most: int) -> Interpolation | None:
    """Interpolate the rows of (N, p) to a relative error in the maximum norm; None where `most` terms do not do.

    Each step takes the largest entry of what is left and eliminates its row and column, as Gaussian elimination with
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
    """As `empirical_interpolation`, of many vectors: trained on a few of them, checked on each.

    None where the few need more than `most` terms, or one of the others is not met; memory is that of the few.
    """
    count = len(vectors)
    trained = np.unique(np.linspace(0, count - 1, min(count, _TRAINED * most)).astype(int))
    found = empirical_interpolation(np.stack([vectors[i] for i in trained]), tolerance, most)
    if found is None:
        return None
    members, error = trained[found.members], found.error
    terms = [vectors[i] for i in members]
    basis = np.stack(terms) if terms else np.zeros((0, vectors[0].size))
    entries = np.stack([vector[found.entries] for vector in vectors])
    coefficients = np.linalg.solve(basis[:, found.entries].T, entries.T).T if terms else np.zeros((count, 0))
    largest = max(float(np.abs(vector).max(initial=0.0)) for vector in vectors)
    for vector, beta in zip(vectors, coefficients, strict=True):
        left = float(np.abs(vector - beta @ basis).max(initial=0.0))
        if left > 10.0 * tolerance * largest:
            return None
        error = max(error, left / largest if largest > 0.0 else 0.0)
    return Interpolation(members, found.entries, coefficients, error)


def spanning_columns(columns: np.ndarray, tolerance: float, most: int) -> tuple[np.ndarray, float] | None:
    """Orthonormal Q (n, r) with ‖v − Q Qᴴ v‖ ≤ tolerance ‖v‖ for each column v of (n, m), and the largest such ratio.

    Greedy, by Gram–Schmidt with reorthogonalisation on the column that is represented worst: O(n m r). None where r
    would exceed `most`.
    """
    sizes = np.linalg.norm(columns, axis=0)
    rest = columns / np.where(sizes > 0.0, sizes, 1.0)
    basis: list[np.ndarray] = []
    while True:
        left = np.linalg.norm(rest, axis=0)
        worst = int(np.argmax(left))
        if left[worst] <= tolerance:
            return np.stack(basis, axis=1) if basis else np.zeros((len(columns), 0), columns.dtype), float(left[worst])
        if len(basis) == most:
            return None
        q = rest[:, worst] / left[worst]
        for _ in range(2):
            for p in basis:
                q = q - p * np.vdot(p, q)
            q = q / np.linalg.norm(q)
        basis.append(q)
        rest -= np.outer(q, q.conj() @ rest)
