"""SciPy's own tests of its iterative solvers pass with ours in their places, but for a list with reasons."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's import mode leaves the folders of tests out

import run_suites

WHY_NOT = run_suites.why_not()


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_what_fails_is_what_is_expected():
    outcome = run_suites.run_suites(only_ours=True)
    assert run_suites.differences(outcome, run_suites.expected_failures()) == []
    assert sum(bool(called) for called in outcome.ours.values()) > 450


def test_each_expected_failure_has_its_reason():
    expected = run_suites.expected_failures()
    assert all(name.partition("::")[0] in run_suites.SUITES for name in expected)
    assert all(len(reason.split()) >= 5 for reason in expected.values())
    iterative = [name for name in expected if name.startswith("test_iterative.py")]
    assert len(iterative) <= 20
