"""Precondition a singular matrix by the factors of a nearby regular one."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from scipy.sparse.csgraph import maximum_bipartite_matching

from ..arguments import positive_number
from ..errors import InputError
from ..matrices.symmetry import largest_of_rows
from ..operands import as_csr
from ..preconditioner import Preconditioner

_GROWTH, _LARGEST = 100.0, 1e-4


class RegularizedLU(Preconditioner):
    """Apply M = (A + δ D + P)⁻¹ by SuperLU, for singular A and right-hand sides in its range.

    P completes the pattern of A to one that has a full transversal: a largest matching of rows and columns is found,
    and each row without partner gets an entry of its own size in a column without partner. D is a diagonal matrix of
    the sizes of the rows times random numbers from 1 to 2. Where b is in the range of A, GMRES then needs few
    iterations, since A M is the identity but for a space of the dimension of the null space. The part of x in that null
    space is arbitrary.

    Settings
    --------
    shift : float
        δ > 0; a hundred times as much is tried where a pivot is zero nevertheless, up to 1e-4.

    Raises
    ------
    InputError
        If A is zero, or no shift gives factors.

    References
    ----------
    Pothen and Fan, ACM Trans. Math. Software 16 (1990) 303 (matchings); Li and Demmel, ACM Trans. Math. Software 29
    (2003) 110 (small pivots replaced, and the solution refined).
    """

    name = "regularized_lu"

    def __init__(self, shift: float = 1e-10) -> None:
        self.shift = positive_number(shift, "regularized_lu: shift")

    def _build(self, A: Any, again: bool) -> None:
        matrix = as_csr(A, self.name)
        self.kind = "linear"
        n = matrix.shape[0]
        sizes = largest_of_rows(matrix)
        if not sizes.any():
            raise InputError("regularized_lu: A is zero, and has no factors: only b = 0 has a solution.")
        sizes[sizes == 0.0] = sizes.max()
        completed = matrix + _completion(matrix, sizes)
        diagonal = sizes * (1.0 + np.random.default_rng(0).random(n))
        shift = self.shift
        while shift <= _LARGEST:
            nearby = completed + sp.diags_array(shift * diagonal)
            try:
                self._lu = spla.splu(sp.csc_array(nearby), permc_spec="COLAMD")
            except (RuntimeError, ValueError):  # SuperLU's report of a zero pivot, or of overflow
                shift *= _GROWTH
                continue
            return
        raise InputError("regularized_lu: all shifts up to 1e-4 leave a zero pivot: use lsmr, which factors nothing.")

    def _apply(self, r: np.ndarray) -> np.ndarray:
        return self._lu.solve(r)


def _completion(matrix: sp.csr_array, sizes: np.ndarray) -> sp.csr_array:
    """Return P: an entry of the row's size for each row that a largest matching leaves without a column."""
    present = sp.csr_array(matrix.astype(bool), copy=True)
    present.eliminate_zeros()
    partner = maximum_bipartite_matching(sp.csr_matrix(present), perm_type="column")
    rows = np.flatnonzero(partner < 0)
    columns = np.setdiff1d(np.arange(matrix.shape[0]), partner[partner >= 0])
    return sp.coo_array((sizes[rows], (rows, columns)), shape=matrix.shape).tocsr()
