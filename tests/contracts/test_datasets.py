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
    FORMATS,
    Compression,
    Dataset,
    check_format,
    describe,
    export_dataset,
    format_description,
    from_arrays,
    generate,
    import_dataset,
    make_problem,
    verify,
)
from resolvent.solvers import InputError

SPLITS = {"train": 5, "valid": 2, "test": 2}


def _generated(
    name: str,
    dtype: str | None = "float64",
    compression: str | Compression = "gzip",
    **settings: Any,
) -> Callable[[Path], Any]:
    def make(out: Path) -> None:
        problem = make_problem(name, **settings)
        generate(problem, out, splits=SPLITS, shard_size=3, dtype=dtype, compression=compression)

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
    "poisson-mixed-3d": _generated(
        "poisson", resolution=(4, 5, 6), dimension=3, boundary=["periodic", ["dirichlet", "neumann"], "neumann"]
    ),
    "darcy-3d-float32": _generated("darcy", "float32", resolution=5, dimension=3),
    "darcy-skr": _generated("darcy", resolution=10, legacy="skr"),
    "helmholtz-absorbing": _generated("helmholtz", resolution=14, k0=7.0, modes=16),
    "helmholtz-dirichlet-float32": _generated("helmholtz", "float32", resolution=14, k0=7.0, boundary="dirichlet"),
    "helmholtz-absorbing-3d": _generated("helmholtz", resolution=10, k0=5.6, dimension=3, modes=8),
    "convection-3d": _generated("convection_diffusion", resolution=(4, 5, 6), dimension=3, modes=8),
    "thermal": _generated("thermal", resolution=8),
    "elasticity": _generated("elasticity", resolution=(6, 8)),
    "heat": _generated("heat", None, resolution=(6, 8), snapshots=3, substeps=2),
    "riesz": _generated("riesz", resolution=20),
    "heat-legacy": _generated(
        "heat", "float64", resolution=6, legacy="learning_to_relax", snapshots=2, substeps=2, final_time=0.004
    ),
    "thermal-varying-float32": _generated("thermal", "float32", resolution=6, geometry="varying", element="p2"),
    "arrays-1d": _brought(2, 20),
    "arrays-2d-float32": _brought(1, 6, 8, dtype="float32"),
    "arrays-3d": _brought(3, 4, 5, 6),
    "imported-trajectories-2d": _imported(6, 8, steps=3),
    "imported-trajectories-1d-sz3": _imported(40, steps=5, compression=Compression("sz3", 1e-4)),
    "darcy-zfp": _generated("darcy", resolution=10, compression=Compression("zfp", 1e-7)),
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
        steps, fields = dataset.times.size, len(dataset.output_fields)
        assert dataset.trajectories == (steps > 1)
        first = dataset.trajectories and not dataset.input_fields  # the first step is the input
        assert inputs.shape == (size, fields if first else len(dataset.input_fields), *dataset.resolution)
        assert outputs.shape == (size, (steps - first) * fields, *dataset.resolution)
        assert inputs.dtype == outputs.dtype == dataset.dtype
        assert np.isfinite(inputs).all()
        assert np.isfinite(outputs).all()
        for start, stop in ((0, 1), (1, size), (size, size)):
            part = dataset.arrays(split, start, stop)
            np.testing.assert_array_equal(part[0], inputs[start:stop])
            np.testing.assert_array_equal(part[1], outputs[start:stop])
        for c, name in enumerate(dataset.output_fields):
            values = dataset.read(split, name)
            assert values.shape == (size, *((steps,) if dataset.trajectories else ()), *dataset.resolution)
            states = values.reshape(size, steps, *dataset.resolution)
            of_field = outputs.reshape(size, fields, steps - first, *dataset.resolution)[:, c]
            np.testing.assert_array_equal(states[:, int(first) :], of_field)
            if first:
                np.testing.assert_array_equal(states[:, 0], inputs[:, c])
        for c, name in enumerate(dataset.input_fields):
            np.testing.assert_array_equal(dataset.read(split, name), inputs[:, c])
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


def test_bits_do_not_depend_on_the_sharding(folder: Path, tmp_path: Path) -> None:
    dataset = Dataset(folder)
    if dataset.config["kind"] != "problem":
        pytest.skip("arrays are stored as they come")
    problem = make_problem(dataset.config["problem"]["name"], **dataset.config["problem"]["settings"])
    dtype, compression = dataset.config["dtype"], Compression.from_config(dataset.config)
    report = generate(problem, tmp_path / "a", splits=SPLITS, shard_size=9, dtype=dtype, compression=compression)
    assert report.content_digest == dataset.content_digest


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
        assert theirs.metadata.constant_field_names[0][: len(dataset.input_fields)] == dataset.input_fields
        states = np.stack([dataset.read(split, name) for name in dataset.output_fields], axis=-1)
        states = states.reshape(size, steps, *dataset.resolution, -1)
        for i in range(size):
            item = theirs[i]
            np.testing.assert_array_equal(item["input_fields"].numpy(), states[i])
            np.testing.assert_array_equal(item["input_time_grid"].numpy(), dataset.times)
            for c, name in enumerate(dataset.input_fields):
                np.testing.assert_array_equal(item["constant_fields"].numpy()[..., c], dataset.read(split, name)[i])
            grid = np.stack(np.meshgrid(*dataset.axes, indexing="ij"), -1)
            np.testing.assert_array_equal(item["space_grid"].numpy(), grid)
            if dataset.config["kind"] == "problem":
                problem = make_problem(dataset.config["problem"]["name"], **dataset.config["problem"]["settings"])
                words = problem.boundary
                words = (words,) * problem.ndim if isinstance(words, str) else words
                code = {"wall": 0.0, "open": 1.0, "periodic": 2.0}
                assert item["boundary_conditions"].tolist() == [[code[word]] * 2 for word in words]
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
    np.testing.assert_allclose(values.reshape(expected.shape), expected, rtol=2e-4, atol=1e-5)


def test_exports_come_back_or_are_refused(folder: Path, tmp_path: Path) -> None:
    """What another layout cannot hold is refused in one line, and what it can is read back to the last bit."""
    dataset = Dataset(folder)
    mesh = dataset.axis_names == ["node"]
    flat, one = len(dataset.resolution) < 3, len(dataset.input_fields) == len(dataset.output_fields) == 1
    pdebench = dataset.trajectories or not dataset.input_fields or (flat and one)
    for name in (name for name, item in FORMATS.items() if item.exports()):
        if mesh or (name == "pdebench" and not pdebench):
            with pytest.raises(InputError, match=dataset.name) as refusal:
                export_dataset(folder, tmp_path / name, name)
            assert "\n" not in str(refusal.value)
            assert not (tmp_path / name).exists()
            continue
        assert len(export_dataset(folder, tmp_path / name, name)) == len(SPLITS)
        again = import_dataset(tmp_path / name, tmp_path / f"{name}-again")
        assert again.splits == SPLITS
        assert (again.input_fields, again.output_fields) == (dataset.input_fields, dataset.output_fields)
        assert check_format(again.folder) == []
        np.testing.assert_array_equal(again.times, dataset.times)
        for split in SPLITS:
            for field in (*dataset.input_fields, *dataset.output_fields):
                np.testing.assert_array_equal(again.read(split, field), dataset.read(split, field))
