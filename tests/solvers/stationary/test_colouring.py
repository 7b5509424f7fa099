"""Colours, and sweeps in their order."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.solvers import (
    SSOR,
    Diffusion,
    InputError,
    cg,
    gauss_seidel,
    greedy_colours,
    optimal_omega,
    sor,
    spectral_radius_jacobi,
    ssor,
)


def poisson(n=16):
    one = sp.diags_array([np.full(n, 2.0), -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, 1, -1])
    return sp.csr_array(sp.kron(one, sp.eye_array(n)) + sp.kron(sp.eye_array(n), one))


def test_a_five_point_stencil_is_red_and_black():
    j, i = np.divmod(np.arange(30 * 20), 20)
    np.testing.assert_array_equal(greedy_colours(Diffusion(np.ones((30, 20)))), (i + j) % 2)


@pytest.mark.parametrize("seed", range(5))
def test_coupled_unknowns_have_different_colours(seed):
    A = sp.random_array((60, 60), density=0.06, rng=np.random.default_rng(seed)) + sp.eye_array(60)
    colours = greedy_colours(A)
    rows, columns = A.tocoo().coords
    assert np.all((colours[rows] != colours[columns]) | (rows == columns))
    pattern = (A + A.T).tocsr()
    assert colours.max() <= np.diff(pattern.indptr).max() - 1


@pytest.mark.parametrize("solver", [sor, ssor, gauss_seidel])
def test_one_iteration_is_the_textbook_sweep_in_the_order_of_colours(solver):
    A = poisson(5).toarray() + np.diag(np.linspace(0, 1, 25))
    rng = np.random.default_rng(0)
    b, x0 = rng.standard_normal(25), rng.standard_normal(25)
    omega = 1.0 if solver is gauss_seidel else 1.3
    order = np.argsort(greedy_colours(A), kind="stable")
    x = x0.copy()
    for i in [*order, *(reversed(order) if solver is ssor else [])]:
        x[i] += omega * (b[i] - A[i] @ x) / A[i, i]
    settings = {} if solver is gauss_seidel else {"omega": omega}
    np.testing.assert_allclose(solver(A, b, x0, maxiter=1, ordering="multicolour", **settings).x, x, rtol=1e-12)


def test_youngs_theory_holds_in_red_black_order_too():
    """Red-black is a consistent order: SOR's spectral radius is the same, ω − 1 above the optimum."""
    A = poisson()
    b = np.random.default_rng(0).standard_normal(256)
    history = sor(A, b, rtol=1e-12, omega=1.8, ordering="multicolour").residuals
    assert optimal_omega(A) < 1.8
    factor = (history[-1] / history[40]) ** (1.0 / (len(history) - 41))
    assert factor == pytest.approx(0.8, abs=0.015)


def test_gauss_seidel_converges_at_the_square_of_jacobi():
    A = poisson()
    b = np.random.default_rng(0).standard_normal(256)
    for ordering in ("natural", "multicolour"):
        history = gauss_seidel(A, b, rtol=1e-10, ordering=ordering).residuals
        factor = (history[-1] / history[200]) ** (1.0 / (len(history) - 201))
        assert factor == pytest.approx(spectral_radius_jacobi(A) ** 2, abs=1e-3)


def test_gauss_seidel_is_sor_and_ssor_at_one():
    A, b = poisson(8), np.ones(64)
    np.testing.assert_array_equal(gauss_seidel(A, b, rtol=1e-6).x, sor(A, b, rtol=1e-6, omega=1.0).x)
    np.testing.assert_array_equal(
        gauss_seidel(A, b, rtol=1e-6, sweep="symmetric").x, ssor(A, b, rtol=1e-6, omega=1.0).x
    )


def test_the_multicolour_preconditioner_is_symmetric_and_costs_iterations():
    A = Diffusion(np.exp(np.random.default_rng(0).standard_normal((24, 24))))
    M = SSOR.setup(A, omega=1.0, ordering="multicolour")
    dense = M @ np.eye(576)
    np.testing.assert_allclose(dense, dense.T, atol=1e-12 * np.abs(dense).max())
    coloured = cg(A, np.ones(576), rtol=1e-8, M=M).iterations
    natural = cg(A, np.ones(576), rtol=1e-8, M=SSOR.setup(A)).iterations
    assert natural <= coloured <= math.ceil(1.5 * natural)


@pytest.mark.parametrize("solver", [sor, ssor, gauss_seidel])
def test_settings_are_checked(solver):
    with pytest.raises(InputError, match="ordering"):
        solver(np.eye(3), np.ones(3), ordering="random")
    with pytest.raises(InputError, match="sweep"):
        gauss_seidel(np.eye(3), np.ones(3), sweep="up")
