"""Precondition by symmetric successive over-relaxation."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import check_omega
from ..matrices.symmetry import is_hermitian
from ..operands import as_csr
from ..preconditioner import Preconditioner
from ..stationary.splitting import Ordering, nonzero_diagonal, symmetric_sweep


class SSOR(Preconditioner):
    """Apply M = (2 − ω)/ω · (D/ω + U)⁻¹ D (D/ω + L)⁻¹, with A = D + L + U: a forward and a backward sweep.

    Kind 'spd' when A is Hermitian with a positive diagonal. With the best ω, κ(MA) grows like h⁻¹ for elliptic problems
    instead of h⁻² (Axelsson). It needs no set-up.

    Settings
    --------
    omega : float
        0 < ω < 2; 1 is symmetric Gauss–Seidel.
    ordering : {'natural', 'multicolour'}
        The order of the sweeps; with colours they are parallel, at the cost of some iterations.

    References
    ----------
    Axelsson, BIT 12 (1972) 443; Saad, *Iterative Methods for Sparse Linear Systems*, 2nd ed., §10.2.
    """

    name = "ssor"

    def __init__(self, omega: float = 1.0, ordering: Ordering = "natural") -> None:
        self.omega = check_omega("ssor", omega, 2.0)
        self.ordering: Ordering = ordering

    def _build(self, A: Any, again: bool) -> None:
        matrix = as_csr(A, self.name)
        diagonal = nonzero_diagonal(matrix, self.name)
        self.kind = "spd" if is_hermitian(matrix) and bool(np.all(diagonal.real > 0.0)) else "linear"
        self._sweep = symmetric_sweep(matrix, self.omega, self.ordering)

    def _apply(self, r: np.ndarray) -> np.ndarray:
        return self._sweep(r)
