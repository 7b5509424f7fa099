"""The direct factorisation: exactness, kinds, singular matrices, reuse of the order."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.solvers import Diffusion, Direct, InputError, Status, cg, gmres
from resolvent.solvers.preconditioners import direct
from resolvent.solvers.preconditioners.sparse_lu import factors


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
    order, kind = M._factors.ordering.order, M.kind
    fill = M.fill
    for matrix in matrices[1:]:
        M.update(matrix)
        assert M._factors.ordering.order is order
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
    ("A", "why"),
    [
        (np.ones((3, 3)), "a pivot is exactly zero"),
        (np.diag([1.0, 0.0, 1.0]), "row 1 holds no entry other than zero"),
        (np.array([[1.0, 0.0, 1.0], [2.0, 0.0, 3.0], [4.0, 0.0, 5.0]]), "column 1 holds no entry other than zero"),
        (np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 3.0], [4.0, 2.0, 5.0]]), "structural rank 2 of 3"),
        (np.zeros((1, 1)), "row 0 holds"),
    ],
    ids=["ones", "zero row", "zero column", "structure", "zero"],
)
def test_exactly_singular_matrices_are_refused(A, why):
    with pytest.raises(InputError, match=f"^direct: A is singular.*{why}.*fix the null space"):
        Direct.setup(A)


@pytest.mark.parametrize(
    "A",
    [neumann(8), neumann(16) * 0.1, neumann(20) / 3.0],
    ids=["neumann", "neumann rounded", "positive pivots"],
)
def test_matrices_singular_to_working_precision_are_factored_and_said_to_be(A):
    """The residual decides: a consistent system is solved, whatever the last pivot's rounding noise."""
    M = Direct.setup(A)
    assert M.near_singular
    assert M.rcond < 1e-16
    assert M.backward_error < 1e-13
    assert M.kind == "linear"  # pivots of rounding noise prove nothing
    assert "near_singular=True" in repr(M)
    b = A @ np.random.default_rng(1).standard_normal(A.shape[0])
    assert gmres(A, b, rtol=1e-10, M=M).converged


def test_ill_conditioning_is_no_failure():
    """The Fredholm equation of the first kind that `moon`, `wing` and `baart` come from: κ beyond 1/ε."""
    s = (np.arange(40) + 0.5) / 40
    A = np.exp(np.outer(s, np.cos(np.pi * s)))
    M = Direct.setup(A)
    assert M.near_singular
    b = A @ np.ones(40)
    assert np.abs(b - A @ (M @ b)).max() <= 1e-12 * np.abs(b).max()


def test_condition_number_is_estimated():
    rng = np.random.default_rng(3)
    for shift in (0.0, 0.5j):
        A = rng.standard_normal((30, 30)) + shift * rng.standard_normal((30, 30))
        exact = 1.0 / np.linalg.cond(A, 1)
        assert exact <= Direct.setup(A).rcond * 1.001 <= 3.5 * exact
    laplacian = _cavity(20, 0.0)
    M = Direct.setup(laplacian)
    exact = 1.0 / np.linalg.cond(laplacian.toarray(), 1)
    assert exact <= M.rcond * 1.001 <= 2.0 * exact
    assert not M.near_singular
    assert M.recovered_digits > 12


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
    modes = _recorded_modes(monkeypatch)
    monkeypatch.setattr(factors, "DIAGONAL_PIVOT", 0.0)
    monkeypatch.setattr(direct, "DIAGONAL_PIVOT", 0.0)
    A = sp.csr_array(np.kron(np.eye(8), np.diag([3.0, 4.0])) + 0.0)
    A = sp.block_diag([A, np.array([[1e-17, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, -3.0]])]).tocsr()
    known = np.arange(19.0)
    np.testing.assert_allclose(Direct.setup(A) @ (A @ known), known, atol=1e-12)
    assert modes == ["diagonal", "general"]


def _recorded_modes(monkeypatch):
    modes, real = [], factors.Factors.__init__

    def factor(self, rows, columns, mode, ordering):
        modes.append(mode)
        real(self, rows, columns, mode, ordering)

    monkeypatch.setattr(factors.Factors, "__init__", factor)
    return modes


def _line(n):
    return sp.diags_array([np.full(n, 2.0), np.full(n - 1, -1.0)], offsets=[0, 1])
