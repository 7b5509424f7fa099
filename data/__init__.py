"""Provide problems, random fields, certified dataset generation, the dataset format and its readers."""

import lazy_loader

from resolvent.solvers.moved_names import with_moved_names

# The exports stand in __init__.pyi, which editors and type checkers read too; nothing is imported before it is used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = with_moved_names(
    __name__,
    __getattr__,
    {"SolverSpec": "resolvent.solvers:SolverSpec", "LinearSystem": "resolvent.solvers:LinearSystem"},
)
