"""Precondition by an incomplete Cholesky factorisation with a threshold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse as sp

from ...arguments import is_real
from ...errors import InputError
from ...kernels import Kernel
from ...matrices.symmetry import is_hermitian
from ...operands import as_csr
from ...preconditioner import Preconditioner
from ..cholesky import cholesky_solver
from .shifts import read_shift, shifted

_continue = Kernel("factor_ict", "int I* I* T* float float float int i64* i64* T* T* i64* f64* i64*", "int")
_FACTORED, _NOT_POSITIVE, _NO_MEMORY = range(3)


class ICT(Preconditioner):
    """Apply M = (L Lᴴ)⁻¹ with small entries of L dropped, wherever they are; kind 'spd'.

    A is scaled to a unit diagonal and factored column by column. In column k, entries below
    `drop_tolerance`·‖A_{k:n,k}‖₂ are dropped; of the others the largest are kept, at most `fill` times as many as A has
    there. Where a pivot is not positive, A + α diag(A) is factored instead, α = 1e-3 and doubled until it works; the α
    in use is `shift`.

    Settings
    --------
    drop_tolerance : float
        0 is the complete factor (within `fill`); 1e-2 to 1e-4 are usual.
    fill : float, optional
        Entries of a column of L, at most, relative to those of A; None for no limit.
    shift : float
        The first α to try, 0 by default.

    Attributes
    ----------
    shift : float
        The α of the factor in use.
    factor : csr_array
        L, of A itself.

    References
    ----------
    Munksgaard, ACM Trans. Math. Software 6 (1980) 206; Lin and Moré, SIAM J. Sci. Comput. 21 (1999) 24 (limited
    memory); Manteuffel, Math. Comp. 34 (1980) 473 (the shift).
    """

    name = "ict"

    def __init__(self, drop_tolerance: float = 1e-2, fill: float | None = 5.0, shift: float = 0.0) -> None:
        if not is_real(drop_tolerance) or not 0.0 <= drop_tolerance < np.inf:
            raise InputError(f"ict: drop_tolerance is {drop_tolerance!r}; expected a finite number ≥ 0.")
        if fill is not None and not (is_real(fill) and fill > 0.0):
            raise InputError(f"ict: fill is {fill!r}; expected a number > 0, or None for no limit.")
        self.drop_tolerance, self.fill = float(drop_tolerance), fill
        self._first_shift = read_shift(self.name, shift)

    def _build(self, A: Any, again: bool) -> None:
        matrix = as_csr(A, self.name)
        if not is_hermitian(matrix):
            raise InputError("ict needs A Hermitian, but A differs from its adjoint: use ilut with gmres.")
        diagonal = matrix.diagonal().real
        if not np.all(diagonal > 0.0):
            row = int(np.argmin(diagonal))
            raise InputError(
                f"ict needs A positive definite, but its diagonal is {diagonal[row]:.3g} in row {row}: "
                f"use ilut or direct with gmres."
            )
        self._side = np.sqrt(diagonal)
        inverse = sp.diags_array(1.0 / self._side)
        lower = sp.csc_array(sp.tril(inverse @ matrix @ inverse, format="csc"))
        lower.sort_indices()
        fill = math.inf if self.fill is None else self.fill

        def factored(shift: float) -> tuple[np.ndarray, ...] | None:
            return _factor(lower, shift, self.drop_tolerance, fill)

        hint = "A is far from positive definite; use ilut or direct with gmres"
        self.shift, (indptr, indices, values) = shifted(self.name, factored, self._first_shift, hint)
        factor = sp.csr_array(sp.csc_array((values, indices, indptr), shape=self.shape))
        factor.sort_indices()  # each row ends with its diagonal
        self._indptr, self._indices = factor.indptr.astype(np.int64), factor.indices.astype(np.int64)
        self._values = factor.data * np.repeat(self._side, np.diff(self._indptr))
        self._solve = cholesky_solver(self._indptr, self._indices, self._values)
        self.kind = "spd"

    @property
    def factor(self) -> sp.csr_array:
        """Return L, lower triangular."""
        return sp.csr_array((self._values, self._indices, self._indptr), shape=self.shape)

    def _apply(self, r: np.ndarray) -> np.ndarray:
        z = np.empty_like(r)
        self._solve(r, z)
        return z


def _factor(lower: sp.csc_array, shift: float, tolerance: float, fill: float) -> tuple[np.ndarray, ...] | None:
    """Factor a lower triangle in CSC form, diagonals first; return L in the same form, or None at a bad pivot.

    The memory for L grows while it is computed: the compiled loop stops before a column that might not fit, and goes on
    with more.
    """
    n, (indptr, indices) = lower.shape[0], (lower.indptr, lower.indices)
    columns, state = np.zeros(n + 1, np.int64), np.zeros(2, np.int64)
    rows, values = np.empty(2 * lower.nnz + n, np.int64), np.empty(2 * lower.nnz + n, lower.dtype)
    integers, work, keys = np.full((5, n), -1), np.zeros(n, lower.dtype), np.empty(n)
    while True:
        room = rows.size
        ended = _continue(
            n,
            indptr,
            indices,
            lower.data,
            shift,
            tolerance,
            fill,
            room,
            columns,
            rows,
            values,
            work,
            integers,
            keys,
            state,
        )
        end = int(state[1])
        if ended == _FACTORED:
            return columns, rows[:end].copy(), values[:end].copy()
        if ended == _NOT_POSITIVE:
            return None
        rows, values = (np.concatenate([each[:end], np.empty(room + n, each.dtype)]) for each in (rows, values))
