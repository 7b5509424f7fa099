"""Incomplete Cholesky against a dense reference."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.solvers import IC0, Diffusion, InputError, cg


def reference(A):
    """IC(0) by the textbook: right-looking, dense, updates only on the pattern."""
    L = np.tril(A).astype(A.dtype)
    pattern = np.tril(A) != 0
    for k in range(len(L)):
        L[k, k] = np.sqrt(L[k, k].real)
        L[k + 1 :, k] /= L[k, k]
        for j in range(k + 1, len(L)):
            L[j:, j] -= np.where(pattern[j:, j], L[j:, k] * np.conj(L[j, k]), 0.0)
    return L


def diffusion(shape=(9, 7), seed=0):
    return Diffusion(np.exp(np.random.default_rng(seed).standard_normal(shape)))


def dominant(seed, n, complex_):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n)) * (rng.random((n, n)) < 0.3)
    if complex_:
        A = A * np.exp(2j * np.pi * rng.random((n, n)))
    A = np.tril(A, -1)
    A = A + A.conj().T
    return A + np.diag(np.abs(A).sum(axis=1) + rng.uniform(0.1, 1.0, n))


def test_the_factor_is_the_reference_on_diffusion():
    A = diffusion().tocsr().toarray()
    M = IC0.setup(A)
    assert M.shift == 0.0
    np.testing.assert_allclose(M.factor.toarray(), reference(A), rtol=1e-12, atol=1e-12)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 25), complex_=st.booleans())
@settings(max_examples=50, deadline=None)
def test_the_product_matches_on_the_pattern(seed, n, complex_):
    A = dominant(seed, n, complex_)
    M = IC0.setup(sp.csr_array(A))
    L = M.factor.toarray()
    assert M.shift == 0.0
    np.testing.assert_array_equal((L != 0) & (np.tril(A) == 0), False)
    np.testing.assert_allclose((L @ L.conj().T)[A != 0], A[A != 0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(L, reference(A), rtol=1e-9, atol=1e-11)
    r = np.random.default_rng(seed).standard_normal(n) + 0j
    z = M @ r
    np.testing.assert_allclose(L @ (L.conj().T @ z), r, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("n", [1, 5, 40])
def test_is_exact_where_there_is_no_fill(n):
    """A tridiagonal matrix: IC(0) is the Cholesky factor, and cg needs one iteration."""
    A = sp.csr_array(sp.diags_array([np.full(n, 2.1), -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, 1, -1]))
    M = IC0.setup(A)
    np.testing.assert_allclose(M.factor.toarray(), np.linalg.cholesky(A.toarray()), rtol=1e-12, atol=1e-14)
    assert cg(A, np.ones(n), rtol=1e-10, M=M).iterations == 1


def kershaw():
    """Positive definite, with a negative pivot in IC(0) (Kershaw 1978)."""
    return np.array([[3.0, -2.0, 0.0, 2.0], [-2.0, 3.0, -2.0, 0.0], [0.0, -2.0, 3.0, -2.0], [2.0, 0.0, -2.0, 3.0]])


def test_a_breakdown_is_shifted_and_reported():
    A = kershaw()
    assert np.linalg.eigvalsh(A).min() > 0.0
    M = IC0.setup(A)
    assert M.kind == "spd"
    assert M.shift > 0.0
    np.testing.assert_allclose(M.factor.toarray(), reference(A + M.shift * np.diag(np.diag(A))), rtol=1e-12, atol=1e-14)
    assert cg(A, np.ones(4), rtol=1e-12, M=M).converged


def test_a_given_shift_is_the_first_to_be_tried():
    M = IC0.setup(diffusion(), shift=0.25)
    assert M.shift == 0.25
    A = diffusion().tocsr().toarray()
    np.testing.assert_allclose(M.factor.toarray(), reference(A + 0.25 * np.diag(np.diag(A))), rtol=1e-12, atol=1e-12)


def test_update_reuses_the_pattern_and_follows_a_new_one():
    M = IC0.setup(diffusion())
    indices = M._indices
    M.update(diffusion(seed=1))
    assert M._indices is indices
    np.testing.assert_allclose(
        M.factor.toarray(), reference(diffusion(seed=1).tocsr().toarray()), rtol=1e-12, atol=1e-12
    )
    other = dominant(3, 63, False)
    np.testing.assert_allclose(M.update(other).factor.toarray(), reference(other), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("A", "word"),
    [
        (np.array([[2.0, 1.0], [0.0, 2.0]]), "Hermitian"),
        (np.array([[2.0, 1j], [1j, 2.0]]), "Hermitian"),
        (np.diag([1.0, -1.0]), "row 1"),
        (sp.csr_array(np.diag([1.0, 0.0, 1.0])), "row 1 has no diagonal"),
    ],
)
def test_mistakes(A, word):
    with pytest.raises(InputError, match=word):
        IC0.setup(A)


@pytest.mark.parametrize("shift", [-1.0, np.nan, np.inf, "0.1", None, True])
def test_shift_is_checked(shift):
    with pytest.raises(InputError, match="shift"):
        IC0.setup(diffusion(), shift=shift)
