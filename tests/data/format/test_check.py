"""FORMAT.md and its checker: a sound dataset breaks no line, a spoilt one the line that it says."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

import resolvent.data
from resolvent.data import Compression, Dataset, check_format, generate, make_problem, verify
from resolvent.data.format.folder import read_manifest
from resolvent.solvers import InputError

SHARD = "data/train/darcy_00001.hdf5"
SOURCES = Path(resolvent.data.__file__).parent
DEFINED = re.findall(
    r"^- \*\*(\d+\.\d+)\*\*", (Path(__file__).parents[3] / "data/format/FORMAT.md").read_text(), re.MULTILINE
)


def test_the_checker_cites_lines_that_exist() -> None:
    assert len(DEFINED) == len(set(DEFINED)) > 30
    cited = set()
    for name in ("format/check.py", "verification.py", "format/config.py"):
        cited |= set(re.findall(r'"(\d+\.\d+)"', (SOURCES / name).read_text()))
    assert cited - {"1.0"} <= set(DEFINED), cited - set(DEFINED)
    assert len(cited) > 25


def test_a_sound_dataset_breaks_nothing(darcy_master: Path) -> None:
    assert check_format(darcy_master) == []


def _attribute(where: str, key: str, value: Any) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        if value is None:
            del file[where].attrs[key]
        else:
            file[where].attrs[key] = value

    return edit


def _dataset(name: str, values: Any, **options: Any) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        kept = dict(file[name].attrs)
        del file[name]
        if values is not None:
            made = file.create_dataset(name, data=values, **options)
            for key, value in kept.items():
                made.attrs[key] = value

    return edit


FIELD = {"chunks": (1, 1, 16, 16), "fletcher32": True}
SPOILT: list[tuple[str, Callable[[h5py.File], None]]] = [
    ("4.3", _attribute("/", "grid_type", "spherical")),
    ("4.3", _attribute("/", "n_spatial_dims", None)),
    ("4.3", _attribute("/", "n_trajectories", "four")),
    ("4.3", _attribute("/", "low", None)),
    ("4.4", _attribute("/", "input_fields", ["../x"])),
    ("4.4", _attribute("/", "config", "{}")),
    ("5.1", _attribute("dimensions", "spatial_dims", ["x", "z"])),
    ("5.2", _dataset("dimensions/time", [1.0, 0.0])),
    ("5.3", _dataset("dimensions/y", None)),
    ("5.3", _dataset("dimensions/x", np.full(16, np.nan))),
    ("5.3", _attribute("dimensions/x", "time_varying", True)),
    ("6.1", _attribute("boundary_conditions/x_wall", "bc_type", "soft")),
    ("6.1", _dataset("boundary_conditions/y_wall/mask", np.zeros(16))),
    ("6.2", _dataset("boundary_conditions/y_wall", None)),
    ("6.2", _dataset("boundary_conditions/x_wall/mask", np.zeros(15, bool))),
    ("6.2", _attribute("boundary_conditions/x_wall", "associated_dims", ["y"])),
    ("7.1", lambda file: file["scalars"].__setitem__("more", 1.0)),
    ("8.1", lambda file: file["t0_fields"].__setitem__("more", np.zeros(3))),
    ("8.1", _dataset("auxiliary", None)),
    ("8.1", _attribute("t0_fields/coefficient", "role", "mesh")),
    ("8.2", _attribute("t0_fields/solution", "role", "guess")),
    ("8.2", _attribute("t0_fields/solution", "units", None)),
    ("8.2", _attribute("t0_fields/coefficient", "time_varying", True)),
    ("8.2", _attribute("/", "output_fields", ["coefficient"])),
    ("8.3", _dataset("t0_fields/solution", np.zeros((4, 1, 16, 15)), chunks=(1, 1, 16, 15), fletcher32=True)),
    ("8.4", _dataset("t0_fields/solution", np.zeros((4, 1, 16, 16), "f4"), **FIELD)),
    ("8.5", _dataset("t0_fields/solution", np.zeros((4, 1, 16, 16)), chunks=(1, 1, 16, 16))),
    ("8.6", _attribute("t0_fields/solution", "error_bound", 1e-6)),
    ("9.1", _attribute("provenance", "config_hash", "0" * 64)),
    ("9.1", _attribute("provenance", "split", "test")),
    ("9.1", _attribute("provenance", "versions", None)),
    ("9.2", _dataset("provenance/index", np.arange(3))),
    ("9.3", _dataset("provenance/digest", np.zeros((4, 31), "u1"))),
    ("9.4", _dataset("provenance/seed", None)),
    ("9.4", _dataset("provenance/residual", [1e-11, -1.0, np.nan, 0.0])),
]


def _unlisted(group: str, name: str) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file[group][name]
        file[group].attrs["field_names"] = [n for n in file[group].attrs["field_names"] if n != name]

    return edit


MESH: list[tuple[str, Callable[[h5py.File], None]]] = [
    ("5.1", _attribute("dimensions", "spatial_dims", ["nodes"])),
    ("8.2", _attribute("auxiliary/triangles", "sample_varying", True)),
    ("8.4", _dataset("auxiliary/triangles", np.zeros((4, 3), "S2"), chunks=(4, 3), fletcher32=True)),
    ("8.5", _dataset("auxiliary/triangles", np.zeros((4, 3), "i4"), chunks=(1, 3), fletcher32=True)),
    ("8.8", _dataset("auxiliary/triangles", np.zeros((4, 4), "i4"), chunks=(4, 4), fletcher32=True)),
    ("8.8", _dataset("auxiliary/triangles", np.full((4, 3), 10_000), chunks=(4, 3), fletcher32=True)),
    ("8.8", _dataset("auxiliary/triangles", np.zeros((4, 3), "f4"), chunks=(4, 3), fletcher32=True)),
    ("8.8", _unlisted("t0_fields", "y")),
    ("8.8", _unlisted("auxiliary", "triangles")),
]


@pytest.fixture(scope="module")
def masters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset on a mesh and one of trajectories."""
    place = tmp_path_factory.mktemp("masters")
    generate(make_problem("thermal", resolution=6), place / "thermal", splits={"train": 2})
    heat = make_problem("heat", resolution=6, snapshots=2, substeps=2)
    generate(heat, place / "heat", splits={"train": 2}, dtype="float64")
    assert check_format(place / "thermal") == check_format(place / "heat") == []
    return place


