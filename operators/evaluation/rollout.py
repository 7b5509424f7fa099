"""Roll out operators: feed them with their own outputs, in training and afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from resolvent.solvers import InputError

from ..samples.windows import Window
from .grids import Predictor, predict

LIMIT = 1e6  # a rollout has blown up if a value is this many times the largest value of its first frames


class RolloutBlewUp(InputError):
    """Report that a rollout left every reasonable range; the message names the step, the field and the sample.

    Attributes
    ----------
    step : int
        The first bad frame, counted from 1.
    frames : int
        How many frames were requested.
    field : str
    sample : int
    made : ndarray, shape (N, step − 1, F, *space)
        The frames before `step`, for all samples that were rolled out together.
    """

    def __init__(self, message: str, *, step: int, frames: int, field: str, sample: int, made: np.ndarray) -> None:
        super().__init__(message)
        self.step, self.frames, self.field, self.sample, self.made = step, frames, field, sample, made

    def where(self) -> str:
        """Say it in a table's cell: ``blew up at step 7 of 20: field vorticity (sample 3)``."""
        return f"blew up at step {self.step} of {self.frames}: field {self.field} (sample {self.sample})"


def shifted(frames: Tensor, following: Tensor) -> Tensor:
    """Return the latest frames, as many as before."""
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
        How many frames to make; surplus frames of the last call are dropped.
    fields : sequence of str
        Names of the F state fields, for messages.
    times : ndarray, shape (frames,), optional
        Times of the frames to make, for messages.
    truth : ndarray, shape (N, frames, F, *space), optional
        Teacher forcing: each call gets the truth up to its time. By default it gets the model's own outputs.
    name : str
        Name of the model, for messages.
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
    """Return frame, sample and field of the first of (N, horizon, F, *space) above its limit (N, F) or not finite."""
    largest = np.abs(following).max(axis=tuple(range(3, following.ndim)))  # (N, horizon, F); NaN stays
    bad = np.argwhere(~(largest <= np.minimum(limits, np.finfo(np.float64).max)[:, None]).swapaxes(0, 1))
    return (int(bad[0, 0]), int(bad[0, 1]), int(bad[0, 2])) if len(bad) else None
