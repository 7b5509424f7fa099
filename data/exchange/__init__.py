"""Bring data in from arrays and the formats of other projects, and write datasets in these formats."""

from .arrays import from_arrays
from .convert import export_dataset, import_dataset
from .formats import FORMATS
from .source import Source

__all__ = ["FORMATS", "Source", "export_dataset", "from_arrays", "import_dataset"]
