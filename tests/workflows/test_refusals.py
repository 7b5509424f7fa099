"""Commands that would lose, ignore or confuse something are refused in one line with the fix."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from resolvent.data import from_arrays
from resolvent.solvers import InputError
from resolvent.workflows.cli import main
from resolvent.workflows.compose import compose_verb

TRAIN = ["train", "operator.modes=3", "operator.width=4", "operator.layers=1", "operator.projection=4", "epochs=1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refusals") / "data"
    values = np.random.default_rng(0).standard_normal((6, 1, 8, 8))
    from_arrays(values, 2.0 * values, folder, splits={"train": 3, "valid": 2, "test": 1})
    return folder


def refused(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(command) == 2
    return capsys.readouterr().err


def test_results_do_not_go_where_others_are(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Check a refusal that keeps the config.yaml and result.json of the data, or of the training."""
    before = {path: path.read_bytes() for path in data.iterdir() if path.is_file()}
    assert "holds a dataset: choose another out" in refused([*TRAIN, f"data={data}", f"out={data}"], capsys)
    assert {path: path.read_bytes() for path in data.iterdir() if path.is_file()} == before
    run = tmp_path / "run"
    assert main([*TRAIN, f"data={data}", f"out={run}"]) == 0
    kept = (run / "result.json").read_bytes()
    said = refused(["evaluate", f"model={run}", f"data={data}", f"out={run}"], capsys)
    assert "what `resolvent train` wrote: choose another out" in said
    assert (run / "result.json").read_bytes() == kept


def test_data_of_one_resolution_are_told_apart(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In result.json, and where figures are named after the folders."""
    values = np.random.default_rng(1).standard_normal((6, 1, 8, 8))
    for folder in ("other", "data"):
        from_arrays(values, 3.0 * values, tmp_path / folder, splits={"train": 3, "valid": 2, "test": 1})
    run = tmp_path / "run"
    assert main([*TRAIN, f"data={data}", f"out={run}"]) == 0
    evaluate = ["evaluate", f"model={run}", "baselines=false", f"out={tmp_path / 'e'}"]
    assert "several folders are called data" in refused([*evaluate, f"data=[{data},{tmp_path / 'data'}]"], capsys)
    assert main([*evaluate, f"data=[{data},{tmp_path / 'other'}]"]) == 0
    result = json.loads((tmp_path / "e" / "result.json").read_text())
    assert result["rows.fno@data.relative_l2"] != result["rows.fno@other.relative_l2"]


def test_several_devices_want_their_processes(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOCAL_RANK", "SLURM_NTASKS", "WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    command = [*TRAIN, f"data={data}", "accelerator=cpu"]
    assert "give out=FOLDER" in refused([*command, "devices=2"], capsys)
    assert "torchrun --nproc-per-node 2" in refused([*command, "devices=2", f"out={tmp_path / 'run'}"], capsys)
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "started 2 processes: give devices=2" in refused([*command, f"out={tmp_path / 'run'}"], capsys)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("operator.bases=[chebyshev,fourier]", ["chebyshev", "fourier"]),
        ("operator.constraints=[1,0.5]", [1, 0.5]),
        ("operator.modes=[7,5]", [7, 5]),
    ],
)
def test_one_an_axis(override: str, value: list[object]) -> None:
    """Check what the operators' configs say."""
    config = compose_verb("train", ["operator=neural_spectral", override])
    assert list(config.operator[override.split("=")[0].split(".")[1]]) == value


def test_lists_where_none_is_taken_are_refused() -> None:
    assert list(compose_verb("train", ["step_epochs=[20,40]"]).step_epochs) == [20, 40]
    for override in ("operator.padding=[0.1,0.2]", "operator.position=[true]", "epochs=[1,2]", "lr=[0.1]"):
        with pytest.raises(InputError, match="such as"):
            compose_verb("train", [override])


def test_a_feed_without_calls_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused([*TRAIN, f"data={data}", "feed=pushforward"], capsys)
    assert "unroll=1" in said
    assert "give history=1 unroll=2" in said


def test_help_explains_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "problem=navier_stokes", "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("problem=navier_stokes: ∂ω/∂t")
    setting = "problem.snapshots: null number of stored times after t = 0; null: that of the family"
    assert setting in " ".join(said.split())
    assert "heat" in refused(["generate", "problem=navier", "--help"], capsys)
    assert main(["generate", "--help"]) == 0
    assert "problem=OPTION --help" in capsys.readouterr().out
