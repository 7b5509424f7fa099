"""Factor a matrix by SuperLU in a given order and manner, and solve with the factors."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from ...errors import InputError
from .portrait import Compressed, by_columns

Mode = Literal["definite", "diagonal", "general"]
"""Pivots on the diagonal alone, on the diagonal where it is not too small, or on the largest entry of a column."""

DIAGONAL_PIVOT = 1e-3
"""A diagonal entry is the pivot, in a symmetric order, if it is at least this share of the largest entry of its column.
Measured on Helmholtz and convection–diffusion matrices: half the fill of COLAMD, and as accurate. At 0.1 the pivots of
central differences of a strong flow leave the diagonal, and the fill is eight times as much."""


class Ordering(NamedTuple):
    """Hold in which order to eliminate, and how many columns SuperLU updates at a time.

    Attributes
    ----------
    order : ndarray, (n,), or None
        None for SuperLU's own order of columns, COLAMD.
    panel : int or None
        None for SuperLU's 20, which suit long columns; 1 takes 0.7 of the time where columns are short.
    """

    order: np.ndarray | None
    panel: int | None


class ZeroPivot(Exception):
    """Report that a pivot is exactly zero."""


class Factors:
    """Hold L U = A[order][:, order] (symmetric modes) or A[:, order], rows exchanged.

    Attributes
    ----------
    lu : SuperLU
    ordering : Ordering
        For the factorisation of another matrix of the pattern; its order is known.
    """

    def __init__(self, rows: Compressed, columns: Compressed, mode: Mode, ordering: Ordering) -> None:
        n = rows.n
        order, panel = ordering
        self._symmetric = mode != "general"
        self._used = order
        if order is not None:
            columns = by_columns(rows, order if self._symmetric else np.arange(n, dtype=np.int32), order)
        matrix = sp.csc_array((columns.data, columns.indices, columns.indptr), shape=(n, n))
        try:
            self.lu = spla.splu(
                matrix,
                permc_spec="COLAMD" if order is None else "NATURAL",
                diag_pivot_thresh={"definite": 0.0, "diagonal": DIAGONAL_PIVOT, "general": 1.0}[mode],
                panel_size=panel,
                relax=None if panel is None else 1,
                # SuperLU's SymmetricMode is left out: it takes twice the time on an arrow matrix, and saves no fill.
            )
        except MemoryError:
            raise _no_memory(n) from None
        except RuntimeError as error:
            if "MALLOC" in str(error) or "memory" in str(error):
                raise _no_memory(n) from None
            raise ZeroPivot from None
        known = order if order is not None else np.argsort(self.lu.perm_c).astype(np.int32)
        self.ordering = Ordering(known, panel)

    def positive_pivots(self) -> bool:
        """Return whether all pivots lie on the diagonal, positive: then a Hermitian matrix is definite (Sylvester)."""
        pivots = self.lu.U.diagonal()
        stayed = np.array_equal(self.lu.perm_r, self.lu.perm_c)
        return bool(stayed and np.all(pivots.real > 0.0) and np.isfinite(pivots).all())

    def solve(self, r: Any) -> Any:
        """Return A⁻¹ r for r of shape (n,) or (n, k)."""
        if self._used is None:
            return self.lu.solve(r)
        z = np.empty_like(r)
        z[self._used] = self.lu.solve(r[self._used] if self._symmetric else r)
        return z

    def solve_adjoint(self, r: np.ndarray) -> np.ndarray:
        """Return A⁻ᴴ r for r of shape (n,)."""
        if self._used is None:
            return self.lu.solve(r, "H")
        y = self.lu.solve(r[self._used], "H")
        if not self._symmetric:
            return y
        z = np.empty_like(y)
        z[self._used] = y
        return z


def _no_memory(n: int) -> InputError:
    return InputError(
        f"direct: the factors of A (n = {n}) do not fit into memory; use an iteration, such as gmres with ilut, or cg "
        f"with amg."
    )
