"""FGMRES: GMRES's iterates for a fixed M, sound for one that changes."""

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.solvers import SSOR, InputError, fgmres, gmres


def convection(n=20, speed=30.0):
    """Upwind convection–diffusion on the unit square."""
    h = 1.0 / (n + 1)
    one = sp.diags_array([np.full(n, 2.0), -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, 1, -1])
    wind = sp.diags_array([np.ones(n), -np.ones(n - 1)], offsets=[0, -1])
    eye = sp.eye_array(n)
    return sp.csr_array(sp.kron(one, eye) + sp.kron(eye, one) + h * speed * (sp.kron(wind, eye) + sp.kron(eye, wind)))


@pytest.mark.parametrize("restart", [7, 30])
def test_is_gmres_for_a_fixed_preconditioner(restart):
    A = convection()
    b = np.random.default_rng(0).standard_normal(400)
    for M in (None, SSOR.setup(A)):
        expected = gmres(A, b, rtol=1e-8, M=M, restart=restart)
        result = fgmres(A, b, rtol=1e-8, M=M, restart=restart)
        assert result.converged
        assert result.iterations == expected.iterations
        np.testing.assert_allclose(result.residuals, expected.residuals, rtol=1e-4)


def test_takes_an_inner_iteration_as_preconditioner():
    A = convection()
    b = np.ones(400)
    inner = fgmres(A, b, rtol=1e-9, M=lambda r: gmres(A, r, rtol=0.1).x)
    assert inner.converged
    assert inner.iterations < 15
    assert np.linalg.norm(b - A @ inner.x) <= 1.001e-9 * np.linalg.norm(b)


def test_a_preconditioner_that_changes_at_random_only_slows_it():
    A = convection(8)
    rng = np.random.default_rng(0)
    result = fgmres(A, np.ones(64), rtol=1e-8, restart=64, maxiter=4000, M=lambda r: r * rng.uniform(0.5, 2.0, 64))
    assert result.converged
    assert np.linalg.norm(1.0 - A @ result.x) <= 1.001e-8 * 8.0


@pytest.mark.parametrize("restart", [0, 2.0, True])
def test_restart_is_checked(restart):
    with pytest.raises(InputError, match="restart"):
        fgmres(np.eye(3), np.ones(3), restart=restart)
