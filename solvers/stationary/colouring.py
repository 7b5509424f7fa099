"""Colour the unknowns so that no coupled ones are alike: a sweep in that order updates each colour at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..kernels import Kernel
from ..operands import as_csr

_colour = Kernel("colour", "int I* I* i64* i64*")


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
    _colour(colours.size, graph.indptr, graph.indices, colours, np.full(colours.size + 1, -1))
    return colours


def multicolour_order(A: Any) -> np.ndarray:
    """Return the unknowns sorted by colour, each colour in their own order, (n,)."""
    return np.argsort(greedy_colours(A), kind="stable")
