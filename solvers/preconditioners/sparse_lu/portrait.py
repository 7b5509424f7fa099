"""Describe a sparse matrix in one pass, so that a factorisation can be chosen before it is made (`portrait.cpp`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ...errors import InputError
from ...kernels import Kernel

_describe = Kernel("describe_matrix", "int i32* i32* T* i32* i32* T* float T* u8* f64*")
_permute = Kernel("permute_to_columns", "int i32* i32* T* i32* i32* i32* i32* T*")

_LARGEST_COUNT = 2**31 - 1


class Compressed(NamedTuple):
    """Hold a square matrix by rows or by columns, with 32-bit indices: what SuperLU takes."""

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray

    @property
    def n(self) -> int:
        """Return the order of the matrix."""
        return self.indptr.size - 1


@dataclass(frozen=True)
class Portrait:
    """Hold what a factorisation must know of a matrix beforehand; the first fourteen are in the order of the kernel.

    Attributes
    ----------
    largest, smallest_row, smallest_column : float
        The largest entry, and the smallest of the largest entries of rows and of columns, by magnitude.
    norm, norm_one : float
        ‖A‖_∞ and ‖A‖₁; infinite if they overflow.
    asymmetry : float
        max |A − Aᴴ|.
    empty_row, empty_column : int
        The first without an entry other than zero, or −1.
    zeros : int
        Diagonal entries that are zero.
    negligible : int
        Diagonal entries that are below `weak_diagonal` times the largest entry of their column.
    outdone : int
        Pairs (i, j), no two with an unknown in common, such that |a_ij a_ji| ≥ |a_ii a_jj|: a definite matrix has none,
        and where there are many, pivots on the diagonal vanish.
    unmatched : int
        Entries whose mirror image is not stored.
    positive : bool
        Whether the diagonal's real parts are all positive.
    dominant : bool
        Whether no diagonal entry is less than the sum of the others in its row, but for rounding.
    diagonal : ndarray
    """

    largest: float
    smallest_row: float
    smallest_column: float
    norm: float
    norm_one: float
    asymmetry: float
    empty_row: int
    empty_column: int
    zeros: int
    negligible: int
    outdone: int
    unmatched: int
    positive: bool
    dominant: bool
    diagonal: np.ndarray


def by_rows(matrix: sp.csr_array, solver: str) -> Compressed:
    """Return a canonical CSR matrix with 32-bit indices.

    Raises
    ------
    InputError
        If it has 2³¹ entries or more.
    """
    if matrix.nnz > _LARGEST_COUNT:
        raise InputError(
            f"{solver}: A has {matrix.nnz} entries, more than the 2³¹ − 1 that SuperLU counts to: use an iteration."
        )
    return Compressed(
        np.ascontiguousarray(matrix.indptr, dtype=np.int32),
        np.ascontiguousarray(matrix.indices, dtype=np.int32),
        np.ascontiguousarray(matrix.data),
    )


def by_columns(rows: Compressed, row_order: np.ndarray, column_order: np.ndarray) -> Compressed:
    """Return A[row_order][:, column_order] by its columns; the orders are of int32."""
    place = np.empty_like(column_order)
    place[column_order] = np.arange(column_order.size, dtype=np.int32)
    columns = Compressed(np.empty_like(rows.indptr), np.empty_like(rows.indices), np.empty_like(rows.data))
    _permute(rows.n, *rows, row_order, place, *columns)
    return columns


def portrait(rows: Compressed, columns: Compressed, weak_diagonal: float) -> Portrait:
    """Describe a matrix that is given by its rows and by its columns."""
    facts = np.empty(14)
    diagonal = np.empty(rows.n, dtype=rows.data.dtype)
    _describe(rows.n, *rows, *columns, weak_diagonal, diagonal, np.empty(rows.n, dtype=np.uint8), facts)
    numbers = facts.tolist()
    largest, smallest_row, smallest_column, norm, norm_one, asymmetry = numbers[:6]
    empty_row, empty_column, zeros, negligible, outdone, unmatched = map(int, numbers[6:12])
    return Portrait(
        largest,
        smallest_row,
        smallest_column,
        norm,
        norm_one,
        asymmetry,
        empty_row,
        empty_column,
        zeros,
        negligible,
        outdone,
        unmatched,
        positive=bool(numbers[12]),
        dominant=bool(numbers[13]),
        diagonal=diagonal,
    )
