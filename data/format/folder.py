"""Keep a dataset's folder: its configuration, its manifest of shards, and the rule by which shards enter it.

::

    OUT/config.yaml                       the full configuration; fixed once the first shard is in
    OUT/manifest.jsonl                    one line for each finished shard
    OUT/stats.yaml                        statistics of the fields, written when all shards are in
    OUT/damaged.json                      shards in which verify found a fault, until they have been made again
    OUT/data/{train,valid,test}/NAME_00000.hdf5

A shard is finished when its file has been renamed into place *and* its manifest line, with the file's SHA-256, is on
the disk. At whatever instant the process dies, a file without its line, or a line without its file, is simply made
again.

When the dataset is opened for writing again, a finished file is trusted if its SHA-256 agrees. Large datasets would
take minutes to hash: their files are also trusted if size, modification and change time are those in the manifest line
(a program that writes to a file cannot keep its change time). Bits that change without the operating system's
knowledge (a failing disk) are found by verify, which hashes everything and lists the shards in ``damaged.json``; the
next generate makes these again, whatever their times say.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from resolvent.solvers import InputError
from resolvent.solvers.arguments import is_integer

from .atomic_files import TEMPORARY_SUFFIX, publish, read_yaml, storage_errors, write_atomically, write_yaml
from .config import check_config, differences
from .digests import config_hash, file_sha256
from .layout import FORMAT_VERSION
from .splits import Shard

DAMAGED = "damaged.json"

_locks: set[int] = set()  # descriptors of the folders locked by this process

_HASHED_BYTES = 1 << 28  # datasets up to this size are hashed whole when they are opened for writing: half a second


@dataclass
class ShardRecord:
    """Hold one line of the manifest.

    Parameters
    ----------
    file : str
        Path under the dataset's folder.
    split : str
    start, stop : int
        Indices of the samples in the whole dataset, start ≤ i < stop.
    config : str
        SHA-256 of the configuration.
    sha256 : str
        SHA-256 of the file's bytes.
    size : int
        The file's size in bytes.
    digest : str
        SHA-256 over the samples' content digests: of the stored numbers, whatever the compression.
    seed : int or None
    residual_max, iterations_mean : float or None
        None for data that came as arrays.
    seconds : dict
        Time by phase: sampling, solving, writing.
    stamp : list of int or None
        Modification and change time of the file in ns when its SHA-256 was last seen to hold.
    family : dict or None
        For samples solved together: what the analysis of their chains found, and what they cost.
    """

    file: str
    split: str
    start: int
    stop: int
    config: str
    sha256: str
    size: int
    digest: str
    seed: int | None = None
    residual_max: float | None = None
    iterations_mean: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    stamp: list[int] | None = None
    family: dict[str, Any] | None = None

    def plausible(self) -> bool:
        """Return whether the values are of the right types: anybody may have written the line."""
        words = (self.file, self.split, self.config, self.sha256, self.digest)
        counts = (self.start, self.stop, self.size)
        whole = all(is_integer(n) and n >= 0 for n in counts)
        figures = (self.residual_max, self.iterations_mean, *(self.seconds.values() if self.seconds else ()))
        return (
            whole
            and all(isinstance(word, str) for word in words)
            and isinstance(self.seconds, dict)
            and (self.family is None or isinstance(self.family, dict))
            and all(n is None or isinstance(n, (int, float)) for n in figures)
        )

    def line(self) -> bytes:
        """Return the line as bytes, with its end."""
        values = asdict(self)
        if self.family is None:
            del values["family"]
        return (json.dumps(values) + "\n").encode("ascii")


def read_config(folder: Path) -> dict[str, Any]:
    """Read the configuration of a dataset.

    Raises
    ------
    InputError
        If there is none, or it is of another format version.
    """
    path = folder / "config.yaml"
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: give the folder of a dataset, as made by resolvent generate")
    if not path.is_file():
        raise InputError(
            f"{folder} holds no dataset (no config.yaml): give the folder that resolvent generate wrote to"
        )
    config = read_yaml(path)
    found = config.get("resolvent_format_version")
    if found is None:
        raise InputError(f"{path} belongs to no dataset (no resolvent_format_version): give the folder of a dataset")
    if found != FORMAT_VERSION:
        raise InputError(
            f"{folder} is in dataset format version {found}, this Resolvent reads {FORMAT_VERSION}: "
            "use the Resolvent that wrote it, or generate the data again"
        )
    check_config(config, path)
    return config


def read_manifest(folder: Path) -> dict[str, ShardRecord]:
    """Read the manifest's lines by file, the last one of each; unreadable lines (of a crash, an edit) are ignored."""
    path = folder / "manifest.jsonl"
    records: dict[str, ShardRecord] = {}
    if not path.is_file():
        return records
    for line in path.read_bytes().splitlines():
        try:
            record = ShardRecord(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            continue
        if record.plausible():
            records[record.file] = record
    return records


def shard_size_there(folder: Path) -> int | None:
    """Return the shard size of the dataset in the folder, which a run that names none keeps; None without a dataset."""
    path = folder / "config.yaml"
    found = read_yaml(path).get("shard_size") if path.is_file() else None
    return found if isinstance(found, int) and found > 0 else None


def read_damaged(folder: Path) -> set[str]:
    """Return the shards that a verification found damaged and that have not been made again since."""
    try:
        names = json.loads((folder / DAMAGED).read_bytes())
    except (OSError, ValueError):
        return set()
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def mark_damaged(folder: Path, shards: Sequence[str]) -> bool:
    """Write the list of damaged shards for the next generate (an empty one removes it); return False if that fails."""
    if not shards and not (folder / DAMAGED).exists():
        return True
    try:
        with _exclusive(folder):
            _write_damaged(folder, shards)
    except (OSError, InputError):  # read-only, or a generate is at work there and checks for itself
        return False
    return True


def _write_damaged(folder: Path, shards: Collection[str]) -> None:
    if shards:
        write_atomically(json.dumps(sorted(shards)).encode("ascii"), folder / DAMAGED)
    else:
        (folder / DAMAGED).unlink(missing_ok=True)


class DatasetFolder:
    """Write to a dataset's folder.

    Parameters
    ----------
    folder : Path
    name : str
        The dataset's name, which begins the shards' file names.
    config : mapping
        Plain JSON values.
    shards : sequence of Shard
        The plan.
    """

    def __init__(self, folder: Path, name: str, config: Mapping[str, Any], shards: Sequence[Shard]) -> None:
        self.folder = folder
        self.name = name
        self.config = {"resolvent_format_version": FORMAT_VERSION, **json.loads(json.dumps(config))}
        self.hash = config_hash(self.config)
        self.shards = list(shards)
        self.records: dict[str, ShardRecord] = {}
        self.on_accept: Callable[[ShardRecord], None] = lambda record: None
        self._damaged: set[str] = set()
        self._created: list[Path] = []

    @contextmanager
    def writing(self, bytes_per_sample: int) -> Iterator[list[Shard]]:
        """Open for writing, and give the shards that still have to be made.

        This checks the configuration against the one that is there, takes the folder's lock, removes temporary files of
        runs that died, and checks every finished shard and the free space. If nothing was finished and the folder was
        made here, it is removed again at the end.
        """
        self._check_config()
        self._check_space(bytes_per_sample)
        try:
            with storage_errors(self.folder):
                self._make_folders()
            with _exclusive(self.folder):
                with storage_errors(self.folder):
                    missing = self._prepare()
                try:
                    yield missing
                except BaseException:
                    self._clear_temporaries()
                    raise
        except BaseException:
            self._remove_if_nothing_is_finished()
            raise

    def path(self, shard: Shard) -> Path:
        """Return where the shard's file goes."""
        return self.folder / shard.path(self.name)

    def accept(self, temporary: Path, record: ShardRecord) -> None:
        """Take a finished shard: rename its file, then append its manifest line, each flushed to the disk."""
        with storage_errors(self.folder / record.file):
            publish(temporary, self.folder / record.file)
            record.stamp = _stamp(self.folder / record.file)
            with (self.folder / "manifest.jsonl").open("ab") as stream:
                stream.write(record.line())
                stream.flush()
                os.fsync(stream.fileno())
        self.records[record.file] = record
        if record.file in self._damaged:
            self._damaged.remove(record.file)
            with storage_errors(self.folder / DAMAGED):
                _write_damaged(self.folder, self._damaged)
        self.on_accept(record)

    def finish(self) -> None:
        """Rewrite the manifest in the order of the plan (shards finish in any order); remove what dead workers left."""
        with storage_errors(self.folder / "manifest.jsonl"):
            self._write_manifest()
            self._clear_temporaries()

    def _check_config(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"out={self.folder} is a file: choose a folder")
        occupied = any((self.folder / "data").rglob("*.hdf5"))
        if not (self.folder / "config.yaml").exists():
            if occupied:
                raise InputError(f"out={self.folder} holds HDF5 files but no config.yaml: choose an empty folder")
            return
        there = read_config(self.folder)
        pairs = differences(there, self.config)
        differing = [f"{key} is {old!r} there, {new!r} here" for key, old, new in pairs]
        if differing and occupied:
            shown = "; ".join(differing[:4]) + (f"; and {len(differing) - 4} more" if len(differing) > 4 else "")
            raise InputError(
                f"out={self.folder} holds a dataset with another configuration ({shown}): "
                "choose another out, or delete that folder to generate it anew"
            )

    def _check_space(self, bytes_per_sample: int) -> None:
        needed = sum(len(s) for s in self.shards if not self.path(s).is_file()) * bytes_per_sample
        place = next(p for p in (self.folder, *self.folder.absolute().parents) if p.exists())
        free = shutil.disk_usage(place).free
        if needed > free:
            raise InputError(
                f"out={self.folder} needs up to {needed / 1e9:.3g} GB and the disk has {free / 1e9:.3g} GB free: "
                "free space, choose another disk, or ask for fewer samples"
            )

    def _make_folders(self) -> None:
        wanted = [self.folder, self.folder / "data"]
        wanted += [self.folder / "data" / split for split in dict.fromkeys(s.split for s in self.shards)]
        for path in wanted:
            missing = [p for p in (path, *path.parents) if not p.exists()]
            path.mkdir(parents=True, exist_ok=True)
            self._created += reversed(missing)

    def _prepare(self) -> list[Shard]:
        self._clear_temporaries()
        if not (self.folder / "config.yaml").exists() or read_yaml(self.folder / "config.yaml") != self.config:
            if not (self.folder / "config.yaml").exists():
                self._created.append(self.folder / "config.yaml")
            write_yaml(self.config, self.folder / "config.yaml")
        found = read_manifest(self.folder)
        files = {shard.path(self.name) for shard in self.shards}
        self._damaged = read_damaged(self.folder) & files
        _write_damaged(self.folder, self._damaged)
        hashed = sum(record.size for record in found.values()) <= _HASHED_BYTES
        missing = []
        for shard in self.shards:
            record = found.get(shard.path(self.name))
            if record is not None and record.file not in self._damaged and self._intact(shard, record, hashed):
                self.records[record.file] = record
            else:
                missing.append(shard)
        if not (self.folder / "manifest.jsonl").exists():
            self._created.append(self.folder / "manifest.jsonl")
        self._write_manifest()
        return missing

    def _clear_temporaries(self) -> None:
        for pattern in (f".*{TEMPORARY_SUFFIX}", f"data/*/.*{TEMPORARY_SUFFIX}"):
            for stale in self.folder.glob(pattern):
                stale.unlink(missing_ok=True)

    def _intact(self, shard: Shard, record: ShardRecord, hashed: bool) -> bool:
        """Return whether the file is that of its line; its bytes decide if `hashed`, or if its times have changed."""
        same = (record.split, record.start, record.stop, record.config) == (
            shard.split,
            shard.start,
            shard.stop,
            self.hash,
        )
        path = self.path(shard)
        if not same or not path.is_file() or path.stat().st_size != record.size:
            return False
        stamp = _stamp(path)
        if not hashed and stamp == record.stamp:
            return True
        if file_sha256(path) != record.sha256:
            return False
        record.stamp = stamp
        return True

    def _write_manifest(self) -> None:
        lines = [self.records[s.path(self.name)].line() for s in self.shards if s.path(self.name) in self.records]
        path, content = self.folder / "manifest.jsonl", b"".join(lines)
        if not path.exists() or path.read_bytes() != content:
            write_atomically(content, path)

    def _remove_if_nothing_is_finished(self) -> None:
        if self.records:
            return
        for path in reversed(self._created):
            try:
                path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
            except OSError:
                return  # something that is not ours is in it


def _stamp(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_mtime_ns, found.st_ctime_ns]


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Lock the folder against a second writer. The kernel releases the lock when the process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows: no advisory locks on folders; the renames are still atomic
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    _locks.add(descriptor)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"out={folder} is being written by another process: wait for it, or choose another out"
            ) from None
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        _locks.discard(descriptor)
        os.close(descriptor)


def forget_locks() -> None:
    """Close a forked process's copies of its parent's locks, which would outlive the parent; the parent keeps them."""
    while _locks:
        with suppress(OSError):
            os.close(_locks.pop())
