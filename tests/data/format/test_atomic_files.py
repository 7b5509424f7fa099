"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from resolvent.data.format.atomic_files import write_atomically, write_temporary


def test_a_temporary_file_stands_beside_its_target_and_readers_pass_over_it(tmp_path: Path) -> None:
    written = write_temporary(memoryview(b"content"), tmp_path / "a.hdf5")
    assert written.read_bytes() == b"content"
    assert written.parent == tmp_path
    assert not list(tmp_path.glob("*.hdf5"))


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(bytes(10_000), tmp_path / "a")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"
