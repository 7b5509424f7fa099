"""Generation killed with SIGKILL: run again it equals one never killed, and makes only what was missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from resolvent.data import Dataset, generate, make_problem, verify
from resolvent.data.format import atomic_files
from resolvent.data.format import folder as dataset_folder

SPLITS = {"train": 10, "valid": 4, "test": 4}

SCRIPT = """
import sys
from resolvent.data import generate, make_problem
if __name__ == "__main__":
    generate(make_problem("darcy", resolution=16), sys.argv[1], splits={"train": 400}, shard_size=4, workers=2)
"""


def _killed_child(work: Callable[[], None]) -> None:
    """Run `work` in a forked child that must die of SIGKILL."""
    child = os.fork()
    if child == 0:
        signal.alarm(300)  # ends a child that hangs
        try:
            work()
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def _running_in_group(group: int) -> list[int]:
    """Processes of a process group that are not zombies."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit():
                state, _, pgrp = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
                if int(pgrp) == group and state != "Z":
                    found.append(int(entry.name))
    return found


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("instant", "finished"),
    [
        ("before the configuration", 0),
        ("while a file is written", 2),
        ("before the rename", 2),
        ("after the rename", 2),
        ("within the manifest line", 2),
        ("after the manifest line", 3),
        ("before the statistics", 5),
    ],
)
def test_killed_at_every_kind_of_instant(darcy_master: Path, tmp_path: Path, instant: str, finished: int) -> None:
    out, problem = tmp_path / "a", make_problem("darcy", resolution=16)
    published = [0]
    real_publish, real_accept = atomic_files.publish, dataset_folder.DatasetFolder.accept

    def publish(temporary: Path, target: Path, flush: bool = True) -> None:
        if target.suffix == ".hdf5":
            published[0] += 1
            if published[0] == 3 and instant == "while a file is written":
                with temporary.open("r+b") as stream:
                    stream.truncate(1000)
                _die()
            if published[0] == 3 and instant == "before the rename":
                _die()
            real_publish(temporary, target, flush)
            if published[0] == 3 and instant == "after the rename":
                _die()
            return
        if instant == "before the configuration" and target.name == "config.yaml":
            _die()
        if instant == "before the statistics" and target.name == "stats.yaml":
            _die()
        real_publish(temporary, target, flush)

    def accept(self: dataset_folder.DatasetFolder, temporary: Path, record: dataset_folder.ShardRecord) -> None:
        if published[0] == 2 and instant == "within the manifest line":
            publish(temporary, self.folder / record.file)
            with (self.folder / "manifest.jsonl").open("ab") as stream:
                stream.write(record.line()[:50])
                stream.flush()
                _die()
        real_accept(self, temporary, record)
        if published[0] == 3 and instant == "after the manifest line":
            _die()

    def work() -> None:
        atomic_files.publish = dataset_folder.publish = publish
        dataset_folder.DatasetFolder.accept = accept  # type: ignore[method-assign]
        generate(problem, out, splits=SPLITS, shard_size=4)

    _killed_child(work)
    report = generate(problem, out, splits=SPLITS, shard_size=4)
    assert report.shards_skipped == finished
    assert report.content_digest == Dataset(darcy_master).content_digest
    assert verify(out).ok
    assert not list(out.rglob("*.tmp"))
    assert (out / "stats.yaml").read_bytes() == (darcy_master / "stats.yaml").read_bytes()


def test_killed_with_workers_from_outside(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    """A process with two workers, killed by another one: the workers end too, and the rest is made by the next run."""
    out = tmp_path / "a"
    (tmp_path / "script.py").write_text(SCRIPT)
    process = start([sys.executable, str(tmp_path / "script.py"), str(out)])
    manifest, patience = out / "manifest.jsonl", time.monotonic() + 300
    while (not manifest.exists() or manifest.read_bytes().count(b"\n") < 3) and time.monotonic() < patience:
        time.sleep(0.005)
    process.kill()
    assert process.wait(timeout=60) == -signal.SIGKILL
    finished = manifest.read_bytes().count(b"\n")
    assert 3 <= finished < 100
    patience = time.monotonic() + 20
    while _running_in_group(process.pid) and time.monotonic() < patience:
        time.sleep(0.05)
    assert _running_in_group(process.pid) == [], "workers outlived their killed parent by 20 s"
    sizes, problem = {"train": 400}, make_problem("darcy", resolution=16)
    report = generate(problem, out, splits=sizes, shard_size=4)
    assert report.shards_skipped == finished
    assert report.shards_computed == 100 - finished
    assert not list(out.rglob("*.tmp"))
    assert report.content_digest == generate(problem, tmp_path / "b", splits=sizes, shard_size=1000).content_digest
