"""Exports to PDEBench: its loaders' logic opens each, with the values of the dataset, and an import gives it back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from resolvent.data import Dataset, export_dataset, from_arrays, generate, import_dataset, make_problem
from resolvent.data.exchange.pdebench_export import LAYOUTS
from resolvent.data.exchange.source import Source, SourceField, write_source
from resolvent.solvers import InputError

SPLITS = {"train": 3, "valid": 1, "test": 2}

EVOLVING: dict[str, tuple[str, dict[str, Any]]] = {
    "burgers": ("burgers", {"resolution": 32, "snapshots": 3, "sigma": 1.0, "alpha": 3.0, "modes": 4}),
    "burgers-one-step": ("burgers", {"resolution": 32, "snapshots": 1, "sigma": 1.0, "alpha": 3.0, "modes": 4}),
    "advection": ("advection", {"resolution": 32, "snapshots": 2}),
    "kuramoto_sivashinsky": ("kuramoto_sivashinsky", {"resolution": 64, "snapshots": 2, "final_time": 1.0}),
    "allen_cahn": ("allen_cahn", {"resolution": 16, "snapshots": 2, "final_time": 0.1}),
    "reaction_diffusion": ("reaction_diffusion", {"resolution": 16, "snapshots": 2, "final_time": 0.5, "modes": 4}),
    "navier_stokes": ("navier_stokes", {"resolution": 16, "snapshots": 2, "final_time": 0.5, "modes": 4}),
    "heat": ("heat", {"resolution": (6, 8), "snapshots": 3, "substeps": 2}),
    "heat-source": ("heat", {"resolution": 6, "snapshots": 2, "substeps": 2, "source": "random"}),
    "heat-plain": ("heat", {"resolution": 6, "snapshots": 2, "substeps": 2, "coefficient": "constant"}),
}


def _loaded(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """Open a file as PDEBench's loaders do: values (N, *space, T, V) and the coordinates."""
    with h5py.File(path) as file:
        keys = sorted(file)
        if path.name.endswith("h5"):
            values = np.stack([file[key]["data"][...] for key in keys])
            grid = file[keys[0]]["grid"]
            assert grid["t"].shape == (values.shape[1],)
            axes = [grid[axis][...] for axis in "xyz"[: values.ndim - 3]]
            return np.moveaxis(values, 1, -2), axes
        if "tensor" in keys:
            values = np.moveaxis(file["tensor"][...], 1, -1)
            assert values.ndim in (3, 4)  # none is opened in 3-D
            if values.ndim == 4:
                values = np.concatenate([file["nu"][...][..., None], values], axis=-1)
            values, ndim = values[..., None], values.ndim - 2
        else:
            ndim = file["density"].ndim - 2
            names = ["density", "pressure", *(f"V{axis}" for axis in "xyz"[:ndim])]
            values = np.stack([np.moveaxis(file[name][...], 1, -1) for name in names], axis=-1)
        return values, [file[f"{axis}-coordinate"][...] for axis in "xyz"[:ndim]]


