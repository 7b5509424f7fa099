"""Check evaluation: numbers against the metrics, baselines, several resolutions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from resolvent.data import from_arrays, make_spectral_problem
from resolvent.operators import (
    FNO,
    DrawnSamples,
    MeanField,
    Window,
    WindowedDataset,
    compare,
    evaluate,
    evaluate_operator,
    predict,
)
from resolvent.operators.evaluation import metrics
from resolvent.operators.samples.domain import Domain, domain_of
from resolvent.operators.training.losses import relative_loss
from resolvent.solvers import InputError


def model(in_channels: int = 1) -> FNO:
    torch.manual_seed(0)
    return FNO(in_channels, 1, ndim=1, modes=3, width=4, layers=2, projection=5)


def test_numbers_are_the_metrics(translation: Callable[..., Any]) -> None:
    dataset, operator = translation(n=12, test=7), model()
    found = evaluate_operator(operator, dataset, "test", batch_size=3, keep=4)
    inputs, targets = dataset.content["test"]
    predictions = predict(operator, inputs)
    assert predictions.dtype == np.float64
    l2 = metrics.relative_l2(predictions, targets)
    assert found["relative_l2"] == pytest.approx(l2.mean())
    assert found["per_sample_l2"] == pytest.approx(l2[:, 0])
    assert found["relative_h1"] == pytest.approx(metrics.relative_h1(predictions, targets).mean())
    assert found["max_error"] == pytest.approx(np.abs(predictions - targets).max())
    assert found["relative_max"] == pytest.approx(metrics.relative_max(predictions, targets).mean())
    assert found["fields"]["output0"]["relative_l2"] == pytest.approx(l2.mean())
    assert found["predictions"] == pytest.approx(predictions[:4], rel=1e-5)
    assert (found["samples"], found["resolution"], found["split"]) == (7, [12], "test")
    assert found["ms_per_sample"] > 0.0


def test_fields_are_told_apart(make_dataset: Callable[..., Any]) -> None:
    inputs = np.random.default_rng(0).random((4, 1, 6))
    outputs = np.concatenate((inputs, 2.0 * inputs), axis=1)
    dataset = make_dataset({"train": (inputs, outputs), "test": (inputs, outputs)})

    def half_right(values: np.ndarray) -> np.ndarray:
        return np.concatenate((values, values), axis=1)

    found = evaluate_operator(half_right, dataset)
    assert found["fields"]["output0"]["relative_l2"] == 0.0
    assert found["fields"]["output1"]["relative_l2"] == pytest.approx(0.5)
    assert found["relative_l2"] == pytest.approx(0.25)


def test_predict_leaves_the_mode(translation: Callable[..., Any]) -> None:
    operator = model().train()
    predict(operator, translation().content["test"][0])
    assert operator.training
    assert predict(model().double(), translation().content["test"][0]).dtype == np.float64


def test_rows_by_model_and_resolution(translation: Callable[..., Any]) -> None:
    coarse, fine = translation(n=12), translation(n=24)
    baseline = MeanField().fit(*coarse.arrays("train"))
    rows = compare({"fno": model(), "mean": baseline}, [coarse, fine])
    assert [(row["model"], row["resolution"]) for row in rows] == [
        ("fno", [12]),
        ("mean", [12]),
        ("fno", [24]),
        ("mean", [24]),
    ]
    # The functions of the two grids are the same, so the mean field's error is the same but for interpolation.
    assert rows[3]["relative_l2"] == pytest.approx(rows[1]["relative_l2"], rel=0.05)


def test_only_the_split_asked_for_is_read(translation: Callable[..., Any]) -> None:
    dataset = translation()
    evaluate_operator(model(), dataset, "valid")
    assert set(dataset.reads) == {"valid"}


def test_mistakes_are_named(translation: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="no samples in its test split"):
        evaluate_operator(model(), translation(test=0))
    with pytest.raises(InputError, match="batch_size=0"):
        evaluate_operator(model(), translation(), batch_size=0)
    with pytest.raises(InputError, match="maps 2 fields to 1 in 1 dimensions and the dataset has 1"):
        evaluate_operator(model(in_channels=2), translation())


@pytest.mark.parametrize("lengths", [(1.0, 1.0), (10.0, 0.1), (0.1, 10.0)])
@pytest.mark.parametrize("periodic", [False, True])
def test_h1_is_taken_on_the_domain_of_the_data(tmp_path: Path, lengths: tuple[float, float], periodic: bool) -> None:
    """The error against the norm by hand: slopes by the dataset's spacing, across the ends of a periodic axis."""
    shape = (12, 7)
    rng = np.random.default_rng(0)
    target, given = rng.random((2, 4, *shape)) + 1.0
    axes = [(np.arange(n) + 0.5) / n * length for n, length in zip(shape, lengths, strict=True)]
    dataset = from_arrays(
        given, target, tmp_path / "d", axes=axes, boundary="periodic" if periodic else None, splits=[2, 1, 1]
    )

    def norms(values: np.ndarray) -> np.ndarray:
        squares = (values**2).mean(axis=(1, 2))
        for axis, (n, length) in enumerate(zip(shape, lengths, strict=True), start=1):
            if periodic:
                slopes = ((np.roll(values, -1, axis) - values) * n / length) ** 2
            else:
                faces = (np.diff(values, axis=axis) * n / length) ** 2
                slopes = np.concatenate((faces, 0.5 * faces.take([0, -1], axis=axis)), axis=axis)
            squares += slopes.sum(axis=(1, 2)) / np.prod(shape)
        return np.sqrt(squares)

    expected = norms(given - target) / norms(target)
    found = evaluate_operator(lambda values: values, dataset, "train")
    assert found["relative_h1"] == pytest.approx(expected[:2].mean(), rel=1e-12)
    domain = domain_of(dataset)
    assert domain.lengths == pytest.approx(lengths)
    loss = relative_loss("h1", torch.ones(1, dtype=torch.float64), domain)
    inputs, targets = (torch.tensor(values) for values in dataset.arrays("train", 0, 1))
    assert float(loss(inputs, inputs, targets)) == pytest.approx(expected[0], rel=1e-12)


