"""Order the unknowns of a sparse factorisation for little fill, and count the fill before anything is factored."""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import numpy as np

from ...kernels import Kernel
from .portrait import Compressed

_symmetric_graph = Kernel("symmetric_graph", "int i32* i32* i32* i32* i32* i32*", "int")
_minimum_degree = Kernel("minimum_degree", "int i32* i32* i32* int i32* i64*")
_minimum_degree_of_columns = Kernel("minimum_degree_of_columns", "int i32* i32* i32* i32* i32* int i32* i64*")
_column_counts = Kernel("column_counts", "int i32* i32* i32* i64* i32* int i32* f64*")
_column_counts_of_rows = Kernel("column_counts_of_rows", "int i32* i32* i32* i64* i32* int i32* f64*")


class Graph(NamedTuple):
    """Hold the graph of A + Aᵀ without loops: the neighbours of i are indices[indptr[i]:indptr[i + 1]]."""

    indptr: np.ndarray
    indices: np.ndarray


class Fill(NamedTuple):
    """Hold what a Cholesky factor costs.

    Attributes
    ----------
    entries : float
        Entries of the factor, its diagonal included.
    work : float
        Σ (entries of a column)², about the multiplications and additions of the factorisation.
    counts : ndarray, (n,)
        Entries of each column, in the order of elimination.
    order : ndarray, (n,)
        An order with the same fill in which every subtree of the elimination tree is in one piece: columns of one
        pattern stand side by side, and a supernode holds them.
    """

    entries: float
    work: float
    counts: np.ndarray
    order: np.ndarray


_last: list[tuple[Any, tuple[int, int], Fill]] = []  # of the last pattern: its indptr, its indices' place, its fill


def symmetric_graph(rows: Compressed, columns: Compressed) -> Graph:
    """Return the graph of A + Aᵀ of a matrix by its rows and columns."""
    indptr = np.empty_like(rows.indptr)
    indices = np.empty(2 * rows.indices.size, dtype=np.int32)
    size = _symmetric_graph(rows.n, rows.indptr, rows.indices, columns.indptr, columns.indices, indptr, indices)
    return Graph(indptr, indices[:size])


def minimum_degree(graph: Graph) -> np.ndarray:
    """Return the approximate minimum-degree order of a symmetric graph: its node order[k] is eliminated as number k.

    Nodes of more than 10 √n neighbours are left for the end, so that a dense row costs no time.

    References
    ----------
    Amestoy, Davis and Duff, SIAM J. Matrix Anal. Appl. 17 (1996) 886.
    """
    n, entries = graph.indptr.size - 1, graph.indices.size
    order = np.empty(n, dtype=np.int32)
    capacity = entries + entries // 5 + n
    integers, wide = np.empty(12 * n + 1 + capacity, dtype=np.int32), np.empty(3 * n, dtype=np.int64)
    _minimum_degree(n, *graph, order, capacity, integers, wide)
    return order


def minimum_degree_of_columns(rows: Compressed, columns: Compressed) -> np.ndarray:
    """Return an approximate minimum-degree order of the columns by the graph of AᵀA, which is not formed.

    References
    ----------
    Davis, Gilbert, Larimore and Ng, ACM Trans. Math. Software 30 (2004) 353.
    """
    n, entries = rows.n, rows.indices.size
    order = np.empty(n, dtype=np.int32)
    capacity = 2 * entries + entries // 5 + n
    integers, wide = np.empty(15 * n + 1 + capacity, dtype=np.int32), np.empty(6 * n, dtype=np.int64)
    _minimum_degree_of_columns(
        n, rows.indptr, rows.indices, columns.indptr, columns.indices, order, capacity, integers, wide
    )
    return order


def cholesky_fill(graph: Graph, order: np.ndarray) -> Fill:
    """Count the entries of the Cholesky factor of a matrix with this graph, in nearly linear time.

    References
    ----------
    Gilbert, Ng and Peyton, SIAM J. Matrix Anal. Appl. 15 (1994) 1075.
    """
    return _fill(_column_counts, graph.indptr, graph.indices, order, graph.indices.size // 2)


def symmetric_fill(rows: Compressed, columns: Compressed) -> Fill:
    """Count the fill of A + Aᵀ in its minimum-degree order; that of the last pattern is remembered.

    So who asks for the price of a factorisation first, and then factors, orders once. A pattern is the same if its
    arrays are: were they written to in between, the order would still be one, and the fill only more.
    """
    place = (rows.indices.ctypes.data, rows.indices.size)
    for pointers, where, fill in _last:
        if pointers() is rows.indptr and where == place:
            return fill
    graph = symmetric_graph(rows, columns)
    fill = cholesky_fill(graph, minimum_degree(graph))
    _last[:] = [(weakref.ref(rows.indptr), place, fill)]
    return fill


def column_fill(rows: Compressed, order: np.ndarray) -> Fill:
    """Count the entries of the Cholesky factor of AᵀA, which bound those of L and of U whatever the row exchanges.

    References
    ----------
    George and Ng, SIAM J. Sci. Stat. Comput. 8 (1987) 877 (the bound).
    """
    return _fill(_column_counts_of_rows, rows.indptr, rows.indices, order, rows.indices.size)


def _fill(kernel: Kernel, indptr: np.ndarray, indices: np.ndarray, order: np.ndarray, pairs: int) -> Fill:
    n = order.size
    place = np.empty(n, dtype=np.int32)
    place[order] = np.arange(n, dtype=np.int32)
    counts, sums = np.empty(n, dtype=np.int64), np.empty(2)
    sequence = np.empty(n, dtype=np.int32)
    integers = np.empty(9 * n + 2 + 2 * pairs, dtype=np.int32)
    kernel(n, indptr, indices, place, counts, sequence, pairs, integers, sums)
    return Fill(float(sums[0]), float(sums[1]), counts[sequence], order[sequence])
