"""Read MATLAB files: version 5 through SciPy, version 7.3, which is HDF5, through h5py.

FNO's Darcy (coeff, sol), Burgers (a, u) and Navier–Stokes files (a, u with the time last, t) are recognised by their
names. MATLAB's arrays have the samples first; in version 7.3 HDF5 sees their axes reversed. Only numeric arrays are
read: structures, cells, text, objects and function handles are refused if they are asked for, else ignored.

References
----------
Li et al., Fourier Neural Operator for Parametric PDEs, ICLR 2021: its published data.
MathWorks, MAT-File Format (version 5).
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
from scipy.io.matlab import MatReadError

from resolvent.solvers import InputError

from ..format.atomic_files import reading_errors
from ..format.identifiers import name_of
from ..format.untrusted_hdf5 import open_untrusted
from ..free_memory import check_fits
from .named_arrays import Selection, StoredArray, source_of_arrays
from .source import Source

_NUMERIC = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "logical")
_MOST_RATIO = 1100  # deflate's own limit is 1032


def open_mat(path: Path, selection: Selection) -> Source:
    """Open a MATLAB file.

    Raises
    ------
    InputError
        For a file that is empty, truncated or of another kind, or whose variables cannot be told.
    """
    with path.open("rb") as stream:
        head = stream.read(128)
    if not head:
        raise InputError(f"{path} is empty: copy or download it again")
    if head.startswith(b"MATLAB 7.3") or h5py.is_hdf5(path):
        held = _version_7_3(path)
    elif head.startswith(b"MATLAB 5.0") and len(head) == 128:
        held = _version_5(path, head, selection)
    else:
        raise InputError(f"{path} is no MATLAB file of version 5 or 7.3: save it with -v7 or -v7.3")
    return source_of_arrays(held, str(path), name_of(path), selection, time_last=True)


def _version_7_3(path: Path) -> dict[str, StoredArray]:
    file = open_untrusted(path)
    held = {}
    for key in file:
        item = file[key]
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub" and "MATLAB_empty" not in item.attrs:
            shape = tuple(reversed(item.shape))

            def read(a: int, b: int, dataset: h5py.Dataset = item) -> np.ndarray:
                return np.ascontiguousarray(dataset[..., a:b].T)

            held[key] = StoredArray(shape, item.dtype, read)
    return held


def _version_5(path: Path, head: bytes, selection: Selection) -> dict[str, StoredArray]:
    _check_elements(path, head)
    size = path.stat().st_size
    further = (EOFError, OverflowError, zlib.error, MatReadError)
    with reading_errors(f"{path} cannot be read as .mat", "it is truncated or damaged", *further):
        listed = scipy.io.whosmat(path)
        wanted = [name for name, _, kind in listed if kind in _NUMERIC]
        refused = {name: kind for name, _, kind in listed if kind not in _NUMERIC}
        for name in (*(selection.inputs or ()), *(selection.outputs or ())):
            if name in refused:
                raise InputError(f"{path}: {name} is a MATLAB {refused[name]}: expected a numeric array")
        declared = sum(int(np.prod(shape, dtype=object)) for name, shape, _ in listed if name in wanted)
        if declared > _MOST_RATIO * size:
            raise InputError(f"{path} of {size} bytes declares {declared:.3g} numbers: it is damaged or hostile")
        check_fits(8 * declared, str(path))
        loaded: dict[str, Any] = scipy.io.loadmat(path, variable_names=wanted, verify_compressed_data_integrity=True)
    return {name: StoredArray.of(np.asarray(loaded[name])) for name in wanted if isinstance(loaded[name], np.ndarray)}


def _check_elements(path: Path, head: bytes) -> None:
    """Check that the top-level elements fill the file, and that none declares more bytes than there are."""
    order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
    if order is None:
        raise InputError(f"{path} is no MATLAB file of version 5: its byte order is {head[126:128]!r}")
    size, place = path.stat().st_size, 128
    with path.open("rb") as stream:
        while place < size:
            stream.seek(place)
            tag = stream.read(8)
            if len(tag) < 8:
                raise InputError(f"{path} is truncated at byte {place}: copy or download it again")
            _, length = struct.unpack(order + "II", tag)
            place += 8 + length
            if place > size:
                raise InputError(
                    f"{path} is truncated or hostile: an element declares {length} bytes, {size - place + length} are "
                    "there; copy or download it again"
                )
