"""Test heat conduction: measured orders, conservation, the sequence of systems, certificates of trajectories."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

from resolvent.data import Dataset, describe, format_description, generate, make_problem, verify
from resolvent.data.certificates.heat_replay import HeatReplay
from resolvent.data.discretisations.implicit_heat import conduction_matrix
from resolvent.solvers import InputError, SolverSpec, cg

VARIANTS = [
    {},
    {"coefficient": "constant", "boundary": "neumann"},
    {"coefficient": "oscillating", "scheme": "backward_euler", "source": "random"},
    {"boundary": "neumann", "source": "random"},
    {"legacy": "learning_to_relax", "snapshots": 3, "substeps": 4, "final_time": 0.012},
]


@pytest.mark.parametrize(("scheme", "order"), [("crank_nicolson", 2), ("backward_euler", 1)])
def test_order_in_time(scheme: str, order: int) -> None:
    """sin πx sin πy is an eigenvector of the scheme: with its discrete eigenvalue the error in space is nothing."""
    errors, estimates = [], []
    for substeps in (4, 8, 16, 32):
        problem = make_problem(
            "heat", resolution=8, coefficient="constant", kappa=0.3, scheme=scheme, snapshots=2, substeps=substeps
        )
        x, y = np.meshgrid(*problem.axes, indexing="ij")
        mode = np.sin(np.pi * x) * np.sin(np.pi * y)
        rate = 0.3 * 2 * (2 * 8 * np.sin(np.pi / 16)) ** 2
        parameters = {  # u = cos(3t) sin πx sin πy
            "initial": mode,
            "source": lambda t, m=mode, r=rate: (r * np.cos(3 * t) - 3 * np.sin(3 * t)) * m,
        }
        found = problem.trajectory(parameters)
        exact = np.cos(3 * found.times)[:, None, None] * mode
        errors.append(float(np.abs(found.values - exact).max()))
        plain = problem.trajectory({"initial": mode})
        fields = {"initial": mode, "solution": plain.values}
        decay = np.exp(-rate * plain.times)[:, None, None] * mode
        error = np.linalg.norm(plain.values - decay, axis=(1, 2)).max() / np.linalg.norm(mode)
        estimates.append(problem.certificate(fields)["error_estimate"] / error)
    assert abs(np.log2(errors[-2] / errors[-1]) - order) < 0.1, errors
    assert abs(estimates[-1] - 1.0) < 0.1, estimates  # step doubling measures the true error


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann"])
def test_order_in_space(boundary: str) -> None:
    """A smooth κ(x); u(x, t) = e^{−t} p(x) q(y), with steps so short that space is what is left."""
    errors = []
    for n in (16, 32, 64):
        problem = make_problem(
            "heat", resolution=n, boundary=boundary, final_time=0.1, snapshots=1, substeps=32, kappa=1.0
        )
        x, y = np.meshgrid(*problem.axes, indexing="ij")
        kappa = 1.5 + np.sin(2 * x + y)
        kappa_x, kappa_y = 2 * np.cos(2 * x + y), np.cos(2 * x + y)
        wave, slope = (np.sin, np.cos) if boundary == "dirichlet" else (np.cos, lambda s: -np.sin(s))
        u = wave(np.pi * x) * wave(2 * np.pi * y)
        u_x = np.pi * slope(np.pi * x) * wave(2 * np.pi * y)
        u_y = 2 * np.pi * wave(np.pi * x) * slope(2 * np.pi * y)
        source = -u - (kappa_x * u_x + kappa_y * u_y) + 5 * np.pi**2 * kappa * u
        parameters = {"initial": u, "coefficient": kappa, "source": lambda t, f=source: np.exp(-t) * f}
        values = problem.trajectory(parameters).values[-1]
        errors.append(float(np.linalg.norm(values - np.exp(-0.1) * u) / n))
    assert abs(np.log2(errors[1] / errors[2]) - 2.0) < 0.1, errors


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_certificate(settings: dict[str, object]) -> None:
    problem = make_problem("heat", **{"resolution": 12, "snapshots": 3, **settings})
    parameters = problem.sample(np.random.default_rng(0))
    result = problem.solve(parameters)
    assert result.converged
    exact = {n: f.values for n, f in problem.fields(parameters, result.x).items()}
    assert problem.residual(exact) < 1e-10
    found = problem.certificate(exact)
    assert 1e-9 < found["error_estimate"] < 0.2
    assert found["balance_drift"] < 1e-10
    rounded = {n: v.astype(np.float32) for n, v in exact.items()}
    bound = problem.rounding(rounded, np.float32)
    assert 1e-9 < problem.residual(rounded) <= 1e-10 + bound
    assert bound < 300 * problem.residual(rounded)
    assert problem.certificate(rounded)["balance_drift"] < 1e-6
    assert problem.certificate(rounded)["error_estimate"] == pytest.approx(found["error_estimate"], rel=1e-3)
    spoilt = {**exact, "solution": exact["solution"].copy()}
    spoilt["solution"][2, 5, 5] += 0.01 * np.abs(exact["solution"]).max()
    assert problem.residual(spoilt) > 1e-4
    assert problem.certificate(spoilt)["balance_drift"] > 1e-6
    assert problem.residual({**exact, "initial": exact["initial"] + 1e-9}) == np.inf


def test_insulated_square_keeps_its_heat_and_its_largest_value_falls() -> None:
    problem = make_problem("heat", resolution=16, boundary="neumann", scheme="backward_euler")
    parameters = problem.sample(np.random.default_rng(1))
    parameters["initial"] = parameters["initial"] + 1.0
    values = problem.trajectory(parameters).values
    np.testing.assert_allclose(values.sum(axis=(1, 2)), values[0].sum(), rtol=1e-10)
    assert np.all(np.diff(values.max(axis=(1, 2))) < 0)
    assert np.all(np.diff(values.min(axis=(1, 2))) > 0)


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_systems_are_the_steps_of_the_trajectory(settings: dict[str, object]) -> None:
    problem = make_problem("heat", **{"resolution": 10, "snapshots": 2, "substeps": 2, **settings})
    parameters = problem.sample(np.random.default_rng(0))
    systems = list(problem.systems(parameters))
    assert len(systems) == problem.snapshots * problem.substeps
    distinct = len({id(s.operator) for s in systems})
    assert distinct == (1 if problem.coefficient != "oscillating" and not problem.legacy else len(systems))
    last = problem.trajectory(parameters).values[-1].ravel()
    np.testing.assert_allclose(spsolve(systems[-1].operator.tocsc(), systems[-1].rhs), last, atol=1e-9)
    for system in systems:
        assert abs(system.operator - system.operator.T).max() < 1e-12
    running = problem.systems(parameters)  # a solver of one's own, whose solutions are sent in
    system, count = next(running), 1
    while True:
        try:
            system = running.send(cg(system.operator, system.rhs, rtol=1e-12).x)
        except StopIteration:
            break
        count += 1
    assert count == len(systems)
    np.testing.assert_allclose(system.rhs, systems[-1].rhs, atol=1e-9)


def test_other_times_than_the_stored_ones() -> None:
    problem = make_problem("heat", resolution=10)
    parameters = problem.sample(np.random.default_rng(0))
    found = problem.trajectory(parameters, np.array([0.0, 0.03, 0.25, 0.5]))
    usual = problem.trajectory(parameters)
    np.testing.assert_array_equal(found.times, [0.0, 0.03, 0.25, 0.5])
    assert found.values.shape == (4, 10, 10)
    np.testing.assert_allclose(found.values[-1], usual.values[-1], atol=0.02 * np.abs(usual.values[0]).max())
    for times in ([0.1, 0.2], [0.0], [0.0, 0.2, 0.2], "all"):
        with pytest.raises((InputError, ValueError), match=r"expected|convert"):
            problem.trajectory(parameters, times)  # type: ignore[arg-type]


def test_trajectory_that_does_not_converge_says_so() -> None:
    problem = make_problem("heat", resolution=12, kappa=10.0)
    result = problem.solve(problem.sample(np.random.default_rng(0)), SolverSpec("cg", {"maxiter": 2}, None))
    assert result.status == "maxiter"
    assert result.x.size == problem.solution_size({})
    assert np.isfinite(result.x).all()


def test_matrix_and_replay_are_the_same_operator() -> None:
    rng = np.random.default_rng(0)
    for wall in (0.0, 1.0, 2.0):
        kappa, u = rng.uniform(1, 5, (6, 9)), rng.normal(size=(6, 9))
        replay = HeatReplay(kappa, (0.1, 0.2), wall, 1.0, lambda t: 1.0, lambda t: np.zeros((6, 9)))
        matrix = conduction_matrix(kappa, (0.1, 0.2), wall)
        np.testing.assert_allclose(replay.apply(u).ravel(), matrix @ u.ravel(), rtol=1e-10, atol=1e-10)
        for coefficient in (kappa, np.full((6, 9), 2.0)):
            replay = HeatReplay(coefficient, (0.1, 0.2), wall, 1.0, lambda t: 1.0, lambda t: np.zeros((6, 9)))
            after = replay.advance(u, 0.0, 0.1, 1)[0]
            np.testing.assert_allclose(after + 0.1 * replay.apply(after), u, rtol=1e-9, atol=1e-9)


def test_published_sequence() -> None:
    """Write out the published scheme: inner nodes i/n, the coefficient and the forcing at the half step."""
    n, steps, dt = 7, 6, 1e-3
    problem = make_problem(
        "heat", resolution=n, legacy="learning_to_relax", final_time=steps * dt, snapshots=1, substeps=steps
    )
    points = np.array([(i / n, j / n) for i in range(1, n) for j in range(1, n)])

    def bump(centre: list[float], radius: float) -> np.ndarray:
        r = np.minimum(1.0, np.sum((points - centre) ** 2 / radius**2, axis=1))
        with np.errstate(divide="ignore"):
            return np.exp(1.0 - 1.0 / (1.0 - r))

    laplacian = np.zeros(((n - 1) ** 2,) * 2)
    for row, (x, y) in enumerate(points):
        laplacian[row, row] = -4.0 * n**2
        near = np.isclose(np.abs(points - (x, y)).sum(axis=1), 1 / n)
        laplacian[row, near] = n**2
    u = bump([0.5, 0.5], 0.25)
    systems = problem.systems(problem.sample(np.random.default_rng(0)))
    for step, system in enumerate(systems):
        t = (step + 0.5) * dt
        kappa = max(0.1 * np.sin(2 * np.pi * t), -10 * np.sin(2 * np.pi * t))
        centre = [0.5 + np.cos(16 * np.pi * t) / 4, 0.5 + np.sin(16 * np.pi * t) / 4]
        half = 0.5 * kappa * dt * laplacian
        matrix = np.eye(len(u)) - half
        rhs = u + half @ u + dt * 32 * bump(centre, 0.125)
        np.testing.assert_allclose(system.operator.toarray(), matrix, atol=1e-12)
        np.testing.assert_allclose(system.rhs, rhs, atol=1e-9)
        u = np.linalg.solve(matrix, rhs)
    full = make_problem("heat", resolution=25, legacy="learning_to_relax")
    assert full.shape == (24, 24)
    assert full.snapshots * full.substeps == 5000
    assert full.time_step == pytest.approx(1e-3)


def test_dataset_of_trajectories(tmp_path: Path) -> None:
    problem = make_problem("heat", resolution=8, snapshots=4, substeps=2)
    generate(problem, tmp_path / "a", splits={"train": 3, "test": 2})
    dataset = Dataset(tmp_path / "a")
    assert dataset.dtype == np.float32
    np.testing.assert_allclose(dataset.times, problem.times)
    assert dataset.read("train", "solution").shape == (3, 5, 8, 8)
    assert dataset.read("train", "solution", 1, 1).shape == (0, 5, 8, 8)
    inputs, outputs = dataset.arrays("train")
    assert inputs.shape == (3, 2, 8, 8)
    assert outputs.shape == (3, 5, 8, 8)
    np.testing.assert_array_equal(outputs[:, 0], inputs[:, 0])  # the state at time 0
    rows = dataset.provenance("train")
    assert rows["error_estimate"].max() < 0.2
    assert rows["balance_drift"].max() < 1e-6
    steps = np.diff(dataset.read("train", "solution").astype(float), axis=1)
    assert dataset.stats["std_delta"]["solution"] == pytest.approx(steps.std(), rel=1e-9)
    assert dataset.stats["std_delta"]["initial"] == 0.0
    assert verify(tmp_path / "a").ok
    assert describe(tmp_path / "a")["fields"]["solution"]["shape"] == [5, 8, 8]
    assert "5×8×8" in format_description(describe(tmp_path / "a"))
    dataset.close()
    with h5py.File(tmp_path / "a/data/train/heat_00000.hdf5", "r+") as file:
        file["provenance/error_estimate"][1] *= 0.5
    found = [str(f) for f in verify(tmp_path / "a").failures]
    assert any("recorded error_estimate" in f and "sample 1" in f for f in found)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"substeps": 3}, "expected an even number"),
        ({"scheme": "euler"}, "unknown scheme"),
        ({"coefficient": "random_"}, "did you mean 'random'"),
        ({"final_time": -1}, "final_time is -1"),
        ({"legacy": "learning_to_relax", "boundary": "neumann"}, "leave them or legacy out"),
        ({"legacy": "learning_to_relax", "resolution": (8, 9)}, "expected one integer"),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        make_problem("heat", **settings)
    assert "\n" not in str(raised.value)
