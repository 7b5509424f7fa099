"""Check evaluation: numbers against the metrics, baselines, several resolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from resolvent.operators import FNO, MeanField, compare, evaluate_operator, predict
from resolvent.operators.evaluation import metrics
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
