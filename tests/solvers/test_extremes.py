"""Numbers near the ends of float64: a certificate is of what is returned, and no number raises or warns."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.solvers import (
    PRECONDITIONERS,
    SOLVERS,
    BoxSolver,
    InputError,
    RecycleSpace,
    Status,
    block_cg,
    cg,
    chebyshev,
    deflated_cg,
    gcrodr,
    gmres,
    lgmres,
    lsmr,
    recycled_minres,
    richardson,
    solve,
    solve_sequence,
)
from resolvent.solvers.magnitudes import exponent_of_entries, norm_of, shown


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("a", "b"), [(1e-300, 1e300), (1e-20, 1e300), (1e300, 1e-300), (1e155, 1e-170), (1e2, 1e-322)])
def test_a_solution_that_float64_does_not_hold_is_not_converged(solver: str, a: float, b: float) -> None:
    result = SOLVERS[solver](a * np.eye(3), np.full(3, b))
    assert result.status is Status.UNREPRESENTABLE
    assert np.isfinite(result.x).all()
    assert result.relative_residual > 1e-5
    assert "float64" in result.message


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("a", [5e-324, 1e-310, 1e-160, 1e160, 1e300, 1.7e308])
def test_the_size_of_a_system_does_not_matter(solver: str, a: float) -> None:
    """Also that of one whose norms overflow: ‖b‖ here is 3.4e308 for a = 1.7e308."""
    result = SOLVERS[solver](sp.csr_array(a * np.eye(4)), np.full(4, a))
    assert result.converged
    np.testing.assert_allclose(result.x, 1.0)
    assert result.relative_residual <= 1e-5


def test_entries_of_both_ends_keep_their_digits() -> None:
    """A power of two that brings 1e300 near one would erase 1e-300."""
    result = cg(np.diag([1e300, 1e-300]), [1.0, 1.0], M=np.diag([1e-300, 1e300]))
    assert result.converged
    np.testing.assert_allclose(result.x, [1e-300, 1e300])
    assert 0 <= exponent_of_entries(np, np.array([1e300, 1e-300])) < 30
    assert exponent_of_entries(np, np.array([1e300, 1.0])) > 900


@pytest.mark.parametrize("solver", ["cg", "block_cg", "gmres"])
def test_columns_of_different_sizes(solver: str) -> None:
    B = np.array([[1e300, 1.0, 0.0, 1.7e308], [1e300, 2.0, 0.0, -1.7e308], [1e300, 3.0, 0.0, 1.7e308]])
    result = SOLVERS[solver](1e-5 * np.eye(3), B)
    ends = [column.status for column in result.columns]
    assert ends == [Status.CONVERGED, Status.CONVERGED, Status.CONVERGED, Status.UNREPRESENTABLE]
    assert result.status is Status.UNREPRESENTABLE
    assert result.relative_residual == pytest.approx(1.0, abs=1e-4)
    assert result.to_dict()["rhs_norm"] is None  # 2.9e308


def test_norms_that_overflow_leave_the_quotient() -> None:
    result = gmres(np.diag([1.0, 2.0, 3.0]), np.full(3, 1.7e308), iterations=1)
    assert result.status is Status.MAXITER
    assert result.rhs_norm == np.inf
    assert 0.0 < result.relative_residual < 1.0
    assert "e+308" in result.message


def test_a_guess_that_is_far_off_is_dropped() -> None:
    for guess in (1e200, 1e300, 1.7e308):
        assert cg(np.diag([1.0, 2.0]), [1.0, 1.0], np.full(2, guess)).converged
        assert block_cg(np.diag([1.0, 2.0]), np.ones((2, 2)), np.full((2, 2), guess)).converged
    assert cg(1e300 * np.eye(2), [1e-5, 1e-5], np.full(2, 1e300)).converged


def test_settings_that_have_the_size_of_the_matrix_are_scaled_with_it() -> None:
    A, b = 1e-310 * np.diag([1.0, 2.0, 3.0]), 1e-310 * np.ones(3)
    assert chebyshev(A, b, bounds=(1e-310, 3e-310), rtol=1e-8).converged
    assert richardson(1e300 * np.diag([1.0, 2.0, 3.0]), 1e300 * np.ones(3), omega=5e-301, maxiter=200).converged
    assert chebyshev(A, b, bounds=(1.0, 1e300)).status is not Status.CONVERGED


@pytest.mark.parametrize("name", sorted(set(PRECONDITIONERS) - {"multigrid", "fast_poisson"}))
@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e300])
def test_preconditioners_of_any_size(name: str, scale: float) -> None:
    """M r is that of the unscaled matrix, divided by the scale; also for several vectors."""
    line = 2.0 * np.eye(9) - np.eye(9, k=1) - np.eye(9, k=-1)
    A, r = sp.csr_array(line), np.linspace(1.0, 2.0, 9)
    plain = PRECONDITIONERS[name].setup(A)
    M = PRECONDITIONERS[name].setup(A * scale)
    assert M.kind == plain.kind
    np.testing.assert_allclose(M.matvec(r * 2.0**-30) * scale * 2.0**30, plain.matvec(r), rtol=1e-6)
    small = np.stack([r, 2.0 * r], axis=1) * 2.0**-30
    np.testing.assert_allclose(
        M.matmat(small) * scale * 2.0**30, plain.matmat(np.stack([r, 2.0 * r], axis=1)), rtol=1e-6
    )
    result = gmres(A * scale, r * scale, M=M, rtol=1e-8) if M.kind != "nonlinear" else cg(A * scale, r * scale)
    assert result.converged
    again = M.update(A)
    np.testing.assert_allclose(again.matvec(r), plain.matvec(r), rtol=1e-6)


def test_a_set_up_that_fails_is_refused_in_one_line() -> None:
    for name, cls in PRECONDITIONERS.items():
        for A in (np.zeros((3, 3)), np.diag([1e300, 1e-300, 5e-324]), np.full((3, 3), 1e308)):
            refusal = None
            try:
                cls.setup(sp.csr_array(A))
            except InputError as error:
                refusal = str(error)
            assert refusal is None or "\n" not in refusal, name


@pytest.mark.parametrize("solver", [gcrodr, deflated_cg, recycled_minres])
def test_spaces_of_scaled_systems_hold_for_unscaled_ones(solver) -> None:
    line = sp.csr_array(2.0 * np.eye(40) - np.eye(40, k=1) - np.eye(40, k=-1))
    tiny = solver(line * 1e-300, np.full(40, 1e-300), rtol=1e-8, k=4)
    assert tiny.converged
    assert isinstance(tiny.space, RecycleSpace)
    assert tiny.space.images is None
    assert solver(line, np.ones(40), rtol=1e-8, k=4, space=tiny.space).converged
    assert solver(line * 1e-300, np.full(40, 1e-300), rtol=1e-8, k=4, space=tiny.space).converged


def test_outer_vectors_of_scaled_systems_hold_no_images() -> None:
    line = 2.0 * np.eye(30) - np.eye(30, k=1) - np.eye(30, k=-1)
    v = np.linspace(0.0, 1.0, 30)
    pairs = [(v, 1e-300 * line @ v)]
    assert lgmres(1e-300 * line, np.full(30, 1e-300), inner_m=5, outer_v=pairs, rtol=1e-8).converged
    assert all(image is None for _, image in pairs[1:])


@pytest.mark.parametrize("strategy", ["auto", "constant_matrix", "scaling", "superposition", "warm_start", "recycling"])
def test_sequences_certify_what_they_return(strategy: str) -> None:
    line = sp.csr_array(2.0 * np.eye(6) - np.eye(6, k=1) - np.eye(6, k=-1))
    for a, b, status in [
        (1e-300, 1e300, "unrepresentable"),
        (1e300, 1e-300, "unrepresentable"),
        (1.0, 1e200, "converged"),
    ]:
        result = solve_sequence([(line * a, np.full(6, b)), (line * a, np.full(6, 2.0 * b))], strategy=strategy)
        assert [each.status for each in result.results] == [status] * 2


@pytest.mark.parametrize("shape", [(6, 6), (4, 4, 4)])
def test_multigrid_certifies_what_it_returns(shape: tuple[int, ...]) -> None:
    solver = BoxSolver(shape)
    field = np.exp(np.random.default_rng(0).standard_normal(shape))
    usual = solver.solve(field)
    for a, b in [(1e-320, 1e-320), (1e-300, 1e-10), (1e300, 1e300), (1e307, 1e308), (1.0, 1e-310)]:
        result = solver.solve(np.full(shape, a), b, rtol=1e-5)
        assert result.converged
        assert result.relative_residual <= 1e-5
    for a, b in [(1e-300, 1e300), (1e300, 1e-300), (1.0, 1e-322)]:
        result = solver.solve(field * a, b)
        assert result.status is Status.UNREPRESENTABLE
        assert np.isfinite(result.x).all()
    np.testing.assert_array_equal(solver.solve(field).x, usual.x)


@pytest.mark.parametrize("b", [1e300, 1e-300])
def test_damped_least_squares_certify_what_they_return(b: float) -> None:
    A, side = np.diag([1.0, 2.0, 3.0]), np.array([b, b, -b])
    damped = lsmr(A, side, damp=1e-2, optimality=1e-10)
    assert damped.status is Status.INCONSISTENT
    assert damped.relative_residual == pytest.approx(6e-5, rel=0.1)
    assert lsmr(A, side, damp=1e-12).converged


def test_the_automatic_choice_certifies_what_it_returns() -> None:
    """Rows of very different size are scaled there, and the certificate is of the system as it was given."""
    for a, b, status in [
        (1e-300, 1e300, Status.UNREPRESENTABLE),
        (1.0, 1e-200, Status.CONVERGED),
        (1e200, 1e200, Status.CONVERGED),
        (1.0, 1.7e308, Status.CONVERGED),
    ]:
        assert solve(a * np.diag([1.0, 2.0, 4.0]), np.full(3, b)).status is status
    uneven = np.diag([1e300, 1.0, 1e-12]) + 1e-14
    for b in (1e300, 1.7e308, 1e-310):
        result = solve(uneven, np.array([b, b, -b]))
        with np.errstate(all="ignore"):
            r = np.array([b, b, -b], dtype=np.longdouble) - uneven.astype(np.longdouble) @ result.x.astype(
                np.longdouble
            )
        assert not result.converged or np.sqrt((r**2).sum()) <= 1.01e-8 * np.sqrt(3.0) * np.longdouble(b)


@pytest.mark.parametrize("solver", ["gmres", "block_cg"])
def test_a_residual_that_cancels_by_chance_is_no_certificate(solver: str) -> None:
    """Terms of A x that cancel may leave zero in float64; extended precision tells it from the true residual."""
    A, b = np.array([[1e30, -1e30], [-1e30, 1e30]]), np.array([1.0, -1.0])
    result = SOLVERS[solver](A, b, np.array([1.0, 1.0 - 2.0**-53]), rtol=1e-8)
    r = b.astype(np.longdouble) - A.astype(np.longdouble) @ result.x.astype(np.longdouble)
    assert not result.converged or np.sqrt((r**2).sum()) <= 2.1e-8 * np.sqrt(2.0)
    jordan = np.eye(11) * 0.3 + 1e8 * np.eye(11, k=1)
    side = 10.0 ** np.linspace(-300.0, 280.0, 11)
    result = gmres(jordan, side, rtol=1e-8)
    r = side.astype(np.longdouble) - jordan.astype(np.longdouble) @ result.x.astype(np.longdouble)
    assert not result.converged or float(np.abs(r / side.max()).max()) <= 2.1e-8


def test_norms_and_numbers_beyond_float64() -> None:
    assert norm_of(np, np.full(4, 1e300)) == pytest.approx(2e300)
    assert norm_of(np, np.full(4, 1e-300 + 0.0j)) == pytest.approx(2e-300)
    assert norm_of(np, np.zeros(3)) == norm_of(np, np.zeros(0)) == 0.0
    assert np.isnan(norm_of(np, np.array([np.nan, 1.0])))
    assert shown(1.5, 1100) == "2.04e+331"
    assert shown(0.0, 1100) == "0"
    assert shown(np.inf, 5) == "inf"
