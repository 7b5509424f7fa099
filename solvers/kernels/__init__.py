"""The only place that knows how compiled code is made (Numba, LLVM). It imports nothing of the project."""

from .alignment import aligned
from .cache_lines import line_operation
from .rows import row_kernel
from .unaliased import load, no_inline, store

__all__ = ["aligned", "line_operation", "load", "no_inline", "row_kernel", "store"]
