"""Colour the unknowns so that no coupled ones are alike: a sweep in that order updates each colour at once."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import scipy.sparse as sp

from ..operands import as_csr


def greedy_colours(A: Any) -> np.ndarray:
    """Colour the unknowns of a matrix greedily, in their order: with at most one colour more than a row has couplings.

    Five- and seven-point stencils get two colours (red and black), nine-point ones four.

    Parameters
    ----------
    A : sparse or dense matrix, or an operator with `tocsr()`; (n, n)
        Unknowns are coupled if its pattern, or that of Aᵀ, has an entry for them.

    Returns
    -------
    ndarray, (n,)
        Colours 0, 1, …

    References
    ----------
    Saad, *Iterative Methods for Sparse Linear Systems*, 2nd ed., §3.3.3.
    """
    matrix = as_csr(A, "greedy_colours")
    pattern = sp.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    graph = sp.csr_array(pattern + pattern.T)
    colours = np.empty(matrix.shape[0], dtype=np.int64)
    _colour(graph.indptr, graph.indices, colours)
    return colours


def multicolour_order(A: Any) -> np.ndarray:
    """Return the unknowns sorted by colour, each colour in their own order, (n,)."""
    return np.argsort(greedy_colours(A), kind="stable")


@numba.njit(nogil=True, cache=True)
def _colour(indptr: np.ndarray, indices: np.ndarray, colours: np.ndarray) -> None:
    n = colours.size
    taken_by = np.full(n + 1, -1, dtype=np.int64)
    for i in range(n):
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            if j < i:
                taken_by[colours[j]] = i
        colour = 0
        while taken_by[colour] == i:
            colour += 1
        colours[i] = colour
