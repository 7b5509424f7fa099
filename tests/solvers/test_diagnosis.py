"""A failed solve says what the entries of A contradict: advice that fits the matrix, and no other."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from resolvent.solvers import (
    SOLVERS,
    Status,
    block_cg,
    cg,
    chebyshev,
    deflated_cg,
    fcg,
    gmres,
    jacobi,
    minres,
    recycled_minres,
    richardson,
)
from resolvent.solvers.matrices import symmetry
from resolvent.solvers.registry import METHODS

HERMITIAN = [name for name, method in METHODS.items() if method.hermitian]
DEFINITE = (cg, fcg, block_cg, deflated_cg, chebyshev)


def laplacian(n=30):
    return sp.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n), format="csr")


def vector(n=30):
    return np.random.default_rng(0).standard_normal(n)


@pytest.mark.parametrize("form", [sp.csr_array, np.asarray])
@pytest.mark.parametrize("name", HERMITIAN)
def test_a_matrix_that_is_not_hermitian_is_named(name, form):
    A = np.diag(np.linspace(1.0, 2.0, 30))
    A += np.triu(np.random.default_rng(1).uniform(-1.0, 1.0, (30, 30)), 1)
    result = SOLVERS[name](form(A), vector(), rtol=1e-10, maxiter=25)
    assert not result.converged
    size = np.abs(A - A.T).max() / np.abs(A).max()
    assert f"not Hermitian, as {name} needs it: max |A − Aᴴ| = {size:.3g} max |A|. Use gmres" in result.message
    assert "maxiter," not in result.message
    assert "\n" not in result.message


def test_a_shear_of_three_unknowns():
    A = np.eye(3)
    A[0, 1] = 1.0
    for solver in (cg, minres, recycled_minres):
        assert "A is not Hermitian" in solver(A, np.ones(3)).message
    complex_symmetric = np.diag([1.0 + 1.0j, 2.0, 3.0])
    assert "max |A − Aᴴ| = 0.667 max |A|" in cg(complex_symmetric, np.ones(3), maxiter=2).message


def test_each_column_is_told():
    A = np.eye(3)
    A[0, 1] = 1.0
    for solver in (cg, block_cg, minres):
        result = solver(A, np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]))
        assert "not Hermitian" in result.message
        assert "not Hermitian" in result.columns[0].message
        assert "not Hermitian" not in result.columns[1].message


@pytest.mark.parametrize("solver", DEFINITE)
def test_the_laplacian_of_the_other_sign(solver):
    result = solver(-laplacian(), vector())
    assert result.status is Status.INDEFINITE
    assert "by its diagonal, A is negative definite. If it is, solve −A x = −b; else use minres" in result.message
    assert solver(laplacian(), -vector()).converged


def test_negative_definite_with_a_preconditioner_or_by_products_alone():
    A, b = -laplacian(), vector()
    assert "solve −A x = −b, with −M for M" in cg(A, b, M=lambda r: -r).message
    by_products = LinearOperator(A.shape, matvec=lambda v: A @ v, dtype=float)
    assert "seen, in the first direction, A is negative definite" in cg(by_products, b).message
    assert "negative definite" not in cg(by_products, b, M=lambda r: -r).message


def test_an_indefinite_matrix_is_not_called_negative():
    b = vector()
    for diagonal in (np.linspace(-1.0, 2.0, 30), np.linspace(-2.0, 1.0, 30)):
        message = cg(sp.diags_array(diagonal).tocsr(), b).message
        assert "its diagonal has both signs" in message or "the diagonal of A has both signs" in message
        assert "negative definite" not in message
    late = laplacian() - 0.5 * sp.eye_array(30)  # a positive diagonal hides it
    message = cg(late, b, rtol=1e-12).message
    assert "negative definite" not in message
    assert "Use minres" in message


def test_no_advice_that_a_nonsymmetric_matrix_contradicts():
    A = np.eye(30) + 3.0 * np.triu(np.ones((30, 30)), 1)
    for solver in (jacobi, richardson):
        message = solver(A, vector()).message
        assert "minres" not in message
        assert "cg" not in message
        assert "gmres" in message
    assert "Raise maxiter" in gmres(A, vector(), maxiter=1, restart=2).message


def test_nothing_is_looked_at_before_a_solve_has_failed(monkeypatch):
    def never(*_):
        raise AssertionError("asymmetry was measured")

    monkeypatch.setattr("resolvent.solvers.diagnosis.asymmetry", never)
    assert symmetry.asymmetry is not never
    assert cg(laplacian(), vector()).converged
    with pytest.raises(AssertionError, match="was measured"):
        cg(laplacian(), vector(), maxiter=1)
