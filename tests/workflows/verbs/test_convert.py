"""``resolvent convert`` and what goes on with its datasets: verify, inspect, train."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from resolvent.data import Dataset, from_arrays
from resolvent.workflows.cli import main


@pytest.fixture
def burgers(tmp_path: Path) -> Path:
    """A file as PDEBench publishes it."""
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "1D_Burgers_Sols_Nu0.01.hdf5", "w") as file:
        file["tensor"] = rng.normal(size=(20, 5, 16)).astype("f4")
        file["x-coordinate"], file["t-coordinate"] = np.linspace(0, 1, 16, dtype="f4"), np.arange(6, dtype="f4")
    return tmp_path / "1D_Burgers_Sols_Nu0.01.hdf5"


def test_convert_verify_inspect_train(burgers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "burgers"
    bound = ["compression=sz3", "error_bound=1e-3", "splits=[12,4,4]"]
    assert main(["convert", f"source={burgers}", f"out={data}", "name=burgers", *bound]) == 0
    assert "from 1D_Burgers_Sols_Nu0.01.hdf5 (pdebench)" in capsys.readouterr().out
    result = json.loads((data / "result.json").read_text())
    assert (result["splits.train"], result["content_digest"]) == (12, Dataset(data).content_digest)
    assert main(["verify", f"data={data}", f"out={tmp_path / 'verify'}"]) == 0
    assert main(["inspect", f"data={data}", "plot=true", f"out={tmp_path / 'inspect'}"]) == 0
    printed = capsys.readouterr().out
    for word in ("times    0 … 4 in 5 steps", "sz3 within 1.0e-03 absolute", "pdebench (1D_Burgers"):
        assert word in printed
    assert (tmp_path / "inspect/fields.png").stat().st_size > 1000
    tiny = ["operator.modes=2", "operator.width=2", "operator.layers=1", "epochs=1"]
    assert main(["train", f"data={data}", *tiny, f"out={tmp_path / 'run'}"]) == 0
    assert main(["evaluate", f"model={tmp_path / 'run'}", f"data={data}", f"out={tmp_path / 'e'}"]) == 0


def test_export_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).normal(size=(10, 8, 8))
    digest = from_arrays(x, x**2, tmp_path / "mine", name="mine", units={"output": "m"}).content_digest
    for name in ("pdebench", "neuraloperator", "npz"):
        out = tmp_path / name
        assert main(["convert", f"source={tmp_path / 'mine'}", f"format={name}", f"out={out}"]) == 0
        assert f"wrote {out}" in capsys.readouterr().out
        assert len(json.loads((out / "result.json").read_text())["files"]) == 3
        assert main(["convert", f"source={out}", f"out={out}_back"]) == 0
        assert Dataset(f"{out}_back").content_digest == digest
        assert main(["verify", f"data={out}_back", f"out={tmp_path / 'v'}"]) == 0


def test_generate_on_dask(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    small = ["generate", "problem=poisson", "problem.resolution=8", "problem.modes=4", "samples=20", "shard_size=4"]
    assert main([*small, f"out={tmp_path / 'local'}"]) == 0
    assert main([*small, "engine=dask", "workers=1", f"out={tmp_path / 'dask'}"]) == 0
    assert Dataset(tmp_path / "local").content_digest == Dataset(tmp_path / "dask").content_digest
