"""Precondition by diagonal scaling."""

from __future__ import annotations

from typing import Any

from ..operands import read_vectors
from ..preconditioner import Preconditioner
from ..stationary.splitting import nonzero_diagonal


class Jacobi(Preconditioner):
    """Apply M = D⁻¹, D the diagonal of A; kind 'spd' when the diagonal is positive.

    No diagonal scaling is better by more than the number of nonzeros per row (van der Sluis). A may be any operator
    with `diagonal()`, or a matrix of CuPy.

    References
    ----------
    van der Sluis, Numer. Math. 14 (1969) 14.
    """

    name = "jacobi"

    def __init__(self) -> None:
        pass

    def _build(self, A: Any, again: bool) -> None:
        diagonal = read_vectors(nonzero_diagonal(A, self.name), self.shape[0], "the diagonal of A")
        positive = bool((diagonal.real > 0.0).all()) and bool((diagonal.imag == 0.0).all())
        if positive:
            diagonal = diagonal.real
        self._inverse = 1.0 / diagonal
        self.kind = "spd" if positive else "linear"

    def _apply(self, r: Any) -> Any:
        return self._inverse * r

    def _matmat(self, R: Any) -> Any:
        return self._inverse[:, None] * R
