"""The list of mistakes that tests must notice is about the code as it is: `tests/mutations.py` makes them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def mutations() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutations", HERE / "mutations.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutations"] = module  # where dataclasses look
    spec.loader.exec_module(module)
    return module


def test_every_old_text_stands_once_in_its_file_and_its_tests_are_there(mutations: ModuleType) -> None:
    listed = mutations.read_mutations()
    assert len(listed) >= 68
    assert len({(each.file, each.old, each.new) for each in listed}) == len(listed)
    assert mutations.misplaced(listed) == []


def test_what_is_misplaced_is_named(mutations: ModuleType) -> None:
    gone = mutations.Mutation("a text", "tests/test_mutations.py", "no such" + " text", "", ("tests/no_file.py::test",))
    faults = mutations.misplaced([gone])
    assert len(faults) == 2
    assert "stands there 0 times" in faults[0]
    assert "there is no test" in faults[1]


def test_a_mistake_is_noticed_or_survives(mutations: ModuleType, tmp_path: Path) -> None:
    """On a tree of one file: a mistake that its test notices, one that it does not, and one that hangs."""
    (tmp_path / "code.py").write_text("def double(x):\n    return x + x  # twice\n")
    (tmp_path / "test_code.py").write_text("from code_under_test import double\n\ndef test(): assert double(2) == 4\n")
    (tmp_path / "code_under_test.py").symlink_to(tmp_path / "code.py")
    copy = mutations.Copy.__new__(mutations.Copy)
    copy.folder, copy.environment = tmp_path, {"PYTHONPATH": str(tmp_path), "PATH": ""}

    def judged(old: str, new: str, deadline: float = 60.0) -> str:
        return copy.judge(mutations.Mutation("", "code.py", old, new, ("test_code.py",)), deadline)

    assert judged("x + x", "x * x * x") == mutations.CAUGHT
    assert judged("x + x", "x * x") == mutations.SURVIVED
    assert judged("return x + x", "while True: pass", 3.0) == mutations.CAUGHT
    assert copy.tests(["no_such_file.py"], 60.0) not in (0, 1)
    assert "x + x" in (tmp_path / "code.py").read_text()
