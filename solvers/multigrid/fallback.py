"""What solves a sample on which the cycle stalls: algebraic multigrid, or a factorisation, on the assembled matrix."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ..errors import InputError
from ..krylov.cg import cg
from ..preconditioners import AMG, Direct
from ..result import SolveResult, Status

_FACTORISATION_LIMIT = 2_000_000


def assemble(faces: tuple[np.ndarray, ...], periodic: tuple[bool, ...]) -> sp.csr_array:
    """Return the matrix of Σ T (u_cell − u_neighbour) in CSR form.

    Parameters
    ----------
    faces : one array per axis, in C order, with one entry more along its own axis than the grid
        Transmissibilities; the outermost ones lead to walls of value zero, or around a periodic axis.
    periodic : tuple of bool
    """
    dimension = len(faces)
    shape = tuple(n - (axis == 0) for axis, n in enumerate(faces[0].shape))
    number = np.arange(int(np.prod(shape))).reshape(shape)
    diagonal = np.zeros(shape)
    rows, columns, values = [], [], []
    for axis in range(dimension):
        face = np.moveaxis(faces[axis], axis, 0)
        index = np.moveaxis(number, axis, 0)
        diagonal += np.moveaxis(face[:-1] + face[1:], 0, axis)
        pairs = [(index[:-1], index[1:], face[1:-1])]
        if periodic[axis]:
            pairs.append((index[-1], index[0], face[0]))
        for low, high, t in pairs:
            rows += [low.ravel(), high.ravel()]
            columns += [high.ravel(), low.ravel()]
            values += [-t.ravel(), -t.ravel()]
    rows.append(number.ravel())
    columns.append(number.ravel())
    values.append(diagonal.ravel())
    triplets = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    matrix = sp.csr_array(triplets, shape=(number.size, number.size))
    matrix.sum_duplicates()
    return matrix


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
