"""Other projects' tests of their iterative solvers pass with ours in their places, but for a list with reasons."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's import mode leaves the folders of tests out

import run_suites

CALLING = {"scipy": 490, "pyamg": 8}  # ids that call our solvers, at least


@pytest.mark.parametrize("name", run_suites.SUITES)
def test_what_fails_is_what_is_expected(name):
    suite = run_suites.SUITES[name]
    if suite.why_not():
        pytest.skip(suite.why_not())
    outcome = run_suites.run_suite(suite, only_ours=True)
    assert run_suites.differences(outcome, run_suites.expected_failures(suite)) == []
    assert sum(bool(called) for called in outcome.ours.values()) >= CALLING[name]


def test_each_expected_failure_has_its_reason():
    for suite in run_suites.SUITES.values():
        expected = run_suites.expected_failures(suite)
        assert all(name.partition("::")[0] in suite.files for name in expected)
        assert all(len(reason.split()) >= 5 for reason in expected.values())
        assert len(expected) <= 10
