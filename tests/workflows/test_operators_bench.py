"""The table of operators: the search at equal error, the coarse solvers, and a run of the command on tiny tasks."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from resolvent.data import make_problem, sample_generator
from resolvent.workflows.bench import operators
from resolvent.workflows.bench.equal_error import Measured, _spline, at_equal_error, coarse_flows, coarse_media, front
from resolvent.workflows.bench.operators import Task
from resolvent.workflows.cli import main


def _curve() -> list[Measured]:
    """A method of second order and linear cost, with a setting that is dear for its error and one that failed."""
    points = [Measured(f"{n}", 1.0 / n**2, 0.1 * n) for n in (4, 8, 16, 32)]
    return [points[2], Measured("dear", 0.02, 2.0), points[0], Measured("blown", math.inf, 0.01), *points[1::2]]


def test_the_fastest_setting_at_an_error() -> None:
    curve = _curve()
    for error, name in ((1.0, "4"), (1.0 / 16.0, "4"), (0.06, "8"), (0.01, "16"), (0.001, "32")):
        found = at_equal_error(curve, error)
        assert found is not None
        assert found.name == name
    assert at_equal_error(curve, 1e-4) is None
    assert at_equal_error([], 1.0) is None


def test_the_front_leaves_out_what_is_beaten() -> None:
    assert [point.name for point in front(_curve())] == ["4", "8", "16", "32"]


def test_coarse_flows_converge_to_the_fine_one() -> None:
    settings = {"resolution": 64, "nu": 0.1, "final_time": 0.2, "snapshots": 2, "tolerance": 1e-9}
    problem = make_problem("burgers", **settings)
    initial = np.stack([problem.sample(sample_generator(0, "burgers", i))["initial"] for i in range(3)])
    truth = np.stack([problem.solve({"initial": u}).x[:-1].reshape(3, 64)[1:] for u in initial])
    errors = {
        s.name: np.linalg.norm(s.solve(initial) - truth) for s in coarse_flows("burgers", settings, (12, 64), (4, 16))
    }
    assert list(errors) == ["12, 4 steps", "12, 16 steps", "64, 4 steps", "64, 16 steps"]
    assert errors["64, 16 steps"] < 1e-4 * np.linalg.norm(truth)
    assert errors["64, 16 steps"] < 0.1 * errors["64, 4 steps"]
    assert errors["64, 16 steps"] < 0.1 * errors["12, 16 steps"]


def test_coarse_media_are_solved_and_brought_back() -> None:
    x = (np.arange(32) + 0.5) / 32
    assert np.abs(_spline(16, 32) @ np.sin(np.pi * x.reshape(16, 2).mean(axis=1)) - np.sin(np.pi * x)).max() < 1e-3
    medium = np.exp(np.sin(2 * np.pi * x)[:, None] * np.cos(np.pi * x))[None]
    fine, loose, coarse = (s.solve(medium) for s in coarse_media((16,), (1e-10, 0.5), 32))
    assert fine.shape == loose.shape == coarse.shape == (1, 1, 32, 32)
    assert 1e-10 < np.linalg.norm(loose - fine) / np.linalg.norm(fine) < 0.1
    assert 1e-6 < np.linalg.norm(coarse - fine) / np.linalg.norm(fine) < 0.02


def test_the_command_measures_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = Task(
        "a tiny flow",
        (
            "problem=burgers",
            "problem.resolution=32",
            "problem.final_time=0.2",
            "problem.snapshots=2",
            "samples=20",
            "splits=[12,4,4]",
        ),
        ("history=1", "batch_size=4", "epochs=2"),
        {"fno": ("operator=fno", "operator.modes=4", "operator.width=4", "operator.layers=1", "operator.padding=0")},
        lambda problem: coarse_flows("burgers", problem, (8, 32), (2, 8)),
    )
    monkeypatch.setattr(operators, "TASKS", {"tiny": tiny})
    monkeypatch.chdir(tmp_path)  # not a checkout: the results file goes to the run's folder alone
    assert main(["bench", "operators", "out=run", "rounds=1"]) == 0
    text = (tmp_path / "run" / "operators.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| tiny")]
    named = {row[1]: row for row in rows[:6]}
    assert {"fno", "mean field", "PCA + linear regression", "PCA + kernel ridge", "persistence"} <= set(named)
    assert float(named["PCA + linear regression"][2]) < float(named["mean field"][2])
    classical = next(name for name in named if name.startswith("classical"))
    assert float(named[classical][2]) <= float(named["fno"][2])
    assert "32, 8 steps" in text
    assert "without training" in text
    assert (tmp_path / "run" / "operators.png").stat().st_size > 1000
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert result["errors.tiny.fno"] == pytest.approx(float(named["fno"][2]), rel=1e-3)
    model = tmp_path / "run" / "tiny_fno" / "model.safetensors"
    before = model.stat().st_mtime_ns
    assert main(["bench", "operators", "out=run", "rounds=1"]) == 0
    assert model.stat().st_mtime_ns == before, "a finished training was trained again"
