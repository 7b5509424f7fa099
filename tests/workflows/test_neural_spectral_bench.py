"""The bench of the neural spectral operator: every variant builds, trains a little and is measured by one ruler."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from resolvent.workflows.bench import neural_spectral as bench


@pytest.mark.parametrize("name", bench.VARIANTS)
def test_every_variant_has_a_loss(name: str) -> None:
    network, samples, loss, settings = bench.prepared(name)
    inputs, targets = (torch.as_tensor(a, dtype=torch.float32) for a in samples.arrays("valid", 0, 2))
    value = loss(inputs, network(inputs), targets)
    value.backward()
    assert float(value.detach()) > 0.0
    assert settings.epochs * bench.STEPS_AN_EPOCH == bench.VARIANTS[name].steps


def test_the_exact_solution_has_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A linear path that holds 1/|2πk|² is the solution operator; the grid's Laplacian misses it by its order."""
    monkeypatch.setattr(bench, "TEST_FUNCTIONS", 4)
    name = "linear path alone, H-1"
    network, samples, loss, _ = bench.prepared(name)
    operator = network.double().operator
    with torch.no_grad():
        symbol = operator._poisson.symbol()
        symbol[0, 0] = np.inf
        operator.symbol.copy_(torch.as_tensor(1.0 / symbol))
        operator.output_scale = 0.0
        errors, origin, estimates = bench.evaluate(name, network)
        inputs, targets = (torch.as_tensor(a) for a in samples.arrays("valid"))
        assert float(loss(inputs, network(inputs), targets)) < 1e-25
    assert max(errors.max(), origin.max(), estimates.max()) < 1e-12
    cells = bench.CellSamples(samples.problem, 64, valid=4)
    f, u = (torch.as_tensor(a) for a in cells.arrays("valid"))
    assert float(bench.DifferenceLoss()(f, u, u)) < 1e-3 * float(f.square().mean())


def test_a_row_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "STEPS_AN_EPOCH", 20)
    monkeypatch.setattr(bench, "TEST_FUNCTIONS", 4)
    name = "linear path alone, H-1"
    monkeypatch.setitem(bench.VARIANTS, name, replace(bench.VARIANTS[name], steps=60))
    row = bench.table_row(name, tmp_path)
    assert row[0] == name
    assert 0.0 < row[1] < 0.2
    assert row[1] == pytest.approx(row[3], rel=0.1)  # relative to the guess, not to u
    assert row[4] == 60
    assert bench.table_row(name, tmp_path)[:5] == row[:5]  # resumed: nothing to do
