"""List the formats of other projects by name: each opens a path as a :class:`.source.Source`, and some export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .matlab import open_mat
from .named_arrays import Selection
from .neuraloperator import export_pt, open_pt
from .numpy_archive import export_npz, open_npz
from .pdebench import export_pdebench, open_pdebench
from .source import Source


@dataclass(frozen=True)
class Format:
    """Describe a format: its endings, how it is opened, and how datasets are exported to it (None: it is only read)."""

    endings: tuple[str, ...]
    open: Callable[[Path, Selection], Source]
    export: Callable[..., list[Path]] | None
    settings: tuple[str, ...] = ()

    def exports(self) -> bool:
        """Return whether a dataset can be written in it."""
        return self.export is not None


FORMATS: dict[str, Format] = {
    "pdebench": Format((".hdf5", ".h5"), open_pdebench, export_pdebench, ("layout",)),
    "neuraloperator": Format((".pt", ".pth"), open_pt, export_pt),
    "npz": Format((".npz",), open_npz, export_npz),
    "mat": Format((".mat",), open_mat, None),
}
"""Formats by name."""