def test_domains(translation: Callable[..., Any], trajectories: Callable[..., Any], tmp_path: Path) -> None:
    assert domain_of(translation()) == Domain((1.0,), (False,))
    assert domain_of(WindowedDataset(trajectories(), Window())) == Domain((1.0,), (True,))
    nodes = from_arrays(np.ones((1, 5)), np.ones((1, 5)), tmp_path / "d", axes=[np.linspace(3.0, 2.0, 5)])
    assert domain_of(nodes).lengths == pytest.approx((1.25,))  # 5/L is 1 over the distance of two nodes
    flat = from_arrays(np.ones((1, 5)), np.ones((1, 5)), tmp_path / "e", axes=[np.zeros(5)])
    assert domain_of(flat).lengths == (1.0,)
    drawn = DrawnSamples(make_spectral_problem("spectral_poisson"), 2, 1)
    assert len(domain_of(drawn).lengths) == len(drawn.problem.basis.axes)


@pytest.mark.parametrize("least", [0.0, 1e-200])
def test_a_sample_that_vanishes_does_not_spoil_the_mean(make_dataset: Callable[..., Any], least: float) -> None:
    outputs = np.random.default_rng(0).random((5, 2, 8)) + 1.0
    outputs[2, 0] = least
    data = (outputs, outputs)
    dataset = make_dataset({"train": data, "test": data})
    found = evaluate_operator(lambda values: 1.1 * values + 1e-3 * (values == least), dataset)
    assert found["vanishing"] == 1
    for key in ("relative_l2", "relative_h1", "relative_max", "relative_l2_median"):
        assert found[key] == pytest.approx(0.1), key
        assert found["fields"]["output0"][key] == pytest.approx(0.1), key
    assert found["per_sample_l2"] == pytest.approx(np.full(5, 0.1))
    by_hand = metrics.absolute_l2(1.1 * outputs + 1e-3 * (outputs == least), outputs).mean()
    assert found["absolute_l2"] == pytest.approx(by_hand)


def test_a_field_that_always_vanishes_has_its_plain_error(make_dataset: Callable[..., Any]) -> None:
    outputs = np.random.default_rng(0).random((5, 2, 8)) + 1.0
    outputs[:, 1] = 0.0
    dataset = make_dataset({"train": (outputs, outputs), "test": (outputs, outputs)})
    found = evaluate_operator(lambda values: 1.1 * values + 0.02 * (values == 0.0), dataset)
    assert found["relative_l2"] == pytest.approx(0.1)
    assert found["fields"]["output1"]["relative_l2"] == pytest.approx(0.02)
    found = evaluate(lambda values: 1.1 * values, dataset, baselines=False)
    assert str(found).split()[:2] == ["model", "relative_l2"]
    assert "absolute_l2" in str(found)


def test_wrong_predictions_are_not_left_out(translation: Callable[..., Any]) -> None:
    found = evaluate_operator(lambda values: np.full_like(values, np.nan), translation())
    assert np.isnan(found["relative_l2"])
