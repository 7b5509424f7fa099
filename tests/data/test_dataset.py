"""Reading: slices, processes, damaged and foreign files, statistics, description."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from resolvent.data import Dataset, describe, format_description, generate, make_problem
from resolvent.data import dataset as dataset_module
from resolvent.solvers import InputError


def test_what_it_says_of_itself(darcy_master: Path) -> None:
    dataset = Dataset(str(darcy_master))
    assert (dataset.name, dataset.resolution, len(dataset)) == ("darcy", (16, 16), 18)
    assert dataset.splits == {"train": 10, "valid": 4, "test": 4}
    assert (dataset.input_fields, dataset.output_fields) == (["coefficient"], ["solution"])
    assert dataset.fields == ["coefficient", "source", "solution"]
    assert dataset.config["problem"]["settings"]["medium"] == "binary"
    assert repr(dataset).endswith("darcy 16×16, train 10, valid 4, test 4)")


def test_slices_cross_shards(darcy_master: Path) -> None:
    dataset = Dataset(darcy_master)
    whole = dataset.read("train", "solution")
    assert whole.shape == (10, 16, 16)
    for start, stop in ((0, 10), (3, 9), (4, 8), (None, 5), (-3, None), (7, 7), (9, 100)):
        np.testing.assert_array_equal(dataset.read("train", "solution", start, stop), whole[start:stop])
    inputs, outputs = dataset.arrays("train", 2, 6)
    assert inputs.shape == outputs.shape == (4, 1, 16, 16)
    np.testing.assert_array_equal(outputs[:, 0], whole[2:6])
    np.testing.assert_array_equal(dataset.read("valid", "source"), np.ones((4, 16, 16)))


def test_stored_samples_are_what_the_problem_draws(darcy_master: Path) -> None:
    from resolvent.data import sample_generator

    problem, dataset = make_problem("darcy", resolution=16), Dataset(darcy_master)
    drawn = problem.sample(sample_generator(0, "darcy", 15))["coefficient"]
    np.testing.assert_array_equal(dataset.read("test", "coefficient", 1, 2)[0], drawn)
    rows = dataset.provenance("test")
    np.testing.assert_array_equal(rows["index"], [14, 15, 16, 17])
    assert rows["seed"].tolist() == [[0, 17251921285886055182, i] for i in rows["index"]]
    assert set(rows["status"]) == {"converged"}
    assert np.all(rows["iterations"] > 3)
    assert np.all(rows["residual"] == rows["residual_stored"])
    assert np.all(rows["seconds_solving"] > 0)


def _read_in_child(dataset: Dataset, queue: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    queue.put((dataset.read("train", "solution", 3, 9), dataset._handles.pid))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_open_their_own_files(darcy_master: Path, method: str) -> None:
    dataset = Dataset(darcy_master)
    expected = dataset.read("train", "solution", 3, 9)
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=_read_in_child, args=(dataset, queue))
    child.start()
    try:
        values, pid = queue.get(timeout=120)
        child.join(timeout=60)
    finally:
        child.kill()
    np.testing.assert_array_equal(values, expected)
    assert pid == child.pid
    np.testing.assert_array_equal(dataset.read("train", "solution", 3, 9), expected)


def test_pickle_close_and_threads(darcy_master: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_module, "_OPEN_FILES", 1)  # handles are closed and opened again all the time
    with Dataset(darcy_master) as dataset:
        whole = dataset.read("train", "solution")
        copy = pickle.loads(pickle.dumps(dataset))
        with ThreadPoolExecutor(4) as pool:
            parts = list(pool.map(lambda i: copy.read("train", "solution", i % 10, i % 10 + 1), range(60)))
        np.testing.assert_array_equal(np.concatenate(parts[:10]), whole)
    assert not dataset._handles.files
    np.testing.assert_array_equal(dataset.read("train", "solution"), whole)
    dataset.close()


@pytest.mark.parametrize(
    ("split", "field", "match"),
    [
        ("training", "solution", "unknown split of .* 'training'.*did you mean 'train'"),
        ("train", "solutoin", "unknown field of darcy 'solutoin'.*did you mean 'solution'"),
    ],
)
def test_unknown_names(darcy_master: Path, split: str, field: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        Dataset(darcy_master).read(split, field)


class TestDamage:
    """One line, with the file and the fix."""

    @staticmethod
    def _raises(folder: Path, match: str) -> None:
        with pytest.raises(InputError, match=match) as raised:
            Dataset(folder).arrays("train")
        assert "\n" not in str(raised.value)

    def test_no_dataset(self, tmp_path: Path) -> None:
        self._raises(tmp_path / "nothing", "is no folder")
        self._raises(tmp_path, "holds no dataset")
        (tmp_path / "config.yaml").write_text("[1, 2\n")
        self._raises(tmp_path, "no valid YAML")
        (tmp_path / "config.yaml").write_text("- 1\n")
        self._raises(tmp_path, "holds no mapping")
        (tmp_path / "config.yaml").write_text("a: 1\n")
        self._raises(tmp_path, "belongs to no dataset")

    def test_another_version(self, darcy_folder: Path) -> None:
        with h5py.File(darcy_folder / "data/train/darcy_00000.hdf5", "r+") as file:
            file.attrs["resolvent_format_version"] = 2
        self._raises(darcy_folder, "is in format version 2, this Resolvent reads 1")
        config = yaml.safe_load((darcy_folder / "config.yaml").read_text())
        (darcy_folder / "config.yaml").write_text(yaml.safe_dump({**config, "resolvent_format_version": 2}))
        self._raises(darcy_folder, "is in dataset format version 2, this Resolvent reads 1")

    def test_foreign_hdf5(self, darcy_folder: Path) -> None:
        with h5py.File(darcy_folder / "data/train/darcy_00000.hdf5", "w") as file:
            file["x"] = 1
        self._raises(darcy_folder, "no Resolvent dataset")

    @pytest.mark.parametrize("length", [0, 100, 5000])
    def test_truncated(self, darcy_folder: Path, length: int) -> None:
        path = darcy_folder / "data/train/darcy_00001.hdf5"
        path.write_bytes(path.read_bytes()[:length])
        self._raises(darcy_folder, r"darcy_00001.hdf5 cannot be read as HDF5 .*run the same generate command")

    def test_missing(self, darcy_folder: Path) -> None:
        (darcy_folder / "data/train/darcy_00002.hdf5").unlink()
        self._raises(darcy_folder, r"darcy_00002.hdf5 is missing")

    def test_flipped_bit_in_the_numbers(self, darcy_folder: Path) -> None:
        """HDF5's checksum of each chunk catches it on reading, without a verification."""
        path = darcy_folder / "data/train/darcy_00001.hdf5"
        with h5py.File(path) as file:
            place = file["t0_fields/solution"].id.get_chunk_info(0)
        content = bytearray(path.read_bytes())
        content[place.byte_offset + place.size // 2] ^= 8
        path.write_bytes(content)
        self._raises(darcy_folder, "darcy_00001.hdf5 is damaged")

    def test_unfinished(self, darcy_folder: Path) -> None:
        manifest = darcy_folder / "manifest.jsonl"
        manifest.write_bytes(b"".join(manifest.read_bytes().splitlines(keepends=True)[:2]))
        self._raises(darcy_folder, r"3 of 5 shards are missing, first data/train/darcy_00002.hdf5")


def test_statistics_equal_those_of_the_whole_array(darcy_master: Path) -> None:
    dataset = Dataset(darcy_master)
    stats = dataset.stats
    assert (stats["split"], stats["samples"]) == ("train", 10)
    for name in ("coefficient", "solution", "source"):
        values = dataset.read("train", name)
        assert stats["mean"][name] == pytest.approx(values.mean(), rel=1e-14)
        assert stats["std"][name] == pytest.approx(values.std(), rel=1e-13, abs=1e-15)
        assert stats["rms"][name] == pytest.approx(np.sqrt((values**2).mean()), rel=1e-14)
        assert stats["mean_delta"][name] == stats["std_delta"][name] == stats["rms_delta"][name] == 0.0


def test_description(darcy_master: Path, tmp_path: Path) -> None:
    described = describe(darcy_master)
    assert described["fields"]["coefficient"]["role"] == "input"
    assert described["fields"]["solution"]["shape"] == [16, 16]
    assert described["provenance"]["statuses"] == {"converged": 18}
    assert described["provenance"]["residual_max"] <= 1e-10
    text = format_description(described)
    for part in ("train 10, valid 4, test 4", "16×16", "coefficient", "medium=binary", "converged 18", "1e-10"):
        assert part in text
    generate(make_problem("darcy", resolution=12, legacy=True), tmp_path / "a", splits={"train": 2})
    assert describe(tmp_path / "a")["fields"]["nodal_solution"]["role"] == "auxiliary"
