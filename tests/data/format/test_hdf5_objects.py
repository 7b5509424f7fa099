"""Attributes and arrays written by HDF5's functions read like those that h5py's objects write."""

from __future__ import annotations

import io
from typing import Any

import h5py
import numpy as np
import pytest

from resolvent.data.format.hdf5_objects import add_array, set_attributes

VALUES: list[Any] = [
    "word",
    "Δu",
    "",
    ["one", "zwei", "τρία"],
    [],
    3,
    2.5,
    True,
    [True, False],
    np.arange(6, dtype=np.uint64).reshape(2, 3),
    np.array([b"converged", b"maxiter"]),
    np.zeros((0, 3)),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array([True, False]),
]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_they_are_those_of_h5py(value: Any) -> None:
    with h5py.File(io.BytesIO(), "w") as file:
        set_attributes(file, {"ours": value})
        file.attrs["theirs"] = value
        ours, theirs = file.attrs["ours"], file.attrs["theirs"]
        assert type(ours) is type(theirs)
        np.testing.assert_array_equal(ours, theirs)
        types = [h5py.h5a.open(file.id, name).get_type() for name in (b"ours", b"theirs")]
        assert types[0] == types[1]

        add_array(file, "ours", value, about="it", known=True)
        theirs = file.create_dataset("theirs", data=value)
        ours = file["ours"]
        assert (ours.shape, ours.dtype, ours.chunks) == (theirs.shape, theirs.dtype, theirs.chunks)
        assert ours.id.get_type() == theirs.id.get_type()
        np.testing.assert_array_equal(ours[()], theirs[()])
        assert dict(ours.attrs) == {"about": "it", "known": True}


def test_no_time_is_stored() -> None:
    with h5py.File(io.BytesIO(), "w", libver=("v108", "v110")) as file:
        add_array(file, "ours", np.arange(3.0))
        assert not file["ours"].id.get_create_plist().get_obj_track_times()
