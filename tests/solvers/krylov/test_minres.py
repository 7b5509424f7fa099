"""MINRES against its optimality, its bound for two intervals, and SciPy."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.solvers import Diffusion, Jacobi, Status, cg, gmres, minres


def with_spectrum(eigenvalues, seed=0, complex_=False):
    n = len(eigenvalues)
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0))
    A = (Q * eigenvalues) @ Q.conj().T
    return 0.5 * (A + A.conj().T)


@pytest.mark.parametrize("complex_", [False, True])
def test_its_residuals_are_those_of_full_gmres(complex_):
    A = with_spectrum(np.r_[np.linspace(-3, -0.5, 80), np.linspace(0.4, 5, 120)], complex_=complex_)
    b = np.random.default_rng(1).standard_normal(200)
    result, full = minres(A, b, rtol=1e-7), gmres(A, b, rtol=1e-7, restart=200)
    assert result.converged
    assert abs(result.iterations - full.iterations) <= 1
    np.testing.assert_allclose(result.residuals[:40], full.residuals[:40], rtol=1e-6)


def test_residuals_stay_below_the_bound_of_two_intervals():
    """[−a, −b] ∪ [c, d] of equal lengths: a factor 2 ((√(ad) − √(bc))/(√(ad) + √(bc)))^[k/2]."""
    a, b_, c, d = 4.0, 1.0, 0.5, 3.5
    A = with_spectrum(np.r_[np.linspace(-a, -b_, 100), np.linspace(c, d, 100)])
    residuals = minres(A, np.random.default_rng(0).standard_normal(200), rtol=1e-10).residuals
    ratio = (math.sqrt(a * d) - math.sqrt(b_ * c)) / (math.sqrt(a * d) + math.sqrt(b_ * c))
    bound = 2.0 * ratio ** (np.arange(len(residuals)) // 2) * residuals[0]
    assert len(residuals) > 20
    assert np.all(residuals <= bound * (1 + 1e-6))
    assert np.all(np.diff(residuals) <= 1e-12 * residuals[0])


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.1])
@pytest.mark.parametrize("preconditioned", [False, True])
def test_agrees_with_scipy(shift, preconditioned):
    n = 20
    one = sp.diags_array([np.full(n, 2.0), -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, 1, -1])
    A = sp.csr_array(sp.kron(one, sp.eye_array(n)) + sp.kron(sp.eye_array(n), one)) - shift * sp.eye_array(n * n)
    M = np.diag(np.random.default_rng(5).uniform(0.5, 2.0, n * n)) if preconditioned else None
    b = np.random.default_rng(2).standard_normal(n * n)
    result = minres(A, b, rtol=1e-8, M=M)
    count = []
    x, info = spla.minres(A, b, rtol=1e-12, M=M, callback=count.append, maxiter=4000)
    assert info == 0
    assert result.converged
    assert result.iterations <= len(count)
    np.testing.assert_allclose(result.x, x, rtol=1e-5, atol=1e-6 * np.abs(x).max())
    # As many steps as SciPy needs for the same true residual.
    steps = next(k for k in range(1, 4000, 1 if k_small(result) else 5) if scipy_residual(A, b, M, k) <= 1e-8)
    assert abs(result.iterations - steps) <= max(6, 0.05 * steps)


def k_small(result):
    return result.iterations < 60


def scipy_residual(A, b, M, k):
    x, _ = spla.minres(A, b, rtol=1e-16, M=M, maxiter=k)
    return np.linalg.norm(b - A @ x) / np.linalg.norm(b)


def test_a_positive_definite_system_takes_no_more_iterations_than_cg():
    A = Diffusion(np.exp(np.random.default_rng(3).standard_normal((20, 20))))
    b = np.ones(400)
    M = Jacobi.setup(A)
    assert minres(A, b, rtol=1e-8).iterations <= cg(A, b, rtol=1e-8).iterations
    assert minres(A, b, rtol=1e-8, M=M).iterations <= 1.1 * cg(A, b, rtol=1e-8, M=M).iterations


@given(seed=st.integers(0, 10**6), n=st.integers(1, 30), complex_=st.booleans(), exponent=st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_any_hermitian_system(seed, n, complex_, exponent):
    rng = np.random.default_rng(seed)
    A = with_spectrum(10 ** rng.uniform(-2, 1, n) * rng.choice([-1.0, 1.0], n), seed, complex_)
    b = rng.standard_normal(n)
    result = minres(A, b, rtol=10.0**-exponent, maxiter=100 * n + 100)
    assert result.converged
    assert np.linalg.norm(b - A @ result.x) <= (1 + 1e-6) * 10.0**-exponent * np.linalg.norm(b)


def test_an_inconsistent_system_ends_in_the_least_residual():
    eigenvalues = np.r_[np.zeros(2), np.linspace(-2, -1, 10), np.linspace(1, 3, 20)]
    A = with_spectrum(eigenvalues)
    b = np.random.default_rng(4).standard_normal(32)
    result = minres(A, b, rtol=1e-8, maxiter=10_000)
    assert result.status is Status.STAGNATED
    assert result.iterations < 200
    least = np.linalg.norm(b - A @ np.linalg.lstsq(A, b, rcond=1e-10)[0])
    assert result.residual == pytest.approx(least, rel=1e-6)


@pytest.mark.parametrize(("condition", "weight"), [(1e6, 0.3), (1e7, 3.0), (3e7, 0.3), (3e7, 3.0)])
def test_a_nonsingular_system_of_large_condition_is_solved_and_not_called_at_rest(condition, weight):
    """A r is small against ‖A‖‖r‖ where r lies along the small eigenvalues: that is no sign of an inconsistent b."""
    eigenvalues = np.r_[1.0 / condition, -1.0 / condition, np.linspace(0.5, 1.0, 28)]
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.standard_normal((30, 30)))
    A = (Q * eigenvalues) @ Q.T
    b = Q @ np.r_[weight, weight, np.ones(28)]
    result = minres(0.5 * (A + A.T), b, rtol=1e-5, maxiter=5000)
    assert result.converged
    assert result.relative_residual <= 1e-5


def test_an_indefinite_preconditioner_is_found_out():
    result = minres(with_spectrum(np.linspace(1, 2, 9)), np.ones(9), M=np.diag(np.r_[-np.ones(8), 1.0]))
    assert result.status is Status.INDEFINITE
    assert "preconditioner M" in result.message
