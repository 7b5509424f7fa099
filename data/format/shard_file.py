"""Encode the file of a shard in memory, and write it under a temporary name."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .atomic_files import storage_errors, write_temporary
from .digests import combined_digest
from .folder import ShardRecord
from .layout import ShardContents, encode_shard
from .splits import Shard


def encode_to_temporary(contents: ShardContents, folder: Path, shard: Shard) -> tuple[Path, ShardRecord]:
    """Encode, hash and write a shard beside its final place; the record still lacks what only the solver knows."""
    content = encode_shard(contents)
    target = folder / shard.path(contents.name)
    record = ShardRecord(
        file=shard.path(contents.name),
        split=shard.split,
        start=shard.start,
        stop=shard.stop,
        config=contents.config_hash,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        digest=combined_digest(bytes(d) for d in contents.provenance["digest"]),
    )
    with storage_errors(target):
        return write_temporary(content, target), record
