"""Precondition by the inverses of the diagonal blocks of a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import check_count
from ..errors import InputError
from ..matrices.symmetry import is_hermitian
from ..operands import as_csr
from ..preconditioner import Preconditioner


class BlockJacobi(Preconditioner):
    """Apply M = diag(A_11, A_22, …)⁻¹, blocks of consecutive unknowns.

    Kind 'spd' when A is Hermitian and every block positive definite. For systems with s unknowns a node (elasticity),
    `block_size` s inverts the coupling within a node exactly; scalar problems gain a little over `jacobi`.

    Settings
    --------
    block_size : int
        Unknowns in a block; the last block may be smaller.

    Raises
    ------
    InputError
        If a block is singular.

    References
    ----------
    Saad, *Iterative Methods for Sparse Linear Systems*, 2nd ed., §12.3; Demmel, SIAM J. Numer. Anal. 20 (1983) 599
    (near the best block diagonal scaling).
    """

    name = "block_jacobi"

    def __init__(self, block_size: int = 8) -> None:
        self.block_size = check_count(self.name, "block_size", block_size, example=8)

    def _build(self, A: Any, again: bool) -> None:
        matrix = as_csr(A, self.name)
        n, s = matrix.shape[0], min(self.block_size, matrix.shape[0])
        count = -(-n // s)
        rows = np.repeat(np.arange(n), np.diff(matrix.indptr))
        inside = rows // s == matrix.indices // s
        rows, columns = rows[inside], matrix.indices[inside]
        blocks = np.zeros((count, s, s), dtype=self.dtype)
        blocks[rows // s, rows % s, columns % s] = matrix.data[inside]
        beyond = np.arange(n - (count - 1) * s, s)  # the last block is filled up with the identity
        blocks[-1, beyond, beyond] = 1.0
        self._inverses = _inverted(blocks)
        self.kind = "spd" if is_hermitian(matrix) and _positive_definite(blocks) else "linear"
        if self.kind == "spd":
            self._inverses = 0.5 * (self._inverses + self._inverses.conj().transpose(0, 2, 1))

    def _apply(self, r: np.ndarray) -> np.ndarray:
        count, s, _ = self._inverses.shape
        padded = np.zeros(count * s, dtype=r.dtype)
        padded[: r.size] = r
        return (self._inverses @ padded.reshape(count, s, 1)).reshape(-1)[: r.size].copy()


def _inverted(blocks: np.ndarray) -> np.ndarray:
    try:
        inverses = np.linalg.inv(blocks)
    except np.linalg.LinAlgError:
        determinants = [np.linalg.matrix_rank(block) for block in blocks]
        index = int(np.argmin(determinants))
        raise InputError(
            f"block_jacobi: diagonal block {index} is singular: choose another block_size, or use direct."
        ) from None
    if not np.isfinite(inverses).all():
        raise InputError("block_jacobi: a diagonal block is singular to working precision: choose another block_size.")
    return inverses


def _positive_definite(blocks: np.ndarray) -> bool:
    try:
        np.linalg.cholesky(blocks)
    except np.linalg.LinAlgError:
        return False
    return True
