"""Write the attributes and small arrays of an HDF5 file by HDF5's own functions.

A shard has a hundred of them, and h5py's objects take three times as long over each: 3 % of a generation.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import h5py
import numpy as np

_TEXT = h5py.string_dtype()


def set_attributes(owner: h5py.HLObject, values: Mapping[str, Any]) -> None:
    """Give a new object its attributes: text, numbers, lists of either."""
    for name, value in values.items():
        array = _array(value)
        stored, in_memory = _types(array.dtype)
        attribute = h5py.h5a.create(owner.id, name.encode(), stored, _space(array))
        attribute.write(array, mtype=in_memory)


def add_array(group: h5py.Group, name: str, values: Any, **attributes: Any) -> None:
    """Add a dataset without chunks or filters, and its attributes."""
    array = _array(values)
    stored, in_memory = _types(array.dtype)
    dataset = h5py.h5d.create(group.id, name.encode(), stored, _space(array), dcpl=_without_times())
    if array.size:
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, array, in_memory)
    if attributes:
        set_attributes(h5py.Dataset(dataset), attributes)


@lru_cache
def _without_times() -> h5py.h5p.PropDCID:
    """Equal content makes equal bytes, whenever it was written."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    return properties


def _array(value: Any) -> np.ndarray:
    text = isinstance(value, str) or (isinstance(value, (list, tuple)) and value and isinstance(value[0], str))
    return np.asarray(value, dtype=_TEXT if text else None, order="C")


def _types(dtype: np.dtype[Any]) -> tuple[h5py.h5t.TypeID, h5py.h5t.TypeID]:
    return _text_types() if dtype.kind == "O" else _number_types(dtype)


@lru_cache
def _text_types() -> tuple[h5py.h5t.TypeID, h5py.h5t.TypeID]:
    return h5py.h5t.py_create(_TEXT, logical=True), h5py.h5t.py_create(_TEXT)


@lru_cache
def _number_types(dtype: np.dtype[Any]) -> tuple[h5py.h5t.TypeID, h5py.h5t.TypeID]:
    return h5py.h5t.py_create(dtype, logical=True), h5py.h5t.py_create(dtype)


def _space(array: np.ndarray) -> h5py.h5s.SpaceID:
    return h5py.h5s.create_simple(array.shape) if array.ndim else h5py.h5s.create(h5py.h5s.SCALAR)
