"""Compute the outputs of a training step: one call, or several through a window, unrolled or with teacher forcing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ..evaluation.rollout import shifted
from ..samples.windows import Window

#: What the calls in a training window get as inputs: the operator's own outputs, differentiated through all calls or
#: only the last one, or the truth.
FEEDS = ("unrolled", "pushforward", "teacher_forcing")


class TrainingStep:
    """Compute the outputs of a training step and their targets, (network, inputs, targets) ↦ (outputs, expected).

    Without a window this is one call, (G(a), u). With a window, G maps static fields s and the last h frames to the
    next p frames, and the window has the truth y_1 … y_k for k calls (k = `unroll`, each y_j has p frames):

    - ``unrolled``: ŷ_1, …, ŷ_k against y_1 … y_k; each call is fed with the outputs before it, and gradients go through
      all calls.
    - ``teacher_forcing``: the same, but each call is fed with the truth.
    - ``pushforward``: r calls without gradient, then ŷ_{r+1} against y_{r+1}, where r is drawn from 0 … k − 1 for each
      step: the operator learns from states that it has produced, at the cost of one differentiated call. r depends on
      (seed, step) alone, so that all processes make the same number of calls.

    Parameters
    ----------
    window : Window, optional
    static : int
        Number of input channels that do not vary in time.
    feed : {'unrolled', 'pushforward', 'teacher_forcing'}
    noise : Tensor, shape (channels, 1, …), optional
        Standard deviation, by channel, of the normal noise that is added to the inputs in training.
    seed : int
        Seed of the numbers r.

    References
    ----------
    Brandstetter, Worrall, Welling, "Message passing neural PDE solvers", ICLR 2022 (pushforward); Sanchez-Gonzalez et
    al., "Learning to simulate complex physics with graph networks", ICML 2020 (noise).
    """

    def __init__(
        self,
        window: Window | None,
        static: int = 0,
        feed: str = "unrolled",
        noise: Tensor | None = None,
        seed: int = 0,
    ) -> None:
        self.window, self.static, self.feed, self.noise, self.seed = window, static, feed, noise, seed

    def __call__(
        self, network: Callable[[Tensor], Tensor] | nn.Module, inputs: Tensor, targets: Tensor, step: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Return the outputs and their targets, of the same shape, in training step number `step`."""
        if self.noise is not None:
            inputs = inputs + self.noise * torch.randn_like(inputs)
        if self.window is None or self.window.unroll == 1:
            return network(inputs), targets
        calls = list(targets.chunk(self.window.unroll, dim=1))
        static, frames = inputs[:, : self.static], inputs[:, self.static :]
        if self.feed == "pushforward":
            free = int(np.random.default_rng((self.seed, step)).integers(len(calls)))
            with torch.no_grad():
                for _ in range(free):
                    frames = shifted(frames, network(torch.cat((static, frames), dim=1)))
            return network(torch.cat((static, frames), dim=1)), calls[free]
        outputs = []
        for truth in calls:
            outputs.append(network(torch.cat((static, frames), dim=1)))
            frames = shifted(frames, truth if self.feed == "teacher_forcing" else outputs[-1])
        return torch.cat(outputs, dim=1), targets

    def exact(self) -> TrainingStep:
        """Return the same step for validation: every call is fed with the outputs before it, without noise."""
        return TrainingStep(self.window, self.static)
