"""Define how compiled code is made: the only place that knows Numba's and LLVM's internals.

Nothing here imports the rest of the project. `tests/solvers/kernels/test_numba.py` checks what these files rely on.
"""

from .alignment import aligned
from .cache_lines import line_operation
from .dispatch import body_by_type
from .rows import row_kernel
from .unaliased import load, no_inline, store

__all__ = ["aligned", "body_by_type", "line_operation", "load", "no_inline", "row_kernel", "store"]
