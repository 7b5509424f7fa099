"""Rows of very different size, isolated unknowns, floating bodies, a negative sign: `solve` sees an ordinary system."""

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from resolvent.solvers import Status, solve

N = 14


def line(n, ends=2.0):
    t = sp.diags_array([-np.ones(n - 1), np.full(n, 2.0), -np.ones(n - 1)], offsets=[-1, 0, 1]).tolil()
    t[0, 0] = t[n - 1, n - 1] = ends
    return sp.csr_array(t)


def grid(n, m, ends=2.0):
    return sp.csr_array(sp.kron(line(n, ends), sp.eye_array(m)) + sp.kron(sp.eye_array(n), line(m, ends)))


def with_penalty(penalty, wind=0.0, n=N, phase=1.0):
    """Return A, b and x of a diffusion problem whose boundary values are set by a penalty on the diagonal."""
    A = grid(n, n, ends=1.0).astype(type(phase)) + sp.kron(
        sp.diags_array([np.full(n - 1, wind), np.full(n - 1, -wind)], offsets=[1, -1]), sp.eye_array(n)
    )
    A = sp.csr_array(phase * A)
    held = np.zeros((n, n), dtype=bool)
    held[[0, -1]] = held[:, [0, -1]] = True
    held = held.ravel()
    x = np.random.default_rng(0).standard_normal(n * n) * held
    free = np.flatnonzero(~held)
    x = x.astype(A.dtype)
    x[free] = spla.spsolve(A[free][:, free].tocsc(), -(A[free] @ x))
    return sp.csr_array(A + sp.diags_array(penalty * held)), penalty * held * x, x


@pytest.mark.parametrize("penalty", [1e9, 1e14, 1e20, 1e30, 1e100])
@pytest.mark.parametrize("wind", [0.0, 0.4])
def test_penalty_rows_are_solved_as_if_they_were_eliminated(penalty, wind):
    A, b, x = with_penalty(penalty, wind)
    result = solve(A, b)
    assert result.converged, result.message
    assert "scaled to one size" in result.message
    assert np.linalg.norm(result.x - x) <= max(1e-6, 20.0 / penalty) * np.linalg.norm(x)
    more = solve(A, np.stack([b, 2 * b], axis=1))
    assert more.converged
    assert np.linalg.norm(more.x[:, 1] - 2 * x) <= 1e-6 * np.linalg.norm(2 * x)


def test_larger_ones_by_iterations_and_complex_ones():
    for phase, n in ((1.0, 50), (1.0 + 0.5j, 20)):
        A, b, x = with_penalty(1e14, n=n, phase=phase)
        result = solve(A, b)
        assert result.converged, result.message
        assert np.linalg.norm(result.x - x) <= 1e-6 * np.linalg.norm(x)


def test_a_named_solver_warns_of_rows_that_its_residual_ignores():
    A, b, _ = with_penalty(1e14)
    result = solve(A, b, "cg", preconditioner="jacobi")
    assert "Warning: rows of A differ by a factor of" in result.message
    assert "Warning" not in solve(grid(9, 9), np.ones(81), "cg").message


def test_a_negative_definite_matrix_is_solved_with_the_other_sign():
    A = -grid(150, 150)
    b = np.random.default_rng(1).standard_normal(22500)
    result = solve(A, b)
    assert result.message.startswith("cg + amg")
    assert "its sign is changed" in result.message
    assert np.linalg.norm(b - A @ result.x) <= 1e-8 * np.linalg.norm(b)
    assert solve(A, b, x0=result.x).iterations == 0


def test_isolated_unknowns():
    A = sp.csr_array(sp.block_diag([np.zeros((2, 2)), grid(8, 8), np.zeros((1, 1))]))
    b = A @ np.random.default_rng(2).standard_normal(67)
    result = solve(A, b)
    assert result.converged
    assert not result.x[[0, 1, 66]].any()
    b[66] = 1.0
    result = solve(A, b)
    assert result.status is Status.INCONSISTENT
    assert "3 rows of A are zero, and b is not there (row 66; relative size" in result.message
    assert np.linalg.norm((b - A @ result.x)[:66]) <= 1e-7 * np.linalg.norm(b)
    zero = solve(A, np.zeros(67))
    assert zero.converged
    assert not zero.x.any()


def test_floating_bodies():
    A = sp.csr_array(sp.block_diag([grid(20, 30, 1.0), grid(10, 10, 1.0), grid(8, 8)]))
    x = np.random.default_rng(3).standard_normal(764)
    result = solve(A, A @ x)
    assert result.converged
    assert "its null space has dimension 2" in result.message
    b = np.random.default_rng(0).standard_normal(764)
    b[:700] -= b[:700].mean()  # balanced over the two bodies, in neither of them
    result = solve(A, b)
    assert result.status is Status.INCONSISTENT
    assert "the null space of A has dimension 2, and b has a part of relative size" in result.message
    least = spla.lsmr(A, b, atol=1e-12, btol=1e-12, maxiter=5000)[0]
    assert np.linalg.norm(b - A @ result.x) == pytest.approx(np.linalg.norm(b - A @ least), rel=1e-6)
    assert result.x.shape == (764,)


SINGULAR = {
    "two equal rows": np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [0.0, 1.0, 5.0]]),
    "an empty row, its column full": np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 0.0], [1.0, 0.0, 3.0]]),
    "a nilpotent block": np.diag(np.ones(9), 1),
    "a bordered graph": np.block([[grid(4, 4, 1.0).toarray(), np.zeros((16, 2))], [np.zeros((2, 18))]]),
    "skew of odd order": np.array([[0.0, 1.0, -2.0], [-1.0, 0.0, 3.0], [2.0, -3.0, 0.0]]),
    "complex": np.array([[1.0, 1.0j], [1.0j, -1.0]]),
    "rank one": np.outer(np.arange(1.0, 8.0), np.ones(7)),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_singular_matrices(name):
    A = SINGULAR[name]
    b = A @ np.arange(1.0, len(A) + 1.0)
    result = solve(A, b)
    assert result.converged, result.message
    assert np.linalg.norm(b - A @ result.x) <= 1e-8 * np.linalg.norm(b)
    left = np.linalg.svd(A)[0][:, -1]
    result = solve(A, b + left)
    assert result.status is Status.INCONSISTENT, result.message
    dimension = len(A) - np.linalg.matrix_rank(A)
    assert (
        f"null space of A has dimension {dimension}, and b has a part" in result.message
        or "rows of A" in result.message
    )
    best = np.linalg.lstsq(A, b + left, rcond=1e-12)[0]
    assert np.linalg.norm(b + left - A @ result.x) <= 1.001 * np.linalg.norm(b + left - A @ best)


def test_a_budget_ends_the_iterations_with_the_best_iterate():
    A = grid(60, 60) - 0.05 * sp.eye_array(3600)
    b = np.ones(3600)
    result = solve(A, b, "minres", rtol=1e-14, maxiter=10**7, seconds=0.02)
    assert not result.converged
    assert "0.02 s allowed are used up" in result.message or result.status is Status.STAGNATED
    assert result.solve_seconds < 2.0


def test_a_nearly_singular_matrix_is_warned_of():
    A = grid(8, 8, 1.0) + 1e-16 * sp.eye_array(64)
    rng = np.random.default_rng(5)
    A = A + sp.coo_array(([1e-15], ([0], [5])), shape=(64, 64))
    result = solve(A, A @ rng.standard_normal(64), "gmres", preconditioner="direct")
    assert "A is nearly singular" in result.message
    assert "singular" not in solve(grid(8, 8), np.ones(64)).message
