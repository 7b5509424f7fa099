"""The contract of a problem: every entry of the zoo, in every variant listed here, is run through it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.data import (
    PROBLEMS,
    EvolutionProblem,
    Field,
    Problem,
    SpectralEvolution,
    TimeDependentProblem,
    generate,
    make_problem,
    verify,
)
from resolvent.solvers import InputError, LinearSystem, SolverSpec

CASES: list[tuple[str, dict[str, Any]]] = [
    ("poisson", {}),
    ("poisson", {"source_boundary": "dirichlet", "alpha": 2.5, "sigma": 2.0}),
    ("poisson", {"source_boundary": "periodic", "boundary": "periodic", "resolution": (12, 15)}),
    ("poisson", {"boundary": ["neumann", ["dirichlet", "neumann"]], "source": "chebyshev", "degree": 3}),
    ("poisson", {"boundary": ["periodic", "neumann"], "source_boundary": "dirichlet"}),
    ("poisson", {"walls": "chebyshev"}),
    ("poisson", {"dimension": 3, "resolution": (5, 6, 7)}),
    (
        "poisson",
        {"dimension": 3, "resolution": 6, "boundary": ["periodic", "dirichlet", "neumann"], "walls": "chebyshev"},
    ),
    ("poisson", {"dimension": 3, "resolution": 6, "boundary": "neumann", "source": "chebyshev"}),
    ("poisson", {"legacy": "skr"}),
    ("poisson", {"source": "kernel", "boundary": "periodic"}),
    ("poisson", {"source": "kernel", "points": 8, "length": 0.3, "resolution": (9, 12)}),
    ("darcy", {}),
    ("darcy", {"resolution": (15, 12), "low": 1.0, "high": 100.0}),
    ("darcy", {"medium": "lognormal"}),
    ("darcy", {"medium": "lognormal", "log_std": 1.5}),
    ("darcy", {"boundary": "periodic", "source": "wells"}),
    ("darcy", {"boundary": [["neumann", "dirichlet"], "dirichlet"], "medium": "lognormal"}),
    ("darcy", {"dimension": 3, "resolution": (7, 6, 5), "medium": "lognormal", "log_std": 1.0}),
    ("darcy", {"dimension": 3, "resolution": 6, "boundary": ["neumann", "dirichlet", "periodic"]}),
    ("darcy", {"legacy": "skr"}),
    ("darcy", {"legacy": "skr_aligned"}),
    ("darcy", {"legacy": True}),
    ("darcy", {"legacy": True, "medium": "lognormal", "resolution": (12, 18)}),
    ("helmholtz", {"k0": 8.0}),
    ("helmholtz", {"k0": 7.0, "boundary": "dirichlet", "source": "random", "contrast": 0.2}),
    ("helmholtz", {"k0": 8.0, "source": "point", "resolution": (15, 18)}),
    ("helmholtz", {"k0": 5.8, "dimension": 3, "resolution": (11, 11, 12), "source_width": 0.1}),
    ("helmholtz", {"k0": 5.8, "dimension": 3, "resolution": 11, "boundary": "dirichlet", "source": "random"}),
    ("helmholtz", {"legacy": "skr"}),
    ("helmholtz", {"legacy": "skr_aligned"}),
    ("convection_diffusion", {}),
    ("convection_diffusion", {"scheme": "upwind", "peclet_low": 1e3, "peclet_high": 1e4, "resolution": (12, 15)}),
    ("convection_diffusion", {"flow": "neumann", "source": "gaussian", "peclet": "cell", "peclet_low": 0.5}),
    ("convection_diffusion", {"dimension": 3, "resolution": (6, 5, 7), "flow": "periodic"}),
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
    ("advection", {"snapshots": 3, "speed": 0.7, "audit": 1.0}),
    ("burgers", {"resolution": 32, "final_time": 0.1, "snapshots": 2, "audit": 1.0}),
    ("navier_stokes", {"resolution": 16, "final_time": 1.0, "snapshots": 2, "audit": 1.0}),
    ("navier_stokes", {"resolution": (16, 24), "family": "nsm_re3", "snapshots": 3, "audit": 1.0}),
    ("navier_stokes", {"resolution": 16, "legacy": "nsm", "final_time": 0.04, "snapshots": 2}),
    ("kuramoto_sivashinsky", {"resolution": 32, "length": 16.0, "final_time": 2.0, "snapshots": 3, "audit": 1.0}),
    ("allen_cahn", {"resolution": 16, "final_time": 1.0, "snapshots": 2, "audit": 1.0}),
    ("reaction_diffusion", {"resolution": 32, "final_time": 0.5, "snapshots": 3, "audit": 1.0}),
]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{'-'.join(map(str, case[1]))}")
def problem(request: pytest.FixtureRequest) -> Problem:
    name, settings = request.param
    return make_problem(name, **{"resolution": 15, **settings})


def _solved(problem: Problem, seed: int = 0) -> tuple[Any, Any, dict[str, np.ndarray]]:
    parameters = problem.sample(np.random.default_rng(seed))
    result = problem.solve(parameters)
    return parameters, result, {n: f.values for n, f in problem.fields(parameters, result.x).items()}


def _made_for_its_grid(problem: Problem) -> set[str]:
    """Inputs that are no functions of space: a point source, a diffusivity that makes the cell Péclet number."""
    settings = problem.settings()
    point = {"source"} if settings.get("source") == "point" else set()
    return point | ({"diffusivity"} if settings.get("peclet") == "cell" else set())


def test_every_problem_is_listed() -> None:
    assert {name for name, _ in CASES} == set(PROBLEMS)
    assert all(PROBLEMS[name].name == name for name in PROBLEMS)


def test_ones_own_problem_needs_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Screened(Problem):
        """−u'' + `decay` u = f on the unit interval, u = 0 on its boundary."""

        name = "screened"
        ndim = 1

        def __init__(self, resolution: Any = 16, decay: float = 1.0) -> None:
            super().__init__(resolution)
            self.decay = decay

        def sample(self, rng: np.random.Generator) -> dict[str, Any]:
            return {"source": rng.normal(size=self.shape)}

        def system(self, parameters: Mapping[str, Any]) -> LinearSystem:
            n = self.shape[0]
            diagonal = np.full(n, 2.0)
            diagonal[[0, -1]] = 3.0
            matrix = sp.diags_array([diagonal, -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, 1, -1], format="csr")
            return LinearSystem(n**2 * matrix + self.decay * sp.eye_array(n), parameters["source"], self.shape)

        @property
        def default_solver(self) -> SolverSpec:
            return SolverSpec("cg", {"rtol": 1e-10}, "jacobi", {})

        def fields(self, parameters: Mapping[str, Any], solution: np.ndarray) -> dict[str, Field]:
            source = Field(parameters["source"], "1", "source term", "input")
            return {"source": source, "solution": Field(solution, "1", "solution", "output")}

        def residual(self, fields: Mapping[str, np.ndarray]) -> float:
            f, u, n = fields["source"], fields["solution"], self.shape[0]
            slopes = n * np.diff(np.concatenate([[-u[0]], u, [-u[-1]]]))
            return float(np.linalg.norm(f + n * np.diff(slopes) - self.decay * u) / np.linalg.norm(f))

        def rounding(self, fields: Mapping[str, np.ndarray], dtype: Any) -> float:
            return 0.0

    monkeypatch.setitem(PROBLEMS, Screened.name, Screened)
    problem = make_problem("screened", decay=2.0)
    assert repr(problem) == "Screened(resolution=16, decay=2.0)"
    generate(problem, tmp_path / "data", samples=4)
    assert verify(tmp_path / "data").ok


def test_docstring_says_what_is_solved(problem: Problem) -> None:
    text = type(problem).__doc__ or ""
    headings = ("**Parameters.**", "**Scheme.**", "**Values that work.**", "References")
    for part in ("boundary", "stability", *headings):
        assert part in text, part
    assert any(domain in text for domain in ("unit square", "unit interval", "plate"))
    assert any(order in text for order in ("econd order", "Order 2", "order 2", "order 4"))
    assert any(symbol in text for symbol in "∇Δ∂"), "the equation"


def test_settings_rebuild_it(problem: Problem) -> None:
    settings = json.loads(json.dumps(problem.settings()))
    again = make_problem(problem.name, **settings)
    assert again.settings() == problem.settings()
    assert again.resolution == problem.resolution
    assert all(isinstance(value, float) for value in problem.scalars().values())
    assert problem.name.replace("_", "") in repr(problem).lower()
    assert "resolution=" in repr(problem)
    assert len(repr(problem)) < 180
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
    drawn = []
    for each in (problem, fine):
        parameters = each.sample(np.random.default_rng(0))
        drawn.append(each.fields(parameters, np.zeros(each.solution_size(parameters))))
    same = [np.abs(a[:, None] - b).argmin(axis=0) for a, b in zip(fine.axes, problem.axes, strict=True)]
    for a, b, i in zip(fine.axes, problem.axes, same, strict=True):
        np.testing.assert_allclose(a[i], b, atol=1e-12)
    by_the_grid = _made_for_its_grid(problem)
    compared = [name for name, field in drawn[0].items() if field.role == "input" and name not in by_the_grid]
    assert compared
    for name in compared:
        found = drawn[1][name].values[np.ix_(*same)]
        np.testing.assert_allclose(found, drawn[0][name].values, rtol=1e-12, atol=1e-12)


def test_system_is_solved_by_the_default_solver(problem: Problem) -> None:
    parameters, result, fields = _solved(problem)
    if isinstance(problem, SpectralEvolution):
        assert result.converged
        assert problem.residual(fields) <= problem.default_solver.rtol
        with pytest.raises(InputError, match="no linear systems"):
            problem.system(parameters)
        return
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
    symmetric = bool(
        abs(x @ (system.operator @ y) - y @ (system.operator @ x)) <= 1e-10 * abs(x @ (system.operator @ y))
    )
    skr = str(problem.settings().get("legacy")).startswith("skr") and problem.name in ("darcy", "helmholtz")
    assert symmetric == (problem.name != "convection_diffusion" and not skr)
    if system.nullspace is not None:
        assert np.abs(system.operator @ system.nullspace).max() < 1e-9


def test_certificate_is_the_residual_of_the_system_for_any_solution(problem: Problem) -> None:
    """The code behind `residual` shares nothing with the assembly: on arbitrary vectors the two must agree."""
    if isinstance(problem, TimeDependentProblem):
        pytest.skip("its residual is of a trajectory, not of a system: see the problem's own tests")
    rng = np.random.default_rng(7)
    parameters = problem.sample(rng)
    system = problem.system(parameters)
    for _ in range(3):
        x = rng.normal(size=system.rhs.size)
        x = x + 1j * rng.normal(size=x.size) if np.iscomplexobj(system.rhs) else x
        if system.nullspace is not None:
            x -= x.mean()
        expected = np.linalg.norm(system.rhs - system.operator @ x) / np.linalg.norm(system.rhs)
        found = problem.residual({name: field.values for name, field in problem.fields(parameters, x).items()})
        assert found == pytest.approx(expected, rel=1e-9)


def test_fields_are_named_shaped_and_described(problem: Problem) -> None:
    parameters, result, _ = _solved(problem)
    fields = problem.fields(parameters, result.x)
    roles = {f.role for f in fields.values()}
    assert {"input", "output"} <= roles <= {"input", "output", "constant", "auxiliary", "mesh"}
    for name, field in fields.items():
        assert name.isidentifier()
        assert field.time_varying == (field.role == "output" and isinstance(problem, TimeDependentProblem))
        if field.role != "mesh":
            steps = (len(problem.times),) if field.time_varying else ()
            assert field.values.shape == steps + problem.shape
            assert problem.shape == problem.resolution
            assert field.values.dtype == np.float64
        assert field.units
        assert field.description
    words = (problem.boundary,) if isinstance(problem.boundary, str) else problem.boundary
    assert len(words) in (1, problem.ndim)
    assert set(words) <= {"wall", "open", "periodic"}
    assert len(problem.axes) == len(problem.axis_names) == problem.ndim
    assert problem.solution_size(parameters) == result.x.size
    for axis, mask, n in zip(problem.axes, problem.boundary_masks, problem.shape, strict=True):
        assert axis.shape == mask.shape == (n,)
        assert mask.any()


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
    if isinstance(problem, TimeDependentProblem):
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
