"""Compiled sweeps, factors and stencils on random matrices against dense NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.solvers import FSAI, IC0, ICT, ILU0, SSOR, Diffusion
from resolvent.solvers.kernels import level
from resolvent.solvers.preconditioners.incomplete import ict
from resolvent.solvers.stationary.colouring import greedy_colours
from resolvent.solvers.stationary.splitting import forward_sweep

Random = np.random.Generator
CASES = 20 if level() == "debug" else 150


def matrix(rng: Random, dtype: type, index: type, hermitian: bool) -> sp.csr_array:
    """Return a random sparse matrix of 1 to 40 rows with a dominant diagonal."""
    n = int(rng.integers(1, 41))
    A = sp.random_array((n, n), density=rng.uniform(0.02, 0.5), rng=rng).astype(dtype)
    if np.dtype(dtype).kind == "c":
        A = A + 1j * sp.random_array((n, n), density=0.2, rng=rng)
    A = A + A.conj().T if hermitian else A
    A = sp.csr_array(A + sp.diags_array(np.asarray(abs(A).sum(axis=1)).ravel() + 1.0))
    A.sort_indices()
    A.indptr, A.indices = A.indptr.astype(index), A.indices.astype(index)
    return A


def vector(rng: Random, A: sp.csr_array) -> np.ndarray:
    r = rng.normal(size=A.shape[0])
    return r + 1j * rng.normal(size=r.shape) if A.dtype.kind == "c" else r


def each_case(check: Callable[[Random, type, type], None]) -> None:
    for case in range(CASES):
        check(np.random.default_rng(case), (np.float64, np.complex128)[case % 2], (np.int32, np.int64)[case // 2 % 2])


def test_sweeps() -> None:
    def check(rng: Random, dtype: type, index: type) -> None:
        A = matrix(rng, dtype, index, hermitian=False)
        r, omega, dense = vector(rng, A), rng.uniform(0.2, 1.8), A.toarray()
        D, L, U = np.diag(np.diag(dense)), np.tril(dense, -1), np.triu(dense, 1)
        np.testing.assert_allclose(
            forward_sweep(A, omega, "natural", "sor")(r), np.linalg.solve(D / omega + L, r), rtol=1e-10, atol=1e-12
        )
        N = omega / (2 - omega) * (D / omega + L) @ np.linalg.inv(D) @ (D / omega + U)
        np.testing.assert_allclose(SSOR.setup(A, omega=omega) @ r, np.linalg.solve(N, r), rtol=1e-9, atol=1e-12)

    each_case(check)


def test_incomplete_factors_agree_with_the_matrix_on_its_pattern() -> None:
    def check(rng: Random, dtype: type, index: type) -> None:
        A = matrix(rng, dtype, index, hermitian=True)
        r, dense = vector(rng, A), A.toarray()
        pattern = dense != 0
        M = IC0.setup(A)
        L = M.factor.toarray()
        assert M.shift == 0.0
        np.testing.assert_allclose((L @ L.conj().T)[pattern], dense[pattern], rtol=0, atol=1e-12 * abs(dense).max())
        np.testing.assert_allclose(M @ r, np.linalg.solve(L @ L.conj().T, r), rtol=1e-9, atol=1e-12)
        B = matrix(rng, dtype, index, hermitian=False)
        r, dense = vector(rng, B), B.toarray()
        pattern = dense != 0
        M = ILU0.setup(B)
        L, U = (factor.toarray() for factor in M.factors)
        np.testing.assert_allclose((L @ U)[pattern], dense[pattern], rtol=0, atol=1e-12 * abs(dense).max())
        np.testing.assert_allclose(M @ r, np.linalg.solve(L @ U, r), rtol=1e-9, atol=1e-12)

    each_case(check)


def test_without_a_threshold_ict_is_the_complete_factor() -> None:
    def check(rng: Random, dtype: type, index: type) -> None:
        A = matrix(rng, dtype, index, hermitian=True)
        r = vector(rng, A)
        M = ICT.setup(A, drop_tolerance=0.0, fill=None)
        np.testing.assert_allclose(M.factor.toarray(), np.linalg.cholesky(A.toarray()), rtol=0, atol=1e-11)
        np.testing.assert_allclose(M @ r, np.linalg.solve(A.toarray(), r), rtol=1e-9, atol=1e-12)

    each_case(check)


def test_ict_goes_on_where_its_memory_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    A = sp.csr_array(sp.random_array((300, 300), density=0.01, rng=rng))
    A = sp.csr_array(A + A.T + sp.diags_array(np.full(300, 40.0)))
    calls = []
    compiled = ict._continue

    def counted(*arguments: object) -> int:
        calls.append(compiled(*arguments))
        return calls[-1]

    monkeypatch.setattr(ict, "_continue", counted)
    M = ICT.setup(A, drop_tolerance=0.0, fill=None)
    assert len(calls) > 1  # the complete factor needs more than was reserved
    np.testing.assert_allclose(M.factor.toarray(), np.linalg.cholesky(A.toarray()), rtol=0, atol=1e-12)


def test_fsai_inverts_its_rows() -> None:
    def check(rng: Random, dtype: type, index: type) -> None:
        A = matrix(rng, dtype, index, hermitian=True)
        G, dense = FSAI.setup(A).factor.toarray(), A.toarray()
        np.testing.assert_allclose(np.diag(G @ dense @ G.conj().T), 1.0, rtol=1e-10)
        below = np.tril(dense != 0, -1)
        np.testing.assert_allclose((G @ dense)[below], 0.0, atol=1e-12)  # (G A)_ij = 0 on the pattern

    each_case(check)


def test_no_neighbours_have_the_same_colour() -> None:
    def check(rng: Random, dtype: type, index: type) -> None:
        A = matrix(rng, dtype, index, hermitian=False)
        colours = greedy_colours(A)
        i, j = np.nonzero(A.toarray() + A.toarray().T)
        assert (colours[i] != colours[j])[i != j].all()
        coupled = (A.toarray() != 0) | (A.toarray().T != 0)
        assert colours.max() < coupled.sum(axis=1).max() + 1

    each_case(check)


def test_the_stencil_equals_its_matrix() -> None:
    for case in range(10 * CASES):
        rng = np.random.default_rng(case)
        shape = tuple(rng.integers(1, 20, size=2))
        A = Diffusion(np.exp(rng.normal(size=shape)))
        u = rng.normal(size=A.shape[0])
        np.testing.assert_allclose(A @ u, A.tocsr() @ u, rtol=0, atol=1e-12 * abs(A.tocsr()).max() * abs(u).max())
