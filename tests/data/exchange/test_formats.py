"""Files of other projects: what is read is what was written, and an export read back is the dataset, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resolvent.data import (
    Compression,
    Dataset,
    describe,
    export_dataset,
    format_description,
    from_arrays,
    import_dataset,
    verify,
)
from resolvent.data.exchange.source import Source, SourceField, write_source
from resolvent.solvers import InputError

SPLITS = {"train": 3, "valid": 1, "test": 2}


def _all(dataset: Dataset, field: str) -> np.ndarray:
    return np.concatenate([dataset.read(split, field) for split in dataset.splits])


def _numbers(shape: tuple[int, ...], dtype: str = "float64", seed: int = 0) -> np.ndarray:
    """Every bit pattern of finite numbers, subnormal ones and both zeros among them."""
    rng = np.random.default_rng(seed)
    size = np.dtype(dtype).itemsize
    bits = rng.integers(0, 256, size=(*shape, size), dtype=np.uint8)
    values = bits.view(dtype)[..., 0]
    return np.where(np.isfinite(values), values, np.dtype(dtype).type(-0.0))


@st.composite
def _sources(draw: st.DrawFn) -> dict[str, Any]:
    space = tuple(draw(st.lists(st.integers(2, 5), min_size=1, max_size=3)))
    return {
        "space": space,
        "steps": draw(st.sampled_from([None, 2, 3])),
        "inputs": draw(st.integers(0, 2)),
        "outputs": draw(st.integers(1, 3)),
        "dtype": draw(st.sampled_from(["float32", "float64"])),
        "seed": draw(st.integers(0, 2**16)),
        "boundary": draw(st.sampled_from([None, "periodic", "wall"])),
    }


def _written(out: Path, what: dict[str, Any], names: tuple[list[str], list[str]] | None = None) -> Dataset:
    """A dataset of random bits, with axes and times of its own."""
    space, steps = what["space"], what["steps"]
    inputs, outputs = names or (
        [f"a{i}" for i in range(what["inputs"])],
        [f"u-{i}" for i in range(what["outputs"])],
    )
    tail = space if steps is None else (steps, *space)
    values = {n: _numbers((6, *space), what["dtype"], what["seed"] + i) for i, n in enumerate(inputs)}
    values |= {n: _numbers((6, *tail), what["dtype"], what["seed"] + 9 + i) for i, n in enumerate(outputs)}
    source = Source(
        "random",
        [*(SourceField(n, "input", "K") for n in inputs), *(SourceField(n, "output") for n in outputs)],
        6,
        space,
        lambda a, b: {n: v[a:b] for n, v in values.items()},
        what["dtype"],
        axes=[np.sort(np.random.default_rng(what["seed"] + k).normal(size=n)) for k, n in enumerate(space)],
        times=None if steps is None else np.cumsum(np.random.default_rng(7).uniform(0.1, 1, size=steps)),
        boundary=what["boundary"],
    )
    return write_source(source, out, splits=SPLITS)


def _same(a: Dataset, b: Dataset) -> None:
    assert a.content_digest == b.content_digest
    assert (a.name, a.splits, a.dtype) == (b.name, b.splits, b.dtype)
    assert (a.input_fields, a.output_fields) == (b.input_fields, b.output_fields)
    assert a.config["units"] == b.config["units"]
    assert a.config["boundary"] == b.config["boundary"]
    for mine, theirs in zip((a.times, *a.axes), (b.times, *b.axes), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for field in (*a.input_fields, *a.output_fields):
        assert _all(a, field).tobytes() == _all(b, field).tobytes()  # the sign of zero too


PROPERTY = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("target", ["neuraloperator", "npz"])
@PROPERTY
@given(what=_sources())
def test_export_and_import_give_the_same_bits(
    target: str, what: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("trip")
    dataset = _written(place / "a", what)
    files = export_dataset(place / "a", place / "exported", target)
    assert len(files) == 3
    _same(dataset, import_dataset(place / "exported", place / "b"))
    assert verify(place / "b").ok


@pytest.mark.parametrize("layout", ["auto", "tensor", "variables", "groups", "incompressible"])
@PROPERTY
@given(what=_sources())
def test_pdebench_and_back_give_the_same_bits(
    layout: str, what: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In every layout that has a place for the fields; else it says so and writes nothing."""
    place, names = tmp_path_factory.mktemp("trip"), None
    if layout == "incompressible" and what["outputs"] > 1:
        axes = "xyz"[: len(what["space"])]
        names = (
            [f"force_{axis}" for axis in axes] if what["inputs"] else [],
            [*(f"velocity_{axis}" for axis in axes), *(["particles"] if what["outputs"] == 3 else [])],
        )
    dataset = _written(place / "a", what, names)
    steady, several, ndim = what["steps"] is None, len(dataset.output_fields) > 1, len(what["space"])
    inputs = len(dataset.input_fields)
    held = {
        "tensor": not several and ((ndim == 1 and inputs <= steady) or (ndim == 2 and steady and inputs == 1)),
        "variables": False,
        "groups": inputs == 0 or not steady,
        "incompressible": names is not None,
    }
    holds = held["tensor"] or held["groups"] if layout == "auto" else held[layout]
    if not holds:
        with pytest.raises(InputError, match=r"holds .*format=") as raised:
            export_dataset(place / "a", place / "exported", "pdebench", layout)
        assert "\n" not in str(raised.value)
        assert not (place / "exported").exists()
        return
    export_dataset(place / "a", place / "exported", "pdebench", layout)
    _same(dataset, import_dataset(place / "exported", place / "b"))


