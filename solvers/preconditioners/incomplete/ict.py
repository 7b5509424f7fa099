"""Precondition by an incomplete Cholesky factorisation with a threshold."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import scipy.sparse as sp

from ...arguments import is_real
from ...errors import InputError
from ...matrices.symmetry import is_hermitian
from ...operands import as_csr
from ...preconditioner import Preconditioner
from ..cholesky_kernels import solve_cholesky
from .shifts import read_shift, shifted


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
            bad, *result = _factor(lower.indptr, lower.indices, lower.data, shift, self.drop_tolerance, fill)
            return tuple(result) if bad < 0 else None

        hint = "A is far from positive definite; use ilut or direct with gmres"
        self.shift, (indptr, indices, values) = shifted(self.name, factored, self._first_shift, hint)
        factor = sp.csr_array(sp.csc_array((values, indices, indptr), shape=self.shape))
        factor.sort_indices()  # each row ends with its diagonal
        self._indptr, self._indices = factor.indptr.astype(np.int64), factor.indices.astype(np.int64)
        self._values = factor.data * np.repeat(self._side, np.diff(self._indptr))
        self.kind = "spd"

    @property
    def factor(self) -> sp.csr_array:
        """Return L, lower triangular."""
        return sp.csr_array((self._values, self._indices, self._indptr), shape=self.shape)

    def _apply(self, r: np.ndarray) -> np.ndarray:
        z = np.empty_like(r)
        solve_cholesky(self._indptr, self._indices, self._values, r, z)
        return z


@numba.njit(nogil=True, cache=True)
def _sort(keys: np.ndarray, items: np.ndarray) -> None:
    """Sort both by the keys, in place (Shell's method: columns are short)."""
    gap = keys.size // 2
    while gap > 0:
        for i in range(gap, keys.size):
            key, item, j = keys[i], items[i], i
            while j >= gap and keys[j - gap] > key:
                keys[j], items[j] = keys[j - gap], items[j - gap]
                j -= gap
            keys[j], items[j] = key, item
        gap //= 2


@numba.njit(nogil=True, cache=True)
def _factor(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, shift: float, tolerance: float, fill: float
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Factor a lower triangle in CSC form, diagonals first, by left-looking incomplete Cholesky.

    Columns j of L that have an entry in row k are found through linked lists, each column waiting in the list of the
    row of its next entry.

    Returns
    -------
    (−1 or the column whose pivot is not positive, indptr, indices, values) of L in CSC form, diagonals first
    """
    n = indptr.size - 1
    capacity = 2 * data.size + n
    columns = np.zeros(n + 1, dtype=np.int64)
    rows = np.empty(capacity, dtype=np.int64)
    values = np.empty(capacity, dtype=data.dtype)
    work = np.zeros(n, dtype=data.dtype)
    member = np.full(n, -1, dtype=np.int64)
    pattern = np.empty(n, dtype=np.int64)
    head = np.full(n, -1, dtype=np.int64)
    following = np.full(n, -1, dtype=np.int64)
    position = np.zeros(n, dtype=np.int64)
    end = 0
    for k in range(n):
        begin, stop = indptr[k], indptr[k + 1]
        count = 0
        square = 0.0
        work[k] = 1.0 + shift
        for e in range(begin, stop):
            i = indices[e]
            square += abs(data[e]) ** 2
            if i > k:
                work[i] = data[e]
                member[i] = k
                pattern[count] = i
                count += 1
        entries = count
        j = head[k]
        while j >= 0:
            after = following[j]
            p = position[j]
            multiplier = np.conj(values[p])
            work[k] -= values[p] * multiplier
            for q in range(p + 1, columns[j + 1]):
                i = rows[q]
                if member[i] != k:
                    member[i] = k
                    work[i] = 0.0
                    pattern[count] = i
                    count += 1
                work[i] -= values[q] * multiplier
            position[j] = p + 1
            if p + 1 < columns[j + 1]:
                row = rows[p + 1]
                following[j] = head[row]
                head[row] = j
            j = after
        pivot = work[k].real
        if not pivot > 1e-14:
            return k, columns, rows, values
        root = np.sqrt(pivot)
        threshold = tolerance * np.sqrt(square)
        kept = 0
        for e in range(count):
            i = pattern[e]
            if abs(work[i]) > threshold:
                pattern[kept] = i
                kept += 1
        most = fill * max(entries, 1)
        chosen, keys = pattern[:kept], np.empty(kept)
        if kept > most:
            for e in range(kept):
                keys[e] = -abs(work[chosen[e]])
            _sort(keys, chosen)
            chosen = chosen[: int(most)]
        for e in range(chosen.size):
            keys[e] = chosen[e]
        _sort(keys[: chosen.size], chosen)
        if end + chosen.size + 1 > rows.size:
            grown = 2 * rows.size + chosen.size + 1
            more_rows, more_values = np.empty(grown, dtype=np.int64), np.empty(grown, dtype=data.dtype)
            more_rows[:end], more_values[:end] = rows[:end], values[:end]
            rows, values = more_rows, more_values
        rows[end], values[end] = k, root
        end += 1
        for i in chosen:
            rows[end], values[end] = i, work[i] / root
            end += 1
        columns[k + 1] = end
        if chosen.size:
            position[k] = columns[k] + 1
            following[k] = head[chosen[0]]
            head[chosen[0]] = k
    return -1, columns, rows[:end].copy(), values[:end].copy()
