"""Build with setuptools, and ask PyPI for zig's C++ compiler where the machine has none."""

from __future__ import annotations

from typing import Any

from compiling import requirements
from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """Return what a build needs: setuptools' own wishes, and a compiler if there is none."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *requirements()]


def get_requires_for_build_editable(config_settings: Any = None) -> list[str]:
    """Return what an editable build needs."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *requirements()]
