"""A build says in one line what is missing, compiles what changed only, and makes no warning."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from resolvent.solvers.kernels.building import compiling

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(compiling.compiler() is None, reason="there is no C++ compiler")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path in (*(ROOT / "solvers" / "kernels").glob("*.[ch]pp"), ROOT / "solvers" / "stationary" / "colouring.cpp"):
        copied = tmp_path / path.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copied)
    return tmp_path


def objects(tree: Path) -> set[str]:
    return {path.name for path in (tree / compiling.LIBRARIES / "objects").glob("*.o")}


def test_only_what_changed_is_compiled_again(tree: Path) -> None:
    compiling.build_in_place(tree)
    first = objects(tree)
    assert len(first) == 2 * len(compiling.levels())
    source = tree / "solvers" / "stationary" / "colouring.cpp"
    source.write_text(source.read_text(encoding="utf-8") + "\n// changed\n", encoding="utf-8")
    compiling.build_in_place(tree)
    changed = objects(tree) - first
    assert len(changed) == len(compiling.levels())
    header = tree / "solvers" / "kernels" / "complex.hpp"
    header.write_text(header.read_text(encoding="utf-8") + "\n// changed\n", encoding="utf-8")
    before = objects(tree)
    compiling.build_in_place(tree)
    assert not objects(tree) - before  # neither file includes it


def test_a_source_that_does_not_compile_is_named(tree: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = tree / "solvers" / "stationary" / "colouring.cpp"
    source.write_text("int f() { return nothing; }\n", encoding="utf-8")
    with pytest.raises(compiling.BuildError, match=r"failed on \S*colouring.cpp: see its messages above"):
        compiling.build_in_place(tree)
    assert "nothing" in capfd.readouterr().err
    assert not list((tree / compiling.LIBRARIES).glob("kernels-*"))


def test_without_a_compiler_one_line_says_what_to_install(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tree))
    monkeypatch.setitem(sys.modules, "ziglang", None)
    assert compiling.requirements() == ["ziglang>=0.13"]
    with pytest.raises(compiling.BuildError, match="install one") as raised:
        compiling.build_in_place(tree)
    assert "\n" not in str(raised.value)


def test_with_a_compiler_nothing_is_asked_from_pypi() -> None:
    assert compiling.requirements() == []


def test_a_compiler_that_cannot_run_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "/nowhere/c++")
    with pytest.raises(compiling.BuildError, match=r"/nowhere/c\+\+ cannot be run"):
        compiling.build_in_place(tree)


def test_the_command_of_the_build_runs_by_itself(tree: Path) -> None:
    building = tree / "solvers" / "kernels" / "building"
    building.mkdir()
    shutil.copy2(compiling.__file__, building)
    done = subprocess.run([sys.executable, building / "compiling.py"], capture_output=True, text=True, timeout=900)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in (tree / compiling.LIBRARIES).glob("kernels-*")} == {
        compiling.library_name(name) for name in compiling.levels()
    }