def _published(path: Path, layout: str) -> dict[str, np.ndarray]:
    """A file as PDEBench publishes it, and what it should be read as."""
    rng = np.random.default_rng(1)
    x, y = np.linspace(0, 1, 6, dtype="f4"), np.linspace(0, 2, 5, dtype="f4")
    with h5py.File(path, "w") as file:
        if layout == "burgers":
            tensor = rng.normal(size=(6, 4, 6)).astype("f4")
            file["tensor"], file["x-coordinate"], file["t-coordinate"] = tensor, x, np.arange(5, dtype="f4") / 4
            file.attrs["Nu"] = 0.01
            return {"tensor": tensor}
        if layout == "darcy":
            tensor, nu = rng.normal(size=(6, 1, 6, 5)).astype("f4"), rng.normal(size=(6, 6, 5)).astype("f4")
            file["tensor"], file["nu"], file["x-coordinate"], file["y-coordinate"] = tensor, nu, x, y
            file.attrs["beta"] = 1.0
            return {"nu": nu, "tensor": tensor[:, 0]}
        if layout == "fluid":
            names = ("density", "pressure", "Vx", "Vy")
            held = {name: rng.normal(size=(6, 3, 6, 5)).astype("f4") for name in names}
            for name, values in held.items():
                file[name] = values
            file["x-coordinate"], file["y-coordinate"], file["t-coordinate"] = x, y, np.arange(4, dtype="f4")
            file.attrs["eta"], file.attrs["zeta"], file.attrs["M"] = 0.1, 0.1, 0.1
            return held
        if layout == "reaction":
            values = rng.normal(size=(6, 3, 6, 5, 2)).astype("f4")
            for i, sample in enumerate(values):
                group = file.create_group(f"{i:04d}")
                group["data"], group["grid/x"], group["grid/y"] = sample, x, y
                group["grid/t"] = np.arange(3, dtype="f4")
                group.attrs["config"] = "sim:\n  seed: 1\n"
            return {"data_0": values[..., 0], "data_1": values[..., 1]}
        velocity, particles = (
            rng.normal(size=(6, 3, 6, 5, 2)).astype("f4"),
            rng.normal(size=(6, 3, 6, 5, 1)).astype("f4"),
        )
        force = rng.normal(size=(6, 6, 5, 2)).astype("f4")
        file["velocity"], file["particles"], file["force"] = velocity, particles, force
        file["t"] = np.tile(np.arange(3, dtype="f4"), (6, 1))
        return {
            "force_x": force[..., 0],
            "force_y": force[..., 1],
            "velocity_x": velocity[..., 0],
            "velocity_y": velocity[..., 1],
            "particles": particles[..., 0],
        }


