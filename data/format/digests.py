"""Compute checksums: of a file as bytes, of a sample as numbers, of a configuration as canonical JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sample_digest(fields: Mapping[str, np.ndarray]) -> bytes:
    """Return the SHA-256 over one sample's fields: name, dtype, shape and little-endian bytes, sorted by name.

    It depends only on the stored numbers: not on compression, sharding, provenance or the order of the fields.
    """
    digest = hashlib.sha256()
    for name in sorted(fields):
        _add_field(digest, name, fields[name])
    return digest.digest()


def field_digest(name: str, values: np.ndarray) -> bytes:
    """Return the SHA-256 over name, dtype, shape and little-endian bytes of one field of one sample."""
    digest = hashlib.sha256()
    _add_field(digest, name, values)
    return digest.digest()


def digest_of_fields(digests: Mapping[str, bytes]) -> bytes:
    """Return the SHA-256 over the digests of a sample's fields, sorted by name: shared fields are hashed only once."""
    return hashlib.sha256(b"".join(digests[name] for name in sorted(digests))).digest()


def _add_field(digest: Any, name: str, values: np.ndarray) -> None:
    values = np.ascontiguousarray(values)
    values = values.astype(values.dtype.newbyteorder("<"), copy=False)
    digest.update(f"{name}|{values.dtype.str}|{values.shape}|".encode())
    digest.update(values.reshape(-1).view(np.uint8))


def combined_digest(digests: Iterable[bytes]) -> str:
    """Return the SHA-256 over sample digests in order, in hexadecimal."""
    total = hashlib.sha256()
    for digest in digests:
        total.update(digest)
    return total.hexdigest()


def config_hash(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a configuration in canonical JSON."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
