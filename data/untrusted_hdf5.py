"""HDF5 files of strangers: opened only where nothing in them points outside, runs code or declares more than it holds.

What HDF5 allows and a file of numbers does not need is refused: external, soft and user-defined links, virtual
datasets, datasets kept in other files, types that hold objects, references or text of any length, and shapes whose
bytes are not in the file. The last is what keeps a few kilobytes from asking for a terabyte of memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from resolvent.solvers import InputError

__all__ = ["check_dataset", "check_links", "open_untrusted"]

_MOST_OBJECTS = 1_000_000  # groups and datasets in one file
_MOST_EXPANSION = 2_000  # bytes that one stored byte may become: deflate stays below 1032
_FREE_BYTES = 1 << 20  # declared sizes below this are never suspicious


def open_untrusted(path: Path) -> h5py.File:
    """Open an HDF5 file for reading, after its links and declared shapes have been checked.

    Raises
    ------
    InputError
        One line, for a file that is missing, empty, truncated, not HDF5, or holds anything of the above.
    """
    import hdf5plugin  # noqa: F401  registers the filters that published files use

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty: copy or download it again")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        reason = " ".join(str(error).split()).split("(")[-1].rstrip(")")[:100]
        raise InputError(f"{path} cannot be read as HDF5 ({reason}): copy or download it again") from None
    try:
        for name, item in check_links(file, path):
            if isinstance(item, h5py.Dataset):
                check_dataset(item, name, path)
    except BaseException:
        file.close()
        raise
    return file


def check_links(file: h5py.File, path: Path) -> Iterator[tuple[str, object]]:
    """Walk the whole file over hard links; give each object's name and the object, each object once.

    Raises
    ------
    InputError
        Naming the first link that is not a hard one, and what it points to.
    """
    seen: set[int] = set()
    waiting: list[tuple[str, h5py.Group]] = [("", file)]
    while waiting:
        prefix, group = waiting.pop()
        try:
            names = list(group)
        except (OSError, RuntimeError, KeyError) as error:
            raise InputError(f"{path} is damaged at /{prefix} ({_short(error)}): copy or download it again") from None
        for name in names:
            full = f"{prefix}/{name}" if prefix else str(name)
            try:
                link = group.get(name, getlink=True)
                if isinstance(link, h5py.ExternalLink):
                    raise InputError(
                        f"{path}: /{full} is an external link to {link.filename}: copy the data into the file"
                    )
                if not isinstance(link, h5py.HardLink):
                    target = getattr(link, "path", "another place")
                    raise InputError(f"{path}: /{full} is a soft link to {target}: store the data under that name")
                item = group[name]
            except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
                if isinstance(error, InputError):
                    raise
                raise InputError(f"{path} is damaged at /{full} ({_short(error)}): copy or download it again") from None
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > _MOST_OBJECTS:
                raise InputError(f"{path} holds more than {_MOST_OBJECTS} objects: split it")
            yield full, item
            if isinstance(item, h5py.Group):
                waiting.append((full, item))


def check_dataset(dataset: h5py.Dataset, name: str, path: Path) -> None:
    """Refuse a dataset whose numbers are elsewhere, are no numbers, or are not all there.

    Raises
    ------
    InputError
    """
    try:
        if dataset.is_virtual:
            raise InputError(f"{path}: /{name} is a virtual dataset (its numbers are in other files): copy them in")
        if dataset.external:
            raise InputError(f"{path}: /{name} keeps its numbers in {dataset.external[0][0]}: copy them into the file")
        kind = dataset.dtype.kind
        declared = int(np.prod([int(n) for n in dataset.shape or ()], dtype=object)) * int(dataset.dtype.itemsize)
        stored = int(dataset.id.get_storage_size())
    except (TypeError, OSError, RuntimeError) as error:
        raise InputError(f"{path}: /{name} is of a type that cannot be read ({_short(error)}): remove it") from None
    if kind not in "fiubcS":
        raise InputError(f"{path}: /{name} is of dtype {dataset.dtype}: expected numbers; remove it")
    limit = _FREE_BYTES if dataset.chunks is None else _FREE_BYTES + _MOST_EXPANSION * stored
    if declared > max(limit, stored):
        raise InputError(
            f"{path}: /{name} declares {declared:.3g} bytes in shape {tuple(dataset.shape)} and the file holds "
            f"{stored} of them: it is damaged or hostile; make it again"
        )


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
