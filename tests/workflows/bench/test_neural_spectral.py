"""The bench of the neural spectral operator: every variant builds, trains a little and is measured by one ruler."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from resolvent.data import SpectralPoisson
from resolvent.solvers import Fourier, TensorBasis
from resolvent.workflows.bench import neural_spectral as bench
from resolvent.workflows.bench.neural_spectral import variants
from resolvent.workflows.bench.neural_spectral.difference_losses import (
    DifferenceLoss,
    SampledDifferenceLoss,
    five_point_errors,
)
from resolvent.workflows.bench.neural_spectral.figure import plot_courses
from resolvent.workflows.bench.training_course import COURSE, TrainingCourse, read_course
from resolvent.workflows.compose import compose_verb
from resolvent.workflows.run_folder import RunFolder

ALONE = "linear path alone, H-1"


@pytest.mark.parametrize("name", variants.VARIANTS)
def test_every_variant_has_a_loss(name: str) -> None:
    network, samples, loss, settings = variants.prepared(name)
    inputs, targets = (torch.as_tensor(a, dtype=torch.float32) for a in samples.arrays("valid", 0, 2))
    value = loss(inputs, network(inputs), targets)
    value.backward()
    variant = variants.VARIANTS[name]
    assert float(value.detach()) > 0.0
    assert settings.epochs * variant.epoch_steps == variant.steps


def test_each_ablation_changes_one_thing() -> None:
    """Check changes to the published variant, and back from the mended one; all take as many steps."""
    published, short = variants.VARIANTS["published"], variants.VARIANTS[variants.two_losses(0, False)]
    for base, others in ((published, variants.ABLATION), (short, variants.TAKEN_BACK)):
        for name, other in others.items():
            keys = [*base.network, *(key for key in other.network if key not in base.network)]
            changed = [key for key in keys if base.network.get(key) != other.network.get(key, base.network.get(key))]
            fields = ("loss", "training", "problem", "operator")
            changed += [key for key in fields if getattr(base, key) != getattr(other, key)]
            assert len(changed) == (name != "published"), (name, changed)
            assert (other.steps, other.epoch_steps) == (base.steps, base.epoch_steps)


def test_the_exact_solution_has_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A linear path that holds 1/|2πk|² is the solution operator."""
    monkeypatch.setattr(bench, "TEST_FUNCTIONS", 4)
    network, samples, loss, _ = variants.prepared(ALONE)
    operator = network.double().operator
    with torch.no_grad():
        symbol = operator._poisson.symbol()
        symbol[0, 0] = np.inf
        operator.symbol.copy_(torch.as_tensor(1.0 / symbol))
        operator.output_scale = 0.0
        errors, origin, estimates = bench.Ruler(variants.VARIANTS[ALONE]).errors(network)
        inputs, targets = (torch.as_tensor(a) for a in samples.arrays("valid"))
        assert float(loss(inputs, network(inputs), targets)) < 1e-25
    assert max(errors.max(), origin.max(), estimates.max()) < 1e-12


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
def test_differences_miss_the_exact_solution_by_their_order(boundary: str) -> None:
    """Check that twice the nodes give a sixteenth of the squared residual, from values and from series."""
    problem = SpectralPoisson(boundary, modes=17 if boundary == "periodic" else 40)
    drawn = problem.test_functions(4)
    inputs = torch.as_tensor(problem.as_inputs(drawn))[:, None]
    points = problem.basis.points([2 * n for n in problem.basis.shape])
    exact = torch.as_tensor(problem.basis.to_coefficients(problem.reference(drawn, *points)))[:, None]
    losses = []
    for cells in (64, 128):
        by_series = float(SampledDifferenceLoss(problem, cells)(inputs, exact, exact))
        if boundary == "periodic":
            values = [problem.basis.to_cells(c, (cells, cells)) for c in (inputs, exact)]
            by_values = float(DifferenceLoss()(*values, values[1]))
            assert by_series == pytest.approx(by_values, rel=1e-4)  # of waves, wherever the nodes are; float32 matrices
        losses.append(by_series / float(inputs.square().mean()))
    if boundary == "periodic":
        assert losses[0] / losses[1] == pytest.approx(16.0, rel=0.1)
        twice = SampledDifferenceLoss(problem, 64)(inputs, 2.0 * exact, exact)
        none = SampledDifferenceLoss(problem, 64)(inputs, 0.0 * exact, exact)
        assert float(twice) == pytest.approx(float(none), rel=0.05)
    assert losses[1] < losses[0] < 1e-2


