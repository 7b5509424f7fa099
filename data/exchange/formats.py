"""List the formats of other projects by name: each opens a path as a :class:`.source.Source`, and some export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..dataset import Dataset
from .matlab import open_mat
from .named_arrays import Selection
from .neuraloperator import open_pt, write_pt
from .numpy_archive import open_npz, write_npz
from .pdebench import open_pdebench
from .pdebench_export import plan_pdebench, write_pdebench
from .source import Source


@dataclass(frozen=True)
class Format:
    """Describe a format: its endings, how it is opened, and how datasets are exported to it.

    Attributes
    ----------
    endings : tuple of str
    open : callable
        ``open(path, selection)`` gives a source.
    write : callable or None
        ``write(dataset, split, path)`` writes a split, with `plan` ``write(dataset, split, path, plan)``; None if the
        format is only read.
    file_name : str
        The name of a split's file, with name, split, Split (its first letter large), resolution and, from the plan,
        ending in braces.
    plan : callable or None
        ``plan(dataset, layout)`` chooses among the format's layouts, once for all splits; None if it has one only.
    """

    endings: tuple[str, ...]
    open: Callable[[Path, Selection], Source]
    write: Callable[..., None] | None = None
    file_name: str = ""
    plan: Callable[[Dataset, str], Any] | None = None

    def exports(self) -> bool:
        """Return whether a dataset can be written in it."""
        return self.write is not None


FORMATS: dict[str, Format] = {
    "pdebench": Format((".hdf5", ".h5"), open_pdebench, write_pdebench, "{name}_{Split}{ending}", plan_pdebench),
    "neuraloperator": Format((".pt", ".pth"), open_pt, write_pt, "{name}_{split}_{resolution}.pt"),
    "npz": Format((".npz",), open_npz, write_npz, "{name}_{split}.npz"),
    "mat": Format((".mat",), open_mat),
}
"""Formats by name."""