@pytest.mark.parametrize("layout", ["burgers", "darcy", "fluid", "reaction", "incompressible"])
def test_published_pdebench_layouts(layout: str, tmp_path: Path) -> None:
    expected = _published(tmp_path / "2D_set.hdf5", layout)
    dataset = import_dataset(tmp_path / "2D_set.hdf5", tmp_path / "a", splits=SPLITS)
    assert {*dataset.input_fields, *dataset.output_fields} == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(_all(dataset, name), values)
    assert dataset.dtype == np.float32
    assert dataset.config["origin"]["format"] == "pdebench"
    assert verify(tmp_path / "a").ok
    assert "pdebench (2D_set.hdf5)" in format_description(describe(tmp_path / "a"))
    inputs, outputs = dataset.arrays("train")
    assert inputs.shape[2:] == outputs.shape[2:] == dataset.resolution
    with h5py.File(dataset.path(dataset.shards[0])) as file:
        assert list(file.attrs["simulation_parameters"]) == {
            "burgers": ["Nu"],
            "darcy": ["beta"],
            "fluid": ["M", "eta", "zeta"],
        }.get(layout, [])
    if layout == "burgers":
        np.testing.assert_array_equal(dataset.times, np.arange(4) / 4)
        np.testing.assert_array_equal(outputs, expected["tensor"][:3, 1:])
        np.testing.assert_array_equal(inputs[:, 0], expected["tensor"][:3, 0])
        stats = dataset.stats
        steps = np.diff(expected["tensor"][:3].astype("f8"), axis=1)
        assert stats["mean_delta"]["tensor"] == pytest.approx(steps.mean(), rel=1e-12)
        assert stats["std_delta"]["tensor"] == pytest.approx(steps.std(), rel=1e-12)


def test_neuraloperator_files_of_a_folder_become_splits(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for split, count in (("train", 5), ("test", 3)):
        held = {"x": torch.from_numpy(rng.normal(size=(count, 8, 8)) > 0), "y": torch.randn(count, 8, 8)}
        torch.save(held, tmp_path / f"darcy_{split}_8.pt")
    dataset = import_dataset(tmp_path, tmp_path / "a", name="darcy")
    assert (dataset.splits, dataset.name) == ({"train": 5, "test": 3}, "darcy")
    np.testing.assert_array_equal(dataset.read("test", "y"), held["y"].numpy())
    np.testing.assert_array_equal(dataset.read("test", "x"), held["x"].numpy().astype("f8"))
    torch.save(held, tmp_path / "darcy_test_16.pt")
    with pytest.raises(InputError, match="several files of the split test"):
        import_dataset(tmp_path, tmp_path / "b")


def test_exported_tensors_are_what_neuraloperator_reads(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(6, 8, 8)).astype("f4")
    from_arrays(x, 2 * x, tmp_path / "a", name="darcy", splits=SPLITS)
    export_dataset(tmp_path / "a", tmp_path / "e", "neuraloperator")
    assert sorted(p.name for p in (tmp_path / "e").iterdir()) == [
        "darcy_test_8.pt",
        "darcy_train_8.pt",
        "darcy_valid_8.pt",
    ]
    held = torch.load(tmp_path / "e/darcy_train_8.pt", weights_only=True)
    np.testing.assert_array_equal(held["x"].numpy(), x[:3])
    np.testing.assert_array_equal(held["y"].numpy(), 2 * x[:3])


@pytest.mark.parametrize("version", ["5", "7.3"])
@pytest.mark.parametrize("kind", ["darcy", "burgers", "navier-stokes"])
def test_published_matlab_files(version: str, kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    held: dict[str, Any] = {
        "darcy": {"coeff": rng.normal(size=(6, 7, 8)), "sol": rng.normal(size=(6, 7, 8)), "Kcoeff": np.ones((6, 7, 8))},
        "burgers": {"a": rng.normal(size=(6, 40)), "u": rng.normal(size=(6, 40)), "a_smooth": np.ones((6, 40))},
        "navier-stokes": {
            "a": rng.normal(size=(6, 7, 8)).astype("f4"),
            "u": rng.normal(size=(6, 7, 8, 3)).astype("f4"),
            "t": np.array([[1.0, 2.0, 4.0]], dtype="f4"),
        },
    }[kind]
    path = tmp_path / "published.mat"
    if version == "5":
        scipy.io.savemat(path, {**held, "note": "text", "settings": {"nu": 1e-3}}, do_compression=kind == "darcy")
    else:
        with h5py.File(path, "w", userblock_size=512) as file:
            for name, values in held.items():
                file.create_dataset(name, data=values.T, compression="gzip")  # MATLAB's arrays are column by column
        with path.open("r+b") as stream:
            stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))
    dataset = import_dataset(path, tmp_path / "a", splits=SPLITS)
    first, second = list(held)[:2]
    assert (dataset.input_fields, dataset.output_fields) == ([first], [second])
    np.testing.assert_array_equal(_all(dataset, first), held[first])
    expected = np.moveaxis(held[second], -1, 1) if kind == "navier-stokes" else held[second]
    np.testing.assert_array_equal(_all(dataset, second), expected)
    if kind == "navier-stokes":
        np.testing.assert_array_equal(dataset.times, [1.0, 2.0, 4.0])
        assert dataset.dtype == np.float32
    assert verify(tmp_path / "a").ok