def _same(a: Dataset, b: Dataset) -> None:
    assert (a.name, a.splits, a.dtype) == (b.name, b.splits, b.dtype)
    assert (a.input_fields, a.output_fields) == (b.input_fields, b.output_fields)
    np.testing.assert_array_equal(a.times, b.times)
    for mine, theirs in zip(a.axes, b.axes, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for split in a.splits:
        for name in (*a.input_fields, *a.output_fields):
            assert a.read(split, name).tobytes() == b.read(split, name).tobytes()


def _opens(folder: Path, out: Path, layout: str = "auto", channels: list[str] | None = None) -> str:
    """Export, load and import a dataset of trajectories; return the ending of the files."""
    dataset = Dataset(folder)
    files = export_dataset(folder, out, "pdebench", layout)
    for split, path in zip(dataset.splits, files, strict=True):
        values, axes = _loaded(path)
        for name, channel in zip(channels or dataset.output_fields, np.moveaxis(values, -1, 0), strict=True):
            expected = dataset.read(split, name)
            if name in dataset.input_fields:
                expected = np.repeat(expected[:, None], dataset.times.size, axis=1)
            assert np.moveaxis(channel, -1, 1).tobytes() == expected.tobytes()
        for mine, theirs in zip(dataset.axes, axes, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    _same(dataset, import_dataset(out, out.with_name(f"{out.name}-back")))
    return files[0].suffix


@pytest.mark.parametrize("case", list(EVOLVING))
def test_evolving_problems_open_and_come_back(case: str, tmp_path: Path) -> None:
    name, settings = EVOLVING[case]
    dtype = "float32" if case in ("advection", "allen_cahn", "heat") else "float64"
    generate(make_problem(name, **settings), tmp_path / "a", splits=SPLITS, dtype=dtype, progress=False)
    dataset = Dataset(tmp_path / "a")
    assert dataset.input_fields[0] == "initial"
    flat = len(dataset.resolution) == 1
    channels = [*dataset.output_fields, *dataset.input_fields[1:]]  # a source is a channel that stays the same
    assert _opens(tmp_path / "a", tmp_path / "auto", channels=channels) == (".hdf5" if flat else ".h5")
    assert _opens(tmp_path / "a", tmp_path / "groups", "groups", channels) == ".h5"
    for layout in LAYOUTS:
        if layout == "groups" or (layout == "tensor" and flat):
            continue
        with pytest.raises(
            InputError, match=rf"layout={layout} holds .* use (layout=tensor, )?layout=groups"
        ) as raised:
            export_dataset(tmp_path / "a", tmp_path / "no", "pdebench", layout)
        assert "\n" not in str(raised.value)
        assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("case", ["burgers", "heat"])
def test_evolving_problems_to_neuraloperator(case: str, tmp_path: Path) -> None:
    name, settings = EVOLVING[case]
    generate(make_problem(name, **settings), tmp_path / "a", splits=SPLITS, progress=False)
    files = export_dataset(tmp_path / "a", tmp_path / "e", "neuraloperator")
    dataset = Dataset(tmp_path / "a")
    held = torch.load(files[0], weights_only=True)
    x, y = (held[key].numpy() for key in ("x", "y"))
    if len(dataset.input_fields) == 1:
        np.testing.assert_array_equal(x, dataset.read("train", "initial"))
        np.testing.assert_array_equal(y, dataset.read("train", "solution"))
    else:  # then both have an axis of channels
        assert x.shape == (3, len(dataset.input_fields), *dataset.resolution)
        np.testing.assert_array_equal(y, dataset.read("train", "solution")[:, None])
    _same(dataset, import_dataset(tmp_path / "e", tmp_path / "b"))


def test_x_and_y_both_have_channels_for_neuraloperator_or_neither(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for inputs, outputs in ((1, 1), (2, 1), (1, 2)):
        place = tmp_path / f"{inputs}{outputs}"
        x, y = (rng.normal(size=(6, channels, 8, 7)) for channels in (inputs, outputs))
        names = {"inputs": list("ab")[:inputs], "outputs": list("uv")[:outputs]}
        dataset = from_arrays(x, y, place / "a", splits=SPLITS, names=names)
        held = torch.load(export_dataset(place / "a", place / "e", "neuraloperator")[0], weights_only=True)
        squeezed = inputs == outputs == 1
        np.testing.assert_array_equal(held["x"].numpy(), x[:3, 0] if squeezed else x[:3])
        np.testing.assert_array_equal(held["y"].numpy(), y[:3, 0] if squeezed else y[:3])
        _same(dataset, import_dataset(place / "e", place / "b"))
        torch.save({"x": held["x"], "y": held["y"]}, place / "bare.pt")  # as another program would save it again
        bare = import_dataset(place / "bare.pt", place / "c", splits={"train": 3})
        assert (len(bare.input_fields), len(bare.output_fields)) == (inputs, outputs)
        np.testing.assert_array_equal(bare.arrays("train")[1], y[:3])


def _trajectories(out: Path, inputs: dict[str, np.ndarray], outputs: dict[str, np.ndarray]) -> Dataset:
    held = {**inputs, **outputs}
    shape = next(iter(outputs.values())).shape
    fields = [*(SourceField(n, "input") for n in inputs), *(SourceField(n, "output", "K") for n in outputs)]
    times = np.arange(shape[1]) / 3
    return write_source(
        Source("run", fields, shape[0], shape[2:], lambda a, b: {n: v[a:b] for n, v in held.items()}, times=times),
        out,
        splits={**SPLITS, "train": shape[0] - 3},
    )


@pytest.mark.parametrize("space", [(9,), (5, 4), (3, 4, 5)])
def test_fluids_are_variables_and_other_outputs_groups(space: tuple[int, ...], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ["density", "pressure", *(f"V{axis}" for axis in "xyz"[: len(space)])]
    held = {name: rng.normal(size=(6, 3, *space)) for name in names}
    firsts = {f"{name}_0": held[name][:, 0] for name in names}
    _trajectories(tmp_path / "fluid", firsts, held)
    assert _opens(tmp_path / "fluid", tmp_path / "f", channels=names) == ".hdf5"
    _trajectories(tmp_path / "two", {}, {"u": held["density"], "v": held["pressure"]})
    assert _opens(tmp_path / "two", tmp_path / "t") == ".h5"
    with pytest.raises(InputError, match=r"layout=variables holds the outputs density.*use layout=groups"):
        export_dataset(tmp_path / "two", tmp_path / "no", "pdebench", "variables")


def test_first_steps_are_told_by_their_bits(tmp_path: Path) -> None:
    """An input that differs from the first step, if only by the sign of a zero in the last sample, is kept."""
    u = np.random.default_rng(0).normal(size=(40, 3, 8))  # more than are written at once
    u[-1, 0, 0] = 0.0
    a = u[:, 0].copy()
    a[-1, 0] = -0.0
    _trajectories(tmp_path / "a", {"a": a, "b": u[:, 0]}, {"u": u})
    assert _opens(tmp_path / "a", tmp_path / "g", channels=["u", "a"]) == ".h5"
    with pytest.raises(
        InputError, match=r"inputs \['a'\] \(beside b: .*\), outputs \['u'\], 1-D, in 3 steps: use layout=gr"
    ):
        export_dataset(tmp_path / "a", tmp_path / "no", "pdebench", "tensor")


def test_steady_data(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 7, 8))
    from_arrays(x, 2 * x, tmp_path / "darcy", splits=SPLITS)
    values, _ = _loaded(export_dataset(tmp_path / "darcy", tmp_path / "d", "pdebench")[0])
    np.testing.assert_array_equal(values[..., 0], np.stack([x[:3], 2 * x[:3]], axis=-1))
    from_arrays(x[..., None] + np.ones(5), x[..., None] * np.ones(5), tmp_path / "space", splits=SPLITS)
    for layout in ("auto", *LAYOUTS):
        with pytest.raises(InputError, match=r"holds .*: use format=neuraloperator or format=npz"):
            export_dataset(tmp_path / "space", tmp_path / "no", "pdebench", layout)


def test_auto_writes_nothing_that_no_loader_opens(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(6, 2, 7, 8))
    names = {"inputs": ["force_x", "force_y"], "outputs": ["velocity_x", "velocity_y"]}
    from_arrays(x, 2 * x, tmp_path / "a", splits=SPLITS, names=names)
    with pytest.raises(InputError, match="use layout=incompressible, format=neuraloperator"):
        export_dataset(tmp_path / "a", tmp_path / "e", "pdebench")
    export_dataset(tmp_path / "a", tmp_path / "e", "pdebench", "incompressible")
    _same(Dataset(tmp_path / "a"), import_dataset(tmp_path / "e", tmp_path / "b"))


@pytest.mark.parametrize("damage", [{"u": "u"}, {"a": "a"}, [1], {"a": "u", "b": "u"}, {"a": ["u"]}])
def test_damaged_first_steps_are_one_line(damage: Any, tmp_path: Path) -> None:
    u = np.random.default_rng(0).normal(size=(6, 3, 8))
    _trajectories(tmp_path / "a", {"a": u[:, 0]}, {"u": u})
    path = export_dataset(tmp_path / "a", tmp_path / "e", "pdebench")[0]
    with h5py.File(path, "r+") as file:
        file.attrs["resolvent"] = json.dumps({**json.loads(file.attrs["resolvent"]), "first_steps": damage})
    with pytest.raises(InputError, match="malformed"):
        import_dataset(path, tmp_path / "b")
