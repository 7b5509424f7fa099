"""The SKR table: its families are the zoo's, its verdicts follow from its figures, and its file has all sections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resolvent.data import make_problem, sample_generator
from resolvent.workflows.bench import skr
from resolvent.workflows.bench.markdown import Section, write_results
from resolvent.workflows.bench.skr import Fill, Outcome, Row, verdict
from resolvent.workflows.bench.skr import gcrotmk as skr_gcrotmk
from resolvent.workflows.bench.skr.families import Systems, frequency_sweep, listed_families, sampled, time_steps


def test_systems_are_those_of_the_zoo() -> None:
    problem = make_problem("darcy", resolution=10, legacy="skr")
    systems = sampled("darcy", 3, resolution=10, legacy="skr")
    theirs = problem.system(problem.sample(sample_generator(0, "darcy", 2)))
    assert abs(systems.pairs[2][0] - theirs.operator).max() == 0.0
    np.testing.assert_array_equal(systems.pairs[2][1], theirs.rhs)
    assert systems.features is not None
    assert systems.features.shape == (3, 100)
    assert np.mean(systems.features**2) == pytest.approx(1.0)


def test_a_sweep_shifts_the_diagonal_alone() -> None:
    (first, _), (second, _) = frequency_sweep(2, 0.1, resolution=18, k0=8.0, boundary="dirichlet").pairs
    change = (second - first).tocoo()
    change.eliminate_zeros()
    np.testing.assert_array_equal(change.row, change.col)
    assert (change.data < 0).all()


def test_steps_of_a_trajectory_are_a_sequence() -> None:
    steps = time_steps(3, resolution=8, coefficient="oscillating")
    assert steps.features is None
    solutions = [np.linalg.solve(A.toarray(), b) for A, b in steps.pairs]
    assert np.linalg.norm(solutions[1] - solutions[0]) > 0
    assert abs(steps.pairs[1][0] - steps.pairs[0][0]).max() > 0


def test_there_are_the_four_published_families_and_correct_ones() -> None:
    listed = listed_families()
    old = " ".join(family.name for family in listed if family.published)
    assert all(name in old for name in ("darcy skr", "helmholtz skr", "thermal skr", "poisson skr", "skr_aligned"))
    new = [family.name for family in listed if not family.published]
    assert all(any(name in one for one in new) for name in ("poisson", "darcy", "thermal", "heat", "convection", "³"))
    assert len({family.name for family in listed}) == len(listed)


def test_every_method_solves_a_small_family() -> None:
    systems = sampled("darcy", 3, resolution=8, medium="lognormal", modes=8)
    for method in skr.METHODS:
        outcome = skr.outcome_of(systems, method, "definite")
        assert not outcome.reason
        assert outcome.failed == 0.0
        assert outcome.products >= 2.0
    assert skr.outcome_of(Systems(systems.pairs, None), "recycling, sorted", "definite").reason == "in its own order"
    assert skr.outcome_of(systems, "CG + AMG, MINRES", "nonsymmetric").reason == "not symmetric"
    assert skr.outcome_of(systems, "direct, reused", "definite", factored=False).reason == "not factored"


@pytest.mark.parametrize(("ours", "theirs", "word"), [(5.0, 7.0, "wins"), (7.0, 5.0, "loses")])
def test_a_verdict_follows_from_the_figures(ours: float, theirs: float, word: str) -> None:
    outcomes = {method: Outcome(30.0, 100.0) for method in (*skr.METHODS, skr.ANALYSIS)}
    outcomes["recycling, sorted"] = Outcome(10.0, ours)
    outcomes["no recycling"] = Outcome(500.0, 1.0, failed=0.5)  # faster, and of no use
    outcomes["direct, reused"] = Outcome(2.0, theirs)
    text = verdict(Row("one", False, 4, 9, outcomes, ("one", 4, "4 varying: warm_start"), 4, None))
    assert f"recycling {word}: {ours:.1f} ms (recycling, sorted) against {theirs:.1f} ms (direct, reused)" in text
    assert "unconverged: no recycling 50%" in text


def test_the_analysis_is_recycling_where_it_plans_that() -> None:
    outcomes = {method: Outcome(30.0, 100.0) for method in (*skr.METHODS, skr.ANALYSIS)}
    outcomes[skr.ANALYSIS] = Outcome(10.0, 50.0)
    found = ("one", 4, "4 varying: recycling")
    assert "recycling wins: 50.0 ms (family analysis)" in verdict(Row("one", False, 4, 9, outcomes, found, 4, None))
    outcomes[skr.ANALYSIS] = Outcome(10.0, 95.0)
    assert "recycling draws" in verdict(Row("one", False, 4, 9, outcomes, found, 4, None))


def test_fill_is_extrapolated_by_a_power_law() -> None:
    gigabytes, seconds = Fill("x", (8, 10, 20), (1, 1000, 16_000), (1.0, 1.0, 64.0), 10).at(40)
    assert gigabytes == pytest.approx(256_000 * 10 / 1e9)
    assert seconds == pytest.approx(64.0 * 64.0)


def test_products_of_gcrotmk_and_ours_are_counted() -> None:
    pairs = sampled("convection_diffusion", 2, resolution=10, modes=8).pairs
    for count in (skr_gcrotmk.ours, skr_gcrotmk.scipys):
        again = count([pairs[0], pairs[0]])
        assert all(converged for _, converged in again)
        assert again[0][0] >= 4


class _Folder:
    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, name: str) -> Path:
        return self.path / name


def test_results_have_sections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder: Any = _Folder(tmp_path)
    sections = (Section("More", "What it is.", ("a", "b"), [(1, 2.0)], ("a note",)),)
    path = write_results(folder, "table", "Intro.", ("x",), [(1,)], ("first",), sections)
    text = path.read_text(encoding="utf-8")
    assert text.index("Intro.") < text.index("- first") < text.index("## More") < text.index("| 1 | 2 |")
    assert text.rstrip().splitlines()[-1].startswith("Command: `resolvent bench table`")
