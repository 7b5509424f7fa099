"""No test waits for ever, and none leaves a process behind: both are read from the tests' text, and one is tried."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ENDLESS = ("wait", "join", "communicate", "result")  # of processes, threads and futures, without an argument
RUNS = ("run", "call", "check_call", "check_output")


def endless_waits(text: str, path: str) -> list[str]:
    """Return the calls of a test that may wait for ever, and those that start a process which nobody ends."""
    faults = []
    if text.count("signal.alarm(") < text.count("= os.fork()"):
        faults.append(f"{path}: os.fork() without signal.alarm() in the child, which may hang")
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        last = name.rpartition(".")[2]
        timed = any(keyword.arg in ("timeout", None) for keyword in node.keywords)
        if name in [f"subprocess.{run}" for run in RUNS] and not timed:
            faults.append(f"{path}:{node.lineno}: {name} without timeout=")
        elif last in ENDLESS and isinstance(node.func, ast.Attribute) and not node.args and not timed:
            faults.append(f"{path}:{node.lineno}: {name}() without timeout=")
        elif last == "Popen":
            faults.append(f"{path}:{node.lineno}: {name}, whose process may be left behind: use the fixture `start`")
        elif name in ("os.system", "os.popen"):
            faults.append(f"{path}:{node.lineno}: {name}: use subprocess.run with timeout=")
    return faults


def test_no_test_waits_without_a_deadline() -> None:
    allowed = ("conftest.py", "mutations.py")  # the fixture itself, and a script that ends its processes
    paths = [path for path in HERE.rglob("*.py") if path.relative_to(HERE).as_posix() not in allowed]
    assert len(paths) > 100
    faults = [fault for path in paths for fault in endless_waits(path.read_text(encoding="utf-8"), str(path))]
    assert faults == []


@pytest.mark.parametrize(
    ("call", "faults"),
    [
        ("subprocess.run(['true'])", 1),
        ("subprocess.run(['true'], timeout=5)", 0),
        ("subprocess.check_output(['true'])", 1),
        ("subprocess.Popen(['true'])", 1),
        ("process.wait()", 1),
        ("process.wait(timeout=5)", 0),
        ("process.communicate()", 1),
        ("process.communicate(input='x')", 1),
        ("thread.join()", 1),
        ("thread.join(5)", 0),
        ("', '.join(names)", 0),
        ("future.result()", 1),
        ("os.system('true')", 1),
        ("child = os.fork()", 1),
        ("child = os.fork() or signal.alarm(300)", 0),
    ],
)
def test_what_counts_as_endless(call: str, faults: int) -> None:
    assert len(endless_waits(call, "test.py")) == faults


TEST = """
import subprocess, sys

CHILD = "import subprocess, sys; print(subprocess.Popen(['sleep', '600']).pid, flush=True); input()"

def test(start):
    process = start([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with open("pids", "w") as file:
        print(process.pid, process.stdout.readline(), file=file)
    assert False, "a failure in the middle"
"""


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX's")
def test_a_failing_test_leaves_no_process_behind(tmp_path: Path) -> None:
    shutil.copy(HERE / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert "a failure in the middle" in done.stdout
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    patience = time.monotonic() + 20
    while any(_alive(pid) for pid in pids) and time.monotonic() < patience:
        time.sleep(0.05)
    assert not any(_alive(pid) for pid in pids)


def _alive(pid: int) -> bool:
    """Return whether a process runs; one that is dead and not yet collected does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
