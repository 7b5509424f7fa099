"""Singular consistent systems with a known null space, on every method that takes one."""

import inspect

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from resolvent.solvers import IC0, SOLVERS, InputError, Jacobi, cg, minres

TAKERS = [name for name, solver in SOLVERS.items() if "nullspace" in inspect.signature(solver).parameters]


def neumann(m):
    """The Neumann Laplacian of an m × m grid."""
    one = sp.diags_array([-np.ones(m - 1), np.r_[1.0, np.full(m - 2, 2.0), 1.0], -np.ones(m - 1)], offsets=[-1, 0, 1])
    return sp.csr_array(sp.kron(one, sp.eye_array(m)) + sp.kron(sp.eye_array(m), one))


def two_floating_bodies(m):
    A = sp.csr_array(sp.block_diag([neumann(m), 3.0 * neumann(m)]))
    bodies = np.zeros((2 * m * m, 2))
    bodies[: m * m, 0] = 2.0
    bodies[:, 1] = 1.0  # a basis that is neither normalised nor orthogonal
    return A, bodies


def consistent(n, seed=0):
    b = np.random.default_rng(seed).standard_normal(n)
    return b - b.mean()


def test_the_symmetric_methods_take_one():
    assert TAKERS == ["cg", "fcg", "block_cg", "minres", "chebyshev"]


@pytest.mark.parametrize("name", TAKERS)
@pytest.mark.parametrize("preconditioner", [None, Jacobi, IC0])
def test_a_neumann_problem_has_the_solution_of_mean_zero(name, preconditioner):
    A, b = neumann(16), consistent(256)
    M = (
        None
        if preconditioner is None
        else preconditioner.setup(A, **({"shift": 1e-3} if preconditioner is IC0 else {}))
    )
    x0 = 5.0 + np.random.default_rng(1).standard_normal(256)
    result = SOLVERS[name](A, b, x0, rtol=1e-9, M=M, nullspace=np.full(256, 7.0))
    assert result.converged
    assert np.linalg.norm(b - A @ result.x) <= 1.001e-9 * np.linalg.norm(b)
    assert abs(result.x.mean()) <= 1e-10 * np.abs(result.x).max()
    np.testing.assert_allclose(result.x, np.linalg.pinv(A.toarray()) @ b, atol=1e-6)


@pytest.mark.parametrize("name", TAKERS)
def test_several_null_vectors_and_columns(name):
    A, bodies = two_floating_bodies(8)
    B = A @ np.random.default_rng(0).standard_normal((128, 2))
    result = SOLVERS[name](A, B, rtol=1e-9, nullspace=bodies)
    assert result.converged
    assert np.abs(bodies.T @ result.x).max() <= 1e-9


@pytest.mark.parametrize("name", TAKERS)
def test_an_incompatible_right_hand_side_is_named(name):
    with pytest.raises(InputError, match=r"part of relative size .* in the null space"):
        SOLVERS[name](neumann(6), np.ones(36) + consistent(36), nullspace=np.ones(36))


def test_a_part_below_the_tolerance_does_no_harm():
    A, b = neumann(12), consistent(144)
    result = cg(A, b + 1e-9 * np.linalg.norm(b) / 12.0, rtol=1e-8, nullspace=np.ones(144))
    assert result.converged


@pytest.mark.parametrize(
    ("A", "nullspace", "word"),
    [
        (sp.eye_array(4, format="csr"), np.ones(4), "expected zero"),
        (neumann(2), np.ones((4, 2)), "dependent"),
        (neumann(2), np.zeros(4), "dependent or zero"),
        (neumann(2), np.ones(3), "shape"),
        (neumann(2), np.eye(4), "fewer"),
        (neumann(2), np.full(4, np.nan), "NaN"),
    ],
)
def test_mistakes(A, nullspace, word):
    with pytest.raises(InputError, match=word):
        cg(A, np.array([1.0, -1.0, 0.0, 0.0]), nullspace=nullspace)


def test_takes_as_many_iterations_as_scipy_on_the_singular_system():
    A, b = neumann(20), consistent(400)
    for ours, theirs in ((cg, spla.cg), (minres, None)):
        result = ours(A, b, rtol=1e-8, nullspace=np.ones(400))
        if theirs is None:
            assert result.iterations <= cg(A, b, rtol=1e-8).iterations
            continue
        count = []
        assert theirs(A, b, rtol=1e-8, callback=count.append)[1] == 0
        assert abs(result.iterations - len(count)) <= 2


def test_a_periodic_complex_hermitian_problem():
    """A twisted ring with a flux of whole turns: the null vector is a plane wave."""
    n = 24
    phase = np.exp(2j * np.pi / n)
    ring = sp.diags_array([-np.full(n - 1, phase), -np.full(n - 1, phase.conjugate())], offsets=[1, -1]).tolil()
    ring[0, n - 1], ring[n - 1, 0] = -phase.conjugate(), -phase
    A = sp.csr_array(ring + 2.0 * sp.eye_array(n))
    wave = phase.conjugate() ** np.arange(n)
    b = A @ np.random.default_rng(0).standard_normal(n)
    result = cg(A, b, rtol=1e-10, nullspace=wave)
    assert result.converged
    assert abs(np.vdot(wave, result.x)) <= 1e-9
