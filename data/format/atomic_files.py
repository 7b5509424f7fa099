"""Files that appear whole or not at all, and storage errors in one line."""

from __future__ import annotations

import errno
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from resolvent.solvers import InputError

__all__ = [
    "TEMPORARY_SUFFIX",
    "publish",
    "read_yaml",
    "storage_errors",
    "write_atomically",
    "write_temporary",
    "write_yaml",
]

TEMPORARY_SUFFIX = ".tmp"

_ADVICE = {
    errno.ENOSPC: "the disk is full: free space, then run the same command again (finished shards are kept)",
    errno.EDQUOT: "the disk quota is used up: free space, then run the same command again (finished shards are kept)",
    errno.EFBIG: "the file is larger than this system allows: raise the limit (ulimit -f) or use a smaller shard_size",
    errno.EACCES: "no permission to write there: choose another folder",
    errno.EPERM: "no permission to write there: choose another folder",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.ENOTDIR: "a file stands where a folder is needed: choose another folder",
    errno.EEXIST: "a file stands where a folder is needed: choose another folder",
}

_NOT_DIRECT = (errno.EINVAL, errno.EOPNOTSUPP)  # of a file system without direct I/O, or with larger blocks


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an OSError inside into an InputError that names `path`, the reason and the fix."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "check the folder and the disk, then run the same command again")
        raise InputError(f"cannot write {path} ({error.strerror or error}): {advice}") from error


def write_temporary(content: bytes | memoryview, target: Path, pages: memoryview | None = None) -> Path:
    """Write `content` beside `target` under a name of its own, flushed to the disk; leave nothing there on failure.

    The name starts with a dot and ends in ``.tmp``: no reader of ``*.hdf5`` picks it up. `pages`: the content in whole
    pages of memory, filled up with anything; with it, the page cache is passed by where the system can, since a copy of
    the data there costs the processor more than their way to the disk.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
    try:
        if pages is None or not _write_directly(pages, len(content), temporary):
            with temporary.open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    return temporary


def _write_directly(pages: memoryview, size: int, path: Path) -> bool:
    """Write and flush a new file of `size` bytes by direct I/O; False, and no file, where there is none."""
    flag = getattr(os, "O_DIRECT", 0)
    if not flag:
        return False
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | flag, 0o666)
    except OSError as error:
        if error.errno not in _NOT_DIRECT:
            raise
        path.unlink(missing_ok=True)  # some systems make the file before they refuse
        return False
    try:
        done = 0
        while done < size:
            done += os.write(descriptor, pages[done:])
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_DIRECT:
            raise
        path.unlink()
        return False
    finally:
        os.close(descriptor)
    return True


def publish(temporary: Path, target: Path) -> None:
    """Rename `temporary` to `target`, replacing it, and flush the folder: after a crash, one or the other is there."""
    os.replace(temporary, target)
    with suppress(OSError):  # some file systems cannot flush a folder; the rename is atomic all the same
        descriptor = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_atomically(content: bytes, target: Path) -> None:
    """Write `target` so that it is either the old file or the whole new one at every instant."""
    publish(write_temporary(content, target), target)


def write_yaml(values: Any, target: Path) -> None:
    """Write plain values as YAML, atomically."""
    write_atomically(yaml.safe_dump(json.loads(json.dumps(values)), sort_keys=False).encode(), target)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping from YAML.

    Raises
    ------
    InputError
        If the file is no YAML mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no valid YAML: restore it, or generate the data again ({_line(error)})") from None
    if not isinstance(values, dict):
        raise InputError(f"{path} holds no mapping: restore it, or generate the data again")
    return values


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
