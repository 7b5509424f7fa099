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


def waves(samples: int, n: int, seed: int, shift: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """Random trigonometric polynomials at n cell centres, and the same ones translated: a linear, periodic operator.

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


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
