"""What one training step computes: windows of frames fed forward, unrolled or with teacher forcing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ..evaluation.rollout import shifted
from ..samples.windows import Window

#: How the calls of a training window are fed: with the operator's own outputs, differentiated through all of them or
#: through the last alone, or with the truth.
FEEDS = ("unrolled", "pushforward", "teacher_forcing")


class TrainingStep:
    """The outputs of a training step and what they are to be, (network, inputs, targets) ↦ (outputs, wanted).

    Without a window that is one call, (G(a), u). With one, G maps static fields s and the last h frames to the next p,
    and the window has the truth y_1 … y_k of k calls (k = `unroll`, each y_j of p frames):

    - ``unrolled``: ŷ_1, …, ŷ_k, each call fed with the outputs before it, against y_1 … y_k; gradients through all.
    - ``teacher_forcing``: the same, each call fed with the truth.
    - ``pushforward``: r calls without gradient, r drawn from 0 … k − 1 anew for each step, then ŷ_{r+1} against
      y_{r+1}: the operator learns from states as it makes them, at the cost of one differentiated call. r depends on
      (seed, step) alone: processes that train together make as many calls.

    Parameters
    ----------
    window : Window, optional
    static : int
        Channels s of the inputs that do not change in time.
    feed : {'unrolled', 'pushforward', 'teacher_forcing'}
    noise : Tensor, shape (channels, 1, …), optional
        Standard deviation of the normal noise that is added to the inputs, by channel, in training.
    seed : int
        Of the numbers r.

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
        """Return outputs and what they are to be, of the same shape, in training step number `step`."""
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
        """The same for validation: every call fed with the outputs before it, without noise."""
        return TrainingStep(self.window, self.static)
