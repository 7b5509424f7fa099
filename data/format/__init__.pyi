"""Write, open and check the dataset format: folder, files, digests, compression (FORMAT.md is the specification)."""

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
