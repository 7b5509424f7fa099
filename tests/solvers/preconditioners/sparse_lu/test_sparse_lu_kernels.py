"""The orders and the counts of fill, against an elimination in plain NumPy; the portrait, against dense arithmetic."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.solvers.operands import as_csr
from resolvent.solvers.preconditioners.sparse_lu.orderings import (
    cholesky_fill,
    column_fill,
    minimum_degree,
    minimum_degree_of_columns,
    symmetric_graph,
)
from resolvent.solvers.preconditioners.sparse_lu.portrait import by_columns, by_rows, portrait
from resolvent.solvers.preconditioners.sparse_lu.singularity import has_transversal


def read(A):
    matrix = as_csr(A, "test")
    rows = by_rows(matrix, "test")
    own = np.arange(rows.n, dtype=np.int32)
    return rows, by_columns(rows, own, own)


def random_matrix(seed, n, density, complex_=False):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n)) * (rng.random((n, n)) < density)
    if complex_:
        A = A * np.exp(2j * np.pi * rng.random((n, n)))
    if seed % 2:
        A = A + np.diag(rng.standard_normal(n))
    return A


def eliminated(neighbours, order):
    """Return the entries of each column of the factor, by eliminating one unknown after another."""
    filled = neighbours[np.ix_(order, order)].copy()
    np.fill_diagonal(filled, True)
    for k in range(len(order)):
        below = np.flatnonzero(filled[k + 1 :, k]) + k + 1
        filled[np.ix_(below, below)] = True
    return np.tril(filled).sum(axis=0)


random_matrices = given(
    seed=st.integers(0, 10**6), n=st.integers(1, 30), density=st.sampled_from([0.03, 0.1, 0.3]), complex_=st.booleans()
)


@random_matrices
@settings(max_examples=150, deadline=None)
def test_counts_are_those_of_an_elimination(seed, n, density, complex_):
    A = random_matrix(seed, n, density, complex_)
    rows, columns = read(A)
    graph = symmetric_graph(rows, columns)
    entries = A != 0.0
    for order in (minimum_degree(graph), np.random.default_rng(seed).permutation(n).astype(np.int32)):
        assert sorted(order) == list(range(n))
        fill = cholesky_fill(graph, order)
        np.testing.assert_array_equal(fill.counts, eliminated(entries | entries.T, fill.order))
        assert fill.entries == eliminated(entries | entries.T, order).sum()
        assert fill.work == (fill.counts**2).sum()
    order = minimum_degree_of_columns(rows, columns)
    assert sorted(order) == list(range(n))
    fill = column_fill(rows, order)
    product = entries.astype(int).T @ entries.astype(int) > 0
    np.testing.assert_array_equal(fill.counts, eliminated(product, fill.order))


@random_matrices
@settings(max_examples=100, deadline=None)
def test_portrait(seed, n, density, complex_):
    A = random_matrix(seed, n, density, complex_)
    rows, columns = read(A)
    facts = portrait(rows, columns, 0.5)
    size = np.abs(A)
    np.testing.assert_allclose(facts.largest, size.max())
    np.testing.assert_allclose([facts.norm, facts.norm_one], [size.sum(axis=1).max(), size.sum(axis=0).max()])
    np.testing.assert_allclose(facts.asymmetry, np.abs(A - A.conj().T).max())
    np.testing.assert_allclose(
        [facts.smallest_row, facts.smallest_column], [size.max(axis=1).min(), size.max(axis=0).min()]
    )
    for index, axis in ((facts.empty_row, 1), (facts.empty_column, 0)):
        empty = np.flatnonzero(size.max(axis=axis) == 0.0)
        assert index == (empty[0] if empty.size else -1)
    own = np.diag(size)
    assert facts.zeros == (own == 0.0).sum()
    assert facts.negligible == ((own == 0.0) | (own < 0.5 * size.max(axis=0))).sum()
    assert facts.unmatched == ((A != 0.0) ^ (A.T != 0.0)).sum()
    assert facts.positive == bool(np.all(np.diag(A).real > 0.0))
    assert facts.dominant == bool(np.all(2.0 * own >= size.sum(axis=1) * (1.0 - 1e-14)))
    off = size * size.T * ~np.eye(n, dtype=bool)
    outdone = (off > 0.0) & (off >= np.outer(own, own))
    assert (facts.outdone > 0) == bool(outdone.any())
    assert facts.outdone <= n // 2


def test_pairs_have_no_unknown_in_common():
    """An arrow outdoes its diagonal in one row alone; a ring of equal entries does everywhere."""
    n = 40
    arrow = np.eye(n)
    arrow[0, 1:] = arrow[1:, 0] = 2.0
    assert portrait(*read(arrow), 1e-3).outdone == 1
    ring = np.eye(n) + np.roll(np.eye(n), 1, axis=0) + np.roll(np.eye(n), -1, axis=0)
    assert portrait(*read(ring), 1e-3).outdone == n // 2


def laplacian(n):
    line = sp.diags_array([np.full(n, 2.0), np.full(n - 1, -1.0), np.full(n - 1, -1.0)], offsets=[0, 1, -1])
    return sp.csr_array(sp.kron(line, sp.eye_array(n)) + sp.kron(sp.eye_array(n), line))


def test_orders_are_as_good_as_those_of_superlu():
    A = laplacian(60)
    rows, columns = read(A)
    graph = symmetric_graph(rows, columns)
    symmetric = sp.linalg.splu(A.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    assert cholesky_fill(graph, minimum_degree(graph)).entries <= 1.15 * symmetric.L.nnz
    order = minimum_degree_of_columns(rows, columns)
    exchanged = sp.linalg.splu(sp.csc_array(A.tocsc()[:, order]), permc_spec="NATURAL")
    assert exchanged.nnz <= 1.15 * sp.linalg.splu(A.tocsc()).nnz
    assert exchanged.U.nnz <= column_fill(rows, order).entries


@pytest.mark.parametrize("dense", [0, 4_000])
def test_an_arrow_fills_nothing(dense):
    n = 20_000
    i = np.arange(n)
    off = i[i != dense]
    here = np.full(n - 1, dense)
    A = sp.csr_array((np.ones(3 * n - 2), (np.r_[i, here, off], np.r_[i, off, here])), shape=(n, n))
    rows, columns = read(A)
    graph = symmetric_graph(rows, columns)
    assert cholesky_fill(graph, minimum_degree(graph)).entries == 2 * n - 1


def test_a_tree_fills_nothing():
    n = 3_000
    parent = np.array([np.random.default_rng(k).integers(0, k) for k in range(1, n)])
    child = np.arange(1, n)
    A = sp.csr_array((np.ones(2 * n - 2), (np.r_[child, parent], np.r_[parent, child])), shape=(n, n))
    graph = symmetric_graph(*read(A))
    assert cholesky_fill(graph, minimum_degree(graph)).entries == 2 * n - 1


@random_matrices
@settings(max_examples=150, deadline=None)
def test_transversals_exist_where_the_structural_rank_is_full(seed, n, density, complex_):
    A = sp.csr_array(random_matrix(seed, n, density, complex_))
    rng = np.random.default_rng(seed)
    if seed % 3:
        A = A + sp.csr_array((np.ones(n), (np.arange(n), rng.permutation(n))), shape=(n, n))
    A.data[rng.random(A.nnz) < 0.05] = 0.0  # stored, but zero
    rows, _ = read(A)
    present = A.copy()
    present.eliminate_zeros()
    assert has_transversal(rows) == (sp.csgraph.structural_rank(sp.csr_matrix(present)) == n)


def test_a_permutation_is_written_by_columns():
    A = random_matrix(5, 20, 0.2, True)
    rows, _ = read(A)
    rng = np.random.default_rng(1)
    p, q = (rng.permutation(20).astype(np.int32) for _ in range(2))
    columns = by_columns(rows, p, q)
    permuted = sp.csc_array((columns.data, columns.indices, columns.indptr), shape=(20, 20))
    assert permuted.has_sorted_indices
    np.testing.assert_array_equal(permuted.toarray(), A[np.ix_(p, q)])
