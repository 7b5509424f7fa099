"""Define how compiled code is made, loaded and called: the only place that knows.

C++ files stand beside the Python files that call them, in the room of their family; here is what they share: views of
arrays, vectors and sums (`views.hpp`, `lines.hpp`, `complex.hpp`), what Python sees of them (`exports.hpp`, `binding`),
the libraries that are loaded (`library`) and how they are built (`building/`).
"""

from .alignment import aligned
from .binding import BoundKernel, Kernel, Structure
from .library import level, use_level

__all__ = ["BoundKernel", "Kernel", "Structure", "aligned", "level", "use_level"]
