"""Chunks encoded here are what HDF5's own gzip filter reads."""

import io
import zlib

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.data.format.chunks import deflated_chunk, fletcher32

FILTERS = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}


def stored_by_hdf5(values):
    """The raw chunk that HDF5 makes, and a file that holds the one made here."""
    with h5py.File(io.BytesIO(), "w") as file:
        own = file.create_dataset("own", data=values, chunks=values.shape, **FILTERS)
        _, raw = own.id.read_direct_chunk((0,) * values.ndim)
        ours = file.create_dataset("ours", shape=values.shape, dtype=values.dtype, chunks=values.shape, **FILTERS)
        ours.id.write_direct_chunk((0,) * values.ndim, deflated_chunk(values))
        return raw, ours[...]


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "i4", "u1"])
@pytest.mark.parametrize("shape", [(1, 7, 9), (1, 1), (3,), (2, 64, 64)])
def test_hdf5_reads_what_is_written(dtype, shape):
    values = (100.0 * np.random.default_rng(0).standard_normal(shape)).astype(dtype)
    raw, read = stored_by_hdf5(values)
    assert read.tobytes() == values.tobytes()
    assert zlib.decompress(deflated_chunk(values)[:-4]) == zlib.decompress(raw[:-4])


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=2000))
def test_checksum_is_hdf5s(data):
    values = np.frombuffer(data, dtype=np.uint8)
    raw, _ = stored_by_hdf5(values)
    assert fletcher32(raw[:-4]) == int.from_bytes(raw[-4:], "little")


def test_checksum_of_long_and_of_saturated_data():
    for data in (b"\xff" * 4_000_001, b"\0" * 4_000_000, np.random.default_rng(1).bytes(5_000_003)):
        words = np.frombuffer(data + b"\0" * (len(data) % 2), dtype=">u2").astype(object)
        total, weighted = int(words.sum()), int((words * np.arange(words.size, 0, -1)).sum())
        folded = [v % 65535 or (65535 if v else 0) for v in (total, weighted)]
        assert fletcher32(data) == folded[1] << 16 | folded[0]


def test_a_damaged_chunk_is_refused():
    values = np.arange(64.0).reshape(1, 8, 8)
    with h5py.File(io.BytesIO(), "w") as file:
        ours = file.create_dataset("ours", shape=values.shape, dtype=values.dtype, chunks=values.shape, **FILTERS)
        chunk = bytearray(deflated_chunk(values))
        chunk[10] ^= 1
        ours.id.write_direct_chunk((0, 0, 0), bytes(chunk))
        with pytest.raises(OSError, match="filter"):
            ours[...]


def smooth(shape):
    y, x = (np.linspace(0.0, 3.0, n) for n in shape)
    return np.sin(y[:, None] * x) + 1e-9 * np.random.default_rng(4).standard_normal(shape)


LARGE = {
    "random": np.random.default_rng(2).standard_normal((150, 200)),
    "smooth": smooth((256, 256)),
    "smooth in single precision": smooth((256, 256)).astype("f4"),
    "binary": np.where(smooth((256, 256)) > 0.3, 12.0, 3.0),
    "integers": np.random.default_rng(3).integers(0, 1000, (200, 200)).astype("f8"),
    "random rows that repeat": np.tile(np.random.default_rng(5).standard_normal(256), (128, 1)),
    "constant": np.ones((200, 200)),
    "longer than a block": np.random.default_rng(6).standard_normal((3, 70_000)),
    "whole numbers": np.random.default_rng(7).integers(0, 2**60, (150, 160)),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_chunks_are_read_and_as_small_as_those_of_hdf5(name):
    values = LARGE[name]
    raw, read = stored_by_hdf5(values)
    assert read.tobytes() == values.tobytes()
    chunk = deflated_chunk(values)
    assert zlib.decompress(bytes(chunk[:-4])) == zlib.decompress(raw[:-4])
    assert len(chunk) <= max(1.06 * len(raw), 0.1 * values.nbytes)


def test_bytes_that_do_not_shrink_are_stored():
    values = LARGE["random"]
    chunk = deflated_chunk(values)
    low = values.view(np.uint8).reshape(-1, 8)[:, 0].tobytes()
    assert low in bytes(chunk)
    assert len(chunk) < 0.95 * values.nbytes
