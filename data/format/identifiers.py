"""Check names: they must be safe in files, paths and HDF5."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from resolvent.solvers import InputError


def is_identifier(label: Any) -> bool:
    """Return whether a name consists of at most 100 letters, digits, '_' and '-', and does not start with '-'."""
    return isinstance(label, str) and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}", label) is not None


def check_identifier(label: Any, what: str) -> str:
    """Return a name that :func:`is_identifier` accepts; raise InputError for any other."""
    if not is_identifier(label):
        raise InputError(f"{what} {str(label)[:100]!r}: expected letters, digits, '_' and '-' only")
    return str(label)


def name_of(path: Path) -> str:
    """Return a dataset's name from a file's: characters that are not allowed in it become '_'."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in path.stem)[:100] or "data"
