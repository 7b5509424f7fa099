"""Verification finds whatever was changed, names it, and is content again after a repair."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from resolvent.data import from_arrays, generate, make_problem, verify
from resolvent.data.format.digests import combined_digest, digest_of_fields, field_digest, file_sha256, sample_digest
from resolvent.data.format.folder import read_manifest
from resolvent.solvers import InputError

SHARD = "data/train/darcy_00001.hdf5"


def test_sound_data(darcy_master: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = verify(darcy_master, progress=lambda done, total: seen.append((done, total)))
    assert report.ok
    assert (report.shards, report.samples, report.failures) == (5, 18, [])
    assert report.residuals_checked
    assert 0 < (report.residual_max or 0) <= 1e-10
    assert seen[-1] == (18, 18)
    assert "checksums hold, largest residual" in report.summary()
    assert json.loads(json.dumps(report.to_dict()))["ok"] is True


def _rewrite_manifest(folder: Path, sha256: bool = True, digest: bool = False) -> None:
    """What a forger would do: make the checksums agree with the spoilt file."""
    lines = []
    for record in read_manifest(folder).values():
        path = folder / record.file
        if sha256:
            record.sha256, record.size = file_sha256(path), path.stat().st_size
        if digest:
            with h5py.File(path, "r") as file:
                record.digest = combined_digest(bytes(d) for d in file["provenance/digest"][:])
        lines.append(record.line())
    (folder / "manifest.jsonl").write_bytes(b"".join(lines))


def _change(folder: Path, edit: Callable[[h5py.File], None]) -> None:
    with h5py.File(folder / SHARD, "r+") as file:
        edit(file)


def test_flipped_byte_is_found_and_repaired(darcy_folder: Path) -> None:
    path = darcy_folder / SHARD
    size = path.stat().st_size
    for place in (5, size // 3, size // 2, size - 7):
        content = bytearray(path.read_bytes())
        content[place] ^= 0x10
        path.write_bytes(content)
        report = verify(darcy_folder)
        assert not report.ok
        assert any(f.shard == SHARD and "SHA-256" in f.what for f in report.failures), place
        assert "run the same generate command again" in report.summary()
        generate(
            make_problem("darcy", resolution=16),
            darcy_folder,
            splits={"train": 10, "valid": 4, "test": 4},
            shard_size=4,
        )
        assert verify(darcy_folder).ok


def test_changed_number_is_found_even_if_every_checksum_is_forged(darcy_folder: Path) -> None:
    def edit(file: h5py.File) -> None:
        values = file["t0_fields/solution"][:]
        values[2, 0, 7, 7] *= 1 + 1e-7
        file["t0_fields/solution"][...] = values
        arrays = {n: file["t0_fields"][n][...] for n in ("coefficient", "source", "solution")}
        mine = {
            "coefficient": arrays["coefficient"][2],
            "source": arrays["source"],
            "solution": arrays["solution"][2, 0],
        }
        file["provenance/digest"][2] = np.frombuffer(_digest(mine), np.uint8)

    _change(darcy_folder, edit)
    _rewrite_manifest(darcy_folder, digest=True)
    report = verify(darcy_folder)
    assert [(f.shard, f.sample) for f in report.failures] == [(SHARD, 6)]
    assert "residual above rtol 1e-10" in report.failures[0].what
    assert float(report.failures[0].value) > 1e-9
    assert "sample 6: residual above" in str(report.failures[0])


def _digest(fields: dict[str, np.ndarray]) -> bytes:
    return digest_of_fields({name: field_digest(name, values) for name, values in fields.items()})


def test_files_of_earlier_versions_hold(darcy_folder: Path) -> None:
    """Their samples' digests are over all fields at once."""

    def edit(file: h5py.File) -> None:
        del file["provenance"].attrs["digest_over"]
        names = ("coefficient", "solution")
        for k in range(4):
            sample = {n: np.squeeze(file["t0_fields"][n][k]) for n in names}
            sample["source"] = file["t0_fields/source"][...]
            file["provenance/digest"][k] = np.frombuffer(sample_digest(sample), np.uint8)

    _change(darcy_folder, edit)
    assert any("digest" in f.what for f in verify(darcy_folder).failures)
    _rewrite_manifest(darcy_folder, digest=True)
    assert verify(darcy_folder).ok


