"""Encoded fields: what the encoder says a reader will see is what HDF5 reads back from the chunks."""

from __future__ import annotations

import io

import h5py
import numpy as np
import pytest

from resolvent.data.format.compression import COMPRESSIONS, ERROR_BOUNDED, Compression
from resolvent.data.format.field import Field, Role
from resolvent.data.format.stored_field import FieldEncoder, StoredField
from resolvent.solvers import InputError


def _smooth(count: int, dtype: str = "float64") -> np.ndarray:
    x = np.linspace(0.0, 1.0, 12)
    return np.stack([np.sin((k + 1) * x)[:, None] * np.cos(x) for k in range(count)]).astype(dtype)


def _read(stored: StoredField) -> np.ndarray:
    with h5py.File(io.BytesIO(), "w") as file:
        dataset = file.create_dataset(
            "v", shape=stored.shape, dtype=stored.dtype, chunks=stored.chunk_shape, **stored.filters
        )
        for place, (mask, raw) in enumerate(stored.chunks):
            dataset.id.write_direct_chunk((place, *(0,) * (len(stored.shape) - 1)), raw, mask)
        return dataset[...]


@pytest.mark.parametrize("name", COMPRESSIONS)
@pytest.mark.parametrize("role", ["input", "output", "auxiliary"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_readers_see_what_the_encoder_returned(name: str, role: Role, dtype: str) -> None:
    bound = {"error_bound": 1e-3} if name in ERROR_BOUNDED else {}
    samples = _smooth(3, dtype)
    encoder = FieldEncoder(Field(samples[0], "1", "a wave", role), Compression(name, **bound))
    seen = np.stack([encoder.add(values) for values in samples])
    stored = encoder.finish()
    assert stored.shape == ((3, 1, 12, 12) if role == "output" else (3, 12, 12))
    read = _read(stored)
    np.testing.assert_array_equal(read.reshape(samples.shape), seen)
    lossy = bool(bound) and role == "output"
    error = float(np.abs(seen.astype(float) - samples.astype(float)).max())
    assert 0.0 < error <= 1e-3 if lossy else error == 0.0
    assert stored.attributes.get("error_measured") == (error if lossy else None)


def test_a_sample_has_the_same_chunk_whatever_stands_beside_it() -> None:
    samples = _smooth(3)
    whole = FieldEncoder(Field(samples[0], "1", "", "output"), Compression("sz3", 1e-3, "relative"))
    alone = FieldEncoder(Field(samples[2], "1", "", "output"), Compression("sz3", 1e-3, "relative"))
    for values in samples:
        whole.add(values)
    alone.add(samples[2])
    assert whole.finish().chunks[2] == alone.finish().chunks[0]


@pytest.mark.parametrize("role", ["constant", "mesh"])
@pytest.mark.parametrize("name", ["gzip", "none"])
def test_a_constant_is_stored_once(role: Role, name: str) -> None:
    values = np.arange(12).reshape(4, 3)
    encoder = FieldEncoder(Field(values, "1", "", role), Compression(name))
    for _ in range(5):
        encoder.add(values)
    stored = encoder.finish()
    assert (len(stored.chunks), stored.shape, stored.sample_varying) == (1, (4, 3), False)
    np.testing.assert_array_equal(_read(stored), values)


def test_a_bound_below_the_last_digit_is_refused() -> None:
    values = 10.0 ** np.linspace(-10.0, 12.0, 144).reshape(12, 12)
    encoder = FieldEncoder(Field(values, "1", "", "output"), Compression("zfp", 1e-9))
    with pytest.raises(InputError, match=r"zfp missed its bound: error .* raise error_bound"):
        encoder.add(values)
