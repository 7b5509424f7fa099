"""Compare windows of trajectories with slices taken by hand, in memory and streamed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from resolvent.operators import Window, WindowedDataset
from resolvent.operators.samples.batches import Batches, epoch_order
from resolvent.operators.samples.windows import WindowBatches
from resolvent.solvers import InputError

CPU = torch.device("cpu")

WINDOWS = [
    Window(),
    Window(history=2, horizon=2),
    Window(history=1, horizon=1, unroll=3, stride=2),
    Window(history=2, horizon=1, unroll=2, frame_step=2, stride=3),
]


@pytest.mark.parametrize("window", WINDOWS)
def test_windows_are_slices(trajectories: Callable[..., Any], window: Window) -> None:
    source = trajectories(frames=11)
    view = WindowedDataset(source, window)
    static, values = source.content["train"]
    expected = []
    for sample in range(len(values)):
        start = 0
        while start + (window.frames - 1) * window.frame_step < 11:
            frames = values[sample, start :: window.frame_step][: window.frames]
            seen, following = frames[: window.history], frames[window.history :]
            expected.append((np.concatenate((static[sample : sample + 1], seen)), following))
            start += window.stride
    inputs, outputs = view.arrays("train")
    assert view.splits["train"] == len(expected) == len(inputs)
    assert np.array_equal(inputs, np.stack([pair[0] for pair in expected]))
    assert np.array_equal(outputs, np.stack([pair[1] for pair in expected]))
    some = view.arrays("train", 3, 8)
    assert np.array_equal(some[0], inputs[3:8])
    assert np.array_equal(some[1], outputs[3:8])
    assert len(view.arrays("train", 4, 4)[0]) == 0


def test_fields_are_found_and_named(trajectories: Callable[..., Any]) -> None:
    view = WindowedDataset(trajectories(), Window(history=2, horizon=1, unroll=2))
    assert view.static_fields == ["speed"]  # and not the initial state, which is the first frame
    assert view.input_fields == ["speed", "u(t-1)", "u(t)"]
    assert view.output_fields == ["u(t+1)", "u(t+2)"]
    assert view.one_call().output_fields == ["u(t+1)"]
    assert view.description() == {
        "history": 2,
        "horizon": 1,
        "time_step": 0.5,
        "frame_step": 1,
        "static": ["speed"],
        "state": ["u"],
    }
    assert WindowedDataset(trajectories(), Window(), static=[]).input_fields == ["u(t)"]


@pytest.mark.parametrize("workers", [0, 2])
def test_streamed_windows_equal_those_in_memory(trajectories: Callable[..., Any], workers: int) -> None:
    view = WindowedDataset(trajectories(frames=7), Window(history=2, unroll=2))
    held = WindowBatches(view, "train", CPU, torch.float32, in_memory=True)
    streamed = Batches(view, "train", CPU, torch.float32, in_memory=False, workers=workers)
    order = epoch_order(view.splits["train"], 0, 0)
    pairs = list(zip(held.batches(order, 5), streamed.batches(order, 5), strict=True))
    assert sum(len(inputs) for (inputs, _), _ in pairs) == 24
    for (inputs, outputs), (other_inputs, other_outputs) in pairs:
        assert torch.equal(inputs, other_inputs)
        assert torch.equal(outputs, other_outputs)


def test_it_prints_in_one_line(trajectories: Callable[..., Any]) -> None:
    data = trajectories()
    windows = WindowedDataset(data, Window(history=2))
    sizes = ", ".join(f"{size} {split}" for split, size in windows.splits.items())
    assert repr(windows) == (
        f"WindowedDataset(trajectories: {sizes} windows of 3 frames, (speed, u(t-1), u(t)) to (u(t+1)))"
    )


def test_a_frame_is_held_once(trajectories: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    view = WindowedDataset(trajectories(frames=8), Window(history=4))
    numbers = 6 * (1 + 8) * 16  # trajectories × (static + frames) × cells; the windows together hold 6 × 4 × 6 × 16
    for free, expected in ((4 * 4 * numbers + 1, True), (4 * 4 * numbers, False)):
        monkeypatch.setattr("resolvent.operators.samples.batches.free_memory", lambda free=free: free)
        assert WindowBatches(view, "train", CPU, torch.float32).in_memory is expected


def test_mistakes_are_named(trajectories: Callable[..., Any], translation: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="the dataset has no trajectories: leave history=null"):
        WindowedDataset(translation(), Window())
    with pytest.raises(InputError, match="spans 9 stored frames and the trajectories have 6"):
        WindowedDataset(trajectories(), Window(history=3, frame_step=2, horizon=2))
    with pytest.raises(InputError, match="no input field viscosity"):
        WindowedDataset(trajectories(), Window(), static=["viscosity"])
    with pytest.raises(InputError, match="stride"):
        Window(stride=0)
