"""Test the loop by its commands: generate, verify, inspect, train, evaluate; run folders; resume and repair."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resolvent.data import Dataset, from_arrays
from resolvent.workflows.cli import main

GENERATE = ["generate", "problem=poisson", "problem.modes=8", "splits=[12,4,4]", "samples=20", "shard_size=8"]
TRAIN = ["train", "operator.modes=3", "operator.width=6", "operator.layers=2", "operator.projection=8", "batch_size=4"]


def _result(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "result.json").read_text()))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate two resolutions of the same sources, and train an operator on the coarse one."""
    folder = tmp_path_factory.mktemp("pipeline")
    for n in (12, 18):
        assert main([*GENERATE, f"problem.resolution={n}", f"out={folder / f'data{n}'}"]) == 0
    assert main([*TRAIN, f"data={folder / 'data12'}", "epochs=3", f"out={folder / 'run'}"]) == 0
    return folder


def test_generate_reports_and_again_finds_it_complete(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = _result(made / "data12")
    assert result["residual_max"] <= 1e-10
    assert (result["samples"], result["samples_train"], result["computed"]) == (20, 12, 20)
    assert sum(result[f"fractions.{phase}"] for phase in ("sampling", "solving", "writing")) == pytest.approx(1.0)
    assert main([*GENERATE, "problem.resolution=12", f"out={made / 'data12'}"]) == 0
    assert "complete already" in capsys.readouterr().out


def test_sides_of_a_box_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["generate", "problem=poisson", "problem.resolution=[6,8]", "samples=3", "splits=[1,1,1]"]
    out = tmp_path / "mixed"
    assert main([*small, "problem.boundary=[periodic,[dirichlet,neumann]]", f"out={out}"]) == 0
    assert main(["verify", f"data={out}"]) == 0
    assert "checksums hold" in capsys.readouterr().out
    assert main([*small, "problem.boundary=[robin,periodic]", f"out={tmp_path / 'no'}"]) == 2
    assert "boundary in x is 'robin'" in capsys.readouterr().err


def test_flipped_byte_is_found_by_verify_and_repaired_by_generate(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "data"
    shutil.copytree(made / "data12", copy)
    digest = Dataset(copy).content_digest
    assert main(["verify", f"data={copy}", f"out={tmp_path / 'sound'}"]) == 0
    shard = sorted(copy.glob("data/train/*.hdf5"))[1]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    capsys.readouterr()
    assert main(["verify", f"data={copy}", f"out={tmp_path / 'flipped'}"]) == 2
    printed = capsys.readouterr()
    assert shard.name in printed.out
    assert printed.err.count("\n") == 1
    assert _result(tmp_path / "flipped")["ok"] is False
    assert main([*GENERATE, "problem.resolution=12", f"out={copy}"]) == 0
    assert _result(copy)["computed"] == 4
    assert main(["verify", f"data={copy}", f"out={tmp_path / 'repaired'}"]) == 0
    assert _result(tmp_path / "repaired")["content_digest"] == digest


def test_inspect_prints_and_draws(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", f"data={made / 'data12'}", "plot=true", f"out={tmp_path / 'i'}"]) == 0
    printed = capsys.readouterr().out
    for word in ("source", "solution", "12×12", "train 12", "converged 20", "residual at most"):
        assert word in printed
    assert (tmp_path / "i" / "fields.png").stat().st_size > 1000


def test_train_leaves_a_whole_run_folder(made: Path) -> None:
    run, result = made / "run", _result(made / "run")
    names = {"config.yaml", "result.json", "log.jsonl", "metrics.csv", "training.png", "last.ckpt"}
    assert names | {"model.safetensors", "model.json"} == {p.name for p in run.iterdir()}
    assert result["training.epochs_done"] == 3
    assert result["training.best_valid"] < 1.0
    assert not any(isinstance(v, dict) for v in result.values())


def test_evaluate_at_two_resolutions_beside_the_baselines(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "evaluation"
    assert main(["evaluate", f"model={made / 'run'}", f"data=[{made / 'data12'},{made / 'data18'}]", f"out={out}"]) == 0
    rows = json.loads((out / "evaluation.json").read_text())
    assert [(r["model"], r["resolution"]) for r in rows] == [
        (model, n)
        for n in ("12x12", "18x18")
        for model in ("fno", "mean field", "PCA + linear regression", "PCA + kernel ridge")
    ]
    assert {p.name for p in out.glob("*.png")} == {"predictions_data12.png", "predictions_data18.png"}
    for row, n in ((rows[1], 12), (rows[5], 18)):  # the mean field's error, by hand
        dataset = Dataset(made / f"data{n}")
        outputs = dataset.arrays("test")[1]
        mean = dataset.arrays("train")[1].mean(axis=0)
        errors = np.linalg.norm((mean - outputs).reshape(4, -1), axis=1) / np.linalg.norm(
            outputs.reshape(4, -1), axis=1
        )
        assert row["relative L2"] == pytest.approx(errors.mean(), rel=1e-6)
    assert rows[2]["relative L2"] < rows[1]["relative L2"]


def test_training_goes_on_where_it_was(made: Path, tmp_path: Path) -> None:
    settings = [*TRAIN, f"data={made / 'data12'}", "scheduler=constant", "lr=1e-3"]
    assert main([*settings, "epochs=2", f"out={tmp_path / 'run'}"]) == 0
    assert main([*settings, "epochs=4", f"out={tmp_path / 'run'}"]) == 0
    assert _result(tmp_path / "run")["training.resumed_from"] == 2
    assert main([*settings, "epochs=4", f"out={tmp_path / 'whole'}"]) == 0
    for name in ("model.safetensors", "metrics.csv"):
        pair = [(tmp_path / run / name).read_bytes() for run in ("run", "whole")]
        if name == "metrics.csv":  # all but both clocks
            pair = [b"\n".join(line.rsplit(b",", 2)[0] for line in text.splitlines()) for text in pair]
        assert pair[0] == pair[1], name


def test_own_arrays_are_trained_on(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((20, 16))
    splits = {"train": 12, "valid": 4, "test": 4}
    from_arrays(x, np.roll(x, 1, axis=1), tmp_path / "mine", splits=splits)
    assert main(["verify", f"data={tmp_path / 'mine'}", f"out={tmp_path / 'verify'}"]) == 0
    assert main([*TRAIN, f"data={tmp_path / 'mine'}", "epochs=1", f"out={tmp_path / 'run'}"]) == 0
    assert main(["evaluate", f"model={tmp_path / 'run'}", f"data={tmp_path / 'mine'}", f"out={tmp_path / 'e'}"]) == 0
    assert (tmp_path / "e" / "predictions_mine.png").is_file()


def test_an_experiment_generates_its_data_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["problem=darcy", "problem.resolution=12", "samples=20", "splits=[12,4,4]"]
    generate = "generate=[" + ",".join(f"'{setting}'" for setting in small) + "]"
    command = [*TRAIN, "experiment=darcy_fno", generate, "epochs=1", "data=d", "evaluate=[d]", "out=run"]
    assert main(command) == 0
    assert Dataset(tmp_path / "d").splits == {"train": 12, "valid": 4, "test": 4}
    assert (tmp_path / "run" / "evaluation" / "evaluation.json").is_file()
