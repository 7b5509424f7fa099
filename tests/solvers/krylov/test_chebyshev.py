"""The Chebyshev and Richardson iterations against their bounds."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.solvers import IC0, Diffusion, InputError, Status, cg, chebyshev, richardson


def with_spectrum(eigenvalues, seed=0):
    n = len(eigenvalues)
    Q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))
    return (Q * eigenvalues) @ Q.T


@pytest.mark.parametrize("condition", [10.0, 400.0])
def test_residuals_are_the_chebyshev_polynomial(condition):
    """For one eigenvector at the end of the interval, ‖r_k‖ = ‖r_0‖/T_k(θ/δ) exactly."""
    n = 60
    eigenvalues = np.linspace(1.0, condition, n)
    A = np.diag(eigenvalues)
    b = np.zeros(n)
    b[0] = 1.0
    residuals = chebyshev(A, b, rtol=1e-6, bounds=(1.0, condition)).residuals
    sigma = (condition + 1.0) / (condition - 1.0)
    expected = 1.0 / np.cosh(np.arange(len(residuals)) * math.acosh(sigma))
    np.testing.assert_allclose(residuals, expected, rtol=1e-6)


def test_error_stays_below_the_bound_with_the_true_bounds():
    A = with_spectrum(np.linspace(1.0, 100.0, 80))
    b = np.random.default_rng(1).standard_normal(80)
    exact = np.linalg.solve(A, b)
    errors = [np.linalg.norm(exact)]
    result = chebyshev(
        A, b, rtol=1e-9, bounds=(1.0, 100.0), callback=lambda x: errors.append(np.linalg.norm(x - exact))
    )
    assert result.converged
    factor = (math.sqrt(100.0) - 1) / (math.sqrt(100.0) + 1)
    assert np.all(np.array(errors) <= 2 * factor ** np.arange(len(errors)) * errors[0] * (1 + 1e-6) + 1e-9)


@pytest.mark.parametrize("preconditioned", [False, True])
def test_estimated_bounds_come_close_to_cg(preconditioned):
    A = Diffusion(np.exp(np.random.default_rng(0).standard_normal((40, 40))))
    b = np.random.default_rng(1).standard_normal(1600)
    M = IC0.setup(A) if preconditioned else None
    result = chebyshev(A, b, rtol=1e-8, M=M)
    assert result.converged
    assert result.iterations <= 2.5 * cg(A, b, rtol=1e-8, M=M).iterations


def test_bounds_are_widened_below_when_an_eigenvalue_hides():
    """An isolated small eigenvalue that 20 Lanczos steps see poorly: found from the rate, and convergence goes on."""
    eigenvalues = np.r_[1e-4, np.linspace(1.0, 50.0, 399)]
    A = sp.csr_array(sp.diags_array(eigenvalues))
    result = chebyshev(A, np.ones(400), rtol=1e-9, maxiter=20_000)
    assert result.converged
    assert result.iterations < 10 * math.sqrt(50.0 / 1e-4) / 2 * math.log(2e9) / 2


def test_given_bounds_that_are_too_low_diverge_and_say_so():
    result = chebyshev(with_spectrum(np.linspace(1, 100, 50)), np.ones(50), bounds=(1.0, 30.0), maxiter=5000)
    assert result.status is Status.DIVERGED
    assert "bounds" in result.message


@pytest.mark.parametrize("solver", [chebyshev, richardson])
def test_an_indefinite_matrix_is_found_out(solver):
    A = with_spectrum(np.r_[-1.0, np.linspace(1, 10, 30)])
    result = solver(A, np.ones(31))
    assert result.status is Status.INDEFINITE
    assert "minres" in result.message


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (2.0, 1.0), (1.0, np.inf), (1.0,), "ab", 3.0])
def test_bounds_are_checked(bounds):
    with pytest.raises(InputError, match="bounds"):
        chebyshev(np.eye(3), np.ones(3), bounds=bounds)


def test_richardson_converges_at_its_factor():
    """At ω = 2/(λ_min + λ_max): (κ − 1)/(κ + 1)."""
    A = with_spectrum(np.linspace(1.0, 20.0, 40))
    residuals = richardson(A, np.random.default_rng(0).standard_normal(40), rtol=1e-10, omega=2.0 / 21.0).residuals
    factor = (residuals[-1] / residuals[60]) ** (1.0 / (len(residuals) - 61))
    assert factor == pytest.approx(19.0 / 21.0, abs=1e-3)


def test_richardsons_estimated_step_is_the_best_one():
    A = with_spectrum(np.linspace(1.0, 20.0, 40))
    b = np.random.default_rng(0).standard_normal(40)
    best = richardson(A, b, rtol=1e-8, omega=2.0 / 21.0).iterations
    assert richardson(A, b, rtol=1e-8).iterations == pytest.approx(best, rel=0.1)
    assert richardson(A, b, omega=2.1 / 20.0, maxiter=5000).status is Status.DIVERGED


def test_richardson_is_preconditioned_and_takes_any_matrix_with_a_step():
    A = Diffusion(np.ones((12, 12)))
    b = np.ones(144)
    assert richardson(A, b, rtol=1e-8, M=IC0.setup(A)).iterations < 0.5 * richardson(A, b, rtol=1e-8).iterations
    skew = np.eye(4) + 0.5 * np.triu(np.ones((4, 4)), 1)
    assert richardson(skew, np.ones(4), rtol=1e-10, omega=1.0).iterations == 4  # I − A is nilpotent


@pytest.mark.parametrize("omega", [0.0, -1.0, np.nan, "1", True])
def test_omega_is_checked(omega):
    with pytest.raises(InputError, match="omega"):
        richardson(np.eye(3), np.ones(3), omega=omega)
