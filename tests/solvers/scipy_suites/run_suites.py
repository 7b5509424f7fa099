"""Run SciPy's own tests of its iterative solvers on ours, and compare what fails with `expected_failures.toml`.

    python tests/solvers/scipy_suites/run_suites.py [test_iterative.py ...]

It prints the counts, the unexpected failures and the expected ones that pass; exit code 1 if there are any.
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

import scipy
import scipy.sparse.linalg

FOLDER = Path(__file__).parent
SUITES = ("test_iterative.py", "test_minres.py", "test_lgmres.py", "test_gcrotmk.py")
VERSION = "1.17"
"""SciPy's version whose tests the expected failures are those of."""

DEADLINE = 300.0


@dataclass(frozen=True)
class Outcome:
    """Hold how the tests of some suites ended: 'passed', 'failed' or 'skipped' by id, and our solvers they called."""

    outcomes: dict[str, str]
    ours: dict[str, list[str]]
    errors: dict[str, list[str]]

    @property
    def failed(self) -> set[str]:
        """Return the ids that failed."""
        return {name for name, outcome in self.outcomes.items() if outcome == "failed"}

    def summary(self) -> str:
        """Return the counts in one line."""
        count = {what: sum(o == what for o in self.outcomes.values()) for what in ("passed", "failed", "skipped")}
        running = sum(bool(called) for called in self.ours.values())
        return f"{len(self.outcomes)} ids, {running} of them call our solvers: " + ", ".join(
            f"{number} {what}" for what, number in count.items()
        )


def installed_tests() -> Path:
    """Return the folder of SciPy's installed tests."""
    return Path(scipy.sparse.linalg.__file__).parent / "_isolve" / "tests"


def why_not() -> str:
    """Return why the suites cannot be run and compared here, or an empty string."""
    if not scipy.__version__.startswith(VERSION + "."):
        return f"the expected failures are those of SciPy {VERSION}, and this is {scipy.__version__}"
    missing = [suite for suite in SUITES if not (installed_tests() / suite).is_file()]
    return f"SciPy is installed without its tests ({', '.join(missing)})" if missing else ""


def expected_failures(suites: tuple[str, ...] = SUITES) -> dict[str, str]:
    """Return the ids that are known to fail, each with its reason."""
    failures = tomllib.loads((FOLDER / "expected_failures.toml").read_text(encoding="utf-8"))
    return {name: reason for name, reason in failures.items() if name.partition("::")[0] in suites}


def run_suites(suites: tuple[str, ...] = SUITES, deadline: float = DEADLINE, only_ours: bool = False) -> Outcome:
    """Run suites with our solvers in SciPy's places, in a process of its own; `only_ours` leaves out bicg, cgs, ...."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "outcomes.json"
        paths = [str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "RESOLVENT_OUTCOMES": str(found)}
        if only_ours:
            environment["RESOLVENT_ONLY_OURS"] = "1"
        options = ["-q", "-p", "resolvent_in_scipy", "-p", "no:cacheprovider", "-p", "no:xdist", "--noconftest"]
        options += ["-c", os.devnull, "--rootdir", folder, "-o", "markers=fail_slow", "--continue-on-collection-errors"]
        files = [str(installed_tests() / suite) for suite in suites]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *files],
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


def main(suites: tuple[str, ...]) -> int:
    """Run the suites named, or all of them, one after another."""
    reason = why_not()
    if reason:
        print(reason)
        return 0
    lines = []
    for suite in suites or SUITES:
        outcome = run_suites((suite,))
        print(f"{suite}: {outcome.summary()}")
        lines += differences(outcome, expected_failures((suite,)))
    print("\n".join(lines) or "as expected")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])))
