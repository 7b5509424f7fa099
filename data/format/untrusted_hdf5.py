"""Open HDF5 files of strangers, but only if nothing in them points outside, runs code or declares more than it holds.

What HDF5 allows and a file of numbers does not need is refused: external, soft and user-defined links, virtual
datasets, datasets stored in other files, types that hold objects, references or text of any length, and shapes whose
bytes are not in the file. Without the last rule a few kilobytes could ask for a terabyte of memory.
"""

from __future__ import annotations

import math
from pathlib import Path

import h5py

from resolvent.solvers import InputError

from .atomic_files import one_line

_MOST_OBJECTS = 1_000_000  # groups and datasets in one file
_MOST_EXPANSION = 2_000  # bytes that one stored byte may become: deflate stays below 1032
_FREE_BYTES = 1 << 20  # declared sizes below this are never suspicious


def open_untrusted(path: Path) -> h5py.File:
    """Open an HDF5 file for reading, after its links and declared shapes have been checked.

    Raises
    ------
    InputError
        In one line, for a file that is missing, empty, truncated, not HDF5, or holds any of the above.
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
        check_file(file, path)
    except BaseException:
        file.close()
        raise
    return file


def check_file(file: h5py.File, path: Path) -> None:
    """Walk the whole file over hard links, each object once; see the module's description for what is refused.

    It uses HDF5's own functions, since every shard that is opened passes here and h5py's objects are slow.

    Raises
    ------
    InputError
        Naming the first object that is refused, and why.
    """
    seen: set[int] = set()
    waiting: list[tuple[str, h5py.h5g.GroupID]] = [("", file.id)]
    while waiting:
        prefix, group = waiting.pop()
        full = prefix or "/"
        try:
            names = list(group)
            for raw in names:
                full = f"{prefix}/{raw.decode('utf-8', 'replace')}"
                kind = group.links.get_info(raw).type
                if kind != h5py.h5l.TYPE_HARD:
                    raise _link_error(group, raw, kind, full, path)
                item = h5py.h5o.open(group, raw)
                address = h5py.h5o.get_info(item).addr
                if address in seen:
                    continue
                seen.add(address)
                if len(seen) > _MOST_OBJECTS:
                    raise InputError(f"{path} holds more than {_MOST_OBJECTS} objects: split it")
                if isinstance(item, h5py.h5d.DatasetID):
                    _check_dataset(item, full, path)
                elif isinstance(item, h5py.h5g.GroupID):
                    waiting.append((full, item))
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} is damaged at {full} ({one_line(error)}): copy or download it again") from None


def _link_error(group: h5py.h5g.GroupID, name: bytes, kind: int, full: str, path: Path) -> InputError:
    if kind == h5py.h5l.TYPE_EXTERNAL:
        target = group.links.get_val(name)[0].decode("utf-8", "replace")
        return InputError(f"{path}: {full} is an external link to {target}: copy the data into the file")
    if kind == h5py.h5l.TYPE_SOFT:
        target = group.links.get_val(name).decode("utf-8", "replace")
        return InputError(f"{path}: {full} is a soft link to {target}: store the data under that name")
    return InputError(f"{path}: {full} is a link of a user-defined kind: store the data under that name")


def _check_dataset(dataset: h5py.h5d.DatasetID, name: str, path: Path) -> None:
    """Refuse a dataset whose numbers are elsewhere, are no numbers, or are not all there."""
    created = dataset.get_create_plist()
    layout = created.get_layout()
    if layout == h5py.h5d.VIRTUAL:
        raise InputError(f"{path}: {name} is a virtual dataset (its numbers are in other files): copy them in")
    if created.get_external_count():
        place = created.get_external(0)[0].decode("utf-8", "replace")
        raise InputError(f"{path}: {name} keeps its numbers in {place}: copy them into the file")
    try:
        dtype = dataset.dtype
    except TypeError as error:
        raise InputError(f"{path}: {name} is of a type that cannot be read ({one_line(error)}): remove it") from None
    if dtype.kind not in "fiubcS":
        raise InputError(f"{path}: {name} is of dtype {dtype}: expected numbers; remove it")
    if dataset.get_space().get_simple_extent_type() == h5py.h5s.NULL:
        return
    declared = math.prod(int(n) for n in dataset.shape) * int(dtype.itemsize)
    if declared <= _FREE_BYTES:
        return
    stored = int(dataset.get_storage_size())
    if declared > (_FREE_BYTES + _MOST_EXPANSION * stored if layout == h5py.h5d.CHUNKED else stored):
        raise InputError(
            f"{path}: {name} declares {declared:.3g} bytes in shape {tuple(dataset.shape)} and the file holds "
            f"{stored} of them: it is damaged or hostile; make it again"
        )
