"""Test trajectories by the commands: train on windows, evaluate by time; the same without windows."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resolvent.data import Dataset
from resolvent.operators import beside_baselines, predict
from resolvent.workflows.cli import main

TRAIN = ["train", "operator.modes=3", "operator.width=6", "operator.layers=2", "operator.projection=8", "batch_size=4"]


@pytest.fixture(scope="module")
def heat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heat")
    sizes = ["problem.resolution=10", "problem.modes=6", "problem.snapshots=5", "samples=12", "splits=[6,3,3]"]
    assert main(["generate", "problem=heat", *sizes, f"out={folder / 'data'}"]) == 0
    windows = ["history=1", "unroll=2", "feed=pushforward", "epochs=2"]
    assert main([*TRAIN, *windows, f"data={folder / 'data'}", f"out={folder / 'run'}"]) == 0
    return folder


def test_windows_are_found_and_kept(heat: Path) -> None:
    fields = json.loads((heat / "run" / "model.json").read_text())["fields"]
    assert fields["inputs"] == ["coefficient", "solution(t)"]  # the initial state is the first frame
    assert fields["window"]["static"] == ["coefficient"]


def test_evaluate_by_time(heat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "evaluation"
    command = ["evaluate", f"model={heat / 'run'}", f"data={heat / 'data'}", f"out={out}", "baseline_samples=20"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "baselines are fitted on 20 of 30 training samples" in printed
    assert "means over samples of one step in time" in " ".join(printed.split())
    times = Dataset(heat / "data").times
    with (out / "trajectories_data.csv").open() as file:
        table = list(csv.DictReader(file))
    models = {row["model"] for row in table}
    assert models == {"fno", "mean field", "PCA + linear regression", "PCA + kernel ridge", "persistence"}
    assert [float(row["time"]) for row in table if row["model"] == "fno"] == pytest.approx(times[1:].tolist())
    still = [row for row in table if row["model"] == "persistence"]
    truth = Dataset(heat / "data").read("test", "solution")
    for k, row in enumerate(still, start=1):
        errors = np.linalg.norm(truth[:, 0] - truth[:, k], axis=(1, 2)) / np.linalg.norm(truth[:, k], axis=(1, 2))
        assert float(row["relative_l2"]) == pytest.approx(errors.mean(), rel=1e-5)
    for name in ("errors_over_time_data.png", "spectra_data.png", "predictions_data.png"):
        assert (out / name).stat().st_size > 1000
    with Image.open(out / "rollout_data.gif") as animation:
        assert animation.n_frames == 5
    result = json.loads((out / "result.json").read_text())
    last = [float(row["relative_l2"]) for row in table if row["model"] == "fno"][-1]
    assert result["rows.fno@10x10.relative_l2_last"] == pytest.approx(last)


def test_other_times_and_other_data(heat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model that steps 0.1 is not compared with frames 0.05 apart; another problem is said to be another."""
    sizes = ["problem.resolution=10", "problem.modes=6", "samples=3", "splits=[1,1,1]"]
    finer = ["generate", "problem=heat", *sizes, "problem.snapshots=10", f"out={tmp_path / 'finer'}"]
    other = ["generate", "problem=allen_cahn", *sizes, "problem.final_time=0.5", "problem.snapshots=5"]
    assert main(finer) == 0
    assert main([*other, "problem.tolerance=1e-2", f"out={tmp_path / 'other'}"]) == 0
    capsys.readouterr()
    evaluate = ["evaluate", f"model={heat / 'run'}", f"out={tmp_path / 'evaluation'}", "animation=false"]
    assert main([*evaluate, f"data={tmp_path / 'finer'}"]) == 2
    assert "the model steps 0.1 in time" in capsys.readouterr().err
    assert main([*evaluate, f"data={tmp_path / 'other'}"]) == 2
    said = capsys.readouterr()
    assert "trained on heat; " in said.out
    assert "no input field coefficient" in said.err


def test_all_times_at_once(heat: Path, tmp_path: Path) -> None:
    assert main([*TRAIN, "epochs=1", f"data={heat / 'data'}", f"out={tmp_path / 'run'}"]) == 0
    out = tmp_path / "evaluation"
    command = ["evaluate", f"model={tmp_path / 'run'}", f"data={heat / 'data'}", f"out={out}", "animation=false"]
    assert main(command) == 0
    with (out / "trajectories_data.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len([row for row in table if row["model"] == "fno"]) == 6  # the initial state is an output, too
    assert "persistence" not in {row["model"] for row in table}
    assert not (out / "rollout_data.gif").exists()


@pytest.mark.parametrize(("step", "wild", "code"), [(3, "fno", 2), (1, "fno", 2), (3, "PCA + kernel ridge", 0)])
def test_a_blow_up_loses_nothing_and_is_loud(
    heat: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    step: int,
    wild: str,
    code: int,
) -> None:
    """Check that the model's blow-up gives all files, one line and exit code 2, and a baseline's gives a row."""
    whole = beside_baselines.evaluate_trajectories

    def evaluate(model: Any, *arguments: Any, name: str, **keywords: Any) -> Any:
        calls = [0]

        def growing(inputs: np.ndarray) -> np.ndarray:
            calls[0] += 1
            made = predict(model, inputs)
            if calls[0] == step:
                made[1, 0] = np.inf
            return made

        return whole(growing if name == wild else model, *arguments, name=name, **keywords)

    monkeypatch.setattr(beside_baselines, "evaluate_trajectories", evaluate)
    out = tmp_path / "e"
    assert main(["evaluate", f"model={heat / 'run'}", f"data={heat / 'data'}", f"out={out}"]) == code
    printed = capsys.readouterr()
    cell = f"blew up at step {step} of 5: field solution (sample 1)"
    assert cell in " ".join(printed.out.replace("│", " ").split()) or step == 3  # a long cell may be folded
    assert f"the rollout of {wild} blew up at step {step} of 5" in printed.out
    if code:
        assert printed.err.strip().count("\n") == 0
        assert f"the rollout of fno blew up at step {step} of 5" in printed.err
        assert f"all else was evaluated and is in {out}" in printed.err
    else:
        assert printed.err == ""
    with (out / "trajectories_data.csv").open() as file:
        table = list(csv.DictReader(file))
    assert {row["model"] for row in table if row["model"] != wild} >= {"mean field", "persistence"}
    assert len([row for row in table if row["model"] == wild]) == step - 1
    assert len([row for row in table if row["model"] == "persistence"]) == 5
    for name in ("errors_over_time_data.png", "predictions_data.png", "evaluation.json"):
        assert (out / name).stat().st_size > 100
    assert (out / "rollout_data.gif").exists() == (step > 1)
    result = json.loads((out / "result.json").read_text())
    assert result[f"rows.{wild}@10x10.blew_up"] == cell
    assert result["rows.mean field@10x10.relative_l2_last"] > 0.0


def test_periodic_values_are_taken_at_nodes(tmp_path: Path) -> None:
    sizes = ["problem.resolution=16", "samples=6", "splits=[4,2,0]"]
    assert main(["generate", "problem=advection", *sizes, f"out={tmp_path / 'data'}"]) == 0
    for name, key, value in (("neural_spectral", "arrays", "nodes"), ("fno", "nodes", True)):
        network = [f"operator={name}", "operator.modes=7", "operator.width=4", "operator.layers=1", "epochs=1"]
        assert main(["train", *network, "history=1", f"data={tmp_path / 'data'}", f"out={tmp_path / name}"]) == 0
        assert json.loads((tmp_path / name / "model.json").read_text())["arguments"][key] == value
