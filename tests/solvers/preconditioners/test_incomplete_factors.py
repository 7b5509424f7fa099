"""ICT, ILU(0), ILUT and FSAI against dense references and against each other."""

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.solvers import FSAI, IC0, ICT, ILU0, ILUT, Diffusion, InputError, cg, gmres


def diffusion(shape=(9, 7), seed=0):
    return Diffusion(np.exp(np.random.default_rng(seed).standard_normal(shape)))


def convection(n=20, speed=60.0):
    h = 1.0 / (n + 1)
    one = sp.diags_array([np.full(n, 2.0), -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, 1, -1])
    wind = sp.diags_array([np.ones(n), -np.ones(n - 1)], offsets=[0, -1])
    eye = sp.eye_array(n)
    return sp.csr_array(sp.kron(one, eye) + sp.kron(eye, one) + h * speed * (sp.kron(wind, eye) + sp.kron(eye, wind)))


def dominant(seed, n, complex_, hermitian=True):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n)) * (rng.random((n, n)) < 0.3)
    if complex_:
        A = A * np.exp(2j * np.pi * rng.random((n, n)))
    np.fill_diagonal(A, 0.0)
    if hermitian:
        A = np.tril(A, -1)
        A = A + A.conj().T
    return A + np.diag(np.abs(A).sum(axis=1) + rng.uniform(0.1, 1.0, n))


@given(seed=st.integers(0, 10**6), n=st.integers(1, 25), complex_=st.booleans())
@settings(max_examples=40, deadline=None)
def test_ict_without_dropping_is_cholesky(seed, n, complex_):
    A = dominant(seed, n, complex_)
    M = ICT.setup(A, drop_tolerance=0.0, fill=None)
    np.testing.assert_allclose(M.factor.toarray(), np.linalg.cholesky(A), rtol=1e-9, atol=1e-11)
    r = np.random.default_rng(seed).standard_normal(n) + 0j
    np.testing.assert_allclose(A @ (M @ r), r, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(("share", "kept"), [(0.99, 49), (1.01, 0)])
def test_what_is_dropped_is_small_against_the_norm_of_its_column(share, kept):
    """An arrow: the first column has 49 entries of 0.13, and the norm √(1 + 49·0.13²) = 1.35."""
    A = np.eye(50)
    A[1:, 0] = A[0, 1:] = 0.13
    M = ICT.setup(A, drop_tolerance=share * 0.13 / np.linalg.norm(A[:, 0]), fill=None)
    assert np.count_nonzero(M.factor.toarray()[1:, 0]) == kept


def test_ict_interpolates_between_ic0_and_the_complete_factor():
    A = diffusion((40, 40))
    b = np.ones(1600)
    factors = [ICT.setup(A, drop_tolerance=t, fill=None) for t in (1e-1, 1e-2, 1e-3, 1e-4)]
    iterations = [cg(A, b, rtol=1e-10, M=M).iterations for M in factors]
    entries = [M.factor.nnz for M in factors]
    assert iterations == sorted(iterations, reverse=True)
    assert entries == sorted(entries)
    assert iterations[1] < cg(A, b, rtol=1e-10, M=IC0.setup(A)).iterations
    assert iterations[-1] <= 7


@pytest.mark.parametrize("fill", [1.0, 2.0, 4.0])
def test_ict_keeps_to_its_fill(fill):
    A = diffusion((20, 20))
    factor = ICT.setup(A, drop_tolerance=0.0, fill=fill).factor.tocsc()
    given = np.diff(sp.tril(A.tocsr(), -1, format="csc").indptr)
    assert np.all(np.diff(factor.indptr) - 1 <= np.maximum(1, fill * np.maximum(given, 1)))


def test_ict_shifts_on_breakdown():
    A = np.array([[3.0, -2.0, 0.0, 2.0], [-2.0, 3.0, -2.0, 0.0], [0.0, -2.0, 3.0, -2.0], [2.0, 0.0, -2.0, 3.0]])
    M = ICT.setup(A, drop_tolerance=0.7, fill=None)  # drops the fill that keeps the last pivot positive
    assert M.kind == "spd"
    assert np.linalg.eigvalsh(M @ np.eye(4)).min() > 0.0
    assert cg(A, np.ones(4), rtol=1e-12, M=M).converged
    indefinite = np.array([[1.0, 3.0], [3.0, 1.0]])
    assert ICT.setup(indefinite).shift > 1.0


def ilu0_reference(A):
    """The textbook IKJ variant, dense, updates only on the pattern."""
    LU, pattern = A.copy(), A != 0
    for i in range(1, len(A)):
        for k in range(i):
            if pattern[i, k]:
                LU[i, k] /= LU[k, k]
                LU[i, k + 1 :] -= np.where(pattern[i, k + 1 :], LU[i, k] * LU[k, k + 1 :], 0.0)
    return np.tril(LU, -1) + np.eye(len(A)), np.triu(LU)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 25), complex_=st.booleans(), hermitian=st.booleans())
