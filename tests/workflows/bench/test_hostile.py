"""Hostile systems neither raise, nor hang, nor warn, nor pass for solved."""

from __future__ import annotations

import numpy as np

from resolvent.solvers import Status, cg
from resolvent.workflows.bench.hostile.systems import System
from resolvent.workflows.bench.hostile.trials import FAULTS, judge, try_system

SEEDS = (*range(300), 412, 1233, 1881, 3136, 3342, 6739, 7308, 8044, 8683, 9346)
"""The first ones, and those that found something."""


def test_three_hundred_hostile_systems() -> None:
    outcomes = [try_system(seed) for seed in SEEDS]
    assert [outcome for outcome in outcomes if outcome.end in FAULTS] == []
    ends = {outcome.end for outcome in outcomes}
    assert {"converged", "refused", "unrepresentable", "nonfinite", "stagnated"} <= ends


def test_a_seed_draws_the_same_trial_again() -> None:
    assert try_system(7) == try_system(7)


def test_the_judge_sees_a_false_solution() -> None:
    A, b = np.eye(2), np.ones(2)
    result = cg(A, b)
    system = System(A, A, b, None, "")
    assert judge(system, result, {"rtol": 1e-5}) is None
    result.x = result.x * 1.001
    fault = judge(system, result, {"rtol": 1e-5})
    assert fault is not None
    assert fault[0] == "false convergence"
    result.status = Status.STAGNATED
    assert judge(system, result, {"rtol": 1e-5}) is None
