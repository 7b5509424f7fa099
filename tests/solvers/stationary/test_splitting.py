"""Jacobi, SOR and SSOR against Young's theory."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.solvers import (
    SSOR,
    Diffusion,
    InputError,
    Status,
    cg,
    jacobi,
    optimal_omega,
    sor,
    spectral_radius_jacobi,
    ssor,
)

N = 16


def poisson(n=N):
    """The five-point Laplacian with Dirichlet nodes: ρ(Jacobi) = cos(π/(n + 1)) exactly."""
    one = sp.diags_array([np.full(n, 2.0), -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, 1, -1])
    return sp.csr_array(sp.kron(one, sp.eye_array(n)) + sp.kron(sp.eye_array(n), one))


def asymptotic_factor(solver, A, skip, **settings):
    """The mean factor of the residual over the last iterations of a long run."""
    b = np.random.default_rng(0).standard_normal(A.shape[0])
    history = solver(A, b, rtol=1e-12, maxiter=20_000, **settings).residuals
    return (history[-1] / history[skip]) ** (1.0 / (len(history) - 1 - skip))


@pytest.mark.parametrize("n", [8, 16, 32])
def test_spectral_radius_of_jacobi(n):
    assert spectral_radius_jacobi(poisson(n)) == pytest.approx(math.cos(math.pi / (n + 1)), abs=1e-9)


def test_spectral_radius_of_jacobi_agrees_with_dense_eigenvalues():
    """Both branches for large matrices, against LAPACK."""
    A = Diffusion(np.exp(np.random.default_rng(0).standard_normal((24, 20)))).tocsr()
    for matrix in (A, sp.csr_array(A + sp.diags_array(np.full(479, 3.0), offsets=1))):
        dense = np.eye(480) - matrix.toarray() / matrix.diagonal()[:, None]
        expected = np.abs(np.linalg.eigvals(dense)).max()
        assert spectral_radius_jacobi(matrix) == pytest.approx(expected, rel=1e-6)


def test_jacobi_converges_at_its_spectral_radius():
    A = poisson()
    assert asymptotic_factor(jacobi, A, 400) == pytest.approx(spectral_radius_jacobi(A), abs=1e-4)


def test_gauss_seidel_converges_at_the_square():
    A = poisson()
    assert asymptotic_factor(sor, A, 200, omega=1.0) == pytest.approx(spectral_radius_jacobi(A) ** 2, abs=1e-3)


@pytest.mark.parametrize("omega", [1.3, 1.6])
def test_sor_below_the_optimum_follows_youngs_relation(omega):
    """λ = ((ωμ + √(ω²μ² − 4(ω − 1)))/2)² with μ the spectral radius of Jacobi."""
    A = poisson()
    mu = spectral_radius_jacobi(A)
    expected = ((omega * mu + math.sqrt(omega**2 * mu**2 - 4 * (omega - 1))) / 2) ** 2
    assert asymptotic_factor(sor, A, 100, omega=omega) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("omega", [1.8, 1.9])
def test_sor_above_the_optimum_converges_at_omega_minus_one(omega):
    A = poisson()
    assert omega > optimal_omega(A)
    assert asymptotic_factor(sor, A, 60, omega=omega) == pytest.approx(omega - 1.0, abs=0.01)


def test_sor_at_the_optimum_converges_at_omega_minus_one_up_to_its_jordan_block():
    """There ‖r_k‖ ~ k (ω − 1)^k, so the measured factor exceeds ω − 1 by O(1/k)."""
    A = poisson(32)
    omega = optimal_omega(A)
    b = np.random.default_rng(0).standard_normal(A.shape[0])
    history = sor(A, b, rtol=1e-13, omega=omega).residuals
    k = np.arange(len(history))
    fit = np.polyfit(k[60:], np.log(history[60:] / k[60:]), 1)[0]
    assert math.exp(fit) == pytest.approx(omega - 1.0, abs=0.02)


@pytest.mark.parametrize("coefficient", [np.ones((N, N)), np.where(np.indices((N, N))[0] < N / 2, 12.0, 3.0)])
def test_the_best_omega_of_a_scan_is_youngs(coefficient):
    A = Diffusion(coefficient)
    scan = np.arange(1.0, 1.96, 0.025)
    iterations = [sor(A, np.ones(N * N), rtol=1e-8, omega=float(omega)).iterations for omega in scan]
    assert abs(scan[int(np.argmin(iterations))] - optimal_omega(A)) <= 0.05


def test_one_iteration_is_the_textbook_sweep():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((9, 9)) + 9 * np.eye(9)
    b, x0, omega = rng.standard_normal(9), rng.standard_normal(9), 1.3
    x = x0.copy()
    for i in range(9):
        x[i] += omega * (b[i] - A[i] @ x) / A[i, i]
    np.testing.assert_allclose(sor(A, b, x0, maxiter=1, omega=omega).x, x, rtol=1e-12)
    for i in reversed(range(9)):
        x[i] += omega * (b[i] - A[i] @ x) / A[i, i]
    np.testing.assert_allclose(ssor(A, b, x0, maxiter=1, omega=omega).x, x, rtol=1e-12)
    expected = x0 + 0.7 * (b - A @ x0) / np.diag(A)
    np.testing.assert_allclose(jacobi(A, b, x0, maxiter=1, omega=0.7).x, expected, rtol=1e-12)


def test_the_ssor_preconditioner_is_one_iteration_of_ssor():
    A = Diffusion(np.exp(np.random.default_rng(0).standard_normal((7, 9))))
    r = np.random.default_rng(1).standard_normal(63)
    M = SSOR.setup(A, omega=1.4)
    np.testing.assert_allclose(M @ r, ssor(A, r, maxiter=1, omega=1.4).x, rtol=1e-12)
    D, U = np.diag(A.diagonal()), np.triu(A.tocsr().toarray(), 1)
    splitting = 1.4 / (2 - 1.4) * (D / 1.4 + U.T) @ np.linalg.inv(D) @ (D / 1.4 + U)
    np.testing.assert_allclose(M @ r, np.linalg.solve(splitting, r), rtol=1e-10)


def test_ssor_with_a_good_omega_takes_the_square_root_of_the_growth():
    """κ ~ h⁻² of A, h⁻¹ of MA with ω = 2/(1 + πh): iterations of cg double or grow by √2 (Axelsson)."""

    def iterations(n, preconditioned):
        A = Diffusion(np.ones((n, n)))
        M = SSOR.setup(A, omega=2 / (1 + math.pi / n)) if preconditioned else None
        return cg(A, np.random.default_rng(0).standard_normal(n * n), rtol=1e-8, M=M).iterations

    assert iterations(64, False) / iterations(32, False) == pytest.approx(2.0, abs=0.2)
    assert iterations(64, True) / iterations(32, True) == pytest.approx(math.sqrt(2), abs=0.2)


@pytest.mark.parametrize("solver", [jacobi, sor, ssor])
def test_divergence_is_detected_early(solver):
    """An indefinite matrix, strongly off-diagonal: every stationary iteration diverges."""
    A = sp.csr_array(np.eye(20) + 3.0 * (np.ones((20, 20)) - np.eye(20)))
    result = solver(A, np.arange(20.0), maxiter=100_000)
    assert result.status is Status.DIVERGED
    assert result.iterations < 200
    assert result.info > 0
    assert np.isfinite(result.x).all()
    assert result.residual == pytest.approx(np.linalg.norm(np.arange(20.0) - A @ result.x))


def test_overdamped_jacobi_diverges_and_a_smaller_omega_cures_it():
    A = poisson()
    assert jacobi(A, np.ones(N * N), omega=1.05).status is Status.DIVERGED
    assert jacobi(A, np.ones(N * N), omega=0.9).converged


@pytest.mark.parametrize("omega", [0.0, -1.0, 2.0, 2.5, np.nan, np.inf, "1.5", None, True])
@pytest.mark.parametrize("solver", [sor, ssor])
def test_omega_is_checked(solver, omega):
    with pytest.raises(InputError, match="omega"):
        solver(np.eye(3), np.ones(3), omega=omega)


@pytest.mark.parametrize("solver", [jacobi, sor, ssor])
def test_a_zero_diagonal_is_refused(solver):
    A = sp.csr_array(np.array([[2.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 2.0]]))
    with pytest.raises(InputError, match="row 1"):
        solver(A, np.ones(3))


def test_optimal_omega_refuses_what_the_theory_does_not_cover():
    with pytest.raises(InputError, match="spectral radius"):
        optimal_omega(np.array([[1.0, 2.0], [2.0, 1.0]]))


def test_a_slow_iteration_that_has_come_to_rest_stops():
    """Inconsistent: the residual tends to the part of b outside of the range, long before maxiter."""
    A = sp.csr_array(np.array([[1.0, -1.0], [-1.0, 1.0]]))
    result = sor(A, np.array([1.0, 1.0]), rtol=1e-8, maxiter=100_000)
    assert result.status in (Status.STAGNATED, Status.DIVERGED)
    assert result.iterations <= 200
