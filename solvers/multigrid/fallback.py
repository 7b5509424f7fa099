"""Solve a sample on which the cycle stalls: by algebraic multigrid or a factorisation of the assembled matrix."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ..errors import InputError
from ..krylov.cg import cg
from ..matrices.diffusion import diffusion_matrix
from ..preconditioners import AMG, Direct
from ..result import SolveResult, Status

_FACTORISATION_LIMIT = 2_000_000


def assemble(faces: tuple[np.ndarray, ...], periodic: tuple[bool, ...]) -> sp.csr_array:
    """Return the matrix of Σ T (u_cell − u_neighbour) in CSR form; see `diffusion_matrix`."""
    pairs = [np.moveaxis(face, axis, 0) for axis, face in enumerate(faces)]
    diagonal = sum(np.moveaxis(face[:-1] + face[1:], 0, axis) for axis, face in enumerate(pairs))
    return diffusion_matrix(faces, periodic, np.ascontiguousarray(diagonal))


def solve_assembled(
    matrix: sp.csr_array, rhs: np.ndarray, x0: np.ndarray | None, rtol: float, singular: bool
) -> tuple[SolveResult, str]:
    """Solve by cg with algebraic multigrid, then by refining a factorisation; return the better one and its name."""
    result = cg(matrix, rhs, x0, rtol=rtol, M=AMG.setup(matrix), maxiter=300)
    attainable = result.converged or result.status is Status.STAGNATED  # rounding stops a factorisation there too
    if attainable or singular or matrix.shape[0] > _FACTORISATION_LIMIT:
        return result, "amg"
    try:
        second = cg(matrix, rhs, rtol=rtol, M=Direct.setup(matrix), maxiter=50)
    except InputError:
        return result, "amg"
    return (second, "direct") if second.residual <= result.residual else (result, "amg")
