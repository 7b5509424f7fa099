"""Write files that appear whole or not at all, and say storage errors in one line."""

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


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an OSError inside into an InputError that names `path`, the reason and the fix."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "check the folder and the disk, then run the same command again")
        raise InputError(f"cannot write {path} ({error.strerror or error}): {advice}") from error


DAMAGE: tuple[type[Exception], ...] = (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError)
"""What reading a damaged file raises, whatever reads it."""


@contextmanager
def reading_errors(what: str, advice: str, *further: type[Exception]) -> Iterator[None]:
    """Turn the errors of a damaged file, and `further` ones, into an InputError: what, the reason and the advice."""
    try:
        yield
    except (InputError, PermissionError):
        raise
    except DAMAGE + further as error:
        raise InputError(f"{what} ({one_line(error)}): {advice}") from None


def write_temporary(content: bytes | memoryview, target: Path, flush: bool = True) -> Path:
    """Write `content` beside `target` under a name of its own; leave nothing there on failure.

    The name starts with a dot and ends in ``.tmp``: no reader of ``*.hdf5`` picks it up.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
    try:
        with temporary.open("xb") as stream:
            stream.write(content)
            if flush:
                stream.flush()
                os.fsync(stream.fileno())
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    return temporary


def publish(temporary: Path, target: Path, flush: bool = True) -> None:
    """Rename `temporary` to `target`, replacing it, and flush the folder: after a crash, one or the other is there."""
    os.replace(temporary, target)
    if not flush:
        return
    with suppress(OSError):  # some file systems cannot flush a folder; the rename is atomic all the same
        descriptor = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_atomically(content: bytes | memoryview | str, target: Path, flush: bool = True) -> None:
    """Write `target` so that it is either the old file or the whole new one at every instant.

    With `flush` that also holds if the machine crashes; it takes some milliseconds.
    """
    content = content.encode() if isinstance(content, str) else content
    publish(write_temporary(content, target, flush), target, flush)


def write_yaml(values: Any, target: Path) -> None:
    """Write plain values as YAML, atomically."""
    write_atomically(yaml.safe_dump(json.loads(json.dumps(values)), sort_keys=False), target)


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
        raise InputError(
            f"{path} is no valid YAML: restore it, or generate the data again ({one_line(error)})"
        ) from None
    if not isinstance(values, dict):
        raise InputError(f"{path} holds no mapping: restore it, or generate the data again")
    return values


def one_line(error: BaseException, most: int = 120) -> str:
    """Return what an error says on one line of at most so many characters; the name of its kind if it says nothing."""
    return " ".join(str(error).split())[:most] or type(error).__name__