def test_the_error_of_the_five_point_solution() -> None:
    """Check one wave against the ratio of its eigenvalues, and all for second order."""
    basis = TensorBasis(Fourier(7), Fourier(7))
    source = np.zeros((1, 7, 7))
    source[0, 2, 0] = 1.0  # cos 4πx
    omega, n = 4.0 * np.pi, 32
    wanted = omega**2 / (2 * n * np.sin(omega / (2 * n))) ** 2 - 1.0
    assert five_point_errors(basis, source, n)[0] == pytest.approx(wanted, rel=1e-9)
    random = np.random.default_rng(0).standard_normal((3, 7, 7))
    coarse, fine = (five_point_errors(basis, random, n) for n in (64, 128))
    assert np.allclose(coarse / fine, 4.0, rtol=0.01)


def test_the_course_counts_training_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 100.0
    monkeypatch.setattr(time, "process_time", lambda: clock)

    def error() -> float:
        nonlocal clock
        clock += 50.0  # must not count
        return 0.25

    course = TrainingCourse(tmp_path, error, epochs=4, evaluations=3)
    course(0, 4, "")
    for epoch in (1, 2, 3):
        clock += 1.0
        course(epoch, 4, "loss 1")
    assert [row["seconds"] for row in read_course(tmp_path)] == [1.0, 2.0, 3.0]
    assert [row["error"] for row in read_course(tmp_path)] == [0.25, 0.25, None]
    resumed = TrainingCourse(tmp_path, error, epochs=4, evaluations=3)
    clock = 7.0  # another process's clock
    resumed(2, 4, "")  # the checkpoint is of epoch 2: the third is repeated
    for epoch in (3, 4):
        clock += 2.0
        resumed(epoch, 4, "loss 1")
    assert [row["seconds"] for row in read_course(tmp_path)] == [1.0, 2.0, 4.0, 6.0]
    assert read_course(tmp_path)[-1]["error"] == 0.25
    assert read_course(tmp_path / "elsewhere") == []


def test_runs_of_several_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "TEST_FUNCTIONS", 4)
    small = replace(variants.VARIANTS[ALONE], steps=60, epoch_steps=20, seeds=(0, 1), evaluations=2)
    monkeypatch.setitem(variants.VARIANTS, ALONE, small)
    run = bench.trained(ALONE, tmp_path)
    assert run.errors.shape == run.estimates.shape == run.origin.shape == run.seconds.shape == (2,)
    assert run.errors[0] != run.errors[1]
    assert np.all((run.errors > 0.0) & (run.errors < 0.2))
    assert run.errors == pytest.approx(run.estimates, rel=0.1)  # relative to the guess, not to u
    assert run.steps == 60
    assert [row["error"] is None for row in run.courses[0]] == [False, True, False]
    assert run.courses[0][-1]["error"] == pytest.approx(run.errors[0], rel=1e-6)
    again = bench.trained(ALONE, tmp_path)  # resumed: nothing to do
    assert np.array_equal(again.errors, run.errors)
    assert np.array_equal(again.seconds, run.seconds)
    assert "±" in run.cells()[0]
    for seed in (0, 1):
        (tmp_path / f"{variants.slug(ALONE)}_{seed}" / COURSE).unlink()
    assert bench.trained(ALONE, tmp_path).cells()[-2].startswith("≈")


def test_the_whole_bench_at_a_small_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the results in a checkout stay as they are
    monkeypatch.setattr(bench, "TEST_FUNCTIONS", 2)
    monkeypatch.setattr(bench, "FITTED", 8)
    monkeypatch.setattr(bench, "BASELINE_CELLS", 8)
    for name, variant in variants.VARIANTS.items():
        network = {**variant.network, "width": 2, "layers": 1}
        small = replace(
            variant,
            network=network,
            steps=2,
            epoch_steps=1,
            evaluations=2,
            seeds=variant.seeds[:2],
            cells=variant.cells // 4,
        )
        monkeypatch.setitem(variants.VARIANTS, name, small)
    config = compose_verb("bench", ["name=neural_spectral", f"out={tmp_path / 'run'}"])
    assert bench.measure(config, RunFolder("bench", config)) == 0
    text = (tmp_path / "run" / "neural_spectral.md").read_text(encoding="utf-8")
    lines = [line.split("|") for line in text.splitlines() if line.startswith("| ")]
    named = [cells[1].strip() for cells in lines]
    assert all(named.count(name) == 1 for name in variants.VARIANTS)
    assert "FNO on 256²" in named
    assert [cells[2].strip() for cells in lines].count("PCA + kernel ridge") == 4
    assert "±" in next(cells[2] for cells in lines if cells[1].strip() == variants.OURS)
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert result[variants.OURS] > 0.0
    assert (tmp_path / "run" / "neural_spectral.png").stat().st_size < 200_000


def test_the_figure_leaves_out_what_is_missing(tmp_path: Path) -> None:
    rows = [{"epoch": 1, "seconds": 1.0, "error": 0.1}, {"epoch": 2, "seconds": 2.0, "error": None}]
    assert plot_courses({variants.OURS: rows}, tmp_path / "a.png").stat().st_size > 0
