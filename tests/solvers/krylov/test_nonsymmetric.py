"""LGMRES, BiCGSTAB and IDR(s) on nonsymmetric and complex systems, beside SciPy and GMRES."""

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.solvers import SSOR, InputError, Status, bicgstab, gmres, idrs, lgmres

SOLVERS = [lgmres, bicgstab, idrs]


def convection(n=24, speed=30.0, shift=0.0):
    """Upwind convection–diffusion on the unit square, times h²."""
    h = 1.0 / (n + 1)
    one = sp.diags_array([np.full(n, 2.0), -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, 1, -1])
    wind = sp.diags_array([np.ones(n), -np.ones(n - 1)], offsets=[0, -1])
    eye = sp.eye_array(n)
    A = sp.kron(one, eye) + sp.kron(eye, one) + h * speed * (sp.kron(wind, eye) + sp.kron(eye, wind))
    return sp.csr_array(A + shift * sp.eye_array(n * n))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shift", [0.0, 0.3j])
@pytest.mark.parametrize("preconditioned", [False, True])
def test_convection_diffusion(solver, shift, preconditioned):
    A = convection(shift=shift)
    b = np.random.default_rng(0).standard_normal(A.shape[0])
    M = SSOR.setup(A) if preconditioned else None
    result = solver(A, b, rtol=1e-9, M=M)
    assert result.converged
    assert np.linalg.norm(b - A @ result.x) <= 1.001e-9 * np.linalg.norm(b)
    np.testing.assert_allclose(result.x, spla.spsolve(A.tocsc(), b), rtol=1e-5, atol=1e-7)
    if preconditioned:
        assert result.iterations < solver(A, b, rtol=1e-9).iterations


@pytest.mark.parametrize("preconditioned", [False, True])
def test_bicgstab_takes_as_many_iterations_as_scipys(preconditioned):
    A = convection()
    b = np.random.default_rng(1).standard_normal(A.shape[0])
    M = SSOR.setup(A) if preconditioned else None
    count = []
    _, info = spla.bicgstab(A, b, rtol=1e-9, M=M, callback=count.append)
    result = bicgstab(A, b, rtol=1e-9, M=M)
    assert info == 0
    assert result.converged
    assert abs(result.iterations - len(count)) <= max(3, 0.1 * len(count))


def test_lgmres_takes_about_as_many_products_as_scipys():
    A = convection(30, speed=3.0)
    b = np.random.default_rng(1).standard_normal(A.shape[0])
    calls = []
    counted = spla.LinearOperator(A.shape, matvec=lambda v: calls.append(1) or A @ v, dtype=float)
    _, info = spla.lgmres(counted, b, rtol=1e-9, inner_m=15, outer_k=3)
    result = lgmres(A, b, rtol=1e-9, inner_m=15, outer_k=3)
    assert info == 0
    assert result.converged
    assert result.matvecs <= 1.3 * len(calls)


def test_lgmres_beats_restarted_gmres_at_the_same_memory():
    A = convection(30, speed=3.0)
    b = np.random.default_rng(1).standard_normal(A.shape[0])
    plain = gmres(A, b, rtol=1e-8, restart=13)
    assert lgmres(A, b, rtol=1e-8, inner_m=10, outer_k=3).iterations < 0.8 * plain.iterations


def test_lgmres_without_corrections_is_gmres():
    A = convection(12)
    b = np.ones(144)
    expected = gmres(A, b, rtol=1e-8, restart=10)
    np.testing.assert_allclose(lgmres(A, b, rtol=1e-8, inner_m=10, outer_k=0).residuals, expected.residuals, rtol=1e-6)


def test_lgmres_solves_columns_independently():
    A = convection(12)
    B = np.random.default_rng(0).standard_normal((144, 2))
    together = lgmres(A, B, rtol=1e-8, inner_m=8)
    np.testing.assert_array_equal(together.x[:, 1], lgmres(A, B[:, 1], rtol=1e-8, inner_m=8).x)


@pytest.mark.parametrize("s", [1, 2, 4, 8])
def test_idrs_ends_after_n_plus_n_over_s_products(s):
    n = 40
    rng = np.random.default_rng(0)
    A = np.diag(np.linspace(1.0, 10.0, n)) + 0.3 * rng.standard_normal((n, n))
    result = idrs(A, rng.standard_normal(n), rtol=1e-8, s=s)
    assert result.converged
    assert result.iterations <= n + -(-n // s) + 2


def test_larger_s_comes_close_to_full_gmres():
    A = convection(20, speed=60.0)
    b = np.ones(400)
    least = gmres(A, b, rtol=1e-8, restart=400).iterations
    counts = [idrs(A, b, rtol=1e-8, s=s).iterations for s in (1, 4, 8)]
    assert least <= counts[2] + 1
    assert counts[2] < counts[0]
    assert counts[2] < 1.6 * least


def test_bicgstab_and_idrs_get_past_a_skew_symmetric_part():
    """Eigenvalues ± i: ω of a one-step minimiser vanishes; a status, never a false convergence."""
    A = sp.csr_array(np.kron(np.diag(np.arange(1.0, 11.0)), np.array([[0.0, 1.0], [-1.0, 0.0]])))
    b = np.random.default_rng(0).standard_normal(20)
    for solver in (bicgstab, idrs):
        result = solver(A, b, rtol=1e-8, maxiter=500)
        true = np.linalg.norm(b - A @ result.x)
        assert result.residual == pytest.approx(true, rel=1e-3, abs=1e-12)
        assert result.converged == (true <= 1e-8 * np.linalg.norm(b))


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_singular_inconsistent_system_is_not_called_solved(solver):
    A = sp.csr_array(np.diag(np.r_[0.0, np.arange(1.0, 30.0)]))
    result = solver(A, np.ones(30), rtol=1e-8, maxiter=2000)
    assert not result.converged
    assert result.residual == pytest.approx(np.linalg.norm(1.0 - A @ result.x), rel=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_not_a_number_inside_is_reported(solver):
    calls = []

    def poisoned(v):
        calls.append(1)
        return np.full(30, np.nan) if len(calls) == 5 else np.arange(1.0, 31.0) * v

    result = solver(spla.LinearOperator((30, 30), matvec=poisoned, dtype=float), np.ones(30), rtol=1e-10)
    assert result.status is Status.NONFINITE
    assert np.isfinite(result.x).all()


@given(seed=st.integers(0, 10**6), n=st.integers(1, 25), complex_=st.booleans(), which=st.sampled_from(SOLVERS))
@settings(max_examples=80, deadline=None)
def test_any_system_with_eigenvalues_in_a_disc(seed, n, complex_, which):
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0)
    A = 3.0 * np.eye(n) + noise / np.sqrt(max(n, 4))
    b = rng.standard_normal(n)
    result = which(A, b, rtol=1e-8, maxiter=50 * n + 50)
    assert result.converged
    assert np.linalg.norm(b - A @ result.x) <= (1 + 1e-6) * 1e-8 * np.linalg.norm(b)


@pytest.mark.parametrize(
    ("solver", "setting"), [(lgmres, {"inner_m": 0}), (lgmres, {"outer_k": -1}), (idrs, {"s": 0}), (idrs, {"s": 1.5})]
)
def test_settings_are_checked(solver, setting):
    with pytest.raises(InputError, match=next(iter(setting))):
        solver(np.eye(3), np.ones(3), **setting)
