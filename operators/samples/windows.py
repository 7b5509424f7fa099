"""Cut windows in time out of trajectories: some frames in, the next ones out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from resolvent.solvers import InputError
from resolvent.solvers.arguments import positive_integer

from .batches import Batches, GridDataset, chunks

Values = TypeVar("Values", np.ndarray, Tensor)

_SAME = 1e-3  # relative difference below which an input field counts as the first frame of an output


class TrajectoryDataset(GridDataset, Protocol):
    """Describe what windows also need of a dataset; `resolvent.data.Dataset` of a time-dependent problem has it."""

    times: np.ndarray

    def read(self, split: str, field: str, start: int | None = None, stop: int | None = None) -> np.ndarray:
        """Return samples of a field: an input (N, *space), an output (N, T, *space)."""
        ...


@dataclass(frozen=True)
class Window:
    """Describe a window, which contains the stored frames s, s + frame_step, s + 2 frame_step, …

    Attributes
    ----------
    history : int, default 1
        Frames that the operator takes.
    horizon : int, default 1
        Frames that one call of the operator returns.
    unroll : int, default 1
        Calls for which a window has the true frames: it holds history + unroll·horizon frames.
    frame_step : int, default 1
        Stored frames from one frame of the window to the next: the operator's time step.
    stride : int, default 1
        Stored frames from the start of one window to the start of the next.
    """

    history: int = 1
    horizon: int = 1
    unroll: int = 1
    frame_step: int = 1
    stride: int = 1

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            positive_integer(value, name)

    @property
    def frames(self) -> int:
        """Return the number of frames in a window."""
        return self.history + self.horizon * self.unroll

    def count(self, stored: int) -> int:
        """Return the number of windows in a trajectory of `stored` frames; 0 if it is too short."""
        last = stored - 1 - (self.frames - 1) * self.frame_step
        return max(last // self.stride + 1, 0)


class WindowedDataset:
    """Offer trajectories as samples of a map from the last `history` frames to the next `horizon·unroll` frames.

    Input channels: the fields that do not vary in time, then the frames from the oldest to the latest, each with all
    state fields. Output channels: the frames that follow, in the same order. The state fields are the outputs of the
    dataset; an input field that equals the first frame of one of them (an initial state) is left out.

    Parameters
    ----------
    dataset : TrajectoryDataset
    window : Window
    static : sequence of str, optional
        The input fields that do not vary in time; by default they are found by comparing some samples.

    Attributes
    ----------
    splits : dict of int
        Windows in each split.
    windows : int
        Windows in a trajectory.
    static_fields, state_fields : list of str

    Raises
    ------
    InputError
        If the dataset has no trajectories, or they are shorter than a window.
    """

    def __init__(self, dataset: TrajectoryDataset, window: Window, static: Sequence[str] | None = None) -> None:
        self.dataset, self.window = dataset, window
        times = np.atleast_1d(getattr(dataset, "times", 0.0))
        if times.size < 2:
            raise InputError(
                f"history={window.history} asks for windows in time and the dataset has no trajectories: "
                "leave history=null, or generate a time-dependent problem"
            )
        self.times = times
        self.windows = window.count(times.size)
        if not self.windows:
            raise InputError(
                f"a window of history={window.history}, horizon={window.horizon}, unroll={window.unroll}, "
                f"frame_step={window.frame_step} spans {(window.frames - 1) * window.frame_step + 1} stored frames and "
                f"the trajectories have {times.size}: lower one of them"
            )
        self.state_fields = list(dataset.output_fields)
        self.static_fields = self._static() if static is None else list(static)
        missing = [name for name in self.static_fields if name not in dataset.input_fields]
        if missing:
            raise InputError(
                f"the dataset has no input field {missing[0]} (it has {', '.join(dataset.input_fields) or 'none'}): "
                "give the kind of data that the model was trained on"
            )
        self.splits = {split: size * self.windows for split, size in dataset.splits.items()}
        self.trajectories = dict(dataset.splits)
        frames = [_name(name, k) for k in range(1 - window.history, 1) for name in self.state_fields]
        self.input_fields = [*self.static_fields, *frames]
        self.output_fields = [
            _name(name, k) for k in range(1, window.horizon * window.unroll + 1) for name in self.state_fields
        ]
        self.resolution = tuple(dataset.resolution)
        self.config = dataset.config

    def __repr__(self) -> str:
        name = getattr(self.dataset, "name", type(self.dataset).__name__)
        sizes = ", ".join(f"{size} {split}" for split, size in self.splits.items())
        channels = f"({', '.join(self.input_fields)}) to ({', '.join(self.output_fields)})"
        return f"WindowedDataset({name}: {sizes} windows of {self.window.frames} frames, {channels})"

    @property
    def content_digest(self) -> Any:
        """Return the digest of the trajectories; None if the dataset has none."""
        return getattr(self.dataset, "content_digest", None)

    def one_call(self) -> WindowedDataset:
        """Return the same windows with the frames of one call: what the operator maps."""
        return WindowedDataset(self.dataset, replace(self.window, unroll=1), self.static_fields)

    def description(self) -> dict[str, Any]:
        """Return what a rollout of a model that was trained on this must know, as JSON-able values."""
        sizes = {key: getattr(self.window, key) for key in ("history", "horizon", "frame_step")}
        step = float(self.times[self.window.frame_step] - self.times[0])
        return {**sizes, "time_step": step, "static": self.static_fields, "state": self.state_fields}

    def increments(self, split: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the arrays of a split in chunks, the outputs as increments from the latest frame."""
        fields = len(self.state_fields)
        for inputs, outputs in chunks(self, split):
            yield inputs, outputs - np.concatenate([inputs[:, -fields:]] * (outputs.shape[1] // fields), axis=1)

    def whole(self, split: str, start: int | None = None, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Read trajectories `start` to `stop` of a split: static fields (N, S, *space), frames (N, T, F, *space)."""
        frames = np.stack([self.dataset.read(split, name, start, stop) for name in self.state_fields], axis=2)
        fields = [self.dataset.read(split, name, start, stop) for name in self.static_fields]
        none = np.empty((len(frames), 0, *frames.shape[3:]), dtype=frames.dtype)
        return (np.stack(fields, axis=1) if fields else none), frames

    def arrays(self, split: str, start: int | None = None, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (N, S + history·F, *space) and outputs (N, unroll·horizon·F, *space) of some windows."""
        first, last, _ = slice(start, stop).indices(self.splits.get(split, 0))
        begin, end = first // self.windows, math.ceil(last / self.windows)
        static, frames = self.whole(split, begin, max(begin, end))
        which, starts = self.position(np.arange(first, last))
        seen, following = self.cut(frames, which - begin, starts)
        return np.concatenate((static[which - begin], seen), axis=1), following

    def position(self, index: Values) -> tuple[Values, Values]:
        """Return the trajectory of each window and the frame at which it begins."""
        return index // self.windows, (index % self.windows) * self.window.stride

    def cut(self, frames: Values, which: Values, starts: Values) -> tuple[Values, Values]:
        """Return the frames before and those to predict, of windows in `frames` (N, T, F, *space), as channels."""
        window = self.window
        parts = []
        for first, count in ((0, window.history), (window.history, window.horizon * window.unroll)):
            taken = [frames[which, starts + (first + k) * window.frame_step] for k in range(count)]
            parts.append(np.concatenate(taken, axis=1) if isinstance(frames, np.ndarray) else torch.cat(taken, dim=1))
        return parts[0], parts[1]

    def _static(self) -> list[str]:
        """Return the input fields that do not vary in time: those that are not the first frame of a state field."""
        split = next(split for split, size in self.dataset.splits.items() if size)
        first = [self.dataset.read(split, name, 0, 2)[:, 0] for name in self.state_fields]
        static = []
        for name in self.dataset.input_fields:
            values = np.asarray(self.dataset.read(split, name, 0, 2), dtype=np.float64)
            distances = [float(np.linalg.norm(values - frame)) for frame in first]
            if not min(distances) <= _SAME * float(np.linalg.norm(values)):
                static.append(name)
        return static


def training_view(dataset: GridDataset, window: Window | None) -> GridDataset:
    """Return the dataset as samples of the map to learn: itself, or its windows."""
    if window is None or isinstance(dataset, WindowedDataset):
        return dataset
    return WindowedDataset(cast(TrajectoryDataset, dataset), window)


class WindowBatches(Batches):
    """Give batches of windows. In memory it holds trajectories: each frame once, even if several windows share it."""

    dataset: WindowedDataset

    def _load(self, first: tuple[np.ndarray, np.ndarray]) -> tuple[Tensor, Tensor]:
        count = self.dataset.trajectories[self.split]
        tensors: list[Tensor] = []
        for start in range(count):
            pair = self.dataset.whole(self.split, start, start + 1)
            tensors = tensors or [torch.empty((count, *values.shape[1:]), dtype=self.dtype) for values in pair]
            for tensor, values in zip(tensors, pair, strict=True):
                tensor[start] = torch.tensor(values[0])
        return tensors[0], tensors[1]

    def _elements(self, first: tuple[np.ndarray, np.ndarray]) -> int:
        channels = len(self.dataset.static_fields) + len(self.dataset.state_fields) * len(self.dataset.times)
        return self.dataset.trajectories[self.split] * channels * math.prod(self.dataset.resolution)

    def _take(self, tensors: tuple[Tensor, Tensor], index: Tensor) -> tuple[Tensor, Tensor]:
        static, frames = tensors
        which, starts = self.dataset.position(index)
        seen, following = self.dataset.cut(frames, which, starts)
        return torch.cat((static[which], seen), dim=1), following


def _name(field: str, offset: int) -> str:
    return f"{field}(t{offset:+d})" if offset else f"{field}(t)"
