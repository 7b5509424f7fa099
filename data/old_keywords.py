"""Keywords that have been replaced: the old spelling works for one version, and says the new one."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Replacement = tuple[tuple[str, ...], str, Callable[[dict[str, Any]], None]]
"""Old keywords, what to write instead, and a function that exchanges them in a dictionary of keywords."""


def takes_old_keywords(*replacements: Replacement) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take keywords that it no longer has."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **keywords: P.kwargs) -> R:
            for old, new, exchange in replacements:
                came = [name for name in old if name in keywords]
                if came:
                    text = f"{function.__name__}({', '.join(came)}=) will go with the next version: use {new}"
                    warnings.warn(text, DeprecationWarning, stacklevel=2)
                    exchange(keywords)
            return function(*args, **keywords)

        return call

    return decorate
