"""The dataset format: its folder, files, digests, compression, and its checker (FORMAT.md says what holds)."""

from .atomic_files import write_atomically
from .check import Violation, check_format
from .compression import Compression
from .field import Field, Role
from .layout import FORMAT_VERSION, ShardContents, open_shard

__all__ = [
    "FORMAT_VERSION",
    "Compression",
    "Field",
    "Role",
    "ShardContents",
    "Violation",
    "check_format",
    "open_shard",
    "write_atomically",
]
