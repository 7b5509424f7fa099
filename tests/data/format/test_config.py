"""Differences of configurations, and the versions that files record."""

from __future__ import annotations

import platform

import numpy as np

from resolvent.data.format.config import differences
from resolvent.data.format.versions import versions


def test_every_leaf_that_differs_is_named() -> None:
    old = {"a": 1, "b": {"c": [1], "d": {"e": 2}}, "f": {"g": 1}, "gone": 0}
    new = {"a": 1, "b": {"c": [1, 2], "d": {"e": 3}}, "f": 4, "come": 5}
    assert differences(old, new) == [
        ("b.c", [1], [1, 2]),
        ("b.d.e", 2, 3),
        ("f", {"g": 1}, 4),
        ("gone", 0, None),
        ("come", None, 5),
    ]
    assert differences(old, old) == []


def test_versions() -> None:
    found = versions("numpy", "no-such-package")
    assert found == {"python": platform.python_version(), "numpy": np.__version__, "no-such-package": "not installed"}