@pytest.mark.parametrize(("line", "edit"), MESH, ids=[f"{i}-{line}" for i, (line, _) in enumerate(MESH)])
def test_a_broken_line_of_a_mesh_is_named(
    line: str, edit: Callable[[h5py.File], None], masters: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(masters / "thermal", tmp_path / "thermal")
    with h5py.File(folder / "data/train/thermal_00000.hdf5", "r+") as file:
        edit(file)
    found = {v.line for v in check_format(folder)}
    assert line in found, found
    assert line in {f.line for f in verify(folder).failures}  # never raises


@pytest.mark.parametrize("figure", ["error_estimate", "balance_drift"])
@pytest.mark.parametrize("value", [None, 0.5])
def test_what_a_trajectory_certifies_is_recorded_and_holds(
    figure: str, value: float | None, masters: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(masters / "heat", tmp_path / "heat")
    with h5py.File(folder / "data/train/heat_00000.hdf5", "r+") as file:
        values = file["provenance"][figure][:]
        del file["provenance"][figure]
        if value is not None:
            file["provenance"][figure] = values + np.array([0.0, value])
    wrong = [(f.line, f.sample) for f in verify(folder).failures if figure in f.what]
    assert wrong == ([("11.3", 0), ("11.3", 1)] if value is None else [("11.3", 1)])


@pytest.mark.parametrize(("line", "edit"), SPOILT, ids=[f"{i}-{line}" for i, (line, _) in enumerate(SPOILT)])
def test_a_broken_line_is_named(line: str, edit: Callable[[h5py.File], None], darcy_folder: Path) -> None:
    assert line in DEFINED
    with h5py.File(darcy_folder / SHARD, "r+") as file:
        edit(file)
    found = [v for v in check_format(darcy_folder) if not (v.file == "manifest.jsonl" and v.line == "3.4")]
    assert found
    assert {v.file for v in found} == {SHARD}
    assert line in {v.line for v in found}, found
    assert f"breaks FORMAT {line}: " in " ".join(map(str, found))
    failures = verify(darcy_folder).failures  # never raises
    assert any(f.line == line and f"FORMAT {line}" in str(f) for f in failures)


def test_manifest_and_folder(darcy_folder: Path) -> None:
    records = read_manifest(darcy_folder)
    files = list(records)
    records[files[0]].start += 1
    records[files[1]].config = "0" * 64
    records[files[2]].size += 1
    del records[files[3]]
    (darcy_folder / "manifest.jsonl").write_bytes(
        b"".join(r.line() for r in records.values()) + b'{"file": 3}\n[]\n{"file": "x", "size": "y"}\n'
    )
    (darcy_folder / files[4]).unlink()
    (darcy_folder / "data/train/more.h5").write_bytes(b"")
    (darcy_folder / "stats.yaml").write_text(yaml.safe_dump({"split": "train", "samples": 10, "mean": {}}))
    found = {(v.line, v.file) for v in check_format(darcy_folder)}
    assert {("3.2", "manifest.jsonl"), ("3.3", "manifest.jsonl"), ("3.4", "manifest.jsonl")} <= found
    assert {("1.1", files[4]), ("1.2", "data/train/more.h5"), ("10.1", "stats.yaml")} <= found
    (darcy_folder / "stats.yaml").unlink()
    assert ("1.1", "stats.yaml") in {(v.line, v.file) for v in check_format(darcy_folder)}
    config = yaml.safe_load((darcy_folder / "config.yaml").read_text())
    (darcy_folder / "config.yaml").write_text(yaml.safe_dump({**config, "dtype": "int8"}))
    assert [v.line for v in check_format(darcy_folder)] == ["2.4"]
    (darcy_folder / "config.yaml").unlink()
    with pytest.raises(InputError, match="holds no dataset"):
        check_format(darcy_folder)


class TestErrorBound:
    """Error-bounded storage of a generated dataset: the certificate holds down to the floor of the bound."""

    @staticmethod
    def _generate(out: Path, **settings: Any) -> Dataset:
        generate(make_problem("darcy", resolution=16), out, splits={"train": 4}, shard_size=2, **settings)
        return Dataset(out)

    @pytest.mark.parametrize(
        ("compression", "mode", "dtype"),
        [("zfp", "absolute", "float64"), ("sz3", "absolute", "float32"), ("sz3", "relative", "float64")],
    )
    def test_within_the_bound_and_certified(
        self, compression: str, mode: str, dtype: str, darcy_master: Path, tmp_path: Path
    ) -> None:
        bound = 1e-7 if mode == "absolute" else 1e-5
        settings = {"compression": Compression(compression, bound, mode), "dtype": dtype}
        dataset, exact = self._generate(tmp_path / "a", **settings), Dataset(darcy_master)
        np.testing.assert_array_equal(dataset.read("train", "coefficient"), exact.read("train", "coefficient", 0, 4))
        u = exact.read("train", "solution", 0, 4)
        error = np.abs(dataset.read("train", "solution") - u)
        largest = np.abs(u).max() if mode == "relative" else 1.0
        assert 0.0 < error.max() <= bound * largest + (1e-7 * np.abs(u).max() if dtype == "float32" else 0.0)
        rows = dataset.provenance("train")
        assert np.all(rows["residual"] <= 1e-10)
        assert np.all(rows["residual_stored"] > 1e-9)
        assert np.all(rows["residual_stored"] <= rows["residual"] + rows["rounding"])
        assert np.all(rows["rounding"] < 200 * rows["residual_stored"])  # the floor is not far above what happens
        report = verify(tmp_path / "a")
        assert report.ok
        assert report.residual_max == pytest.approx(rows["residual_stored"].max())
        assert report.content_digest == dataset.content_digest != exact.content_digest
        with h5py.File(dataset.path(dataset.shards[1])) as file:
            attrs = file["t0_fields/solution"].attrs
            assert 0 < attrs["error_measured"] <= attrs["error_bound"] == bound
            assert attrs["compression_ratio"] > 0.4  # of 256 numbers
            assert file["t0_fields/coefficient"].compression == "gzip"
        generate(  # shards, workers and neighbours do not matter
            make_problem("darcy", resolution=16),
            tmp_path / "b",
            splits={"train": 4},
            shard_size=4,
            workers=2,
            **settings,
        )
        assert Dataset(tmp_path / "b").content_digest == dataset.content_digest

    def test_damage_above_the_floor_and_a_wrong_word_are_found(self, tmp_path: Path) -> None:
        self._generate(tmp_path / "a", compression=Compression("sz3", 1e-7)).close()
        with h5py.File(tmp_path / "a/data/train/darcy_00000.hdf5", "r+") as file:
            values = file["t0_fields/solution"]
            one = values[1:2]
            one[0, 0, 8, 8] *= 1.05
            values[1:2] = one
            values.attrs["error_measured"] = 1.0
        found = {f.line for f in verify(tmp_path / "a").failures}
        assert {"11.2", "8.6", "3.4", "9.3"} <= found

    @pytest.mark.parametrize(
        ("settings", "match"),
        [
            ({"name": "zfp"}, "needs error_bound, a number above 0"),
            ({"name": "sz3", "error_bound": -1.0}, "needs error_bound"),
            ({"name": "sz3", "error_bound": float("nan")}, "needs error_bound"),
            ({"name": "gzip", "error_bound": 1e-6}, "gzip is lossless; leave it out"),
            ({"name": "zfp", "error_bound": 1e-6, "mode": "relative"}, "use compression=sz3"),
            ({"name": "sz3", "error_bound": 1e-6, "mode": "relativ"}, "did you mean 'relative'"),
        ],
    )
    def test_refused(self, settings: dict[str, Any], match: str, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=match):
            self._generate(tmp_path / "a", compression=Compression(**settings))
        assert list(tmp_path.iterdir()) == []

    def test_another_bound_is_another_dataset(self, tmp_path: Path) -> None:
        self._generate(tmp_path / "a", compression=Compression("sz3", 1e-7))
        with pytest.raises(InputError, match=r"error_bound is 1e-07 there, 1e-08 here"):
            self._generate(tmp_path / "a", compression=Compression("sz3", 1e-8))
        config = json.loads(json.dumps(Dataset(tmp_path / "a").config))
        assert (config["error_bound"], config["error_bound_mode"]) == (1e-7, "absolute")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("elasticity", {}),
        ("heat", {}),
        ("thermal", {}),
        ("darcy", {"legacy": True}),
        ("darcy", {"legacy": "skr"}),
        ("helmholtz", {"legacy": "skr", "resolution": 14}),
    ],
)
def test_what_must_be_exact_is_not_compressed_with_loss(name: str, settings: dict[str, Any], tmp_path: Path) -> None:
    problem = make_problem(name, **{"resolution": 6, **settings})
    with pytest.raises(InputError, match=rf"compression=sz3 .* certificate of {name} wants exact .*: use a lossless"):
        generate(problem, tmp_path / "a", splits={"train": 2}, compression=Compression("sz3", 1e-6))
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("riesz", {"resolution": 20}),
        ("poisson", {"resolution": 10, "legacy": "skr"}),
        ("helmholtz", {"resolution": 14, "k0": 7.0, "modes": 16}),
        ("convection_diffusion", {"resolution": 10}),
        ("poisson", {"resolution": 10, "boundary": ["periodic", "neumann"]}),
    ],
)
def test_the_bound_of_a_compression_holds_for_the_other_problems(
    name: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    """What an error bound can add to the residual covers what it does add, and is not idle."""
    generate(make_problem(name, **settings), tmp_path / "a", splits={"train": 3}, compression=Compression("zfp", 1e-6))
    assert verify(tmp_path / "a").ok
    assert check_format(tmp_path / "a") == []
    rows = Dataset(tmp_path / "a").provenance("train")
    added = rows["residual_stored"]
    assert (added > 1e-9).all()
    assert (rows["rounding"] < 1e5 * added).all()
