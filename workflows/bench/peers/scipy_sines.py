"""Write fast-Poisson conjugate gradients in a few lines of SciPy, as one does without a package of preconditioners."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
import scipy.sparse.linalg as spla


def cg_with_sines(matrix: Any, rhs: np.ndarray, shape: tuple[int, ...], coefficient: float, rtol: float) -> np.ndarray:
    """Solve A x = b by `scipy.sparse.linalg.cg`, preconditioned by −coefficient·Δ in float32 sines.

    Cells of the unit box, zero values half a cell away at all walls: the sine transform of type II diagonalises −Δ with
    eigenvalues Σ 4 n² sin²(πk/2n).
    """
    symbol = np.zeros(shape)
    for axis, n in enumerate(shape):
        along = 4.0 * n**2 * np.sin(np.pi * np.arange(1, n + 1) / (2 * n)) ** 2
        symbol += along.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    inverse = (1.0 / (coefficient * symbol)).astype(np.float32)

    def apply(r: np.ndarray) -> np.ndarray:
        waves = scipy.fft.dstn(r.reshape(shape).astype(np.float32), type=2, norm="ortho")
        return scipy.fft.idstn(waves * inverse, type=2, norm="ortho").ravel().astype(np.float64)

    M = spla.LinearOperator(matrix.shape, matvec=apply, dtype=np.float64)
    x, _ = spla.cg(matrix, rhs, rtol=0.9 * rtol, M=M, maxiter=1000)
    return x