@pytest.mark.parametrize(
    ("value", "what"),
    [(np.nan, "not finite"), (-1.0, "equations cannot be evaluated"), (3.5, "residual above rtol")],
)
def test_changed_coefficient(darcy_folder: Path, value: float, what: str) -> None:
    _change(darcy_folder, lambda file: file["t0_fields/coefficient"].__setitem__((0, 3, 3), value))
    _rewrite_manifest(darcy_folder)
    failures = verify(darcy_folder).failures
    assert any(f.sample == 4 and what in f.what for f in failures)
    assert any(f.sample == 4 and "content digest" in f.what for f in failures)
    assert any(f.sample is None and "content digest differs from the manifest" in f.what for f in failures)
    assert not any(f.sample in (5, 6, 7) for f in failures)


def test_recorded_residual_above_the_tolerance(darcy_folder: Path) -> None:
    _change(darcy_folder, lambda file: file["provenance/residual"].__setitem__(1, 1e-3))
    _rewrite_manifest(darcy_folder)
    (failure,) = verify(darcy_folder).failures
    assert failure.sample == 5
    assert "stored with a residual above" in failure.what


def test_missing_truncated_foreign_unfinished(darcy_folder: Path) -> None:
    (darcy_folder / "data/test/darcy_00000.hdf5").unlink()
    truncated = darcy_folder / "data/valid/darcy_00000.hdf5"
    truncated.write_bytes(truncated.read_bytes()[:3000])
    (darcy_folder / "data/train/extra.hdf5").write_bytes(b"")
    manifest = darcy_folder / "manifest.jsonl"
    manifest.write_bytes(b"".join(x for x in manifest.read_bytes().splitlines(True) if b"train/darcy_00002" not in x))
    found = {(f.shard, f.what) for f in verify(darcy_folder).failures}
    assert found == {
        ("data/test/darcy_00000.hdf5", "cannot be opened"),
        ("data/valid/darcy_00000.hdf5", "SHA-256 differs from the manifest"),
        ("data/valid/darcy_00000.hdf5", "cannot be opened"),
        ("data/train/darcy_00002.hdf5", "is not in the manifest"),
        ("data/train/extra.hdf5", "is not part of the dataset"),
    }
    assert verify(darcy_folder).content_digest == ""


def test_swapped_shards(darcy_folder: Path) -> None:
    a, b = (darcy_folder / f"data/train/darcy_0000{i}.hdf5" for i in (0, 1))
    content = a.read_bytes()
    a.write_bytes(b.read_bytes())
    b.write_bytes(content)
    _rewrite_manifest(darcy_folder, digest=True)
    assert {(f.shard[-6], f.what) for f in verify(darcy_folder).failures} == {
        ("0", "does not hold samples 0 to 3"),
        ("1", "does not hold samples 4 to 7"),
        ("0", "content digest differs from the manifest"),
        ("1", "content digest differs from the manifest"),
    }


def test_edited_configuration(darcy_folder: Path) -> None:
    config = yaml.safe_load((darcy_folder / "config.yaml").read_text())
    config["problem"]["settings"]["low"] = 4.0
    (darcy_folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert all("another configuration" in f.what for f in verify(darcy_folder).failures)
    assert len(verify(darcy_folder).failures) == 5
    config["problem"]["name"] = "stokes"
    (darcy_folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(InputError, match="unknown problem 'stokes'"):
        verify(darcy_folder)


def test_float32_is_checked_down_to_its_floor(tmp_path: Path) -> None:
    """A change of 1e-3 in one value of a float32 dataset lies above the rounding bound and is found by the residual."""
    generate(make_problem("darcy", resolution=16), tmp_path / "a", splits={"train": 3}, dtype="float32")
    assert verify(tmp_path / "a").ok
    with h5py.File(tmp_path / "a/data/train/darcy_00000.hdf5", "r+") as file:
        file["t0_fields/solution"][1, 0, 8, 8] *= np.float32(1.001)
    _rewrite_manifest(tmp_path / "a")
    assert any(f.sample == 1 and "plus rounding" in f.what for f in verify(tmp_path / "a").failures)


def test_arrays_say_that_residuals_were_not_checked(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(10, 8, 8))
    from_arrays(values, values + 1, tmp_path / "a")
    report = verify(tmp_path / "a")
    assert report.ok
    assert not report.residuals_checked
    assert report.residual_max is None
    assert "residuals were not checked" in report.summary()
    assert "there are no residuals" in report.notes[0]
    with h5py.File(tmp_path / "a/data/train/arrays_00000.hdf5", "r+") as file:
        file["t0_fields/input"][0, 0, 0] = np.inf
    assert any("not finite" in f.what for f in verify(tmp_path / "a").failures)
