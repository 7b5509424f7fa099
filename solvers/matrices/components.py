"""Find the null vectors that a matrix shows without a factorisation: floating bodies, isolated unknowns."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from .symmetry import sizes_of_rows

_ANNIHILATED = 1e-12
"""|Σ_j a_ij| relative to the largest Σ_j |a_ij| of the component, up to which a row sum is rounding."""

MOST_BODIES = 32
"""A basis of null vectors is stored as full columns: more of them cost more than they save."""


def components(matrix: sp.csr_array) -> tuple[int, np.ndarray]:
    """Return the number of connected components of the graph of A + Aᵀ, and the component of each unknown, (n,)."""
    entries = np.ones(matrix.nnz, dtype=np.int8)
    graph = sp.csr_array((entries, matrix.indices, matrix.indptr), shape=matrix.shape)
    count, labels = connected_components(graph, directed=False)
    return int(count), labels


def floating_bodies(matrix: sp.csr_array) -> np.ndarray | None:
    """Return vectors that a Hermitian A annihilates, (n, m): one on each component in which all rows sum to zero.

    An insulated body of a diffusion problem is such a component; several of them may stand beside others that are
    held. None where there is none, or there are more than `MOST_BODIES`.
    """
    sums = np.abs(matrix @ np.ones(matrix.shape[0]))
    sizes = sizes_of_rows(matrix)
    if not (sums <= _ANNIHILATED * sizes.max(initial=0.0)).any():
        return None
    count, labels = components(matrix)
    largest = np.zeros(count)
    np.maximum.at(largest, labels, sizes)
    off = np.zeros(count, dtype=bool)
    off[labels[sums > _ANNIHILATED * largest[labels]]] = True
    floating = np.flatnonzero(~off)
    if not 0 < floating.size <= MOST_BODIES:
        return None
    return np.asarray(labels[:, None] == floating[None, :], dtype=np.float64)


def held_by_dominance(matrix: sp.csr_array, diagonal: np.ndarray, radius: np.ndarray) -> bool:
    """Return whether a Hermitian A is positive definite by diagonal dominance (Taussky, Amer. Math. Monthly 56 (1949)).

    Every row has a_ii ≥ Σ_{j≠i} |a_ij|, and each connected component a row where that is strict.

    Parameters
    ----------
    matrix : (n, n)
    diagonal : (n,)
        Its diagonal.
    radius : (n,)
        The sums Σ_{j≠i} |a_ij|.
    """
    slack = diagonal - radius
    tolerance = _ANNIHILATED * diagonal
    if not np.all(diagonal > 0.0) or np.any(slack < 0.0) or not np.any(slack > tolerance):
        return False
    count, labels = components(matrix)
    return np.unique(labels[slack > tolerance]).size == count
