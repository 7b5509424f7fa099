"""The contract of a dataset: however it was made, it reads, describes and verifies alike, and The Well can open it."""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from resolvent.data import (
    Dataset,
    check_format,
    describe,
    format_description,
    from_arrays,
    generate,
    import_dataset,
    make_problem,
    verify,
)

SPLITS = {"train": 5, "valid": 2, "test": 2}


def _generated(
    name: str, dtype: str = "float64", compression: str = "gzip", error_bound: float | None = None, **settings: Any
) -> Callable[[Path], Any]:
    def make(out: Path) -> None:
        storage: dict[str, Any] = {"dtype": dtype, "compression": compression, "error_bound": error_bound}
        generate(make_problem(name, **settings), out, splits=SPLITS, shard_size=3, **storage)

    return make


def _brought(channels: int, *space: int, dtype: str = "float64") -> Callable[[Path], Any]:
    def make(out: Path) -> None:
        rng = np.random.default_rng(0)
        inputs = rng.normal(size=(9, channels, *space)).astype(dtype)
        axes = [np.linspace(0, 2, n) for n in space]
        from_arrays(inputs, inputs[:, :1] ** 2, out, splits=SPLITS, shard_size=3, axes=axes)

    return make


def _imported(*space: int, steps: int, **settings: Any) -> Callable[[Path], Any]:
    """A trajectory in PDEBench's layout, through an importer."""

    def make(out: Path) -> None:
        file = out.parent / "trajectories.hdf5"
        with h5py.File(file, "w") as stream:
            stream["tensor"] = np.random.default_rng(0).normal(size=(9, steps, *space)).astype("f4")
            stream["t-coordinate"] = np.linspace(0, 1, steps + 1)
            stream.attrs["nu"] = 0.01
        import_dataset(file, out, splits=SPLITS, shard_size=3, **settings)
        file.unlink()

    return make


DATASETS: dict[str, Callable[[Path], Any]] = {
    "poisson": _generated("poisson", resolution=10),
    "darcy": _generated("darcy", resolution=(10, 12)),
    "darcy-lognormal-float32": _generated("darcy", "float32", resolution=10, medium="lognormal"),
    "darcy-legacy": _generated("darcy", resolution=10, legacy=True),
    "arrays-1d": _brought(2, 20),
    "arrays-2d-float32": _brought(1, 6, 8, dtype="float32"),
    "arrays-3d": _brought(3, 4, 5, 6),
    "imported-trajectories-2d": _imported(6, 8, steps=3),
    "imported-trajectories-1d-sz3": _imported(40, steps=5, compression="sz3", error_bound=1e-4),
    "darcy-zfp": _generated("darcy", resolution=10, compression="zfp", error_bound=1e-7),
}


