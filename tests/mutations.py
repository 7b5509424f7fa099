"""Make small mistakes in a copy of the tree, one at a time, and report those that no test notices.

    python tests/mutations.py [--jobs 2] [--deadline 300] [--only arnoldi minres]

`tests/mutations.yaml` lists them: what is wrong, the file, the old text, the new one, and the tests that must fail.
These tests are first run on the copy as it is. The script returns 2 if a mistake survives, if an old text does not
stand exactly once in its file, or if tests do not run.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
LIST = Path("tests") / "mutations.yaml"
TOPS = ("conf", "data", "docs", "operators", "package", "solvers", "tests", "workflows")
FILES = ("README.md", "pyproject.toml")
KERNELS = Path("solvers") / "kernels"

CAUGHT, SURVIVED, BROKEN = "caught", "SURVIVED", "BROKEN"
_FAILED, _PASSED = 1, 0  # what pytest returns
_later = itertools.count(1)


@dataclass(frozen=True)
class Mutation:
    """Hold one mistake: what it is, where, and the tests that must notice."""

    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def read_mutations(root: Path = ROOT) -> list[Mutation]:
    """Return the mistakes that are listed."""
    entries = yaml.safe_load((root / LIST).read_text(encoding="utf-8"))
    return [Mutation(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]


def misplaced(mutations: Iterable[Mutation], root: Path = ROOT) -> list[str]:
    """Return a line for each old text that does not stand exactly once in its file, and for each test that is gone."""
    faults = []
    for each in mutations:
        path = root / each.file
        count = path.read_text(encoding="utf-8").count(each.old) if path.is_file() else 0
        if count != 1 or each.old == each.new:
            faults.append(f"{each.file}: {each.what}: its old text stands there {count} times, expected once")
        for test in each.tests:
            file, _, name = test.partition("::")
            if not (root / file).is_file() or f"def {name}(" not in (root / file).read_text(encoding="utf-8") + "def (":
                faults.append(f"{each.file}: {each.what}: there is no test {test}")
    return faults


class Copy:
    """Hold a copy of the tree, with its kernels, in which one mistake at a time is made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        unwanted = shutil.ignore_patterns("__pycache__", "outputs")
        for top in TOPS:
            shutil.copytree(ROOT / top, folder / top, ignore=unwanted)
        for name in FILES:
            shutil.copy2(ROOT / name, folder / name)
        package = folder / ".pkg" / "resolvent"
        package.mkdir(parents=True)
        for top in ("conf", "data", "operators", "solvers", "workflows"):
            (package / top).symlink_to(folder / top)
        for path in (folder / "package").iterdir():
            (package / path.name).symlink_to(path)
        self.environment = {**os.environ, "PYTHONPATH": str(folder / ".pkg"), "MPLBACKEND": "Agg"}
        (folder / KERNELS / "libraries" / "objects").mkdir(parents=True, exist_ok=True)  # built where they are
        self.kept = folder / "libraries"
        if self.build():
            shutil.copytree(folder / KERNELS / "libraries", self.kept)

    def build(self) -> bool:
        """Build the kernels that changed; return whether they compile."""
        command = [sys.executable, str(KERNELS / "building" / "compiling.py")]
        return self.run(command, 600.0) == 0

    def tests(self, names: Sequence[str], deadline: float) -> int | None:
        """Run tests up to the first that fails; return what pytest returns, None after the deadline."""
        options = ("-q", "-x", "-n", "0", "-p", "no:cacheprovider")
        return self.run([sys.executable, "-m", "pytest", *options, *names], deadline)

    def run(self, command: Sequence[str], deadline: float) -> int | None:
        """Run a command in the copy; return its status, None after the deadline. No process of it is left behind."""
        log = (self.folder / "log").open("ab")
        process = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            return process.wait(timeout=deadline)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=60.0)
            log.close()

    def judge(self, mutation: Mutation, deadline: float) -> str:
        """Make the mistake, run its tests and put the file back; return whether they noticed."""
        path = self.folder / mutation.file
        before = path.stat()
        original = path.read_text(encoding="utf-8")
        path.write_text(original.replace(mutation.old, mutation.new), encoding="utf-8")
        compiled = path.suffix in (".cpp", ".hpp")
        try:
            if compiled:
                if not self.build():
                    return BROKEN
            else:
                # Another second than that of any other version: Python compares seconds and sizes.
                when = int(time.time()) + next(_later)
                os.utime(path, (when, when))
            status = self.tests(mutation.tests, deadline)
        finally:
            path.write_text(original, encoding="utf-8")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            if compiled:
                shutil.rmtree(self.folder / KERNELS / "libraries")
                shutil.copytree(self.kept, self.folder / KERNELS / "libraries")
        return {None: CAUGHT, _FAILED: CAUGHT, _PASSED: SURVIVED}.get(status, BROKEN)


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge the mistakes that are chosen; return 2 if one is not noticed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1, help="copies of the tree that work at once")
    parser.add_argument("--deadline", type=float, default=300.0, help="seconds for the tests of one mistake")
    parser.add_argument("--only", nargs="*", default=[""], help="mistakes whose file or description holds such words")
    options = parser.parse_args(arguments)
    chosen = [each for each in read_mutations() if any(word in f"{each.file} {each.what}" for word in options.only)]
    faults = misplaced(chosen)
    if faults:
        print("\n".join(faults))
        return 2
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        copies: queue.Queue[Copy] = queue.Queue()
        for number in range(options.jobs):
            copies.put(Copy(Path(folder) / str(number)))
        first = copies.get()
        names = list(dict.fromkeys(test for each in chosen for test in each.tests))
        if first.tests(names, 10.0 * options.deadline) != _PASSED:
            log = (first.folder / "log").read_text(encoding="utf-8", errors="replace")
            print(f"{log[-3000:]}\nthe tests fail without a mistake: mend them first")
            return 2
        copies.put(first)

        def judged(mutation: Mutation) -> str:
            copy = copies.get()
            began = time.perf_counter()
            try:
                outcome = copy.judge(mutation, options.deadline)
            finally:
                copies.put(copy)
            seconds = time.perf_counter() - began
            print(f"{outcome:8} {seconds:5.0f} s  {mutation.file}: {mutation.what}", flush=True)
            return outcome

        with ThreadPoolExecutor(options.jobs) as pool:
            outcomes = list(pool.map(judged, chosen))
    missed = [each for each, outcome in zip(chosen, outcomes, strict=True) if outcome != CAUGHT]
    print(f"{len(chosen) - len(missed)} of {len(chosen)} noticed")
    return 2 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
