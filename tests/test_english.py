"""The check of docstrings' English finds what breaks its rules, and leaves alone what keeps them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[1] / ".ci" / "docstrings.py"

GOOD = '''"""Solve linear systems."""


class Grid:
    """The grid holds the points."""

    def points(self):
        """Return the points, of shape (n, 2)."""
        # The places of the points; of those outside nothing is known.
        return self._points()

    def _points(self):
        """Points."""


def solve(A):
    """Solve A x = b.

    Parameters
    ----------
    A : matrix
        The matrix.
    """
'''

BAD = {
    "module without a verb": ("module.py", '"""Linear systems."""\n'),
    "class without a verb": ("module.py", '"""Solve."""\n\n\nclass Grid:\n    """A grid of points."""\n'),
    "method without a verb": (
        "module.py",
        '"""Solve."""\n\n\nclass Grid:\n    """Hold points."""\n\n    def points(self):\n        """The points."""\n',
    ),
    "function that begins with Of": (
        "module.py",
        '"""Solve."""\n\n\ndef f():\n    """Of a grid: return the points."""\n',
    ),
    "second sentence with Of": ("module.py", '"""Solve systems. Of one matrix: return x."""\n'),
    "comment": ("module.py", '"""Solve."""\n\n# Of a grid: the points\nx = 1\n'),
    "help text": ("settings.yaml", "# a grid\nname: x  # Of a grid: the points\n"),
    "Markdown": ("README.md", "Of a grid, the points.\n"),
}


def _check(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(CHECK), *map(str, paths)], capture_output=True, text=True, timeout=300)


def test_good_english_passes(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(GOOD, encoding="utf-8")
    done = _check(tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("rule", BAD)
def test_each_rule_can_be_broken(rule: str, tmp_path: Path) -> None:
    name, text = BAD[rule]
    (tmp_path / name).write_text(text, encoding="utf-8")
    done = _check(tmp_path / name)
    assert done.returncode == 1
    assert f"{tmp_path / name}:" in done.stdout


def test_a_violation_within_a_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "good.py").write_text(GOOD, encoding="utf-8")
    (tmp_path / "room" / "bad.py").write_text(BAD["comment"][1], encoding="utf-8")
    done = _check(tmp_path)
    assert done.returncode == 1
    assert "bad.py" in done.stdout
    assert "good.py" not in done.stdout
