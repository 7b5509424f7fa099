"""Sweep over the triangles of a CSR matrix with sorted indices, compiled (`sweeps.cpp`)."""

from __future__ import annotations

import numpy as np

from ..kernels import Kernel

_lower = Kernel("solve_lower_part", "int I* I* T* T* T* T*")
_upper = Kernel("solve_upper_part", "int I* I* T* T* T* T*")


def solve_lower_part(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, diagonal: np.ndarray, r: np.ndarray, out: np.ndarray
) -> None:
    """Set out = (D + L)⁻¹ r, L the strictly lower part of a CSR matrix, D = `diagonal`: a forward SOR sweep."""
    _lower(r.size, indptr, indices, data, diagonal, r, out)


def solve_upper_part(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, diagonal: np.ndarray, r: np.ndarray, out: np.ndarray
) -> None:
    """Set out = (D + U)⁻¹ r, U the strictly upper part of a CSR matrix, D = `diagonal`: a backward SOR sweep."""
    _upper(r.size, indptr, indices, data, diagonal, r, out)