@pytest.fixture(scope="module", params=list(DATASETS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("contract") / "data"
    DATASETS[request.param](out)
    return out


def test_layout_of_the_folder(folder: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == ["config.yaml", "data", "manifest.jsonl", "stats.yaml"]
    name = Dataset(folder).name
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.*") if "data/" in p.as_posix() + "/")
    expected = [f"data/{s}/{name}_{i:05d}.hdf5" for s, n in (("test", 1), ("train", 2), ("valid", 1)) for i in range(n)]
    assert [f for f in files if f.endswith(".hdf5")] == expected


def test_reading(folder: Path) -> None:
    dataset = Dataset(folder)
    assert dataset.splits == SPLITS
    assert len(dataset) == 9
    for split, size in SPLITS.items():
        inputs, outputs = dataset.arrays(split)
        channels = len(dataset.input_fields) + (len(dataset.output_fields) if dataset.trajectories else 0)
        assert inputs.shape == (size, channels, *dataset.resolution)
        assert outputs.shape == (size, len(dataset.output_fields), *dataset.resolution)
        assert inputs.dtype == outputs.dtype == dataset.dtype
        assert np.isfinite(inputs).all()
        assert np.isfinite(outputs).all()
        for start, stop in ((0, 1), (1, size), (size, size)):
            part = dataset.arrays(split, start, stop)
            np.testing.assert_array_equal(part[0], inputs[start:stop])
            np.testing.assert_array_equal(part[1], outputs[start:stop])
        for c, name in enumerate(dataset.output_fields):
            values = dataset.read(split, name)
            assert values.shape[1:] == ((dataset.times.size,) if dataset.trajectories else ()) + dataset.resolution
            np.testing.assert_array_equal(values[:, -1] if dataset.trajectories else values, outputs[:, c])
        rows = dataset.provenance(split)
        assert all(len(values) == size for values in rows.values())
        assert {"index", "digest"} <= set(rows)
    copy = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copy.arrays("train")[0], dataset.arrays("train")[0])


def test_verification_statistics_and_description(folder: Path) -> None:
    dataset, report = Dataset(folder), verify(folder)
    assert report.ok, report.failures
    assert report.content_digest == dataset.content_digest
    assert check_format(folder) == []
    assert report.residuals_checked == (dataset.config["kind"] == "problem")
    assert set(dataset.stats["mean"]) == set(dataset.fields)
    described = describe(folder)
    assert described["resolution"] == list(dataset.resolution)
    assert set(described["fields"]) == set(dataset.fields)
    assert json.dumps(described)
    assert dataset.name in format_description(described)


def test_the_wells_specification(folder: Path) -> None:
    """Each rule of The Well's format checker, on every file."""
    for path in folder.rglob("*.hdf5"):
        with h5py.File(path) as f:
            count, ndim = f.attrs["n_trajectories"], f.attrs["n_spatial_dims"]
            assert isinstance(count, np.integer)
            assert isinstance(ndim, np.integer)
            assert isinstance(f.attrs["dataset_name"], str)
            assert f.attrs["grid_type"] == "cartesian"
            for key in f.attrs["simulation_parameters"]:
                assert isinstance(key, str)
                assert key in f.attrs
                assert key in f["scalars"]
            dims = f["dimensions"].attrs["spatial_dims"]
            assert len(dims) == ndim
            assert all(isinstance(d, str) and f["dimensions"][d].ndim == 1 for d in dims)
            steps = f["dimensions/time"].shape[-1]
            size = [f["dimensions"][d].shape[-1] for d in dims]
            for d in ("time", *dims):
                assert isinstance(f["dimensions"][d].attrs["sample_varying"], np.bool_)
                assert isinstance(f["dimensions"][d].attrs["time_varying"], np.bool_)
            for order in range(3):
                group = f[f"t{order}_fields"]
                assert set(group) == set(group.attrs["field_names"])
                for name in group.attrs["field_names"]:
                    field = group[name]
                    assert len(field.attrs["dim_varying"]) == ndim
                    expected = [count] * bool(field.attrs["sample_varying"]) + [steps] * bool(
                        field.attrs["time_varying"]
                    )
                    assert field.shape == (*expected, *size)
            for name in f["scalars"].attrs["field_names"]:
                assert f["scalars"][name].shape == ()
            for name, group in f["boundary_conditions"].items():
                assert group.attrs["bc_type"] in ("wall", "open", "periodic")
                assert group.attrs["bc_type"] in name
                (dim,) = group.attrs["associated_dims"]
                assert dim in name
                assert group["mask"].shape == f["dimensions"][dim].shape
                assert all(key in group.attrs for key in ("associated_fields", "sample_varying", "time_varying"))


def test_the_wells_own_loader(folder: Path) -> None:
    well = pytest.importorskip("the_well.data")
    from the_well.data.normalization import ZScoreNormalization

    dataset = Dataset(folder)
    steps = dataset.times.size
    for split, size in SPLITS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = well.WellDataset(
                path=str(folder), well_split_name=split, n_steps_input=steps, n_steps_output=0, use_normalization=False
            )
        assert len(theirs) == size
        assert theirs.metadata.spatial_resolution == dataset.resolution
        assert theirs.metadata.dataset_name == dataset.name
        assert theirs.metadata.field_names[0] == dataset.output_fields
        if not dataset.trajectories:
            assert theirs.metadata.constant_field_names[0][: len(dataset.input_fields)] == dataset.input_fields
        inputs, outputs = dataset.arrays(split)
        for i in range(size):
            item = theirs[i]
            np.testing.assert_array_equal(item["input_fields"][-1].numpy(), np.moveaxis(outputs[i], 0, -1))
            if dataset.trajectories:
                np.testing.assert_array_equal(item["input_fields"][0].numpy(), np.moveaxis(inputs[i], 0, -1))
                np.testing.assert_array_equal(item["input_time_grid"].numpy(), dataset.times)
            else:
                constants = item["constant_fields"].numpy()[..., : len(dataset.input_fields)]
                np.testing.assert_array_equal(constants, np.moveaxis(inputs[i], 0, -1))
            grid = np.stack(np.meshgrid(*dataset.axes, indexing="ij"), -1)
            np.testing.assert_array_equal(item["space_grid"].numpy(), grid)
            if dataset.config["kind"] == "problem":
                assert item["boundary_conditions"].tolist() == [[0.0, 0.0]] * len(dataset.resolution)  # wall
    normalised = well.WellDataset(
        path=str(folder / "data" / "train"),
        normalization_path=str(folder / "stats.yaml"),
        n_steps_input=steps,
        n_steps_output=0,
        use_normalization=True,
        normalization_type=ZScoreNormalization,
    )
    values = np.stack([normalised[i]["input_fields"].numpy() for i in range(5)])[..., 0]
    std = max(dataset.stats["std"][dataset.output_fields[0]], 1e-4)  # their floor
    expected = (dataset.read("train", dataset.output_fields[0]) - dataset.stats["mean"][dataset.output_fields[0]]) / std
    np.testing.assert_allclose(values if dataset.trajectories else values[:, 0], expected, rtol=2e-4, atol=1e-5)
