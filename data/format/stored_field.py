"""Fields as a shard holds them: a compressed chunk for each sample, encoded while its numbers are still in the cache.

Error-bounded compressors change the outputs. So what a reader will see is decoded at once, and certified.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np

from resolvent.solvers import InputError

from .chunks import deflated_chunk
from .compression import Compression
from .field import CONSTANT, Field, Role

Chunk = tuple[int, bytes | bytearray]
"""HDF5's filter mask (which filters were skipped: none if 0) and the bytes."""


@dataclass(frozen=True)
class StoredField:
    """Hold a field of all samples of a shard, encoded.

    Parameters
    ----------
    units, description : str
    role : {'input', 'output', 'constant', 'auxiliary', 'mesh'}
    shape : tuple of int
        (B, *space); outputs (B, T, *space), with T = 1 where the problem is steady; constants (*space).
    dtype : numpy.dtype
    chunks : sequence of (int, bytes)
        One for each sample, in order; a constant has one.
    filters : mapping
        The arguments of ``create_dataset`` by which a reader decodes the chunks.
    attributes : mapping
        What an error-bounded compression records: its bound, the error measured, the ratio.
    """

    units: str
    description: str
    role: Role
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: Sequence[Chunk]
    filters: Mapping[str, Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sample_varying(self) -> bool:
        """Whether the samples differ in it."""
        return self.role not in CONSTANT

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """Return the shape of one chunk: one sample, or the whole of a constant."""
        return (1, *self.shape[1:]) if self.sample_varying else self.shape


class FieldEncoder:
    """Encode a field, sample by sample.

    Each sample is compressed by itself, with its own error bound, so that its stored bits do not depend on the others.

    Parameters
    ----------
    first : Field
        The field of the first sample: its role, units, shape and dtype hold for all.
    compression : Compression
        An error-bounded one applies to outputs; all other fields are then stored exactly.
    """

    def __init__(self, first: Field, compression: Compression) -> None:
        self._first = first
        self._compression = compression
        self._lossy = compression.lossy and first.role == "output"
        self._chunks: list[Chunk] = []
        self._filters: _Filters | None = None  # made when the first sample comes
        self._error = 0.0

    def add(self, values: np.ndarray) -> np.ndarray:
        """Take one sample in; return the numbers that a reader will see. A constant is taken from the first sample.

        Raises
        ------
        InputError
            If the compressor breaks its bound (numbers so large that the bound lies below their last digit).
        """
        if self._first.role in CONSTANT and self._chunks:
            return values
        if self._lossy:
            return self._add_within_bound(values)
        if self._compression.name == "gzip":
            self._chunks.append((0, deflated_chunk(values)))
        else:
            shape = self._chunk_shape()
            self._filters = self._filters or _Filters(shape, values.dtype, self._compression.filters())
            self._chunks.append(self._filters.encode(values.reshape(shape)))
        return values

    def finish(self) -> StoredField:
        """Return the field of all samples that were added."""
        first, compression = self._first, self._compression
        shape = self._chunk_shape()
        if first.role not in CONSTANT:
            shape = (len(self._chunks), *shape[1:])
        filters, attributes = compression.filters(), {}
        if self._lossy:
            assert compression.error_bound is not None
            filters = compression.lossy_filters(compression.error_bound)
            stored = sum(len(raw) for _, raw in self._chunks)
            attributes = {
                "compression": compression.name,
                "error_bound": compression.error_bound,
                "error_bound_mode": compression.mode,
                "error_measured": self._error,
                "compression_ratio": first.values.nbytes * len(self._chunks) / max(stored, 1),
            }
        dtype = first.values.dtype
        return StoredField(first.units, first.description, first.role, shape, dtype, self._chunks, filters, attributes)

    def _chunk_shape(self) -> tuple[int, ...]:
        shape = self._first.values.shape
        if self._first.role in CONSTANT:
            return shape
        return (1, 1, *shape) if self._first.role == "output" and not self._first.time_varying else (1, *shape)

    def _add_within_bound(self, values: np.ndarray) -> np.ndarray:
        compression = self._compression
        bound = compression.bound(values)
        # A field of zeros has a relative bound of 0, which SZ3 does not take; any bound keeps zeros.
        filters = compression.lossy_filters(bound or 1.0)
        shape = (1, *values.shape)
        chunk = _Filters(shape, values.dtype, filters).encode(values[None])
        decoded = _Filters(shape, values.dtype, filters).decode(chunk)[0]
        largest = float(np.abs(values).max(initial=0.0))
        error = float(np.abs(decoded.astype(np.float64) - values.astype(np.float64)).max(initial=0.0))
        if not error <= bound:
            raise InputError(
                f"{compression.name} missed its bound: error {error:.3e} above {bound:.3e} (values up to "
                f"{largest:.3g}): raise error_bound, or use a lossless compression"
            )
        self._chunks.append(chunk)
        self._error = max(self._error, error / (1.0 if compression.mode == "absolute" else largest or 1.0))
        return decoded


class _Filters:
    """Encode and decode single chunks by HDF5's filters, in a file in memory that is used again and again."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], filters: Mapping[str, Any]) -> None:
        self._file = h5py.File(io.BytesIO(), "w")
        self._dataset = self._file.create_dataset("chunk", shape=shape, dtype=dtype, chunks=shape, **filters)
        self._origin = (0,) * len(shape)

    def encode(self, values: np.ndarray) -> Chunk:
        self._dataset.write_direct(np.ascontiguousarray(values))
        mask, raw = self._dataset.id.read_direct_chunk(self._origin)  # HDF5 filters what is in its cache first
        return mask, raw

    def decode(self, chunk: Chunk) -> np.ndarray:
        mask, raw = chunk
        self._dataset.id.write_direct_chunk(self._origin, raw, mask)
        decoded: np.ndarray = self._dataset[...]
        return decoded
