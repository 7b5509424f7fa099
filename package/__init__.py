"""Resolvent solves PDEs and trains neural operators: certified data, classical solvers, honest comparisons."""

from typing import Any

import lazy_loader

# The exports stand in __init__.pyi, which editors and type checkers read too; nothing is imported before it is used.
_exported, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("resolvent")
    return _exported(name)
