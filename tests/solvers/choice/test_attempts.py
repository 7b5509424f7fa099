"""`solve`: one call, whatever the matrix; a solver by name; attempts that fail and the next ones."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from resolvent.solvers import Diffusion, InputError, LinearSystem, Status, solve
from resolvent.solvers.choice import choose
from resolvent.solvers.choice.attempts import solve_in_turn


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def laplacian(n, corner=2.0):
    line = sp.diags_array([-np.ones(n - 1), np.full(n, 2.0), -np.ones(n - 1)], offsets=[-1, 0, 1]).tolil()
    line[0, 0] = line[n - 1, n - 1] = corner
    return sp.csr_array(sp.kron(line, sp.eye_array(n)) + sp.kron(sp.eye_array(n), line))


def upwind(n):
    wind = sp.diags_array([np.ones(n), -np.ones(n - 1)], offsets=[0, -1])
    return sp.csr_array(laplacian(n) + sp.kron(wind, sp.eye_array(n)))


def check(A, b, result, rtol=1e-8):
    assert result.converged
    assert result.x.shape == np.shape(b)
    left = np.linalg.norm(b - A @ result.x, axis=0)
    assert np.all(left <= 1.001 * rtol * np.linalg.norm(b, axis=0))


CASES = {
    "definite": (laplacian(12), "cg + direct, for the matrix is symmetric positive definite"),
    "larger": (laplacian(90), "cg + amg, for the matrix is symmetric positive definite, off-diagonals"),
    "nonsymmetric": (upwind(12), "gmres + direct, for the matrix is nonsymmetric"),
    "indefinite": (laplacian(12) - sp.eye_array(144), "gmres + direct, for the matrix is symmetric"),
    "complex": (laplacian(12) + 0.5j * sp.eye_array(144), "gmres + direct, for the matrix is complex symmetric"),
    "dense": (laplacian(6).toarray(), "cg + direct"),
    "a list": (laplacian(3).toarray().tolist(), "cg + direct"),
}


@pytest.mark.parametrize("case", CASES)
def test_auto_solves_and_says_by_what_and_why(case):
    A, words = CASES[case]
    b = normal(len(A) if isinstance(A, list) else A.shape[0])
    result = solve(A, b)
    check(np.asarray(A) if isinstance(A, list) else A, b, result)
    assert result.message.startswith(words)
    assert "\n" not in result.message
    assert solve(A, b, atol=1e3, rtol=1e-12).iterations == 0


def test_several_right_hand_sides_share_a_block():
    A, B = laplacian(90), normal(8100, 3)
    result = solve(A, B, rtol=1e-9)
    check(A, B, result, 1e-9)
    assert len(result.columns) == 3
    assert "block_cg + amg" in result.message


def test_a_guess_is_where_it_starts():
    A, b = laplacian(50), normal(2500)
    x = solve(A, b, rtol=1e-11).x
    assert solve(A, b, x0=x).iterations == 0


def test_a_known_null_space():
    A = laplacian(12, corner=1.0)
    b = A @ normal(144)
    for nullspace in (None, np.ones(144)):
        result = solve(A, b, nullspace=nullspace)
        check(A, b, result)
        assert "null space" in result.message
        assert abs(result.x.sum()) <= 1e-9 * np.abs(result.x).sum()
    two = sp.block_diag([A, A]).tocsr()
    bodies = np.kron(np.eye(2), np.ones((144, 1)))
    c = two @ normal(288)
    check(two, c, solve(two, c, nullspace=bodies))
    shifted = sp.block_diag([laplacian(6, corner=1.0), -sp.eye_array(3)]).tocsr()
    kernel = np.r_[np.ones(36), np.zeros(3)]
    d = shifted @ normal(39)
    result = solve(shifted, d, nullspace=kernel)
    check(shifted, d, result)
    assert "minres" in result.message


def test_operators_that_only_multiply():
    for A, words in (
        (laplacian(12), "cg, for the matrix is known by its products alone, Hermitian"),
        (upwind(12), "gm"),
    ):
        operator = LinearOperator(A.shape, matvec=A.__matmul__, dtype=float)
        b = normal(144)
        result = solve(operator, b)
        check(A, b, result)
        assert result.message.startswith(words)


def test_diffusion_on_boxes_is_for_compiled_multigrid():
    coefficient = np.exp(normal(12, 10))
    b = normal(120)
    for operator in (Diffusion(coefficient), Diffusion(coefficient, boundary=["periodic", "dirichlet"])):
        result = solve(operator, b)
        check(operator.tocsr(), b, result)
        assert result.message.startswith("cg + multigrid, for the matrix is diffusion on a grid")
        assert choose(LinearSystem(operator, b, (12, 10)))[0].spec.runs_compiled(operator, b)
    singular = Diffusion(coefficient, boundary="neumann")
    b -= b.mean()
    check(singular.tocsr(), b, solve(singular, b))
    result = solve(singular, b + 1.0)
    assert result.status is Status.INCONSISTENT
    assert "the null space of A has dimension 1, and b has a part of relative size" in result.message
    B = normal(120, 2)
    stencil = Diffusion(coefficient)
    result = solve(stencil, B)
    check(stencil.tocsr(), B, result)
    assert "multigrid," not in result.message
    small = Diffusion(np.ones((9, 9)))
    assert choose(LinearSystem(small, np.ones(81), (9, 9)))[0].spec.preconditioner == "fast_poisson"


def test_the_next_choice_where_the_first_cannot_be_set_up():
    A = sp.csr_array(np.array([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0], [1.0, 2.0, 0.0]]))
    b = A @ np.array([1.0, 2.0, 3.0])
    result = solve(A, b)
    check(A, b, result)
    assert result.message.startswith("gmres + regularized_lu, for")
    assert "Tried before: gmres + direct was left out (" in result.message


def test_attempts_end_with_the_first_that_converges_and_the_best_is_returned():
    A, b = laplacian(90), normal(8100)
    result = solve(A, b, maxiter=1)
    assert result.message.startswith("cg + direct, for")
    assert "Tried before: cg + amg maxiter; cg + ict maxiter." in result.message
    choices = choose(LinearSystem(A, b, (8100,)), settings={"rtol": 1e-8})
    seen = []
    outcomes = list(solve_in_turn(LinearSystem(A, b, (8100,)), choices, begin=seen.append))
    assert [choice for choice, _ in outcomes] == seen == choices[:1]
    hard = choose(LinearSystem(A, b, (8100,)), settings={"rtol": 1e-8, "maxiter": 2})
    statuses = [outcome.status for _, outcome in solve_in_turn(LinearSystem(A, b, (8100,)), hard[:2])]
    assert statuses == [Status.MAXITER, Status.MAXITER]


def test_a_solver_by_name():
    A, b = upwind(12), normal(144)
    result = solve(A, b, "gmres", preconditioner="ilut", preconditioner_settings={"fill": 2.0}, restart=20)
    check(A, b, result)
    assert result.message.startswith("gmres + ilut: converged after")
    check(A, b, solve(A, b, "bicgstab"))
    neumann = laplacian(6, corner=1.0)
    c = neumann @ normal(36)
    check(neumann, c, solve(neumann, c, "minres", nullspace=np.ones(36)))


@pytest.mark.parametrize("shape", [(12, 5), (5, 12)])
@pytest.mark.parametrize("solver", ["auto", "lsmr"])
def test_least_squares_of_any_shape(shape, solver):
    A = normal(*shape)
    x = np.linalg.pinv(A) @ (A @ np.ones(shape[1]))
    result = solve(A, A @ x, solver, rtol=1e-10)
    check(A, A @ x, result, 1e-10)
    np.testing.assert_allclose(result.x, x, atol=1e-8)
    if shape[0] > shape[1]:
        result = solve(sp.csr_array(A), np.ones(12), solver)
        assert result.status is Status.INCONSISTENT
        np.testing.assert_allclose(result.x, np.linalg.lstsq(A, np.ones(12))[0], atol=1e-8)
    with pytest.raises(InputError, match="lsmr"):
        solve(A, np.ones(shape[0]), "gmres")


MISTAKES = {
    "unknown solver": ({"solver": "cgs"}, "did you mean 'cg'"),
    "unknown preconditioner": ({"solver": "cg", "preconditioner": "agm"}, "did you mean 'amg'"),
    "unknown setting": ({"solver": "gmres", "restrt": 3}, "did you mean 'restart'"),
    "auto with a preconditioner": ({"preconditioner": "amg"}, "chooses preconditioner and settings itself"),
    "auto with a setting": ({"restart": 3}, "chooses preconditioner and settings itself"),
    "a null space that the solver does not take": ({"solver": "gmres", "nullspace": np.ones(144)}, "minres"),
    "a null space of a nonsymmetric matrix": ({"nullspace": np.ones(144)}, "Hermitian"),
    "a long right-hand side": ({"b": np.ones(145)}, "expected"),
    "a bad tolerance": ({"rtol": 0.0}, "rtol"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named_in_one_line(mistake):
    arguments, words = MISTAKES[mistake]
    with pytest.raises(InputError, match=words) as caught:
        solve(upwind(12), **{"b": np.ones(144), **arguments})
    assert "\n" not in str(caught.value)
