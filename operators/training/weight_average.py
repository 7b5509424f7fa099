"""Average the weights exponentially over the steps: the average often generalises better than the last weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Update θ̄ ← d θ̄ + (1 − d) θ after every step, with d = min(decay, (1 + t)/(10 + t)) at step t = 0, 1, 2, …

    The smaller d of the first steps removes the initial weights from the average.

    Parameters
    ----------
    model : Module
        Its parameters are averaged; buffers are not.
    decay : float or None
        Between 0 and 1; None means no average, and the methods do nothing.

    References
    ----------
    Polyak and Juditsky 1992; the start as in TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, model: nn.Module, decay: float | None) -> None:
        self.decay, self.steps = decay, 0
        self._parameters = [] if decay is None else [p for _, p in sorted(model.named_parameters())]
        self._average = [p.detach().clone() for p in self._parameters]

    @torch.no_grad()
    def update(self) -> None:
        """Add the present weights to the average."""
        if self.decay is None:
            return
        decay = min(self.decay, (1.0 + self.steps) / (10.0 + self.steps))
        self.steps += 1
        torch._foreach_lerp_(self._average, [p.detach() for p in self._parameters], 1.0 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the model the averaged weights inside the context; afterwards it has its own again, bit for bit."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for parameter, average in zip(self._parameters, self._average, strict=True):
            weights = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(weights)

    def state_dict(self) -> dict[str, int | list[Tensor]]:
        """Return the number of steps and the averaged weights; empty without an average."""
        return {} if self.decay is None else {"steps": self.steps, "weights": self._average}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, int | list[Tensor]]) -> None:
        """Continue from a `state_dict`."""
        if self.decay is None:
            return
        steps, weights = state["steps"], state["weights"]
        assert isinstance(steps, int)
        assert isinstance(weights, list)
        self.steps = steps
        for average, saved in zip(self._average, weights, strict=True):
            average.copy_(saved)
