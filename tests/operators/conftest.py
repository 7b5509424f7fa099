"""Small data for the operators' tests, and a dataset that lives in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch


class ArrayDataset:
    """The part of `resolvent.data.Dataset` that operators use, over arrays; it counts what is read."""

    def __init__(self, splits: dict[str, tuple[np.ndarray, np.ndarray]], config: dict[str, Any] | None = None) -> None:
        self.content = splits
        self.splits = {name: len(inputs) for name, (inputs, _) in splits.items()}
        inputs, outputs = splits["train"]
        self.input_fields = [f"input{i}" for i in range(inputs.shape[1])]
        self.output_fields = [f"output{i}" for i in range(outputs.shape[1])]
        self.resolution = tuple(inputs.shape[2:])
        self.config = {"name": "arrays"} if config is None else config
        self.reads: dict[str, int] = {}
        self.on_read: Callable[[str, int], None] | None = None

    def arrays(self, split: str, start: int | None = None, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        self.reads[split] = self.reads.get(split, 0) + 1
        if self.on_read is not None:
            self.on_read(split, self.reads[split])
        inputs, outputs = self.content[split]
        return inputs[start:stop], outputs[start:stop]


class TrajectoryArrays:
    """Hold trajectories (N, T, *space) of a state field and a static field, with what windows use of `Dataset`."""

    def __init__(self, splits: dict[str, tuple[np.ndarray, np.ndarray]], times: np.ndarray) -> None:
        self.content = splits
        self.splits = {name: len(static) for name, (static, _) in splits.items()}
        self.input_fields, self.output_fields = ["initial", "speed"], ["u"]
        self.times = times
        self.resolution = tuple(next(iter(splits.values()))[0].shape[1:])
        self.periodic = (True,) * len(self.resolution)
        self.config = {"name": "trajectories"}
        self.name = "trajectories"

    def read(self, split: str, field: str, start: int | None = None, stop: int | None = None) -> np.ndarray:
        static, values = self.content[split]
        return {"initial": values[:, 0], "speed": static, "u": values}[field][start:stop]

    def arrays(self, split: str, start: int | None = None, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        inputs = [self.read(split, name, start, stop) for name in self.input_fields]
        return np.stack(inputs, axis=1), self.read(split, "u", start, stop)


def travelling_waves(samples: int, n: int, frames: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """u(x, t) = v(x − ct), c = 2 or 3 cells a frame and constant in space: the static field is c."""
    rng = np.random.default_rng(seed)
    speed = rng.integers(2, 4, samples)
    profile = waves(samples, n, seed)[0][:, 0]
    values = [[np.roll(v, c * k) for k in range(frames)] for v, c in zip(profile, speed, strict=True)]
    return np.broadcast_to(speed[:, None], (samples, n)).astype(float), np.array(values)


def waves(samples: int, n: int, seed: int, shift: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """Return random trigonometric polynomials at n cell centres, and the same translated: a linear, periodic operator.

    The coefficients do not depend on n: two resolutions hold the same functions.
    """
    rng = np.random.default_rng(seed)
    coefficients = rng.standard_normal((samples, 4, 2))
    frequencies = 2.0 * np.pi * np.arange(1, 5)

    def values(points: np.ndarray) -> np.ndarray:
        phase = np.outer(frequencies, points)
        return coefficients[..., 0] @ np.cos(phase) + coefficients[..., 1] @ np.sin(phase)

    points = (np.arange(n) + 0.5) / n
    return values(points)[:, None], 10.0 + 3.0 * values(points - shift)[:, None]


@pytest.fixture
def make_dataset() -> Callable[..., ArrayDataset]:
    """Return a function that builds an `ArrayDataset` from (inputs, outputs) by split."""

    def make(splits: dict[str, tuple[np.ndarray, np.ndarray]], **keywords: Any) -> ArrayDataset:
        return ArrayDataset(splits, **keywords)

    return make


@pytest.fixture
def translation() -> Callable[..., ArrayDataset]:
    """Return a function that builds the translation data set on n cells."""

    def make(n: int = 24, train: int = 20, valid: int = 6, test: int = 5) -> ArrayDataset:
        sizes = {"train": train, "valid": valid, "test": test}
        return ArrayDataset({split: waves(size, n, seed) for seed, (split, size) in enumerate(sizes.items()) if size})

    return make


@pytest.fixture
def trajectories() -> Callable[..., TrajectoryArrays]:
    """Return a function that builds trajectories of travelling waves."""

    def make(n: int = 16, frames: int = 6, train: int = 6, valid: int = 3, test: int = 4) -> TrajectoryArrays:
        sizes = {"train": train, "valid": valid, "test": test}
        splits = {
            split: travelling_waves(size, n, frames, seed) for seed, (split, size) in enumerate(sizes.items()) if size
        }
        return TrajectoryArrays(splits, 0.5 * np.arange(frames))

    return make


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
