"""The driver as the author of a new Krylov method meets it: a recurrence is all there is to write."""

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.solvers import Breakdown, InputError, Jacobi, Method, Status, run

DEFAULTS = {"rtol": 1e-8, "atol": 0.0, "maxiter": None}


@pytest.fixture
def solve():
    def go(recurrence, A, b, x0=None, settings=None, method=None, **changes):
        mine = Method("mine", recurrence, accepts=("spd", "linear"), **(method or {}))
        return run(mine, A, b, x0, **{**DEFAULTS, **changes}, **(settings or {}))

    return go


def steepest_descent(column, x, r):
    while True:
        z = column.M(r)
        q = column.A(z)
        alpha = column.dot(r, z) / column.dot(z, q)
        x += alpha * z
        r -= alpha * q
        yield column.norm(r)


def system(n=20):
    A = sp.csr_array(np.diag(np.linspace(1.0, 5.0, n)) + 0.1)
    return A, np.random.default_rng(0).standard_normal(n)


def test_steepest_descent_in_eight_lines(solve):
    A, b = system()
    result = solve(steepest_descent, A, b)
    assert result.converged
    assert np.linalg.norm(b - A @ result.x) <= 1e-8 * np.linalg.norm(b)
    block = solve(steepest_descent, A, np.stack([b, 2 * b], axis=1))
    assert [column.converged for column in block.columns] == [True, True]
    helped = solve(steepest_descent, A, b, M=Jacobi.setup(A))
    assert helped.applies == helped.iterations
    assert helped.iterations < result.iterations


@pytest.mark.parametrize("power", [-20, 20])
def test_the_tolerance_is_relative_to_b(solve, power):
    """A power of two changes no bit but those of exponents."""
    A, b = system()
    result, scaled = solve(steepest_descent, A, b), solve(steepest_descent, A, 2.0**power * b)
    assert scaled.iterations == result.iterations
    np.testing.assert_array_equal(scaled.residuals, 2.0**power * result.residuals)
    absolute = solve(steepest_descent, A, 2.0**power * b, rtol=0.0, atol=2.0**power * 1e-8 * np.linalg.norm(b))
    assert absolute.iterations == result.iterations


def test_a_recurrence_that_lies_is_not_believed(solve):
    """It reports a residual that falls faster than the true one: caught, and restarted from the truth."""

    def liar(column, x, r):
        for k, norm in enumerate(steepest_descent(column, x, r)):
            yield norm * 0.1**k

    A, b = system()
    result = solve(liar, A, b, rtol=1e-6)
    assert result.status in (Status.CONVERGED, Status.STAGNATED)
    assert result.residual == pytest.approx(np.linalg.norm(b - A @ result.x))
    assert result.converged == (result.residual <= 1e-6 * np.linalg.norm(b))


def test_a_recurrence_that_only_lies_stagnates(solve):
    def idle(column, x, r):
        while True:
            yield 0.0

    A, b = system()
    result = solve(idle, A, b)
    assert result.status is Status.STAGNATED
    assert result.iterations <= 5
    np.testing.assert_array_equal(result.x, 0.0)
    assert result.residual == pytest.approx(np.linalg.norm(b))


def test_a_slow_lie_is_found_at_an_inspection(solve):
    def drifting(column, x, r):
        norm = column.norm(r)
        while True:
            norm *= 0.97
            yield norm

    A, b = system()
    result = solve(drifting, A, b, maxiter=10_000)
    assert result.status is Status.STAGNATED
    assert result.iterations == 100


def test_a_recurrence_without_steps_ends(solve):
    def empty(column, x, r):
        yield from ()

    A, b = system()
    result = solve(empty, A, b)
    assert result.status is Status.BREAKDOWN
    assert result.iterations == 0
    assert result.info == 1


def test_cycles_restart_from_the_true_residual_until_they_stall(solve):
    def one_step(column, x, r):
        yield next(steepest_descent(column, x, r))

    A, b = system()
    assert solve(one_step, A, b).converged

    def no_step(column, x, r):
        yield column.norm(r)

    stalled = solve(no_step, A, b, maxiter=10_000)
    assert stalled.status is Status.STAGNATED
    assert stalled.iterations == 10


def test_a_breakdown_after_convergence_counts_as_convergence(solve):
    def breaks(column, x, r):
        x[:] = 1.0
        raise Breakdown(Status.BREAKDOWN, "no direction left")
        yield

    A, _ = system()
    assert solve(breaks, A, A @ np.ones(20)).converged
    failed = solve(breaks, A, np.ones(20))
    assert failed.status is Status.BREAKDOWN
    assert "no direction left" in failed.message
    assert Status.BREAKDOWN.advice in failed.message


@pytest.mark.parametrize(
    ("value", "status"), [(np.nan, Status.NONFINITE), (np.inf, Status.NONFINITE), (1e30, Status.DIVERGED)]
)
def test_runaway_norms(solve, value, status):
    def runaway(column, x, r):
        x += 1e40
        yield value

    A, b = system()
    result = solve(runaway, A, b)
    assert result.status is status
    assert np.isfinite(result.residual)
    np.testing.assert_array_equal(result.x, 0.0)


def test_the_best_checked_iterate_is_returned_when_the_last_is_worse(solve):
    def spoiler(column, x, r):
        x += 100.0
        yield 0.0

    A, b = system()
    x0 = np.linalg.solve(A.toarray(), b) + 1e-3
    result = solve(spoiler, A, b, x0)
    assert result.status is Status.STAGNATED
    np.testing.assert_array_equal(result.x, x0)
    assert result.residual == pytest.approx(np.linalg.norm(b - A @ x0))


def test_an_implicit_iterate_is_formed_when_the_generator_is_closed(solve):
    """As GMRES does: x is assembled in a finally block, whatever made the driver stop."""

    def implicit(column, x, r):
        update = np.zeros_like(x)
        try:
            yield from steepest_descent(column, update, r)
        finally:
            x += update

    A, b = system()
    for maxiter in (7, None):
        result = solve(implicit, A, b, maxiter=maxiter, method={"explicit": False})
        expected = solve(steepest_descent, A, b, maxiter=maxiter)
        np.testing.assert_allclose(result.x, expected.x, rtol=1e-12)
        assert result.status is expected.status


def test_settings_reach_the_recurrence(solve):
    seen = []

    def curious(column, x, r, *, window):
        seen.append((window, column.budget, column.preconditioned))
        yield from steepest_descent(column, x, r)

    A, b = system()
    solve(curious, A, b, maxiter=50, settings={"window": 3})
    assert seen[0] == (3, 50, False)


def test_statuses_have_advice():
    assert {status.value for status in Status} == {
        "converged", "maxiter", "stagnated", "breakdown", "indefinite", "nonfinite", "diverged",
        "inconsistent", "unrepresentable",
    }  # fmt: skip
    for status in Status:
        assert status.name == status.value.upper()
        assert status.advice.endswith((".", "do."))
        assert str(status) == status.value


def test_a_tensor_is_refused(solve):
    torch = pytest.importorskip("torch")
    A, b = system()
    with pytest.raises(InputError, match="expected a NumPy or CuPy array"):
        solve(steepest_descent, A, torch.as_tensor(b))
    with pytest.raises(InputError, match="Tensor"):
        solve(steepest_descent, torch.eye(20), b)
