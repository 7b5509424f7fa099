"""Read and write NumPy archives, ``.npz``: named arrays, never unpickled, and never larger than they declare.

An archive is a zip file, and a few kilobytes of zip can declare terabytes. Every member is checked before it is read:
the size the archive declares, against the free memory and against what it occupies; the header of its array, against
the size of the member.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from resolvent.solvers import InputError

from ..dataset import Dataset
from ..format.atomic_files import one_line
from ..format.identifiers import name_of
from ..free_memory import check_fits
from .named_arrays import (
    METADATA,
    Selection,
    StoredArray,
    dataset_metadata,
    input_output_arrays,
    parse_metadata,
    source_of_arrays,
)
from .source import Source

_MOST_RATIO = 200  # bytes that a compressed one may become, beyond _FREE_BYTES
_FREE_BYTES = 1 << 28
_MOST_MEMBERS = 1000


def open_npz(path: Path, selection: Selection) -> Source:
    """Open an archive.

    Raises
    ------
    InputError
        For a file that is empty, truncated, no zip, encrypted, holds pickled objects, or declares more than it has.
    """
    try:
        held = _read(path)
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        reason = one_line(error)
        if "pickle" in reason.lower() or "object" in reason.lower():
            raise InputError(f"{path} holds pickled objects, which could run code: save plain arrays") from None
        raise InputError(f"{path} cannot be read as .npz ({reason}): it is truncated, damaged or no archive") from None
    metadata = None
    if METADATA in held:
        text = held.pop(METADATA)
        metadata = parse_metadata(str(text) if text.dtype.kind == "U" and text.ndim == 0 else None, str(path))
    arrays = {name: StoredArray.of(values) for name, values in held.items() if values.ndim}
    return source_of_arrays(arrays, str(path), name_of(path), selection, metadata)


def _read(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > _MOST_MEMBERS:
            raise InputError(f"{path} holds {len(members)} members: expected at most {_MOST_MEMBERS} arrays")
        size = path.stat().st_size
        declared = 0
        for member in members:
            name = member.filename
            if not name.endswith(".npy") or "/" in name or "\\" in name or ".." in name.removesuffix(".npy"):
                raise InputError(
                    f"{path} holds '{name[:80]}': expected arrays NAME.npy alone; save it with numpy.savez"
                )
            declared += member.file_size
            if member.compress_size > size:
                raise InputError(f"{path}: {name} declares more compressed bytes than the file has: it is damaged")
        if declared > _FREE_BYTES and declared > _MOST_RATIO * size:
            raise InputError(
                f"{path} of {size} bytes declares {declared:.3g} bytes of arrays: it is damaged or hostile; if it is "
                "yours, save it with numpy.savez (uncompressed)"
            )
        check_fits(declared, f"{path}")
        for member in members:
            with archive.open(member) as stream:
                _check_header(stream, member, path)
    with np.load(path, allow_pickle=False) as loaded:
        return {name: loaded[name] for name in loaded.files}


def _check_header(stream: object, member: zipfile.ZipInfo, path: Path) -> None:
    """Check that an array's header promises no more bytes than the member has, before they are allocated."""
    major, _ = np.lib.format.read_magic(stream)  # type: ignore[arg-type]
    reader = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(stream)  # type: ignore[arg-type]
    if dtype.hasobject:
        raise InputError(f"{path}: {member.filename} holds pickled objects, which could run code: save plain arrays")
    promised = int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
    if promised > member.file_size:
        raise InputError(
            f"{path}: {member.filename} declares {promised:.3g} bytes in shape {shape} and holds {member.file_size}: "
            "it is damaged or hostile; save it again"
        )


def write_npz(dataset: Dataset, split: str, path: Path) -> None:
    """Write a split: x, y and what else a reader of this project needs."""
    x, y = input_output_arrays(dataset, split)
    with path.open("wb") as stream:
        np.savez(stream, x=x, y=y, **{METADATA: np.array(dataset_metadata(dataset))})  # type: ignore[arg-type]
