"""Open the folders that this project writes, whatever they hold."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from resolvent.solvers.errors import InputError

#: What a folder can hold, by the file that marks it: a name, the command that writes it, and what opens it.
KINDS = {
    "manifest.jsonl": ("a dataset", "resolvent generate or convert", "resolvent.data:Dataset"),
    "model.json": ("a trained operator", "resolvent train", "resolvent.operators:load_operator"),
}


def load(folder: str | os.PathLike[str]) -> Any:
    """Open a folder that a command has written.

    Parameters
    ----------
    folder : path

    Returns
    -------
    resolvent.data.Dataset or resolvent.operators.Operator
        A dataset is opened lazily; an operator is on the CPU, in evaluation mode.

    Raises
    ------
    InputError
        For a folder that is not there, holds nothing that is known, or is damaged.
    """
    path = Path(folder)
    for marker, (_, _, opener) in KINDS.items():
        if (path / marker).is_file():
            module, name = opener.split(":")
            return getattr(importlib.import_module(module), name)(path)
    known = "; ".join(f"{what} ({marker}), which {command} writes" for marker, (what, command, _) in KINDS.items())
    raise InputError(f"cannot load '{path}': {_content(path)}. Give the folder of {known}")


def _content(path: Path) -> str:
    """Say in a few words what is at a path that no kind fits."""
    if not path.exists():
        return "there is no such folder"
    if not path.is_dir():
        return "it is a file"
    names = sorted(entry.name for entry in path.iterdir())
    if not names:
        return "it is empty"
    return f"it holds {', '.join(names[:4])}{', …' if len(names) > 4 else ''}"
