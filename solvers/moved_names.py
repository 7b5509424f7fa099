"""Redirect public names that have moved: the old spelling works for one version, and names the new one."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def with_moved_names(
    package: str, getattribute: Callable[[str], Any], moved: Mapping[str, str]
) -> Callable[[str], Any]:
    """Return a module's ``__getattr__`` that also finds names where they stand now.

    Parameters
    ----------
    package : str
        The name of the module that exported them.
    getattribute : callable
        Its ``__getattr__`` for all other names.
    moved : mapping
        From the old name to where it is now, as ``module:name``.
    """

    def find(name: str) -> Any:
        if name not in moved:
            return getattribute(name)
        module, new = moved[name].split(":")
        text = f"{package}.{name} will go with the next version: from {module} import {new}"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return getattr(importlib.import_module(module), new)

    return find
