"""Assemble the matrices of implicit heat conduction: five-point finite volumes, GᵀTG."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def conduction_matrix(coefficient: np.ndarray, spacing: tuple[float, float], wall: float) -> sp.csr_array:
    """Return −∇·(κ∇·) on a grid of cells, shape (n, n): Gᵀ T G, G the differences across all faces, walls included.

    Parameters
    ----------
    coefficient : ndarray, shape (nx, ny)
        κ, positive. Across a face inside, T is the harmonic mean of its two cells.
    spacing : (float, float)
    wall : float
        At a wall T is `wall` times κ of its cell: 2 where u = 0 half a cell away, 1 where u = 0 a whole cell away (the
        next node), 0 where no heat passes.
    """
    nx, ny = coefficient.shape
    along_x = sp.kron(_differences(nx), sp.eye_array(ny)) / spacing[0]
    along_y = sp.kron(sp.eye_array(nx), _differences(ny)) / spacing[1]
    faces_x, faces_y = _faces(coefficient, wall), _faces(coefficient.T, wall).T
    matrix = along_x.T @ sp.diags_array(faces_x.ravel()) @ along_x
    matrix = sp.csr_array(matrix + along_y.T @ sp.diags_array(faces_y.ravel()) @ along_y)
    matrix.sort_indices()
    return matrix


def _differences(n: int) -> sp.csr_array:
    """Map n cells to their n + 1 faces: u_i − u_{i−1}, with zeros beyond the walls."""
    return sp.diags_array([np.ones(n), -np.ones(n)], offsets=[0, -1], shape=(n + 1, n)).tocsr()


def _faces(a: np.ndarray, wall: float) -> np.ndarray:
    """Return T on the n + 1 faces along the first axis."""
    inside = 2.0 / (1.0 / a[:-1] + 1.0 / a[1:])
    return np.concatenate([wall * a[:1], inside, wall * a[-1:]])
