"""Read the settings of an object back from its attributes."""

from __future__ import annotations

import inspect
from typing import Any


class HasSettings:
    """Read the arguments of the constructor back from the attributes of the same names.

    A class that keeps an argument under another name, or in another form, overrides :meth:`settings` for it.
    """

    def settings(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain JSON values: ``type(self)(**settings)`` rebuilds the object."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        """Show the first setting, and those that differ from their defaults."""
        defaults = {name: p.default for name, p in inspect.signature(type(self)).parameters.items()}
        defaults = {name: list(d) if isinstance(d, tuple) else d for name, d in defaults.items()}
        settings = enumerate(self.settings().items())
        shown = [f"{name}={value!r}" for i, (name, value) in settings if i == 0 or value != defaults.get(name)]
        return f"{type(self).__name__}({', '.join(shown)})"
