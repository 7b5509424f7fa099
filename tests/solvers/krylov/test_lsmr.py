"""Least squares: the solution of least norm for any shape and rank, and what may be called converged."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from resolvent.solvers import InputError, Status, cg, lsmr

SHAPES = [(20, 20), (40, 15), (15, 40), (6, 1), (1, 6), (1, 1)]


def gaussian(rng, shape, complex_):
    values = rng.standard_normal(shape)
    return values + 1j * rng.standard_normal(shape) if complex_ else values


def matrix(seed, m, n, rank, complex_, condition=100.0):
    """Return a matrix of known rank and condition number, and the generator that drew it."""
    rng = np.random.default_rng(seed)
    left, _ = np.linalg.qr(gaussian(rng, (m, rank), complex_))
    right, _ = np.linalg.qr(gaussian(rng, (n, rank), complex_))
    return (left * np.geomspace(1.0, 1.0 / condition, rank)) @ right.conj().T, rng


def least_norm(A, b):
    return np.linalg.lstsq(A, b, rcond=1e-11)[0]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("deficient", [False, True])
def test_consistent_systems_converge_to_the_solution_of_least_norm(shape, complex_, deficient):
    rank = max(1, min(shape) // (2 if deficient else 1))
    A, rng = matrix(1, *shape, rank, complex_)
    b = A @ gaussian(rng, shape[1], complex_)
    for form in (A, sp.csr_array(A), sp.csc_array(A), aslinearoperator(A)):
        result = lsmr(form, b, rtol=1e-12)
        assert result.status is Status.CONVERGED
        assert result.residual == pytest.approx(np.linalg.norm(b - A @ result.x), rel=1e-3, abs=1e-14)
        assert result.residual <= 1e-12 * np.linalg.norm(b)
        np.testing.assert_allclose(result.x, least_norm(A, b), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("deficient", [False, True])
def test_inconsistent_systems_are_called_so_and_solved_in_least_squares(shape, complex_, deficient):
    rank = max(1, min(shape) // (2 if deficient else 1))
    if rank == shape[0]:
        return  # every b is in the range
    A, rng = matrix(2, *shape, rank, complex_)
    b = gaussian(rng, shape[0], complex_)
    for reorthogonalize in (None, 0, 3):
        result = lsmr(A, b, rtol=1e-10, reorthogonalize=reorthogonalize)
        assert result.status is Status.INCONSISTENT
        assert not result.converged
        assert result.info > 0
        np.testing.assert_allclose(result.x, least_norm(A, b), rtol=1e-6, atol=1e-7)
        r = b - A @ result.x
        assert result.residual == pytest.approx(np.linalg.norm(r))
        assert np.linalg.norm(A.conj().T @ r) <= 2e-12 * np.linalg.norm(r)
        assert "not in the range of A" in result.message
        assert "‖Aᴴr‖₂ =" in result.message
        assert "\n" not in result.message


def test_what_meets_the_tolerance_is_converged_though_b_is_not_in_the_range():
    A, rng = matrix(3, 30, 10, 10, False)
    inside, outside = A @ rng.standard_normal(10), rng.standard_normal(30)
    outside -= A @ least_norm(A, outside)
    b = inside + 1e-4 * np.linalg.norm(inside) * outside / np.linalg.norm(outside)
    assert lsmr(A, b, rtol=1e-3).status is Status.CONVERGED
    strict = lsmr(A, b, rtol=1e-5)
    assert strict.status is Status.INCONSISTENT
    assert strict.relative_residual == pytest.approx(1e-4, rel=1e-3)
    assert lsmr(A, b, rtol=0.0, atol=2e-4 * np.linalg.norm(b)).converged


@pytest.mark.parametrize("condition", [1e6, 1e9])
def test_a_nonsingular_matrix_of_large_condition_is_not_called_inconsistent(condition):
    """A small ‖Aᴴr‖ alone does not show that b is out of the range: it is that of any r along small singular values."""
    A, rng = matrix(4, 30, 30, 30, False, condition)
    for settings in ({}, {"reorthogonalize": 0, "maxiter": 300}):
        result = lsmr(A, rng.standard_normal(30), rtol=1e-6, **settings)
        assert result.status in (Status.CONVERGED, Status.MAXITER, Status.STAGNATED)


def test_orthogonal_vectors_save_iterations_where_the_matrix_is_ill_conditioned():
    A, rng = matrix(5, 80, 40, 40, False, 1e5)
    b = A @ rng.standard_normal(40)
    kept, lost = lsmr(A, b, rtol=1e-11), lsmr(A, b, rtol=1e-11, reorthogonalize=0)
    assert kept.converged
    assert kept.iterations <= 42 < lost.iterations


def test_an_adjoint_is_conjugated():
    A = np.array([[1.0j, 2.0], [0.5, 1.0 - 1.0j], [1.0, 1.0j]])
    b = np.array([1.0, 2.0j, -1.0])
    result = lsmr(A, b)
    np.testing.assert_allclose(A.conj().T @ (b - A @ result.x), 0.0, atol=1e-12)


@pytest.mark.parametrize("shape", [(30, 10), (10, 30), (12, 12)])
@pytest.mark.parametrize("damp", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("complex_", [False, True])
def test_damping_minimises_the_stacked_residual_whatever_the_guess(shape, damp, complex_):
    A, rng = matrix(6, *shape, min(shape), complex_)
    B, guess = gaussian(rng, (shape[0], 2), complex_), gaussian(rng, (shape[1], 2), complex_)
    stacked = np.vstack([A, damp * np.eye(shape[1])])
    expected = np.linalg.lstsq(stacked, np.vstack([B, np.zeros((shape[1], 2))]), rcond=None)[0]
    for form, x0 in ((A, None), (sp.csr_array(A), guess), (aslinearoperator(A), None)):
        result = lsmr(form, B, x0, damp=damp, rtol=1e-12)
        np.testing.assert_allclose(result.x, expected, rtol=1e-6, atol=1e-8)
        assert result.status is Status.INCONSISTENT
        for j, column in enumerate(result.columns):
            assert column.residual == pytest.approx(np.linalg.norm(B[:, j] - A @ column.x))
            assert column.residuals[-1] == column.residual
            assert "damped least-squares solution" in column.message
    alone = lsmr(A, B[:, 0], damp=damp, rtol=0.9999)
    assert alone.converged == (np.linalg.norm(B[:, 0] - A @ alone.x) <= 0.9999 * np.linalg.norm(B[:, 0]))


def test_columns_have_their_own_ends():
    A, rng = matrix(7, 25, 10, 10, False)
    B = np.stack([A @ rng.standard_normal(10), np.zeros(25), rng.standard_normal(25)], axis=1)
    result = lsmr(A, B, rtol=1e-9)
    assert [column.status for column in result.columns] == [
        Status.CONVERGED, Status.CONVERGED, Status.INCONSISTENT,
    ]  # fmt: skip
    assert result.status is Status.INCONSISTENT
    assert result.x.shape == (10, 3)
    assert not result.x[:, 1].any()
    np.testing.assert_allclose(result.x, least_norm(A, B), rtol=1e-6, atol=1e-7)


def test_a_right_hand_side_orthogonal_to_the_range():
    result = lsmr(np.eye(4, 2), np.array([0.0, 0.0, 3.0, 4.0]))
    assert result.status is Status.INCONSISTENT
    assert result.iterations == 0
    assert result.residual == 5.0
    assert not result.x.any()


def test_a_residual_of_the_size_of_rounding_shows_nothing():
    result = lsmr(np.eye(4, 2), np.array([1.0, 1.0, 1e-17, 0.0]), rtol=0.0)
    assert result.status is Status.STAGNATED
    assert "floor" in result.message


def test_the_zero_matrix():
    result = lsmr(sp.csr_array((3, 5)), np.ones(3))
    assert result.status is Status.INCONSISTENT
    assert "Aᴴr = 0" in result.message
    assert not result.x.any()
    assert lsmr(np.zeros((3, 5)), np.zeros(3)).converged


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e200, 1e300])
def test_the_size_of_the_matrix_does_not_matter(size):
    A, rng = matrix(8, 12, 8, 8, False, 5.0)
    b = A @ rng.standard_normal(8)
    result = lsmr(size * A, b, rtol=1e-10)
    assert result.converged
    np.testing.assert_allclose(result.x * size, least_norm(A, b), rtol=1e-6)


def test_among_many_solutions_the_one_nearest_to_the_guess():
    A, rng = matrix(9, 6, 15, 6, False)
    b, guess = rng.standard_normal(6), rng.standard_normal(15)
    found = lsmr(A, b, guess, rtol=1e-12).x
    np.testing.assert_allclose(found, guess + least_norm(A, b - A @ guess), rtol=1e-7, atol=1e-8)


def test_the_callback_sees_each_iterate():
    A, rng = matrix(10, 30, 12, 12, False)
    b, seen = rng.standard_normal(30), []
    result = lsmr(A, b, callback=lambda x: seen.append(x.copy()))
    assert len(seen) == result.iterations
    assert all(x.shape == (12,) for x in seen)
    slopes = [np.linalg.norm(A.T @ (b - A @ x)) for x in seen]
    assert all(after <= before + 1e-12 for before, after in pairwise(slopes))
    for x, norm in zip(seen, result.residuals[1:], strict=True):
        assert np.linalg.norm(b - A @ x) == pytest.approx(norm)


def test_each_iterate_has_the_least_slope_over_its_krylov_space():
    A, rng = matrix(11, 30, 12, 12, True, 10.0)
    b, seen = gaussian(rng, 30, True), []
    lsmr(A, b, callback=lambda x: seen.append(x.copy()))
    normal = A.conj().T @ A
    basis = [A.conj().T @ b]
    for x in seen[:8]:
        space, _ = np.linalg.qr(np.stack(basis, axis=1))
        best = space @ np.linalg.lstsq(normal @ space, A.conj().T @ b, rcond=None)[0]
        np.testing.assert_allclose(x, best, rtol=1e-7, atol=1e-9)
        basis.append(normal @ basis[-1])


def test_maxiter():
    A, rng = matrix(12, 40, 30, 30, False, 1e4)
    result = lsmr(A, rng.standard_normal(40), rtol=1e-12, maxiter=3)
    assert result.status is Status.MAXITER
    assert result.iterations == 3


def no_adjoint(v):
    return np.array([v[0], v[1], v[0]])


WRONG = {
    "no adjoint": (LinearOperator((3, 2), matvec=no_adjoint, dtype=float), {}, "give the LinearOperator an rmatvec"),
    "an adjoint of another shape": (
        LinearOperator((3, 2), matvec=no_adjoint, rmatvec=lambda u: u[:2] * 0.0 + 1.0, dtype=float),
        {},
        "mend rmatvec",
    ),
    "x0 of b's length": (np.eye(3, 2), {"x0": np.ones(3)}, "x0"),
    "M": (np.eye(3, 2), {"M": np.eye(2)}, "lsmr takes no preconditioner"),
    "a negative damp": (np.eye(3, 2), {"damp": -1.0}, "damp"),
    "a NaN damp": (np.eye(3, 2), {"damp": np.nan}, "damp"),
    "optimality a string": (np.eye(3, 2), {"optimality": "high"}, "optimality"),
    "a negative window": (np.eye(3, 2), {"reorthogonalize": -1}, "reorthogonalize"),
    "an empty matrix": (np.zeros((3, 0)), {}, "empty"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_mistakes_are_named_in_one_line(mistake):
    A, arguments, word = WRONG[mistake]
    with pytest.raises(InputError) as caught:
        lsmr(A, np.array([1.0, 2.0, 4.0]), **arguments)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_transpose_in_the_place_of_the_adjoint_is_refused():
    A, rng = matrix(13, 9, 6, 6, True)
    wrong = LinearOperator(A.shape, matvec=lambda v: A @ v, rmatvec=lambda u: A.T @ u, dtype=complex)
    with pytest.raises(InputError, match="conjugate transpose"):
        lsmr(wrong, gaussian(rng, 9, True))


def test_solvers_of_square_systems_recommend_it():
    with pytest.raises(InputError, match="lsmr"):
        cg(np.eye(3, 2), np.ones(3))
