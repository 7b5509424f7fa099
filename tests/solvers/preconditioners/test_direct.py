"""The direct factorisation: exactness, kinds, singular matrices, reuse of the order."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.solvers import Diffusion, Direct, InputError, Status, cg, gmres


@given(seed=st.integers(0, 10**6), n=st.integers(1, 30), complex_=st.booleans(), definite=st.booleans())
@settings(max_examples=60, deadline=None)
def test_is_the_inverse_and_knows_definiteness(seed, n, complex_, definite):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n)) * (rng.random((n, n)) < 0.4)
    if complex_:
        A = A * np.exp(2j * np.pi * rng.random((n, n)))
    A = A + A.conj().T
    np.fill_diagonal(A, 0.0)
    A = A + np.diag(np.abs(A).sum(axis=1) + 1.0)
    if not definite:
        A[0, 0] = -A[0, 0].real
    M = Direct.setup(sp.csr_array(A))
    assert M.kind == ("spd" if definite else "linear")
    b = rng.standard_normal(n)
    np.testing.assert_allclose(A @ (M @ b), b, atol=1e-9)


def test_positive_diagonal_does_not_make_a_matrix_definite():
    A = np.array([[1.0, 2.0], [2.0, 1.0]])
    M = Direct.setup(A)
    assert M.kind == "linear"
    np.testing.assert_allclose(M @ np.array([3.0, 3.0]), [1.0, 1.0])


@pytest.mark.parametrize("solver", [cg, gmres])
def test_one_iteration(solver):
    A = Diffusion(np.exp(np.random.default_rng(0).standard_normal((30, 30))))
    result = solver(A, np.ones(900), rtol=1e-10, M=Direct.setup(A))
    assert result.status is Status.CONVERGED
    assert result.iterations == 1


@pytest.mark.parametrize("shift", [0.0, -500.0], ids=["definite", "indefinite"])
def test_update_keeps_the_order_and_solves_the_new_system(shift):
    matrices = [
        Diffusion(np.exp(np.random.default_rng(seed).standard_normal((25, 20)))).tocsr() + shift * sp.eye_array(500)
        for seed in (0, 1, 2)
    ]
    M = Direct.setup(matrices[0])
    order, kind = M._factors.order, M.kind
    fill = M.fill
    for matrix in matrices[1:]:
        M.update(matrix)
        assert M._factors.order is order
        assert M.kind == kind == ("linear" if shift else "spd")
        assert M.fill <= 1.3 * fill
        b = np.random.default_rng(3).standard_normal((500, 2))
        np.testing.assert_allclose(matrix @ (M @ b[:, 0]), b[:, 0], atol=1e-8)
        np.testing.assert_allclose(matrix @ (M @ b), b, atol=1e-8)


def test_update_may_change_the_kind():
    A = Diffusion(np.ones((6, 6))).tocsr()
    M = Direct.setup(A)
    assert M.kind == "spd"
    indefinite = A - 100.0 * sp.eye_array(36)
    np.testing.assert_allclose(indefinite @ (M.update(indefinite) @ np.ones(36)), np.ones(36), atol=1e-9)
    assert M.kind == "linear"
    np.testing.assert_allclose(A @ (M.update(A) @ np.ones(36)), np.ones(36), atol=1e-9)
    assert M.kind == "spd"


def neumann(n):
    one = sp.diags_array([np.r_[1.0, np.full(n - 2, 2.0), 1.0], -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, 1, -1])
    return sp.csr_array(sp.kron(one, sp.eye_array(n)) + sp.kron(sp.eye_array(n), one))


@pytest.mark.parametrize(
    "A",
    [
        np.ones((3, 3)),
        np.diag([1.0, 0.0, 1.0]),
        np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]),
        neumann(8),
        neumann(8) * 0.1,
    ],
    ids=["ones", "zero row", "exact arithmetic only", "neumann", "neumann rounded"],
)
def test_singular_matrices_are_refused(A):
    with pytest.raises(InputError, match="singular to working precision"):
        Direct.setup(A)


def test_bad_row_scaling_is_not_singularity():
    A = sp.csr_array(np.diag([1e-25, 1.0, 1e25]))
    np.testing.assert_allclose(Direct.setup(A) @ np.array([1e-25, 1.0, 1e25]), np.ones(3))


def test_an_ill_conditioned_matrix_is_factored():
    n = 8
    hilbert = 1.0 / (np.arange(n)[:, None] + np.arange(n) + 1.0)  # κ ≈ 1.5e10
    assert gmres(hilbert, np.ones(n), rtol=1e-9, M=Direct.setup(hilbert)).converged


def _cavity(n, shift):
    """The Laplacian of an n × n grid less a shift: symmetric, indefinite, positive diagonal."""
    line = sp.diags_array([np.full(n, 2.0), np.full(n - 1, -1.0), np.full(n - 1, -1.0)], offsets=[0, 1, -1])
    return sp.csr_array(sp.kron(line, sp.eye_array(n)) + sp.kron(sp.eye_array(n), line) - shift * sp.eye_array(n * n))


@pytest.mark.parametrize("imaginary", [0.0, 0.05])
def test_symmetric_patterns_fill_half_as_much_and_lose_no_digits(imaginary):
    A = _cavity(40, 0.31 + 1j * imaginary if imaginary else 0.31)
    M = Direct.setup(A)
    assert M.kind == "linear"
    general = sp.linalg.splu(A.tocsc())
    assert M.fill < 0.6 * general.nnz
    known = np.random.default_rng(0).standard_normal(1600)
    np.testing.assert_allclose(M @ (A @ known), known, atol=1e-10)
    B = _cavity(40, 0.33 + 1j * imaginary if imaginary else 0.33)
    M.update(B)
    assert M.fill < 0.6 * general.nnz
    np.testing.assert_allclose(M @ (B @ known), known, atol=1e-10)


@pytest.mark.parametrize("weak", [0.0, 1e-14])
def test_a_negligible_diagonal_is_not_pivoted_on(weak):
    """A saddle point: with pivots on the diagonal it would lose all digits, with partial pivoting none."""
    n = 30
    A = sp.block_array([[weak * sp.eye_array(n), _line(n)], [_line(n).T, weak * sp.eye_array(n)]]).tocsr()
    known = np.random.default_rng(1).standard_normal(2 * n)
    np.testing.assert_allclose(Direct.setup(A) @ (A @ known), known, atol=1e-11)


def test_growth_on_the_diagonal_falls_back_to_partial_pivoting(monkeypatch):
    from resolvent.solvers.preconditioners import direct

    real, modes = direct.Direct._factor, []

    def factor(self, matrix, mode, again):
        modes.append(mode)
        return real(self, matrix, mode, again)

    monkeypatch.setattr(direct, "_DIAGONAL_PIVOT", 0.0)
    monkeypatch.setattr(direct.Direct, "_factor", factor)
    A = sp.csr_array(np.array([[1e-17, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, -3.0]]))
    np.testing.assert_allclose(Direct.setup(A) @ (A @ np.array([1.0, 2.0, 3.0])), [1.0, 2.0, 3.0], atol=1e-12)
    assert modes[-2:] == ["diagonal", "general"]


def _line(n):
    return sp.diags_array([np.full(n, 2.0), np.full(n - 1, -1.0)], offsets=[0, 1])
