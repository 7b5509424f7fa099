"""A dataset without a validation split: what is held out, and that it is trained and measured on."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resolvent.data import from_arrays
from resolvent.operators import TrainSettings, Window, WindowedDataset, build_operator, evaluate, train
from resolvent.operators.samples import HeldOutValidation, with_validation

SETTINGS = TrainSettings(epochs=1, accelerator="cpu", threads=1)


def network() -> Any:
    return build_operator("fno", seed=0, in_channels=1, out_channels=1, ndim=1, modes=3, width=4, layers=1)


@pytest.mark.parametrize(("train_size", "sizes"), [(20, (18, 2)), (3, (2, 1)), (2, (1, 1)), (1, (1, 1))])
def test_the_last_tenth_is_held_out(translation: Callable[..., Any], train_size: int, sizes: tuple[int, int]) -> None:
    dataset = translation(n=8, train=train_size, valid=0)
    inputs = dataset.content["train"][0]
    view = with_validation(dataset)
    assert isinstance(view, HeldOutValidation)
    assert view.splits == {"train": sizes[0], "valid": sizes[1], "test": 5}
    assert np.array_equal(view.arrays("train")[0], inputs[: sizes[0]])
    assert np.array_equal(view.arrays("valid")[0], inputs[-sizes[1] :])
    assert np.array_equal(view.arrays("valid", 0, 1)[0], inputs[-sizes[1] :][:1])
    assert len(view.arrays("train", sizes[0], sizes[0] + 5)[0]) == 0
    assert len(view.arrays("test")[0]) == 5
    assert pickle.loads(pickle.dumps(view.splits)) == view.splits
    assert str(train_size) in view.division or train_size == 1


def test_a_dataset_with_validation_samples_stays(translation: Callable[..., Any]) -> None:
    dataset = translation()
    assert with_validation(dataset) is dataset


def test_windows_hold_out_whole_trajectories(trajectories: Callable[..., Any]) -> None:
    view = with_validation(WindowedDataset(trajectories(train=4, valid=0), Window()))
    assert view.splits == {"train": 15, "valid": 5, "test": 20}


@pytest.mark.parametrize("count", [1, 3])
def test_few_samples_are_trained_on(tmp_path: Path, count: int) -> None:
    x = np.random.default_rng(0).random((count, 12))
    dataset = from_arrays(x, x**2, tmp_path / "data")
    assert dataset.splits == {"train": count}
    notes: list[str] = []
    train(network(), dataset, tmp_path / "run", SETTINGS, progress=lambda done, total, note: notes.append(note))
    assert "no valid split" in notes[0]
    errors = evaluate(tmp_path / "run", dataset, "valid", baselines=count > 1).errors["fno"]
    assert errors["samples"] == 1
