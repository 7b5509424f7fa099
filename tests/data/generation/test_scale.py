"""Many samples: few files, cheap resumes that still repair what verify found, memory that does not grow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from resolvent.data import Dataset, generate, make_problem, verify
from resolvent.data.format import folder as dataset_folder
from resolvent.data.format.folder import read_damaged, read_manifest
from resolvent.data.format.splits import automatic_shard_size
from resolvent.solvers import InputError

SPLITS = {"train": 10, "valid": 4, "test": 4}


def test_automatic_shard_sizes() -> None:
    assert automatic_shard_size(2 * 8 * 8 * 8 + 1024) == 512  # 10⁵ samples of 8²: 197 files
    assert automatic_shard_size(2 * 8 * 64 * 64 + 1024) == 252
    assert automatic_shard_size(2 * 8 * 512 * 512) == 4
    assert automatic_shard_size(1 << 30) == 1


def test_automatic_size_keeps_what_is_there(tmp_path: Path) -> None:
    problem = make_problem("darcy", resolution=16)
    generate(problem, tmp_path / "a", splits=SPLITS, shard_size=4)
    assert generate(problem, tmp_path / "a", splits=SPLITS).computed == 0
    one = generate(problem, tmp_path / "b", splits=SPLITS)
    assert one.shards_computed == 3
    assert one.content_digest == Dataset(tmp_path / "a").content_digest


def _again(folder: Path) -> list[str]:
    """Generate again; the shards that were made."""
    before = {p: p.stat().st_ino for p in folder.rglob("*.hdf5")}
    generate(make_problem("darcy", resolution=16), folder, splits=SPLITS, shard_size=4)
    after = {p: p.stat().st_ino for p in folder.rglob("*.hdf5")}
    return sorted(p.relative_to(folder).as_posix() for p in after if before.get(p) != after[p])


class TestLargeDataset:
    """Above a size that is hashed whole, a finished shard is trusted by its times, until verify says otherwise."""

    @pytest.fixture(autouse=True)
    def _everything_is_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dataset_folder, "_HASHED_BYTES", -1)

    @pytest.fixture
    def hashed(self, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
        seen: list[Path] = []
        real = dataset_folder.file_sha256
        monkeypatch.setattr(dataset_folder, "file_sha256", lambda path: (seen.append(path), real(path))[1])
        return seen

    def test_unchanged_files_are_not_hashed(self, darcy_folder: Path, hashed: list[Path]) -> None:
        assert _again(darcy_folder) == []
        assert len(hashed) == 5  # the copy has times of its own
        hashed.clear()
        assert _again(darcy_folder) == []
        assert hashed == []
        (darcy_folder / "data/test/darcy_00000.hdf5").touch()
        assert _again(darcy_folder) == []
        assert [p.parent.name for p in hashed] == ["test"]

    def test_a_flipped_byte_is_repaired(self, darcy_folder: Path) -> None:
        _again(darcy_folder)
        path = darcy_folder / "data/train/darcy_00001.hdf5"
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        assert _again(darcy_folder) == ["data/train/darcy_00001.hdf5"]

    def test_what_the_disk_changed_is_found_by_verify_and_then_repaired(
        self, darcy_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Bits that change without the system's knowledge keep the file's times."""
        _again(darcy_folder)
        digest, name = Dataset(darcy_folder).content_digest, "data/train/darcy_00001.hdf5"
        path = darcy_folder / name
        stamps = {path: dataset_folder._stamp(path)}
        with h5py.File(path) as file:
            place = file["t0_fields/solution"].id.get_chunk_info(0).byte_offset
        content = bytearray(path.read_bytes())
        content[place + 20] ^= 1
        path.write_bytes(content)
        real = dataset_folder._stamp
        monkeypatch.setattr(dataset_folder, "_stamp", lambda p: stamps.get(p) or real(p))
        assert _again(darcy_folder) == []  # nothing shows
        report = verify(darcy_folder)
        assert {f.shard for f in report.failures} == {name}
        assert read_damaged(darcy_folder) == {name}
        stamps.clear()
        assert _again(darcy_folder) == [name]
        assert read_damaged(darcy_folder) == set()
        assert not (darcy_folder / "damaged.json").exists()
        assert verify(darcy_folder).ok
        assert Dataset(darcy_folder).content_digest == digest
        assert _again(darcy_folder) == []

    def test_damage_to_the_structure_names_the_way_out(
        self, darcy_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _again(darcy_folder)
        name = "data/train/darcy_00001.hdf5"
        path = darcy_folder / name
        stamps = {path: dataset_folder._stamp(path)}
        path.write_bytes(b"\0" * 512 + path.read_bytes()[512:])
        real = dataset_folder._stamp
        monkeypatch.setattr(dataset_folder, "_stamp", lambda p: stamps.get(p) or real(p))
        with pytest.raises(InputError, match="resolvent verify"):
            _again(darcy_folder)
        assert not verify(darcy_folder).ok
        stamps.clear()
        assert _again(darcy_folder) == [name]
        assert verify(darcy_folder).ok

    def test_a_sound_verification_clears_the_list(self, darcy_folder: Path) -> None:
        (darcy_folder / "damaged.json").write_text('["data/train/darcy_00000.hdf5", 3]')
        assert verify(darcy_folder).ok
        assert not (darcy_folder / "damaged.json").exists()
        for nonsense in ("[", "3", '{"a": 1}'):
            (darcy_folder / "damaged.json").write_text(nonsense)
            assert read_damaged(darcy_folder) == set()
        assert _again(darcy_folder) == []

    def test_a_list_that_cannot_be_written_is_said(self, darcy_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(content: bytes, target: Path) -> None:
            raise PermissionError(13, "Permission denied")

        (darcy_folder / "data/test/darcy_00000.hdf5").write_bytes(b"")
        monkeypatch.setattr(dataset_folder, "write_atomically", refuse)
        report = verify(darcy_folder)
        assert not report.ok
        assert "could not be listed" in report.notes[0]


MEASURE = """
import resource, sys
from resolvent.data import generate, make_problem
if __name__ == "__main__":
    problem = make_problem("poisson", resolution=8, modes=8)
    for samples in (300, 3000):
        generate(problem, f"{sys.argv[1]}/{samples}", samples=samples, shard_size=100, progress=False)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_samples(tmp_path: Path) -> None:
    script = tmp_path / "measure.py"
    script.write_text(MEASURE)
    command = [sys.executable, str(script), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    few, many = (int(line) for line in done.stdout.split())
    assert many - few < 2700, (few, many)  # kB; the fields of 2700 samples alone are 2.8 MB
    assert len(read_manifest(tmp_path / "3000")) == 30
