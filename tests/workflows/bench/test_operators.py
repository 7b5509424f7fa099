"""Test the table of operators: the search at equal error, the coarse solvers, and the command on tiny tasks."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resolvent.data import make_problem, sample_generator
from resolvent.solvers import InputError
from resolvent.workflows.bench import operators
from resolvent.workflows.bench.equal_error import Measured, _spline, at_equal_error, coarse_flows, coarse_media, front
from resolvent.workflows.bench.operators import budgets as operator_budgets
from resolvent.workflows.bench.operators.tasks import TASKS, Task
from resolvent.workflows.cli import main
from resolvent.workflows.compose import compose_verb


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
    assert at_equal_error(curve, math.inf) is None


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


FNO = ("operator=fno", "operator.modes=4", "operator.width=4", "operator.layers=1", "operator.padding=0")
TINY = Task(
    "a tiny flow",
    (
        "problem=burgers",
        "problem.resolution=32",
        "problem.final_time=0.2",
        "problem.snapshots=3",
        "samples=20",
        "splits=[12,4,4]",
    ),
    ("history=2", "batch_size=4"),
    {"fno": (*FNO, "epochs=4"), "ffno": ("operator=ffno", *FNO[1:])},
    lambda problem: coarse_flows("burgers", problem, (8, 32), (2, 8), history=2),
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tiny")
    operator_budgets.prepare("tiny", TINY, out)
    return out


def test_others_get_the_processor_time_of_the_first(prepared: Path) -> None:
    first, second = (operator_budgets.trained(prepared / f"tiny_{name}") for name in ("fno", "ffno"))
    kept = json.loads((prepared / "budgets.json").read_text())["tiny_ffno"]
    assert first["training.epochs_done"] == 4
    assert kept["budget_seconds"] == first["training.processor_seconds"]
    assert kept["epochs"] == max(1, round(kept["budget_seconds"] / kept["epoch_seconds"]))
    assert second["training.epochs_done"] == second["settings.epochs"] == kept["epochs"]
    assert not (prepared / "tiny_ffno_pilot").exists()


def test_a_budget_buys_the_same_epochs_again(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(operator_budgets, "generate", lambda overrides: 0)
    monkeypatch.setattr(operator_budgets, "train", lambda overrides: commands.append(overrides) or 0)
    slow = {"tiny_ffno": {"budget_seconds": 10.0, "epoch_seconds": 2.5, "epochs": 4}}
    (tmp_path / "budgets.json").write_text(json.dumps(slow))
    task = dataclasses.replace(TINY, operators={"ffno": TINY.operators["ffno"]}, budget=10.0)
    operator_budgets.prepare("tiny", task, tmp_path)
    assert len(commands) == 1, "no pilot"
    assert "epochs=4" in commands[0]
    (tmp_path / "budgets.json").write_text("{")
    with pytest.raises(InputError, match=r"budgets\.json is damaged; delete it"):
        operator_budgets.prepare("tiny", task, tmp_path)
    monkeypatch.setattr(operator_budgets, "train", lambda overrides: 130)
    (tmp_path / "budgets.json").unlink()
    with pytest.raises(operator_budgets.Interrupted) as stopped:
        operator_budgets.prepare("tiny", task, tmp_path)
    assert stopped.value.code == 130


def test_the_command_measures_and_resumes(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the two operators blows up in its rollout: its row says where, and the others are measured."""
    whole = operators.load_operator

    def load(folder: str) -> Any:
        if not folder.endswith("ffno"):
            return whole(folder)
        calls = iter(range(10**6))
        return lambda inputs: inputs[:, -1:] * (np.inf if next(calls) == 1 else 1.0)

    monkeypatch.setattr(operators, "load_operator", load)
    monkeypatch.setattr(operators, "TASKS", {"tiny": TINY})
    monkeypatch.chdir(tmp_path)  # not a checkout: the results file goes to the run's folder alone
    run = prepared
    model = run / "tiny_fno" / "model.safetensors"
    before = model.stat().st_mtime_ns
    assert main(["bench", "operators", f"out={run}", "rounds=1"]) == 0
    assert model.stat().st_mtime_ns == before, "a finished training was trained again"
    text = (run / "operators.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| tiny")]
    named = {row[1]: row for row in rows[:7]}
    assert {"fno", "mean field", "PCA + linear regression", "PCA + kernel ridge", "persistence"} <= set(named)
    assert named["ffno"][2] == "blew up at step 2 of 2: field solution (sample 0)"
    assert float(named["ffno"][5]) > 0.0
    assert float(named["PCA + linear regression"][2]) < float(named["mean field"][2])
    classical = next(name for name in named if name.startswith("classical"))
    assert float(named[classical][2]) <= float(named["fno"][2])
    assert "32, 8 steps" in text
    equal = [row for row in rows[7:] if row[1] == "ffno" and row[2].startswith("blew up")]
    assert equal[0][3:7] == ["", "", "", ""], "no solver is as good as nothing"
    assert "without training" in text
    assert "the rollout of ffno blew up at step 2 of 2" in text
    for name in ("operators.png", "operators_over_time.png"):
        assert (run / name).stat().st_size > 1000
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert result["errors.tiny.fno"] == pytest.approx(float(named["fno"][2]), rel=1e-3)


def test_frames_of_the_rollout_are_those_of_the_data(prepared: Path) -> None:
    """The solver of the data themselves, given the second frame, returns the third and the fourth; so does a model."""
    test = operators.TestData(prepared / "tiny_data", 2)
    assert test.inputs.shape == (4, 2, 32)
    assert test.outputs.shape == (4, 2, 32)
    np.testing.assert_allclose(test.times, [0.4 / 3.0, 0.2])  # of 0, 0.2/3, 0.4/3, 0.2: those after the first two
    exact = next(s for s in coarse_flows("burgers", test.problem, (32,), (32,), history=2))
    point, curve = test.measured("exact", exact.solve, 1)
    assert point.error < 1e-5
    assert point.whole < 1e-5
    assert curve is not None
    assert curve.shape == (2,)
    still, _ = test.measured("still", test.map_of(lambda inputs: inputs[:, -1:], "still"), 1)
    expected = np.linalg.norm(test.outputs - test.inputs[:, -1:], axis=-1) / np.linalg.norm(test.outputs, axis=-1)
    assert still.error == pytest.approx(expected.mean())


def test_the_tasks_can_be_composed() -> None:
    """The overrides are known to the verb (those of one operator a task), and a budget has an operator to come from."""
    for task in TASKS.values():
        overrides = list(task.operators.values())[-1]
        config = compose_verb("train", [*overrides, *task.training])
        assert config.history == task.history
        assert task.budget is not None or config.epochs > 0