@settings(max_examples=60, deadline=None)
def test_ilu0_is_the_reference_and_matches_on_the_pattern(seed, n, complex_, hermitian):
    A = dominant(seed, n, complex_, hermitian)
    M = ILU0.setup(sp.csr_array(A))
    L, U = (factor.toarray() for factor in M.factors)
    expected = ilu0_reference(A)
    np.testing.assert_allclose(L, expected[0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(U, expected[1], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose((L @ U)[A != 0], A[A != 0], rtol=1e-8, atol=1e-10)
    r = np.random.default_rng(seed).standard_normal(n) + 0j
    np.testing.assert_allclose(L @ (U @ (M @ r)), r, rtol=1e-8, atol=1e-9)
    if hermitian:
        assert M.kind == "spd"


def test_ilu0_is_ic0_on_a_symmetric_matrix():
    A = diffusion()
    np.testing.assert_allclose(ILU0.setup(A) @ np.ones(63), IC0.setup(A) @ np.ones(63), rtol=1e-11)


def test_ilu0_shifts_on_breakdown():
    A = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 3.0]])
    M = ILU0.setup(A)
    assert M.shift > 0.0
    assert gmres(A, np.ones(3), rtol=1e-10, M=M).converged


@pytest.mark.parametrize("preconditioner", [ILU0, ILUT])
def test_incomplete_lu_serves_nonsymmetric_systems(preconditioner):
    A, b = convection(), np.ones(400)
    M = preconditioner.setup(A)
    assert M.kind == "linear"
    result = gmres(A, b, rtol=1e-9, M=M)
    assert result.converged
    assert result.iterations < 0.5 * gmres(A, b, rtol=1e-9).iterations


def test_ilut_is_as_good_as_its_threshold():
    A, b = convection(30), np.ones(900)
    iterations = [gmres(A, b, rtol=1e-9, M=ILUT.setup(A, drop_tolerance=t)).iterations for t in (1e-1, 1e-3, 0.0)]
    assert iterations == sorted(iterations, reverse=True)
    assert iterations[-1] <= 2
    expected = spla.spilu(A.tocsc(), drop_tol=1e-3, fill_factor=10.0).solve(b)
    np.testing.assert_array_equal(ILUT.setup(A, drop_tolerance=1e-3, fill=10.0) @ b, expected)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 20), complex_=st.booleans())
@settings(max_examples=40, deadline=None)
def test_fsai_on_a_full_pattern_is_the_inverse(seed, n, complex_):
    A = dominant(seed, n, complex_) + 1e-3  # no entry is zero
    M = FSAI.setup(A)
    np.testing.assert_allclose(M.factor.toarray(), np.linalg.inv(np.linalg.cholesky(A)), rtol=1e-7, atol=1e-10)
    r = np.random.default_rng(seed).standard_normal(n) + 0j
    np.testing.assert_allclose(A @ (M @ r), r, rtol=1e-7, atol=1e-9)


def test_fsai_minimises_over_its_pattern():
    """Row i of G is Kolotilina and Yeremin's: (G A)_ij = 0 on the pattern off the diagonal, diag(G A Gᵀ) = 1."""
    A = diffusion().tocsr().toarray()
    for power in (1, 2, 3):
        G = FSAI.setup(A, power=power).factor.toarray()
        product = G @ A
        pattern = (np.linalg.matrix_power((A != 0).astype(int), power) != 0) & (np.tril(np.ones_like(A), -1) > 0)
        np.testing.assert_allclose(product[pattern], 0.0, atol=1e-9)
        np.testing.assert_allclose(np.diag(G @ A @ G.T), 1.0, rtol=1e-10)


def test_a_higher_power_takes_fewer_iterations():
    A = diffusion((30, 30))
    counts = [cg(A, np.ones(900), rtol=1e-9, M=FSAI.setup(A, power=p)).iterations for p in (1, 2, 3)]
    assert counts[0] > counts[1] > counts[2]


def test_fsai_keeps_its_pattern_in_update():
    M = FSAI.setup(diffusion())
    indices = M._indices
    M.update(diffusion(seed=1))
    assert M._indices is indices
    np.testing.assert_allclose(M @ np.ones(63), FSAI.setup(diffusion(seed=1)) @ np.ones(63), rtol=1e-12)


@pytest.mark.parametrize(
    ("preconditioner", "A", "word"),
    [
        (ICT, np.array([[2.0, 1.0], [0.0, 2.0]]), "Hermitian"),
        (ICT, np.diag([1.0, -1.0]), "row 1"),
        (FSAI, np.array([[2.0, 1.0], [0.0, 2.0]]), "Hermitian"),
        (FSAI, np.array([[1.0, 2.0], [2.0, 1.0]]), "positive definite"),
        (ILU0, sp.csr_array(np.array([[1.0, 1.0], [1.0, 0.0]])), "row 1"),
        (ILUT, np.zeros((3, 3)), "singular"),
    ],
)
def test_mistakes(preconditioner, A, word):
    with pytest.raises(InputError, match=word):
        preconditioner.setup(A)


@pytest.mark.parametrize(
    ("preconditioner", "setting"),
    [
        (ICT, {"drop_tolerance": -1.0}),
        (ICT, {"fill": 0.0}),
        (ICT, {"shift": np.nan}),
        (ILU0, {"shift": -1.0}),
        (ILUT, {"drop_tolerance": 1.0}),
        (ILUT, {"fill": 0.5}),
        (FSAI, {"power": 0}),
    ],
)
def test_settings_are_checked(preconditioner, setting):
    with pytest.raises(InputError, match=next(iter(setting))):
        preconditioner.setup(diffusion(), **setting)