def test_named_variables_channels_and_shuffle(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    held = {"k": rng.normal(size=(6, 2, 9, 9)), "p": rng.normal(size=(6, 9, 9)), "q": rng.normal(size=(6, 9, 9))}
    np.savez_compressed(tmp_path / "my data.npz", **held)
    with pytest.raises(InputError, match=r"cannot be told; it holds k .*inputs=\[NAME\]"):
        import_dataset(tmp_path / "my data.npz", tmp_path / "a")
    with pytest.raises(InputError, match="there is no variable r"):
        import_dataset(tmp_path / "my data.npz", tmp_path / "a", inputs=["k"], outputs=["r"])
    dataset = import_dataset(
        tmp_path / "my data.npz", tmp_path / "a", inputs=["k"], outputs=["p", "q"], shuffle_seed=3, splits=SPLITS
    )
    assert (dataset.input_fields, dataset.output_fields) == (["k_0", "k_1"], ["p", "q"])
    assert dataset.name == "my_data"
    rows = np.concatenate([dataset.provenance(split)["index"] for split in dataset.splits])
    assert sorted(rows) == list(range(6))
    assert list(rows) != list(range(6))
    np.testing.assert_array_equal(_all(dataset, "k_1"), held["k"][rows, 1])
    np.testing.assert_array_equal(_all(dataset, "q"), held["q"][rows])


@pytest.mark.parametrize(
    ("compression", "mode"),
    [("zfp", "absolute"), ("sz3", "absolute"), ("sz3", "relative"), ("zstd", ""), ("blosc2", "")],
)
@PROPERTY
@given(what=_sources())
def test_imports_keep_the_error_bound(
    compression: str, mode: str, what: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("lossy")
    space, steps = what["space"], what["steps"]
    rng = np.random.default_rng(what["seed"])
    tail = space if steps is None else (steps, *space)
    u = (rng.normal(size=(6, *tail)) * 10.0 ** rng.integers(-3, 3, size=(6,) + (1,) * len(tail))).astype(what["dtype"])
    u[2] = 0.0
    with h5py.File(place / "s.hdf5", "w") as file:
        file["tensor"] = u if steps else u[:, None]
    stored = Compression(compression, 1e-3, mode) if mode else compression
    dataset = import_dataset(place / "s.hdf5", place / "a", splits=SPLITS, compression=stored)
    error = np.abs(_all(dataset, "tensor").astype("f8") - u).reshape(6, -1).max(axis=1)
    scale = np.abs(u.astype("f8")).reshape(6, -1).max(axis=1) if mode == "relative" else np.ones(6)
    assert np.all(error <= (1e-3 * scale if mode else 0.0))
    assert verify(place / "a").ok
    if mode:
        with h5py.File(dataset.path(dataset.shards[0])) as file:
            attrs = file["t0_fields/tensor"].attrs
            measured = (error / np.where(scale > 0, scale, 1.0))[:3].max()
            assert attrs["error_measured"] == pytest.approx(measured, rel=1e-6)
            assert attrs["error_measured"] <= attrs["error_bound"] == 1e-3
            assert attrs["compression_ratio"] > 0


def test_counts_and_shuffled_splits(tmp_path: Path) -> None:
    """Counts are sizes in Python too; a shuffle moves no sample of one file into the split of another."""
    values = np.arange(30.0)[:, None] + np.zeros((30, 5))
    np.savez(tmp_path / "one.npz", x=values, y=values)
    assert import_dataset(tmp_path / "one.npz", tmp_path / "a", splits=[26, 2, 2]).splits == {
        "train": 26, "valid": 2, "test": 2,
    }  # fmt: skip
    (tmp_path / "pair").mkdir()
    np.savez(tmp_path / "pair" / "d_train.npz", x=values[:20], y=values[:20])
    np.savez(tmp_path / "pair" / "d_test.npz", x=values[20:], y=values[20:])
    dataset = import_dataset(tmp_path / "pair", tmp_path / "b", name="d", shuffle_seed=1)
    first, last = (dataset.arrays(split)[0][:, 0, 0] for split in ("train", "test"))
    assert sorted(first) == list(range(20))
    assert sorted(last) == list(range(20, 30))
    assert list(first) != list(range(20))
