"""The contract of a problem: every entry of the zoo, in every variant listed here, is run through it."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest

from resolvent.data import PROBLEMS, EvolutionProblem, Problem, make_problem

CASES: list[tuple[str, dict[str, Any]]] = [
    ("poisson", {}),
    ("poisson", {"boundary": "dirichlet", "alpha": 2.5, "sigma": 2.0}),
    ("poisson", {"boundary": "periodic", "resolution": (12, 15)}),
    ("darcy", {}),
    ("darcy", {"resolution": (15, 12), "low": 1.0, "high": 100.0}),
    ("darcy", {"medium": "lognormal"}),
    ("darcy", {"medium": "lognormal", "log_std": 1.5}),
    ("darcy", {"legacy": True}),
    ("darcy", {"legacy": True, "medium": "lognormal", "resolution": (12, 18)}),
    ("thermal", {}),
    ("thermal", {"element": "p2", "geometry": "varying", "resolution": 10}),
    ("thermal", {"legacy": "skr", "resolution": 10}),
    ("elasticity", {}),
    ("riesz", {}),
    ("riesz", {"dimensions": 2, "order": 1.8, "resolution": (8, 10), "log_std": 1.0}),
    ("heat", {"resolution": 9, "snapshots": 2}),
    ("heat", {"coefficient": "constant", "boundary": "neumann", "source": "random", "resolution": (8, 6)}),
    ("heat", {"coefficient": "oscillating", "scheme": "backward_euler", "resolution": 8, "snapshots": 3}),
    ("elasticity", {"element": "p2", "state": "plane_strain", "resolution": (6, 9)}),
]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{'-'.join(map(str, case[1]))}")
def problem(request: pytest.FixtureRequest) -> Problem:
    name, settings = request.param
    return make_problem(name, **{"resolution": 15, **settings})


def _solved(problem: Problem, seed: int = 0) -> tuple[Any, Any, dict[str, np.ndarray]]:
    parameters = problem.sample(np.random.default_rng(seed))
    result = problem.solve(parameters)
    return parameters, result, {n: f.values for n, f in problem.fields(parameters, result.x).items()}


def test_every_problem_is_listed() -> None:
    assert {name for name, _ in CASES} == set(PROBLEMS)
    assert all(PROBLEMS[name].name == name for name in PROBLEMS)


def test_docstring_says_what_is_solved(problem: Problem) -> None:
    text = type(problem).__doc__ or ""
    headings = ("**Parameters.**", "**Scheme.**", "**Values that work.**", "References")
    for part in ("boundary", "stability", *headings):
        assert part in text, part
    assert any(domain in text for domain in ("unit square", "unit interval", "plate"))
    assert any(order in text for order in ("econd order", "Order 2", "order 2"))
    assert any(symbol in text for symbol in "∇Δ∂"), "the equation"


def test_settings_rebuild_it(problem: Problem) -> None:
    settings = json.loads(json.dumps(problem.settings()))
    again = make_problem(problem.name, **settings)
    assert again.settings() == problem.settings()
    assert again.resolution == problem.resolution
    assert all(isinstance(value, float) for value in problem.scalars().values())
    assert problem.name in repr(problem).lower()
    for key, value in problem.sample(np.random.default_rng(5)).items():
        np.testing.assert_array_equal(again.sample(np.random.default_rng(5))[key], value)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(problem)).sample(np.random.default_rng(5))[key], value)


def test_sample_depends_on_its_generator_alone(problem: Problem) -> None:
    first = problem.sample(np.random.default_rng(1))
    problem.sample(np.random.default_rng(2))
    again, other = problem.sample(np.random.default_rng(1)), problem.sample(np.random.default_rng(3))
    for key, value in first.items():
        np.testing.assert_array_equal(again[key], value)
        assert np.isfinite(value).all()
    assert any(not np.array_equal(other[key], first[key]) for key in first)


def test_same_generator_same_field_at_three_times_the_resolution(problem: Problem) -> None:
    if problem.axis_names == ("node",):
        pytest.skip("the nodes of a mesh are no grid: see the problem's own tests")
    cells = problem.settings()["resolution"]
    finer = 3 * cells if isinstance(cells, int) else [3 * n for n in cells]
    fine = make_problem(problem.name, **{**problem.settings(), "resolution": finer})
    coarse_fields, fine_fields = _solved(problem)[2], _solved(fine)[2]
    inputs = [n for n, f in problem.fields(*_solved(problem)[:1], _solved(problem)[1].x).items() if f.role == "input"]
    for name in inputs:
        same = [np.abs(a[:, None] - b).argmin(axis=0) for a, b in zip(fine.axes, problem.axes, strict=True)]
        for a, b, i in zip(fine.axes, problem.axes, same, strict=True):
            np.testing.assert_allclose(a[i], b, atol=1e-12)
        np.testing.assert_allclose(fine_fields[name][np.ix_(*same)], coarse_fields[name], rtol=1e-12, atol=1e-12)


def test_system_is_solved_by_the_default_solver(problem: Problem) -> None:
    parameters, result, fields = _solved(problem)
    system = problem.system(parameters)
    assert system.operator.shape == (system.rhs.size,) * 2
    assert np.prod(system.shape) == system.rhs.size
    assert result.converged, result.message
    if isinstance(problem, EvolutionProblem):  # its result is the trajectory, its system the first step
        solution = problem.default_solver.solve(system.operator, system.rhs).x
    else:
        solution = result.x
    error = np.linalg.norm(system.rhs - system.operator @ solution) / np.linalg.norm(system.rhs)
    assert error <= problem.default_solver.rtol
    assert problem.residual(fields) <= problem.default_solver.rtol
    x, y = np.random.default_rng(0).normal(size=(2, system.rhs.size))
    assert x @ (system.operator @ y) == pytest.approx(y @ (system.operator @ x), rel=1e-10)


def test_fields_are_named_shaped_and_described(problem: Problem) -> None:
    parameters, result, _ = _solved(problem)
    fields = problem.fields(parameters, result.x)
    roles = {f.role for f in fields.values()}
    assert {"input", "output"} <= roles <= {"input", "output", "constant", "auxiliary", "mesh"}
    for name, field in fields.items():
        assert name.isidentifier()
        if field.role != "mesh":
            steps = (len(problem.times),) if field.time_varying else ()
            assert field.values.shape == steps + problem.shape
            assert problem.shape == problem.resolution
            assert field.values.dtype == np.float64
        assert field.units
        assert field.description
    assert len(problem.axes) == len(problem.axis_names) == problem.ndim
    assert problem.solution_size(parameters) == result.x.size
    for axis, mask, n in zip(problem.axes, problem.boundary_masks, problem.shape, strict=True):
        assert axis.shape == mask.shape == (n,)
        assert mask.any()
    assert problem.boundary in ("wall", "open", "periodic")


def test_residual_sees_a_change_in_every_field(problem: Problem) -> None:
    _, _, fields = _solved(problem)
    before = problem.residual(fields)
    for name in fields:
        spoilt = {key: np.array(value) for key, value in fields.items()}
        if fields[name].dtype.kind == "i":
            spoilt[name][0, [0, 1]] = spoilt[name][1, [0, 1]]
        else:
            spoilt[name][tuple(n // 2 for n in spoilt[name].shape)] *= 1.01
            spoilt[name][tuple(n // 2 for n in spoilt[name].shape)] += 1e-4
        assert problem.residual(spoilt) > max(1e-7, 10 * before), name


def test_residual_of_zero_solution_is_one(problem: Problem) -> None:
    if isinstance(problem, EvolutionProblem):
        pytest.skip("its residual is relative to the state, and the initial one is given")
    parameters, result, _ = _solved(problem)
    fields = {n: f.values for n, f in problem.fields(parameters, np.zeros_like(result.x)).items()}
    if "nodal_solution" not in fields:  # there, the interpolation's own residual is 0/0
        assert problem.residual(fields) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_rounding_to_float32_stays_below_its_bound(problem: Problem, seed: int) -> None:
    _, _, fields = _solved(problem, seed)
    rounded = {n: values.astype(np.float32) if values.dtype.kind == "f" else values for n, values in fields.items()}
    added = problem.residual(rounded)
    bound = problem.rounding(rounded, np.float32)
    assert problem.residual(fields) < 1e-9 < added <= problem.residual(fields) + bound
    assert bound < 300 * added  # a bound that says something
    assert problem.rounding(fields, np.float64) < 1e-11
