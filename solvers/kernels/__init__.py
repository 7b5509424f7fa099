"""The only place that knows how compiled code is made (Numba, LLVM). It imports nothing of the project."""

from .alignment import aligned
from .cache_lines import line_operation
from .rows import row_kernel
from .unaliased import apart, get, put

__all__ = ["aligned", "apart", "get", "line_operation", "put", "row_kernel"]
