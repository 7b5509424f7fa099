"""Checksums: of a file as bytes, of a sample as numbers, of a configuration as canonical JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["combined_digest", "config_hash", "file_sha256", "sample_digest"]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sample_digest(fields: Mapping[str, np.ndarray]) -> bytes:
    """SHA-256 over one sample's fields: name, dtype, shape and little-endian bytes, by name.

    It depends on the stored numbers alone: not on compression, sharding, provenance or the order of the fields.
    """
    digest = hashlib.sha256()
    for name in sorted(fields):
        values = np.ascontiguousarray(fields[name])
        values = values.astype(values.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name}|{values.dtype.str}|{values.shape}|".encode())
        digest.update(values.reshape(-1).view(np.uint8))
    return digest.digest()


def combined_digest(digests: Iterable[bytes]) -> str:
    """SHA-256 over sample digests in order, in hexadecimal."""
    total = hashlib.sha256()
    for digest in digests:
        total.update(digest)
    return total.hexdigest()


def config_hash(config: Mapping[str, Any]) -> str:
    """SHA-256 of a configuration in canonical JSON."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
