"""The bench of flows: every variant builds and has a loss, one is trained and resumed, and the ruler is right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from resolvent.workflows.bench.neural_spectral import flow as bench
from resolvent.workflows.compose import compose_verb
from resolvent.workflows.run_folder import RunFolder


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "TEST_FUNCTIONS", 2)
    monkeypatch.setattr(bench, "STEPS_AN_EPOCH", 2)
    monkeypatch.setattr(bench, "BATCH", 2)
    monkeypatch.setattr(bench, "FITTED", 8)
    bench.test_flow.cache_clear()


@pytest.mark.parametrize("name", bench.VARIANTS)
def test_every_variant_has_a_loss(name: str) -> None:
    network, samples, loss, settings = bench.prepared(name)
    inputs, targets = (torch.as_tensor(a, dtype=torch.float32) for a in samples.arrays("valid", 0, 1))
    value = loss(inputs, network(inputs), targets)
    value.backward()
    assert np.isfinite(float(value.detach()))
    assert float(value.detach()) > 0.0
    assert settings.epochs * bench.STEPS_AN_EPOCH == bench.VARIANTS[name].steps


def test_a_row_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "short: ours"
    monkeypatch.setitem(bench.VARIANTS, name, replace(bench.VARIANTS[name], steps=4))
    row = bench.table_row(name, tmp_path)
    assert row[:2] == ("nsm_re3", name)
    assert 0.0 < row[2] <= row[3] < 3.0
    assert row[5] == 4
    assert bench.table_row(name, tmp_path)[:6] == row[:6]  # resumed: nothing to do


def test_plain_guesses_and_the_classical_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "COARSE", [(12, 1.0), (24, 0.1)])
    rows = {row[1]: row for row in bench.plain_rows("nsm_re3")}
    still, heat, best = (rows[key][2] for key in ("initial state", "heat equation", "the solution in these modes"))
    assert still > heat > 10.0 * best
    for name in ("initial state", "heat equation"):
        assert rows[name][4] == pytest.approx(rows[name][2], rel=0.5)  # relative to the guess, not to the solution
    flow = bench.test_flow("nsm_re3")
    errors = [flow.errors(bench.coarse_solution("nsm_re3", n, 0.1, flow.drawn)).mean() for n in (12, 24)]
    assert errors[0] > 3.0 * errors[1]
    assert errors[1] < 5e-3
    section = bench.classical("nsm_re3", 0.05, 10.0)
    assert "ms a sample; the network takes 10 ms" in section.notes[0]
    assert "none of these settings" in bench.classical("nsm_re3", 1e-9, 10.0).notes[0]


def test_the_whole_bench_writes_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = replace(bench.VARIANTS["short: ours"], steps=2)
    monkeypatch.setattr(bench, "VARIANTS", {"ours": variant, "the same, supervised": replace(variant, data=1.0)})
    monkeypatch.setattr(bench, "COARSE", [(12, 1.0)])
    monkeypatch.chdir(tmp_path)  # no results folder to write to
    config = compose_verb("bench", ["name=neural_spectral_flow", f"out={tmp_path / 'run'}"])
    assert bench.measure(config, RunFolder("bench", config)) == 0
    text = (tmp_path / "run" / "neural_spectral_flow.md").read_text(encoding="utf-8")
    for line in (
        "| nsm_re3 | ours |",
        "| nsm_re3 | heat equation |",
        "| nsm_re3 | PCA + kernel ridge |",
        "ETDRK4 on coarse grids, nsm_re3",
        "the largest of 8",
    ):
        assert line in text
