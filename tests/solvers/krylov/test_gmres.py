"""GMRES against theory and against SciPy."""

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.solvers import SSOR, Direct, InputError, Status, cg, gmres


def convection(n=14, speed=30.0):
    """Upwind convection-diffusion on an n × n grid, nonsymmetric."""
    h = 1.0 / (n + 1)
    one = sp.diags_array(
        [np.full(n, 2.0 + speed * h), -np.ones(n - 1), np.full(n - 1, -1.0 - speed * h)], offsets=[0, 1, -1]
    )
    return sp.csr_array(sp.kron(one, sp.eye_array(n)) + sp.kron(sp.eye_array(n), one))


def test_full_gmres_minimises_over_the_krylov_space():
    A = np.random.default_rng(0).standard_normal((12, 12)) + 4 * np.eye(12)
    b = np.random.default_rng(1).standard_normal(12)
    result = gmres(A, b, rtol=1e-14, restart=12)
    krylov = np.empty((12, 0))
    for k in range(1, 9):
        krylov = np.linalg.qr(np.column_stack([krylov, np.linalg.matrix_power(A, k - 1) @ b]))[0]
        y, *_ = np.linalg.lstsq(A @ krylov, b, rcond=None)
        assert result.residuals[k] == pytest.approx(np.linalg.norm(b - A @ krylov @ y), rel=1e-6)


def test_full_gmres_ends_within_n_iterations_and_its_residual_never_grows():
    A = convection(7)
    result = gmres(A, np.ones(49), rtol=1e-12, restart=49)
    assert result.converged
    assert result.iterations <= 49
    assert np.all(np.diff(result.residuals) <= 1e-12 * result.residuals[0])


@pytest.mark.parametrize("restart", [5, 20, 50])
def test_agrees_with_scipy(restart):
    A, b = convection(), np.random.default_rng(1).standard_normal(196)
    seen = []
    expected, info = spla.gmres(
        A, b, rtol=1e-9, restart=restart, maxiter=2000, callback=seen.append, callback_type="pr_norm"
    )
    result = gmres(A, b, rtol=1e-9, restart=restart)
    assert info == result.info == 0
    assert abs(result.iterations - len(seen)) <= 2
    np.testing.assert_allclose(result.residuals[1:20] / result.rhs_norm, seen[:19], rtol=1e-6)
    np.testing.assert_allclose(result.x, expected, rtol=1e-6, atol=1e-8)


def test_the_preconditioned_residual_is_the_true_one():
    """Right preconditioning: the history is that of b − Ax at every iteration, whatever M is."""
    A, b = convection(), np.ones(196)
    M = SSOR.setup(A)
    assert M.kind == "linear"
    history = gmres(A, b, rtol=1e-10, M=M, restart=40).residuals
    for k in (1, 4, 9):
        truncated = gmres(A, b, rtol=1e-10, M=M, iterations=k, restart=40)
        assert truncated.status is Status.MAXITER
        assert np.linalg.norm(b - A @ truncated.x) == pytest.approx(history[k], rel=1e-9)


def test_the_exact_inverse_needs_one_iteration():
    A = convection()
    result = gmres(A, np.ones(196), rtol=1e-10, M=Direct.setup(A))
    assert result.converged
    assert result.iterations == 1


def test_solves_an_indefinite_system_that_cg_gives_up():
    A = sp.diags_array(np.concatenate([np.linspace(-5, -1, 20), np.linspace(1, 5, 20)])).tocsr()
    b = np.ones(40)
    assert cg(A, b, rtol=1e-10).status is Status.INDEFINITE
    assert gmres(A, b, rtol=1e-10, restart=40).converged


def test_a_cyclic_shift_stagnates_when_restarted():
    """The classical example: no progress before step n, so none at all with a restart below n."""
    A = sp.csr_array(np.roll(np.eye(30), 1, axis=0))
    b = np.zeros(30)
    b[0] = 1.0
    restarted = gmres(A, b, restart=10)
    assert restarted.status is Status.STAGNATED
    assert "restart" in restarted.message
    assert restarted.iterations <= 150
    full = gmres(A, b, restart=30)
    assert full.converged
    assert full.iterations == 30


def test_a_singular_inconsistent_system_ends():
    A = sp.diags_array(np.concatenate([np.arange(1.0, 9.0), [0.0]])).tocsr()
    result = gmres(A, np.ones(9), rtol=1e-10)
    assert result.status in (Status.BREAKDOWN, Status.STAGNATED)
    assert result.residual == pytest.approx(1.0)  # the part outside of the range
    np.testing.assert_allclose(result.x[:8], 1.0 / np.arange(1.0, 9.0), rtol=1e-8)


def test_a_nilpotent_matrix_breaks_down():
    A = sp.csr_array(np.diag(np.ones(4), -1))
    b = np.zeros(5)
    b[-1] = 1.0
    result = gmres(A, b)
    assert result.status is Status.BREAKDOWN
    assert np.isfinite(result.x).all()


@given(seed=st.integers(0, 10**6), n=st.integers(1, 25), restart=st.integers(1, 30), complex_=st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_matrix_with_a_positive_definite_part(seed, n, restart, complex_):
    """Restarted GMRES converges for any restart when A + Aᴴ is positive definite (Elman)."""
    rng = np.random.default_rng(seed)
    square = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0)
    A = square - square.conj().T + np.diag(rng.uniform(2.0, 4.0, n)) * np.sqrt(n)
    b = rng.standard_normal(n)
    result = gmres(A, b, rtol=1e-8, restart=restart, maxiter=20_000)
    assert result.converged
    assert np.linalg.norm(b - A @ result.x) <= 1.001e-8 * np.linalg.norm(b)


def test_orthogonality_survives_a_nearly_dependent_basis():
    """A matrix of condition 1e12 in 60 full steps: the least-squares estimate still is the true residual."""
    rng = np.random.default_rng(2)
    Q, _ = np.linalg.qr(rng.standard_normal((60, 60)))
    A = (Q * np.geomspace(1e-12, 1, 60)) @ np.linalg.qr(rng.standard_normal((60, 60)))[0]
    x = rng.standard_normal(60)
    result = gmres(A, A @ x, rtol=1e-10, restart=60)
    assert result.converged
    assert np.linalg.norm(A @ (result.x - x)) <= 1.001e-10 * np.linalg.norm(A @ x)


@pytest.mark.parametrize("restart", [0, -1, 2.5, True])
def test_restart_is_checked(restart):
    with pytest.raises(InputError, match="restart"):
        gmres(np.eye(3), np.ones(3), restart=restart)


def test_iterations_are_a_finer_limit_than_cycles():
    result = gmres(convection(), np.ones(196), rtol=1e-12, restart=10, iterations=25)
    assert result.iterations == 25
    assert result.status is Status.MAXITER
    assert gmres(convection(), np.ones(196), rtol=1e-12, restart=10, maxiter=2, iterations=25).iterations == 20


def test_not_a_number_inside_is_reported():
    A = spla.LinearOperator((6, 6), matvec=lambda v: np.where(np.arange(6) == 2, np.nan, v), dtype=float)
    result = gmres(A, np.ones(6))
    assert result.status is Status.NONFINITE
    assert np.isfinite(result.x).all()
