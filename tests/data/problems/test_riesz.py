"""Test fractional diffusion: measured orders on analytic solutions, the certificate's sums beside FFTs, iterations."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy.special import gamma

from resolvent.data import make_problem
from resolvent.solvers import InputError, SolverSpec

TIGHT = SolverSpec("cg", {"rtol": 1e-12}, "tau", {})


def _riesz(x: np.ndarray, order: float) -> np.ndarray:
    """−∂^γ/∂|x|^γ of (x(1 − x))⁴: Riemann–Liouville derivatives of its monomials from both ends."""

    def from_left(s: np.ndarray) -> np.ndarray:
        terms = (comb(4, j) * (-1) ** j * gamma(j + 5) / gamma(j + 5 - order) * s ** (j + 4 - order) for j in range(5))
        return np.asarray(sum(terms))

    return (from_left(x) + from_left(1 - x)) / (2 * np.cos(np.pi * order / 2))


def _rates(errors: list[float]) -> np.ndarray:
    return np.log2(np.array(errors[:-1]) / np.array(errors[1:]))


@pytest.mark.parametrize("form", ["symmetric", "direct"])
@pytest.mark.parametrize("order", [1.2, 1.5, 1.9])
def test_second_order(order: float, form: str) -> None:
    errors = []
    for n in (64, 128, 256):
        problem = make_problem("riesz", resolution=n, order=order, form=form)
        x = problem.axes[0]
        u, a = (x * (1 - x)) ** 4, 1 + x**2 + np.sin(5 * x) / 2
        parameters = {"coefficient": a, "source": problem.reaction * u + a * _riesz(x, order)}
        result = problem.solve(parameters, TIGHT if form == "symmetric" else None)
        errors.append(float(np.abs(result.x - u).max()))
    assert np.all(np.abs(_rates(errors) - 2.0) < 0.1), errors


def test_second_order_in_two_dimensions() -> None:
    errors = []
    for n in (16, 32, 64):
        problem = make_problem("riesz", dimensions=2, resolution=(n, n), order=1.6)
        x, y = np.meshgrid(*problem.axes, indexing="ij")
        p, q = (x * (1 - x)) ** 4, (y * (1 - y)) ** 4
        a = 1 + x * y
        source = problem.reaction * p * q + a * (_riesz(x, 1.6) * q + p * _riesz(y, 1.6))
        result = problem.solve({"coefficient": a, "source": source}, TIGHT)
        errors.append(float(np.abs(result.x.reshape(n, n) - p * q).max()))
    assert abs(_rates(errors)[-1] - 2.0) < 0.1, errors


def test_solution_of_getoor() -> None:
    """Solve (−Δ)^{γ/2} (x(1 − x))^{γ/2} = Γ(γ + 1): as rough at the boundary as the samples are; order 1 in L²."""
    errors = []
    for n in (128, 256, 512):
        problem = make_problem("riesz", resolution=n, order=1.5, reaction=0.0)
        x = problem.axes[0]
        result = problem.solve({"coefficient": np.ones(n), "source": np.full(n, gamma(2.5))}, TIGHT)
        errors.append(float(np.linalg.norm(result.x - (x * (1 - x)) ** 0.75) / np.sqrt(n)))
    assert errors[0] < 5e-3
    assert abs(_rates(errors)[-1] - 1.0) < 0.1, errors


@pytest.mark.parametrize("settings", [{"resolution": 40}, {"dimensions": 2, "resolution": (7, 9)}])
@pytest.mark.parametrize("form", ["symmetric", "direct"])
def test_certificate_and_operator_are_different_code_for_the_same_equation(
    settings: dict[str, object], form: str
) -> None:
    problem = make_problem("riesz", form=form, order=1.3, **settings)
    parameters = problem.sample(np.random.default_rng(0))
    system = problem.system(parameters)
    u = np.random.default_rng(1).normal(size=system.rhs.size)
    arrays = {n: f.values for n, f in problem.fields(parameters, u).items()}
    expected = np.linalg.norm(system.rhs - system.operator @ u) / np.linalg.norm(system.rhs)
    assert problem.residual(arrays) == pytest.approx(expected, rel=1e-11)
    assert problem.residual({**arrays, "solution": 0 * arrays["solution"]}) == pytest.approx(1.0, rel=1e-12)


def test_matrix_is_definite_and_its_condition_number_grows_with_the_order() -> None:
    for order in (1.1, 1.5, 1.9):
        conditions = []
        for n in (32, 64):
            problem = make_problem("riesz", resolution=n, order=order, reaction=0.0)
            parameters = {"coefficient": np.ones(n), "source": np.ones(n)}
            eigenvalues = np.linalg.eigvalsh(problem.system(parameters).operator.toarray())
            assert eigenvalues[0] > 0
            conditions.append(eigenvalues[-1] / eigenvalues[0])
        assert np.log2(conditions[1] / conditions[0]) == pytest.approx(order, abs=0.15)


def test_direct_form_is_solved_too_and_the_same_as_the_symmetric_one() -> None:
    found = []
    for form in ("symmetric", "direct"):
        problem = make_problem("riesz", resolution=60, form=form)
        parameters = problem.sample(np.random.default_rng(2))
        result = problem.solve(parameters)
        assert result.converged
        assert result.iterations <= 15
        fields = {n: f.values for n, f in problem.fields(parameters, result.x).items()}
        assert problem.residual(fields) < 1e-10
        found.append(result.x)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-8)


def test_tau_takes_as_many_iterations_on_every_grid() -> None:
    counts = {}
    for n in (128, 1024):
        problem = make_problem("riesz", resolution=n)
        system = problem.system(problem.sample(np.random.default_rng(0)))
        for name in ("tau", "circulant", None):
            counts[name, n] = SolverSpec("cg", {}, name, {}).solve(system.operator, system.rhs).iterations
    assert counts["tau", 1024] <= counts["tau", 128] + 3 <= 14
    assert counts["tau", 1024] < counts["circulant", 1024] < 0.2 * counts[None, 1024]
    assert counts[None, 1024] > 3 * counts[None, 128]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"order": 2.0}, "both excluded"),
        ({"order": 1}, "both excluded"),
        ({"dimensions": 3}, "expected 1 or 2"),
        ({"form": "dense"}, "unknown form"),
        ({"reaction": -1}, "at least 0"),
        ({"resolution": (8, 8)}, "2 axes"),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        make_problem("riesz", **settings)
    assert "\n" not in str(raised.value)
