"""Autoregressive rollouts: an operator fed with its own outputs, in training and afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from resolvent.solvers import InputError

from .evaluation import Predictor, predict
from .windows import Window

__all__ = ["FEEDS", "RolloutBlewUp", "TrainingStep", "roll_out"]

#: How the calls of a training window are fed: with the operator's own outputs, differentiated through all of them or
#: through the last alone, or with the truth.
FEEDS = ("unrolled", "pushforward", "teacher_forcing")

LIMIT = 1e6  # a rollout has blown up where a value is this many times the largest of its first frames


class RolloutBlewUp(InputError):
    """A rollout that left every reasonable range; the message names the step, the field and the sample.

    Attributes
    ----------
    step : int
        The first bad frame, counted from 1.
    frames : int
        How many were asked for.
    field : str
    sample : int
    made : ndarray, shape (N, step − 1, F, *space)
        The frames before it, of all samples that were rolled out together.
    """

    def __init__(self, message: str, *, step: int, frames: int, field: str, sample: int, made: np.ndarray) -> None:
        super().__init__(message)
        self.step, self.frames, self.field, self.sample, self.made = step, frames, field, sample, made

    def where(self) -> str:
        """In a table's cell: ``blew up at step 7 of 20: field vorticity (sample 3)``."""
        return f"blew up at step {self.step} of {self.frames}: field {self.field} (sample {self.sample})"


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
                    frames = _shifted(frames, network(torch.cat((static, frames), dim=1)))
            return network(torch.cat((static, frames), dim=1)), calls[free]
        outputs = []
        for truth in calls:
            outputs.append(network(torch.cat((static, frames), dim=1)))
            frames = _shifted(frames, truth if self.feed == "teacher_forcing" else outputs[-1])
        return torch.cat(outputs, dim=1), targets

    def exact(self) -> TrainingStep:
        """The same for validation: every call fed with the outputs before it, without noise."""
        return TrainingStep(self.window, self.static)


def _shifted(frames: Tensor, following: Tensor) -> Tensor:
    """The latest frames, as many as before."""
    return torch.cat((frames, following), dim=1)[:, -frames.shape[1] :]


def roll_out(
    model: Predictor,
    window: Window,
    static: np.ndarray,
    start: np.ndarray,
    frames: int,
    *,
    fields: Sequence[str],
    times: np.ndarray | None = None,
    truth: np.ndarray | None = None,
    name: str = "the operator",
    first: int = 0,
) -> np.ndarray:
    """Roll a model out from its first frames.

    Parameters
    ----------
    model : Operator or callable
        Maps (N, S + history·F, *space) to (N, horizon·F, *space).
    window : Window
    static : ndarray, shape (N, S, *space)
    start : ndarray, shape (N, history, F, *space)
    frames : int
        How many to make; the last call may return more than are kept.
    fields : sequence of str
        Names of the F state fields, for messages.
    times : ndarray, shape (frames,), optional
        Of the frames to make, for messages.
    truth : ndarray, shape (N, frames, F, *space), optional
        Teacher forcing: each call sees the truth up to its time. By default it sees its own outputs.
    name : str
        Of the model, for messages.
    first : int
        Number of the first sample, for messages.

    Returns
    -------
    ndarray, shape (N, frames, F, *space), float64

    Raises
    ------
    RolloutBlewUp
        At the first step at which a field is not finite or 10⁶ times the largest value of the first frames.
    """
    count, history, channels, *space = start.shape
    if history != window.history:
        raise InputError(f"the rollout got {history} first frames; expected history={window.history} of them")
    if truth is not None and truth.shape != (count, frames, channels, *space):
        raise InputError(
            f"the truth has shape {truth.shape}; expected {(count, frames, channels, *space)}: "
            "(samples, frames, fields, *space)"
        )
    limits = LIMIT * np.abs(start).max(axis=(1, *range(3, start.ndim)))  # by sample and field
    limits = np.where(limits > 0.0, limits, np.inf)
    calls = -(-frames // window.horizon)
    made = np.empty((count, history + calls * window.horizon, channels, *space))
    made[:, :history] = start
    known = made if truth is None else np.concatenate((start, truth), axis=1)
    for call in range(calls):
        now = call * window.horizon
        latest = known[:, now : now + history].reshape(count, history * channels, *space)
        outputs = predict(model, np.concatenate((static, latest), axis=1))
        following = outputs.reshape(count, window.horizon, channels, *space)
        bad = _first_unbounded(following, limits)
        if bad is not None and now + bad[0] < frames:
            done, sample, which = now + bad[0], *bad[1:]
            value = float(np.abs(following[sample, bad[0], which]).max())
            what = "is no longer finite"
            if np.isfinite(value):
                what = f"reaches {value:.3g}, {LIMIT:.0e} times its first frames"
            when = "" if times is None else f" (t = {times[done]:.4g})"
            known_good = np.concatenate((made[:, history : now + history], following[:, : bad[0]]), axis=1)
            raise RolloutBlewUp(
                f"the rollout of {name} blew up at step {done + 1} of {frames}{when}: field {fields[which]} of sample "
                f"{first + sample} {what}; train it with unroll=4, feed=pushforward or input_noise=0.01, or roll out "
                "fewer steps",
                step=done + 1,
                frames=frames,
                field=fields[which],
                sample=first + sample,
                made=known_good,
            )
        made[:, now + history : now + history + window.horizon] = following
    return made[:, history : history + frames]


def _first_unbounded(following: np.ndarray, limits: np.ndarray) -> tuple[int, int, int] | None:
    """Frame, sample and field of the first of (N, horizon, F, *space) that is above its limit (N, F) or not finite."""
    largest = np.abs(following).max(axis=tuple(range(3, following.ndim)))  # (N, horizon, F); NaN stays
    bad = np.argwhere(~(largest <= np.minimum(limits, np.finfo(np.float64).max)[:, None]).swapaxes(0, 1))
    return (int(bad[0, 0]), int(bad[0, 1]), int(bad[0, 2])) if len(bad) else None
