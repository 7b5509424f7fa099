"""Generation: the same bits however it is run, resumed, repaired; errors that leave nothing behind."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from resolvent.data import Dataset, GenerationProgress, generate, make_problem, verify
from resolvent.data.format.folder import DatasetFolder, ShardRecord, read_manifest
from resolvent.solvers import Diffusion, InputError, SolverSpec

SPLITS = {"train": 10, "valid": 4, "test": 4}


def _files(folder: Path) -> dict[str, float]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*.hdf5")}


def test_one_worker_in_many_shards_equals_two_workers_in_few(darcy_master: Path, tmp_path: Path) -> None:
    problem = make_problem("darcy", resolution=16)
    many = generate(problem, tmp_path / "many", splits=SPLITS, shard_size=2, workers=1, compression="none")
    few = generate(problem, tmp_path / "few", splits=SPLITS, shard_size=10, workers=2)
    assert (many.shards_computed, few.shards_computed) == (9, 3)
    a, b, c = (Dataset(f) for f in (tmp_path / "many", tmp_path / "few", darcy_master))
    assert many.content_digest == few.content_digest == c.content_digest
    for split in SPLITS:
        for mine, theirs in zip(a.arrays(split), b.arrays(split), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        np.testing.assert_array_equal(a.provenance(split)["index"], b.provenance(split)["index"])
        np.testing.assert_array_equal(a.provenance(split)["residual"], b.provenance(split)["residual"])
    assert a.stats == b.stats
    assert b.content_digest == verify(tmp_path / "few").content_digest


def test_threads_of_an_executor_give_the_same_bits(darcy_master: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as executor:
        report = generate(
            make_problem("darcy", resolution=16), tmp_path / "a", splits=SPLITS, shard_size=3, engine=executor
        )
        assert executor.submit(int, 3).result(timeout=60) == 3  # it was not shut down
    assert report.content_digest == Dataset(darcy_master).content_digest


def test_report_and_progress(tmp_path: Path) -> None:
    seen: list[GenerationProgress] = []
    report = generate(
        make_problem("poisson", resolution=8), tmp_path / "a", samples=20, shard_size=8, progress=seen.append
    )
    assert report.splits == {"train": 16, "valid": 2, "test": 2}
    assert (report.samples, report.computed, report.skipped, report.shards_computed) == (20, 20, 0, 4)
    assert 0 < report.residual_max <= 1e-10
    assert set(report.seconds) == {"sampling", "solving", "writing", "total"}
    assert report.samples_per_second == pytest.approx(20 / report.seconds["total"])
    assert report.bytes == sum(p.stat().st_size for p in (tmp_path / "a").rglob("*.hdf5"))
    assert json.loads(json.dumps(report.to_dict()))["samples_train"] == 16
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (0, 20, 20)
    assert seen[-1].rate > 0
    assert seen[-1].seconds_left == 0
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["config.yaml", "data", "manifest.jsonl", "stats.yaml"]


def test_finished_shards_are_skipped(darcy_folder: Path) -> None:
    before = _files(darcy_folder)
    report = generate(make_problem("darcy", resolution=16), darcy_folder, splits=SPLITS, shard_size=4)
    assert (report.computed, report.skipped, report.samples_per_second) == (0, 18, 0.0)
    assert _files(darcy_folder) == before


@pytest.mark.parametrize("how", ["flip", "truncate", "delete", "line", "half line", "garbage"])
def test_what_is_damaged_or_missing_is_made_again_and_nothing_else(darcy_folder: Path, how: str) -> None:
    digest = Dataset(darcy_folder).content_digest
    victim = "data/train/darcy_00001.hdf5"
    before = _files(darcy_folder)
    path, manifest = darcy_folder / victim, darcy_folder / "manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    if how == "flip":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif how == "truncate":
        path.write_bytes(path.read_bytes()[:1000])
    elif how == "delete":
        path.unlink()
    elif how == "line":
        manifest.write_bytes(b"".join(line for line in lines if victim.encode() not in line))
    elif how == "half line":
        lines.sort(key=lambda line: victim.encode() in line)
        manifest.write_bytes(b"".join(lines)[:-40])
    else:
        manifest.write_bytes(b"".join(b"{]\n" if victim.encode() in line else line for line in lines))
    report = generate(make_problem("darcy", resolution=16), darcy_folder, splits=SPLITS, shard_size=4)
    assert (report.shards_computed, report.computed) == (1, 4)
    after = _files(darcy_folder)
    assert {f for f in before if before[f] != after[f]} == {victim}
    assert report.content_digest == digest
    assert verify(darcy_folder).ok
    assert [json.loads(line)["file"] for line in manifest.read_bytes().splitlines()] == sorted(
        before, key=lambda f: (["train", "valid", "test"].index(f.split("/")[1]), f)
    )


def test_stats_are_restored(darcy_folder: Path) -> None:
    stats = (darcy_folder / "stats.yaml").read_bytes()
    (darcy_folder / "stats.yaml").unlink()
    with pytest.raises(InputError, match=r"stats\.yaml is missing"):
        Dataset(darcy_folder).stats  # noqa: B018
    generate(make_problem("darcy", resolution=16), darcy_folder, splits=SPLITS, shard_size=4)
    assert (darcy_folder / "stats.yaml").read_bytes() == stats


def test_start_gives_the_same_fields_at_another_resolution(darcy_master: Path, tmp_path: Path) -> None:
    generate(make_problem("darcy", resolution=48), tmp_path / "fine", splits={"test": 4}, start=14)
    coarse, fine = Dataset(darcy_master), Dataset(tmp_path / "fine")
    assert fine.splits == {"test": 4}
    np.testing.assert_array_equal(fine.read("test", "coefficient")[:, 1::3, 1::3], coarse.read("test", "coefficient"))
    np.testing.assert_array_equal(fine.provenance("test")["index"], [14, 15, 16, 17])
    difference = fine.read("test", "solution")[:, 1::3, 1::3] - coarse.read("test", "solution")
    assert np.abs(difference).max() < 0.1 * np.abs(coarse.read("test", "solution")).max()
    assert fine.stats["split"] == "test"


def test_float32(tmp_path: Path) -> None:
    problem = make_problem("darcy", resolution=16, medium="lognormal")
    generate(problem, tmp_path / "a", splits={"train": 3}, dtype="float32")
    dataset = Dataset(tmp_path / "a")
    inputs, outputs = dataset.arrays("train")
    assert inputs.dtype == outputs.dtype == dataset.dtype == np.float32
    rows = dataset.provenance("train")
    assert np.all(rows["residual"] <= 1e-10)  # before rounding
    assert np.all(rows["residual_stored"] > 1e-8)  # and after it
    assert np.all(rows["residual_stored"] <= rows["residual"] + rows["rounding"])
    assert np.all(rows["rounding"] < 1e-3)
    report = verify(tmp_path / "a")
    assert report.ok
    assert report.residual_max == pytest.approx(rows["residual_stored"].max())


@pytest.mark.parametrize("compression", ["gzip", "lzf", "none"])
def test_compression_is_lossless(compression: str, darcy_master: Path, tmp_path: Path) -> None:
    report = generate(
        make_problem("darcy", resolution=16), tmp_path / "a", splits={"train": 3}, compression=compression
    )
    with h5py.File(tmp_path / "a/data/train/darcy_00000.hdf5") as file:
        assert file["t0_fields/solution"].compression == (None if compression == "none" else compression)
        assert file["t0_fields/solution"].chunks == (1, 1, 16, 16)
        assert file["t0_fields/solution"].fletcher32
    np.testing.assert_array_equal(
        Dataset(tmp_path / "a").read("train", "solution"), Dataset(darcy_master).read("train", "solution", 0, 3)
    )
    assert report.samples == 3


def test_default_path_never_builds_a_matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Diffusion) -> None:
        raise AssertionError("a matrix was built")

    monkeypatch.setattr(Diffusion, "tocsr", refuse)
    for name, settings in (("poisson", {}), ("darcy", {}), ("darcy", {"medium": "lognormal"})):
        out = tmp_path / f"{name}{len(settings)}"
        generate(make_problem(name, resolution=16, **settings), out, splits={"train": 2})
        assert verify(out).ok


def test_other_solvers_reach_the_same_solution(darcy_master: Path, tmp_path: Path) -> None:
    solver = SolverSpec("cg", {"rtol": 1e-8}, "ic0", {})
    generate(make_problem("darcy", resolution=16), tmp_path / "a", splits={"train": 3}, solver=solver)
    a, b = Dataset(tmp_path / "a"), Dataset(darcy_master)
    np.testing.assert_allclose(a.read("train", "solution"), b.read("train", "solution", 0, 3), rtol=1e-6)
    assert a.provenance("train")["residual"].max() <= 1e-8
    assert a.config["solver"]["preconditioner"] == "ic0"


class TestErrors:
    """One line, the fix in it, and nothing left behind."""

    @staticmethod
    def _raises(out: Path, match: str, **arguments: object) -> None:
        problem = arguments.pop("problem", None) or make_problem("darcy", resolution=16)
        arguments.setdefault("splits", {"train": 4})
        with pytest.raises(InputError, match=match) as raised:
            generate(problem, out, **arguments)  # type: ignore[arg-type]
        assert "\n" not in str(raised.value)

    @pytest.mark.parametrize(
        ("arguments", "match"),
        [
            ({"samples": 0, "splits": (0.8, 0.1, 0.1)}, "samples is 0"),
            ({"seed": -1}, "seed is -1"),
            ({"start": -1}, "start is -1"),
            ({"workers": 0}, "workers is 0"),
            ({"shard_size": 0}, "shard_size is 0"),
            ({"dtype": "float16"}, "did you mean 'float"),
            ({"compression": "gzipp"}, "did you mean 'gzip'"),
            (
                {"solver": SolverSpec("cg", {"rtol": 1e-17}, "fast_poisson", {})},
                "sample 0 of darcy: cg ended 'stagnated'",
            ),
            ({"solver": SolverSpec("cg", {"maxiter": 2}, "jacobi", {})}, "sample 0 of darcy: cg ended 'maxiter'"),
            (
                {"solver": SolverSpec("cg", {"maxiter": 2}, "jacobi", {}), "workers": 2, "shard_size": 2},
                "of darcy: cg ended 'maxiter'",
            ),
        ],
    )
    def test_arguments(self, tmp_path: Path, arguments: dict[str, object], match: str) -> None:
        self._raises(tmp_path / "new" / "folder", match, **arguments)
        assert list(tmp_path.iterdir()) == []

    def test_another_configuration(self, darcy_folder: Path) -> None:
        before = _files(darcy_folder)
        self._raises(darcy_folder, "seed is 0 there, 1 here.*choose another out", splits=SPLITS, shard_size=4, seed=1)
        self._raises(
            darcy_folder,
            "problem.settings.medium is 'binary' there, 'lognormal' here",
            problem=make_problem("darcy", resolution=16, medium="lognormal"),
            splits=SPLITS,
            shard_size=4,
        )
        assert _files(darcy_folder) == before

    def test_another_version(self, darcy_folder: Path) -> None:
        config = yaml.safe_load((darcy_folder / "config.yaml").read_text())
        (darcy_folder / "config.yaml").write_text(yaml.safe_dump({**config, "resolvent_format_version": 99}))
        self._raises(darcy_folder, "format version 99, this Resolvent reads 1", splits=SPLITS, shard_size=4)

    def test_folder_of_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "config.yaml").write_text("model: fno\n")
        self._raises(tmp_path, "belongs to no dataset")
        (tmp_path / "config.yaml").unlink()
        (tmp_path / "data").mkdir()
        (tmp_path / "data/x.hdf5").write_bytes(b"")
        self._raises(tmp_path, "HDF5 files but no config.yaml")

    def test_out_is_a_file_or_below_one(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        self._raises(tmp_path / "file", "is a file")
        self._raises(tmp_path / "file" / "below", "a file stands where a folder is needed")

    def test_too_little_room(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        usage = shutil.disk_usage(tmp_path)._replace(free=5000)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        self._raises(tmp_path / "a", "GB free.*fewer samples")
        assert list(tmp_path.iterdir()) == []

    def test_full_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The disk fills up under the second shard: the first is kept, and the run can be finished later."""
        real, calls = os.fsync, []

        def fsync(descriptor: int) -> None:
            if "shard" in _what(descriptor):
                calls.append(descriptor)
                if len(calls) == 2:
                    raise OSError(28, "No space left on device")
            real(descriptor)

        def _what(descriptor: int) -> str:
            return "shard" if ".hdf5." in os.readlink(f"/proc/self/fd/{descriptor}") else ""

        monkeypatch.setattr(os, "fsync", fsync)
        self._raises(tmp_path / "a", "No space left.*the disk is full: free space", shard_size=1)
        monkeypatch.undo()
        assert list(read_manifest(tmp_path / "a")) == ["data/train/darcy_00000.hdf5"]
        assert not list((tmp_path / "a").rglob(".*"))
        with pytest.raises(InputError, match=r"3 of 4 shards are missing.*run the same generate command"):
            Dataset(tmp_path / "a")
        report = generate(make_problem("darcy", resolution=16), tmp_path / "a", splits={"train": 4}, shard_size=1)
        assert report.computed == 3

    def test_file_size_limit_of_the_system(self, tmp_path: Path) -> None:
        """A real refusal of the kernel, in a process of its own."""
        child = os.fork()
        if child == 0:
            signal.alarm(300)  # ends a child that hangs
            code = 1
            try:
                resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
                self._raises(tmp_path / "a", "smaller shard_size")
                code = 0 if not list(tmp_path.iterdir()) else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def test_second_writer_is_kept_out(self, tmp_path: Path) -> None:
        problem = make_problem("darcy", resolution=16)
        failures: list[str] = []

        def intrude(progress: GenerationProgress) -> None:
            if progress.done == 0 and not failures:
                failures.append("")
                with pytest.raises(InputError, match="being written by another process"):
                    generate(problem, tmp_path / "a", splits={"train": 4})
                failures.append("refused")

        assert generate(problem, tmp_path / "a", splits={"train": 4}, progress=intrude).computed == 4
        assert failures == ["", "refused"]

    def test_interrupt_keeps_finished_shards(self, tmp_path: Path) -> None:
        def interrupt(progress: GenerationProgress) -> None:
            if (tmp_path / "a/manifest.jsonl").read_bytes().count(b"\n") >= 2:
                raise KeyboardInterrupt

        problem = make_problem("darcy", resolution=64)
        with pytest.raises(KeyboardInterrupt):
            generate(problem, tmp_path / "a", splits={"train": 200}, shard_size=10, progress=interrupt)
        kept = len(read_manifest(tmp_path / "a"))
        assert kept >= 2
        assert not list((tmp_path / "a").rglob(".*.tmp"))
        assert threading.active_count() < 10


