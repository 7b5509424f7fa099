"""Polynomial and block preconditioners against their eigenvalues."""

import itertools
import math

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.solvers import (
    BlockJacobi,
    ChebyshevPolynomial,
    Diffusion,
    InputError,
    Jacobi,
    SymmetricPolynomial,
    cg,
    gmres,
)


def with_spectrum(eigenvalues, seed=0):
    n = len(eigenvalues)
    Q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))
    A = (Q * eigenvalues) @ Q.T
    return 0.5 * (A + A.T), Q


def elementary(values, degree):
    return sum(math.prod(c) for c in itertools.combinations(values, degree))


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5, 6])
def test_eigenvalues_are_the_elementary_symmetric_polynomials_of_the_others(degree):
    eigenvalues = np.array([0.5, 1.0, 1.5, 2.0, 4.0, 7.0, 30.0, 100.0])
    A, Q = with_spectrum(eigenvalues)
    expected = np.array([elementary(np.delete(eigenvalues, i), degree) for i in range(8)])
    found = np.diag(Q.T @ (SymmetricPolynomial.setup(A, degree=degree) @ Q))
    np.testing.assert_allclose(found / found[0], expected / expected[0], rtol=1e-6)
    assert (found > 0.0).all()
    assert (eigenvalues * found).max() == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_the_recurrence_of_the_paper_is_the_horner_form(degree):
    eigenvalues = np.array([0.7, 1.0, 2.0, 5.0, 20.0])
    A, _ = with_spectrum(eigenvalues)
    P = [np.eye(5)]
    for t in range(1, degree + 1):
        total = np.zeros((5, 5))
        for i in range(1, t + 1):
            power = np.linalg.matrix_power(A, i)
            total += (-1.0) ** (i - 1) * P[t - i] @ (np.trace(power) * np.eye(5) - power)
        P.append(total / t)
    M = SymmetricPolynomial.setup(A, degree=degree) @ np.eye(5)
    np.testing.assert_allclose(M / M[0, 0], P[degree] / P[degree][0, 0], rtol=1e-8, atol=1e-10)


def test_outlying_eigenvalues_are_flattened():
    """τ far outliers: κ falls from λ_1/λ_n to Σ_{j>τ} λ_j/λ_n."""
    eigenvalues = np.r_[np.linspace(1.0, 2.0, 60), 1e5, 3e5]
    A, _ = with_spectrum(eigenvalues)
    M = SymmetricPolynomial.setup(A, degree=2)
    spectrum = np.linalg.eigvals(M @ A).real
    assert spectrum.max() / spectrum.min() <= 1.01 * eigenvalues[:60].sum()
    assert spectrum.min() > 0.0
    b = np.random.default_rng(0).standard_normal(62)
    assert cg(A, b, rtol=1e-8, M=M).converged


def test_chebyshev_polynomials_condition_number():
    """κ(MA) = (1 + η)/(1 − η), η = 1/T_d(σ), at the most."""
    A = Diffusion(np.ones((12, 12)))
    dense = A.tocsr().toarray()
    scale = 1.0 / np.sqrt(A.diagonal())
    ends = np.linalg.eigvalsh(scale[:, None] * dense * scale)[[0, -1]]
    for degree in (1, 3, 6):
        M = ChebyshevPolynomial.setup(A, degree=degree, bounds=tuple(ends))
        spectrum = np.sort(np.linalg.eigvals((M @ np.eye(144)) @ dense).real)
        eta = 1.0 / math.cosh(degree * math.acosh((ends[1] + ends[0]) / (ends[1] - ends[0])))
        assert spectrum[-1] / spectrum[0] <= (1 + eta) / (1 - eta) * (1 + 1e-8)
        assert spectrum[-1] == pytest.approx(1.0 + eta, rel=1e-6)
    one = ChebyshevPolynomial.setup(A, degree=1) @ np.ones(144)
    jacobi = Jacobi.setup(A) @ np.ones(144)
    np.testing.assert_allclose(one / one[0], jacobi / jacobi[0])


def test_a_higher_degree_takes_fewer_iterations_and_not_many_more_products():
    A = Diffusion(np.exp(np.random.default_rng(0).standard_normal((40, 40))))
    b = np.ones(1600)
    counts = [cg(A, b, rtol=1e-9, M=ChebyshevPolynomial.setup(A, degree=d)).iterations for d in (1, 2, 4, 8)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < 0.25 * counts[0]


@pytest.mark.parametrize("preconditioner", [ChebyshevPolynomial, SymmetricPolynomial])
@pytest.mark.parametrize(
    "A", [np.array([[2.0, 1.0], [0.0, 2.0]]), np.array([[1.0, 3.0], [3.0, 1.0]]), np.diag([1.0, -1.0])]
)
def test_only_positive_definite_matrices(preconditioner, A):
    with pytest.raises(InputError, match=r"adjoint|positive definite|Ritz"):
        preconditioner.setup(A)


def test_block_jacobi_is_the_inverse_of_the_blocks():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((11, 11)) + 11 * np.eye(11)
    M = BlockJacobi.setup(A, block_size=4)
    blocks = np.zeros((11, 11))
    for s in (slice(0, 4), slice(4, 8), slice(8, 11)):
        blocks[s, s] = np.linalg.inv(A[s, s])
    np.testing.assert_allclose(M @ np.eye(11), blocks, rtol=1e-12, atol=1e-15)
    assert M.kind == "linear"
    assert gmres(A, np.ones(11), rtol=1e-10, M=M).converged


def test_block_jacobi_of_a_block_diagonal_matrix_is_its_inverse():
    A = sp.block_diag([with_spectrum(np.linspace(1, 50, 3), seed)[0] for seed in range(10)], format="csr")
    M = BlockJacobi.setup(A, block_size=3)
    assert M.kind == "spd"
    assert cg(A, np.ones(30), rtol=1e-10, M=M).iterations == 1
    assert cg(A, np.ones(30), rtol=1e-10, M=BlockJacobi.setup(A, block_size=1)).iterations > 1
    np.testing.assert_allclose(
        BlockJacobi.setup(A, block_size=1) @ np.ones(30), Jacobi.setup(A) @ np.ones(30), rtol=1e-13
    )


def test_a_singular_block_is_named():
    A = sp.csr_array(np.kron(np.diag([1.0, 2.0]), np.ones((2, 2))) + np.eye(4)[[0, 3, 2, 1]] * 0.0)
    with pytest.raises(InputError, match="block"):
        BlockJacobi.setup(A, block_size=2)


@pytest.mark.parametrize(
    ("preconditioner", "setting"),
    [
        (BlockJacobi, {"block_size": 0}),
        (ChebyshevPolynomial, {"degree": 0}),
        (ChebyshevPolynomial, {"bounds": (2.0, 1.0)}),
        (SymmetricPolynomial, {"degree": 7}),
    ],
)
def test_settings_are_checked(preconditioner, setting):
    with pytest.raises(InputError, match=next(iter(setting))):
        preconditioner.setup(np.eye(3), **setting)
