"""Call sparse direct solvers: SuperLU, and Pardiso and CHOLMOD where installed; each analyses a pattern once.

- `pardiso`: MKL's defaults. `pardiso two-level`: nested dissection by METIS and the two-level factorisation (iparm(2) =
  2, iparm(24) = 1), the fastest that held: iparm(24) = 10 was as fast, and crashed MKL 2026.2 with minimum degree. Both
  take the upper triangle of the CSR matrix by a mask made with the analysis, since Pardiso takes only that triangle.
- `cholmod`: nested dissection (`nesdis`), simplicial up to 100 000 unknowns and supernodal above: the fastest of both
  with its default, AMD, METIS and `nesdis`. The supernodal one is as fast as the BLAS it is linked to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla

Peer = Callable[[Any, np.ndarray], np.ndarray]

_TWO_LEVEL = {1: 1, 2: 2, 24: 1}  # iparm, counted from 1 as MKL does; the first says that defaults are replaced
SUPERNODAL_FROM = 100_000


def direct_peers() -> dict[str, Peer]:
    """Return the direct solvers that are installed, each from (CSR matrix, right-hand side) to a solution."""
    solvers: dict[str, Peer] = {"superlu": _superlu}
    try:
        from pypardiso import PyPardisoSolver

        solvers["pardiso"] = _pardiso(PyPardisoSolver(mtype=2))
        tuned = PyPardisoSolver(mtype=2)
        for index, value in _TWO_LEVEL.items():
            tuned.set_iparm(index, value)
        solvers["pardiso two-level"] = _pardiso(tuned)
    except (ImportError, OSError):
        pass
    try:
        from sksparse.cholmod import analyze

        solvers["cholmod"] = _cholmod(analyze)
    except ImportError:
        pass
    return solvers


def _superlu(matrix: Any, rhs: np.ndarray) -> np.ndarray:
    return spla.splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(rhs)


def _pardiso(solver: Any) -> Peer:
    pattern: list[int] = []
    stored: dict[str, Any] = {}

    def factor_and_solve(matrix: Any, rhs: np.ndarray) -> np.ndarray:
        if pattern != [matrix.shape[0], matrix.nnz]:  # matrices of one pattern share the analysis
            rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
            stored["mask"] = matrix.indices >= rows
            stored["upper"] = sp.csr_matrix(sp.triu(matrix))
            if pattern:
                solver.free_memory(everything=True)
            solver.set_phase(11)
            solver._call_pardiso(stored["upper"], rhs)
            pattern[:] = [matrix.shape[0], matrix.nnz]
        stored["upper"].data = matrix.data[stored["mask"]]
        solver.set_phase(23)
        return solver._call_pardiso(stored["upper"], rhs)

    return factor_and_solve


def _cholmod(analyze: Any) -> Peer:
    symbolic: dict[int, Any] = {}

    def factor_and_solve(matrix: Any, rhs: np.ndarray) -> np.ndarray:
        columns = sp.csc_matrix(matrix)
        n = columns.shape[0]
        if n not in symbolic:
            mode = "simplicial" if n < SUPERNODAL_FROM else "supernodal"
            symbolic[n] = analyze(columns, mode=mode, ordering_method="nesdis")
        factor = symbolic[n]
        factor.cholesky_inplace(columns)
        return factor(rhs)

    return factor_and_solve