def test_solution_is_solved_again_when_the_stored_residual_is_above_the_tolerance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A solver that is content too early: the residual of the arrays decides, not the solver's word."""
    real = SolverSpec.solve
    asked: list[float] = []

    def sloppy(
        self: SolverSpec, operator: object, rhs: np.ndarray, x0: object = None, rtol: float = 0.0, **rest: object
    ) -> object:
        asked.append(rtol)
        return real(self, operator, rhs, None, rtol * (50.0 if len(asked) % 2 else 1.0))

    monkeypatch.setattr(SolverSpec, "solve", sloppy)
    generate(make_problem("darcy", resolution=16), tmp_path / "a", splits={"train": 2})
    assert asked == pytest.approx([1e-10, 2e-11, 1e-10, 2e-11], rel=1e-12, abs=0)
    assert Dataset(tmp_path / "a").provenance("train")["residual"].max() <= 1e-10


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("thermal", {"resolution": 8, "geometry": "varying"}),
        ("elasticity", {"resolution": 6}),
        ("heat", {"resolution": 8, "snapshots": 2, "substeps": 2, "coefficient": "oscillating"}),
        ("riesz", {"resolution": 16}),
    ],
)
def test_bits_do_not_depend_on_shards_whatever_a_problem_remembers(
    name: str, settings: dict[str, object], tmp_path: Path
) -> None:
    digests = set()
    for shard_size in (1, 4):
        out = tmp_path / str(shard_size)
        problem = make_problem(name, **settings)
        digests.add(generate(problem, out, splits={"train": 4}, shard_size=shard_size).content_digest)
        assert verify(out).ok
    assert len(digests) == 1
    alone = generate(make_problem(name, **settings), tmp_path / "last", splits={"train": 1}, start=3)
    np.testing.assert_array_equal(
        Dataset(alone.folder).arrays("train")[1][0], Dataset(tmp_path / "4").arrays("train")[1][3]
    )


def test_worker_killed_for_lack_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, context = make_problem("darcy", resolution=64), multiprocessing.get_context("fork")
    real = DatasetFolder.accept
    with ProcessPoolExecutor(1, mp_context=context) as pool:

        def accept(self: DatasetFolder, temporary: Path, record: ShardRecord) -> None:
            real(self, temporary, record)
            for pid in list(pool._processes or ()):
                os.kill(pid, signal.SIGKILL)

        monkeypatch.setattr(DatasetFolder, "accept", accept)
        with pytest.raises(InputError, match=r"a worker process was killed.*fewer workers"):
            generate(problem, tmp_path / "a", splits={"train": 60}, shard_size=1, engine=pool)
    monkeypatch.undo()
    finished = len(read_manifest(tmp_path / "a"))
    assert 1 <= finished < 60
    report = generate(problem, tmp_path / "a", splits={"train": 60}, shard_size=1)
    assert report.shards_skipped == finished
    assert report.content_digest == generate(problem, tmp_path / "b", splits={"train": 60}).content_digest
