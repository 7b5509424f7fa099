"""Block conjugate gradients: the bound with the smallest eigenvalues gone, and blocks that lose rank."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.solvers import IC0, Diffusion, Status, block_cg, cg


def with_spectrum(eigenvalues, seed=0):
    n = len(eigenvalues)
    Q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))
    return (Q * eigenvalues) @ Q.T


def diffusion(n=24):
    return Diffusion(np.exp(np.random.default_rng(0).standard_normal((n, n))))


def test_one_column_is_cg():
    A, b = diffusion(), np.random.default_rng(1).standard_normal(576)
    expected, result = cg(A, b, rtol=1e-8), block_cg(A, b, rtol=1e-8)
    assert abs(result.iterations - expected.iterations) <= 1
    np.testing.assert_allclose(result.residuals[:30], expected.residuals[:30], rtol=1e-4)
    assert result.x.shape == (576,)


def test_small_eigenvalues_do_not_slow_a_block_down():
    """With s columns the bound is that of λ_max/λ_s (O'Leary)."""
    eigenvalues = np.r_[1e-4, 2e-4, 5e-4, np.linspace(1.0, 10.0, 197)]
    A = with_spectrum(eigenvalues)
    B = np.random.default_rng(1).standard_normal((200, 4))
    alone = cg(A, B[:, 0], rtol=1e-8).iterations
    result = block_cg(A, B, rtol=1e-8)
    condition = 10.0
    bound = math.log(2e8 * math.sqrt(10.0 / 1e-4)) / math.log((math.sqrt(condition) + 1) / (math.sqrt(condition) - 1))
    assert result.converged
    assert result.iterations <= bound
    assert result.iterations < 0.8 * alone


@pytest.mark.parametrize("preconditioned", [False, True])
def test_fewer_products_than_columns_alone(preconditioned):
    A = diffusion()
    B = np.random.default_rng(2).standard_normal((576, 6))
    M = IC0.setup(A) if preconditioned else None
    together, alone = block_cg(A, B, rtol=1e-8, M=M), cg(A, B, rtol=1e-8, M=M)
    assert together.converged
    assert together.matvecs < alone.matvecs
    for j in range(6):
        assert np.linalg.norm(B[:, j] - A @ together.x[:, j]) <= 1.001e-8 * np.linalg.norm(B[:, j])


def test_dependent_columns_cost_no_products():
    A = diffusion(16)
    rng = np.random.default_rng(3)
    U = rng.standard_normal((256, 2))
    B = np.stack([U[:, 0], U[:, 1], U[:, 0] + U[:, 1], 1e5 * U[:, 0], U[:, 0]], axis=1)
    result, independent = block_cg(A, B, rtol=1e-9), block_cg(A, U, rtol=1e-9)
    assert result.converged
    assert result.iterations <= independent.iterations + 2
    assert result.matvecs <= independent.matvecs + 20
    np.testing.assert_allclose(
        result.x[:, 2], result.x[:, 0] + result.x[:, 1], atol=1e-6 * np.abs(result.x[:, :3]).max()
    )


def test_more_columns_than_unknowns():
    A = with_spectrum(np.linspace(1, 3, 5))
    B = np.random.default_rng(0).standard_normal((5, 9))
    result = block_cg(A, B, rtol=1e-12)
    assert result.converged
    assert result.iterations <= 2
    np.testing.assert_allclose(A @ result.x, B, atol=1e-10)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 25), k=st.integers(1, 6), rank=st.integers(1, 6), c=st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_positive_definite_system_and_any_rank(seed, n, k, rank, c):
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if c else 0.0))
    A = (Q * 10 ** rng.uniform(0, 3, n)) @ Q.conj().T
    A = 0.5 * (A + A.conj().T)
    B = rng.standard_normal((n, min(rank, k))) @ rng.standard_normal((min(rank, k), k))
    result = block_cg(A, B, rtol=1e-8, maxiter=100 * n + 100)
    assert result.converged
    assert np.all(np.linalg.norm(B - A @ result.x, axis=0) <= (1 + 1e-6) * 1e-8 * np.linalg.norm(B, axis=0) + 1e-300)


def test_an_indefinite_matrix_is_found_out():
    result = block_cg(np.diag([1.0, 2.0, -3.0, 1.0]), np.eye(4)[:, :3] + 0.1)
    assert result.status is Status.INDEFINITE
    assert all(column.status is Status.INDEFINITE for column in result.columns)


def test_callback_is_handed_the_block():
    shapes = []
    result = block_cg(
        diffusion(8), np.random.default_rng(0).standard_normal((64, 3)), callback=lambda X: shapes.append(X.shape)
    )
    assert shapes == [(64, 3)] * result.iterations
