"""Choose a body of compiled code by the type of an argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numba.extending import overload


def body_by_type(bodies: Mapping[type, Callable[..., Any]]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function that, called by compiled code, runs the body for the type of its first argument, a named tuple.

    The choice is made when the caller is compiled, so that it costs nothing at run time.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @overload(function, strict=False)
        def choose(*arguments: Any) -> Callable[..., Any]:
            return bodies[arguments[0].instance_class]

        return function

    return decorate
