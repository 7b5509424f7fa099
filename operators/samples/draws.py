"""Draw the inputs of a spectral problem anew in every epoch, from the seed: a dataset without data."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from resolvent.solvers.arguments import nonnegative_integer, one_of, positive_integer

if TYPE_CHECKING:
    from resolvent.data import SpectralProblem


class DrawnSamples:
    """Offer `train` coefficients as a dataset does: a training split that never repeats, and a validation split.

    A batch of the training split is drawn when it is needed. Its generator is seeded by the seed of the data and the
    order of the epoch, so that a resumed run draws the same samples as an uninterrupted one, and each process draws
    others. Targets are zeros, unless `solutions` asks for the classical solution of every sample.

    Parameters
    ----------
    problem : SpectralProblem
    epoch_size : int, default 1600
        Samples drawn in an epoch.
    valid : int, default 16
        Samples of the validation split, with reference solutions.
    seed : int, default 0
    solutions : bool, default False
        Whether training targets are reference solutions, for supervised and mixed losses.
    gauge : {'mean', 'origin'}, default 'mean'
        Which solutions to take where a constant is free: with mean zero, or zero at the low corner. It must be the
        operator's, or the validation error measures the constant.
    """

    def __init__(
        self,
        problem: SpectralProblem,
        epoch_size: int = 1600,
        valid: int = 16,
        seed: int = 0,
        solutions: bool = False,
        gauge: str = "mean",
    ) -> None:
        self.gauge = one_of(gauge, ("mean", "origin"), "gauge")
        self.problem, self.seed = problem, nonnegative_integer(seed, "seed")
        self.solutions = bool(solutions)
        self.splits = {"train": positive_integer(epoch_size, "epoch_size"), "valid": positive_integer(valid, "valid")}
        self.input_fields, self.output_fields = ["input"], ["solution"]
        self.resolution = problem.basis.shape
        self._drawing = {"seed": self.seed, "solutions": self.solutions, "gauge": self.gauge}
        self.config: dict[str, Any] = {"name": problem.name, **problem.settings(), **self._drawing, "drawn": True}
        # `test_functions` also makes the test set, from a smaller seed: validation must have other samples.
        self._validation = self._batch(problem.test_functions(valid, seed=self.seed + 2**32), solutions=True)

    def __repr__(self) -> str:
        sizes = f"{self.splits['train']} drawn an epoch, {self.splits['valid']} valid"
        return f"DrawnSamples({self.problem.name}: {sizes}, seed {self.seed})"

    def arrays(self, split: str, start: int | None = None, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return coefficients (N, 1, *modes) of inputs and solutions; for the training split, a first draw."""
        if split == "valid":
            inputs, outputs = self._validation
            return inputs[start:stop], outputs[start:stop]
        count = len(range(*slice(start, stop).indices(self.splits[split])))
        return self.draw(np.random.default_rng((self.seed, start or 0)), count)

    def draw(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw training samples."""
        return self._batch(self.problem.draw(rng, count), self.solutions)

    def description(self) -> dict[str, Any]:
        """Return what a saved model stores about its training data: enough to build the problem again."""
        return {
            "problem": self.problem.name,
            "settings": self.problem.settings(),
            "epoch_size": self.splits["train"],
            "valid": self.splits["valid"],
            **self._drawing,
        }

    def make_batches(self, split: str, device: torch.device, dtype: torch.dtype) -> _DrawnBatches:
        """Return the batches that the training loop iterates over."""
        return _DrawnBatches(self, split, device, dtype)

    def own_batches(self, split: str, device: torch.device, dtype: torch.dtype) -> _DrawnBatches:
        """Return `make_batches`, which this was called."""
        text = "DrawnSamples.own_batches will go with the next version: call make_batches"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return self.make_batches(split, device, dtype)

    def _batch(self, drawn: np.ndarray, solutions: bool) -> tuple[np.ndarray, np.ndarray]:
        inputs = self.problem.as_inputs(drawn)[:, None]
        if not solutions:
            return inputs, np.zeros_like(inputs)
        basis = self.problem.basis
        # More points than modes: the modes that are left out do not alias.
        points = basis.points([2 * n for n in basis.shape])
        values = self.problem.reference(drawn, *points)
        if self.problem.gauge_free and self.gauge == "origin":
            values = values - self.problem.reference(drawn, *(np.array([axis.low]) for axis in basis.axes))
        return inputs, np.asarray(basis.to_coefficients(values))[:, None]


class _DrawnBatches:
    """Draw batches; the order seeds them, because it is a function of (seed, epoch, rank)."""

    in_memory = True

    def __init__(self, samples: DrawnSamples, split: str, device: torch.device, dtype: torch.dtype) -> None:
        self.samples, self.split, self.device, self.dtype = samples, split, device, dtype
        self.count = samples.splits[split]

    def batches(self, order: np.ndarray, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        parts = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        digest = hashlib.sha256(np.ascontiguousarray(order, dtype=np.int64).tobytes()).digest()
        rng = np.random.default_rng((self.samples.seed, int.from_bytes(digest[:8], "little")))
        for part in parts:
            if self.split == "valid":
                inputs, outputs = (array[part] for array in self.samples.arrays("valid"))
            else:
                inputs, outputs = self.samples.draw(rng, len(part))
            yield self._place(inputs), self._place(outputs)

    def to_fields(self, coefficients: Tensor) -> Tensor:
        """Return values on cells, two for each mode along each axis: errors of functions are measured there."""
        basis = self.samples.problem.basis
        if self.samples.resolution != basis.shape:  # the samples are values on cells already
            return coefficients
        values: Tensor = basis.to_cells(coefficients, [2 * n for n in basis.shape])
        return values

    def _place(self, array: np.ndarray) -> Tensor:
        return torch.as_tensor(array, dtype=self.dtype).to(self.device)
