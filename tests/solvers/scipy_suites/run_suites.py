"""Run other projects' tests of their iterative solvers on ours, and compare what fails with `expected_failures.toml`.

    python tests/solvers/scipy_suites/run_suites.py [scipy] [pyamg]

It prints the counts, the unexpected failures and the expected ones that pass; exit code 1 if there are any.
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent
DEADLINE = 300.0


@dataclass(frozen=True)
class Suite:
    """Hold the tests that a project installs: where they are, and the plugin that puts our solvers in its places.

    `version` is the one whose tests the expected failures are those of.
    """

    project: str
    version: str
    package: str
    files: tuple[str, ...]
    plugin: str

    @property
    def paths(self) -> list[Path]:
        """Return the files as they are installed."""
        found = find_spec(self.package)
        folder = Path(found.origin).parent if found is not None and found.origin else Path(self.package)
        return [folder / "tests" / name for name in self.files]

    def why_not(self) -> str:
        """Return why the tests cannot be run and compared here, or an empty string."""
        if not version(self.project).startswith(f"{self.version}."):
            return f"expected failures are of {self.project} {self.version}, and this is {version(self.project)}"
        missing = [path.name for path in self.paths if not path.is_file()]
        return f"{self.project} is installed without its tests {', '.join(missing)}" if missing else ""


SCIPY = Suite(
    "scipy",
    "1.17",
    "scipy.sparse.linalg._isolve",
    ("test_iterative.py", "test_minres.py", "test_lgmres.py", "test_gcrotmk.py"),
    "resolvent_in_scipy",
)
PYAMG = Suite(
    "pyamg",
    "5",
    "pyamg.krylov",
    ("test_krylov.py", "test_scipy.py", "test_simple_iterations.py"),
    "resolvent_in_pyamg",
)
SUITES = {suite.project: suite for suite in (SCIPY, PYAMG)}


@dataclass(frozen=True)
class Outcome:
    """Hold how tests ended, 'passed', 'failed' or 'skipped' by id, our solvers that they called, and their errors."""

    outcomes: dict[str, str]
    ours: dict[str, list[str]]
    errors: dict[str, list[str]]

    @property
    def failed(self) -> set[str]:
        """Return the ids that failed."""
        return {name for name, outcome in self.outcomes.items() if outcome == "failed"}

    def summary(self) -> list[str]:
        """Return the counts of each file in a line."""
        lines = []
        for file in dict.fromkeys(name.partition("::")[0] for name in self.outcomes):
            names = [name for name in self.outcomes if name.partition("::")[0] == file]
            ends = [self.outcomes[name] for name in names]
            counts = ", ".join(f"{ends.count(end)} {end}" for end in ("passed", "failed", "skipped"))
            lines.append(f"{file}: {len(names)} ids, {sum(bool(self.ours[n]) for n in names)} call ours: {counts}")
        return lines


def expected_failures(suite: Suite) -> dict[str, str]:
    """Return the ids that are known to fail, each with its reason."""
    failures = tomllib.loads((FOLDER / "expected_failures.toml").read_text(encoding="utf-8"))
    return dict(failures.get(suite.project, {}))


def run_suite(suite: Suite, deadline: float = DEADLINE, only_ours: bool = False) -> Outcome:
    """Run a project's tests with our solvers in its places, in a process of its own.

    `only_ours` leaves out the tests of solvers that we do not have.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "outcomes.json"
        paths = [str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "RESOLVENT_OUTCOMES": str(found)}
        if only_ours:
            environment["RESOLVENT_ONLY_OURS"] = "1"
        options = ["-q", "-p", "noted_outcomes", "-p", suite.plugin, "-p", "no:cacheprovider", "--noconftest"]
        options += ["-c", os.devnull, "--rootdir", folder, "-o", "markers=fail_slow"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *map(str, suite.paths)],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=deadline,
            check=False,
        )
        if not found.is_file():
            raise RuntimeError(f"pytest ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        tests = json.loads(found.read_text(encoding="utf-8"))
    return Outcome(*({name: test[key] for name, test in tests.items()} for key in ("outcome", "ours", "error")))


def differences(outcome: Outcome, expected: dict[str, str]) -> list[str]:
    """Return a line for each id that fails without being expected to, or is expected to fail and does not."""
    lines = [f"fails: {name} {outcome.errors[name]}" for name in sorted(outcome.failed - expected.keys())]
    return lines + [f"no longer fails: {name} ({expected[name]})" for name in sorted(expected.keys() - outcome.failed)]


def main(names: list[str]) -> int:
    """Run the suites named, or all of them, one after another."""
    lines = []
    for suite in [SUITES[name] for name in names or SUITES]:
        if suite.why_not():
            print(suite.why_not())
            continue
        outcome = run_suite(suite)
        print("\n".join(outcome.summary()))
        lines += differences(outcome, expected_failures(suite))
    print("\n".join(lines) or "as expected")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
