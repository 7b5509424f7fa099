"""Compare training steps through windows, and rollouts, with loops written out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from resolvent.operators import (
    NormalizedOperator,
    RolloutBlewUp,
    TrainingStep,
    TrainSettings,
    Window,
    WindowedDataset,
    build_operator,
    load_operator,
    predict,
    roll_out,
    train,
)
from resolvent.solvers import InputError

ARGUMENTS = {"in_channels": 2, "out_channels": 1, "ndim": 1, "modes": 5, "width": 8, "layers": 2, "projection": 8}


def settings(**changes: Any) -> TrainSettings:
    given = {"epochs": 2, "batch_size": 8, "lr": 1e-2, "accelerator": "cpu", "threads": 1, "history": 1}
    return TrainSettings(**{**given, **changes})


class Gain(torch.nn.Module):
    """Map u ↦ g (u + s) with one learned number: its rollouts can be differentiated by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(2.0, dtype=torch.float64))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.gain * (inputs[:, -1:] + inputs[:, :1])


def gradient(feed: str, truth: list[float], number: int = 0) -> tuple[list[float], float]:
    """Return outputs and d(sum of outputs)/dg from u = 1, s = 0.5."""
    model = Gain()
    inputs = torch.tensor([0.5, 1.0], dtype=torch.float64).view(1, 2, 1)
    targets = torch.tensor(truth, dtype=torch.float64).view(1, -1, 1)
    step = TrainingStep(Window(unroll=len(truth)), static=1, feed=feed)
    outputs, wanted = step(model, inputs, targets, number)
    outputs.sum().backward()
    assert wanted.shape == outputs.shape
    assert model.gain.grad is not None
    return outputs.flatten().tolist(), float(model.gain.grad)


def test_unrolled_is_differentiated_through() -> None:
    outputs, slope = gradient("unrolled", [0.0, 0.0])
    assert outputs == pytest.approx([3.0, 7.0])  # g (1 + s), g (g (1 + s) + s)
    assert slope == pytest.approx(1.5 + (2 * 2 * 1.5 + 0.5))


def test_teacher_forcing_is_fed_the_truth() -> None:
    outputs, slope = gradient("teacher_forcing", [10.0, 0.0])
    assert outputs == pytest.approx([3.0, 21.0])
    assert slope == pytest.approx(1.5 + 10.5)


def test_pushforward_differentiates_the_last_call_alone() -> None:
    found = {tuple(gradient("pushforward", [0.0, 0.0], number)[0]): number for number in range(12)}
    assert set(found) == {(3.0,), (7.0,)}  # r = 0 and r = 1
    for outputs, slope in (((3.0,), 1.5), ((7.0,), 3.5)):  # of the second call alone: g (3 + s) by g
        assert gradient("pushforward", [0.0, 0.0], found[outputs])[1] == pytest.approx(slope)


def test_pushforward_compares_with_the_frames_of_its_own_call() -> None:
    inputs = torch.tensor([0.5, 1.0], dtype=torch.float64).view(1, 2, 1)
    targets = torch.tensor([10.0, 20.0], dtype=torch.float64).view(1, 2, 1)
    step = TrainingStep(Window(unroll=2), static=1, feed="pushforward")
    pairs = {tuple(values.item() for values in step(Gain(), inputs, targets, number)) for number in range(12)}
    assert pairs == {(3.0, 10.0), (7.0, 20.0)}


def test_several_frames_in_and_out() -> None:
    """history 3, horizon 2: the frames that a call sees are the latest three of all, in order."""
    seen: list[list[float]] = []

    def network(inputs: torch.Tensor) -> torch.Tensor:
        seen.append(inputs.flatten().tolist())
        return inputs[:, -1:] + torch.tensor([1.0, 2.0]).view(1, 2, 1)

    inputs = torch.tensor([9.0, 1.0, 2.0, 3.0]).view(1, 4, 1)
    outputs, _ = TrainingStep(Window(3, 2, 2), static=1)(network, inputs, torch.zeros(1, 4, 1))
    assert outputs.flatten().tolist() == [4.0, 5.0, 6.0, 7.0]
    assert seen == [[9.0, 1.0, 2.0, 3.0], [9.0, 3.0, 4.0, 5.0]]

    def numpy_network(inputs: np.ndarray) -> np.ndarray:
        return inputs[:, -1:] + np.array([1.0, 2.0])[None, :, None]

    start = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
    rolled = roll_out(numpy_network, Window(3, 2), np.full((1, 1, 1), 9.0), start, 5, fields=["u"])
    assert rolled.flatten().tolist() == [4.0, 5.0, 6.0, 7.0, 8.0]
    truth = np.array([10.0, 20.0, 30.0, 40.0, 50.0]).reshape(1, 5, 1, 1)
    forced = roll_out(numpy_network, Window(3, 2), np.full((1, 1, 1), 9.0), start, 5, fields=["u"], truth=truth)
    assert forced.flatten().tolist() == [4.0, 5.0, 21.0, 22.0, 41.0]


def test_noise_is_on_what_changes_in_time() -> None:
    torch.manual_seed(0)
    step = TrainingStep(Window(), 1, noise=torch.tensor([0.0, 0.5]).view(2, 1))
    inputs = torch.ones(2000, 2, 1)
    noisy, _ = step(lambda values: values, inputs, inputs)
    assert torch.equal(noisy[:, 0], inputs[:, 0])
    assert float(noisy[:, 1].std()) == pytest.approx(0.5, rel=0.1)
    assert torch.equal(step.exact()(lambda values: values, inputs, inputs)[0], inputs)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"unroll": 2},
        {"unroll": 2, "feed": "pushforward", "input_noise": 0.02, "ema": 0.9},
        {"unroll": 3, "feed": "teacher_forcing"},
        {"unroll": 2, "in_memory": False},
        {"unroll": 2, "increment": True},
    ],
)
def test_resumed_equals_uninterrupted(trajectories: Callable[..., Any], tmp_path: Path, changes: Any) -> None:
    for name, epochs in (("whole", (2,)), ("parts", (1, 2))):
        for until in epochs:
            chosen = settings(scheduler="constant", epochs=until, **changes)
            train(build_operator("fno", seed=0, **ARGUMENTS), trajectories(), tmp_path / name, chosen)
    one, other = (torch.load(tmp_path / name / "last.ckpt", weights_only=True) for name in ("whole", "parts"))
    assert len(one["rows"]) == len(other["rows"]) == 2
    for key, value in one["model"].items():
        assert torch.equal(value, other["model"][key])
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert models[0] == models[1]
    described = json.loads((tmp_path / "whole" / "model.json").read_text())["fields"]
    window = described["window"]
    assert window.pop("time_step") > 0.0
    assert window == {"history": 1, "horizon": 1, "frame_step": 1, "static": ["speed"], "state": ["u"]}
    assert described["outputs"] == ["u(t+1)"]


def test_a_trained_step_rolls_out(trajectories: Callable[..., Any], tmp_path: Path) -> None:
    """Waves that travel by two or three cells a frame, as the static field says: learned, and rolled out."""
    data = trajectories(train=48, valid=8, frames=5)
    train(build_operator("fno", seed=0, **ARGUMENTS), data, tmp_path, settings(epochs=12, unroll=2))
    model = load_operator(tmp_path)
    view = WindowedDataset(data, Window())
    static, frames = view.whole("test")
    rolled = roll_out(model, view.window, static, frames[:, :1], 4, fields=["u"])
    errors = [
        float(np.linalg.norm(rolled[:, k] - frames[:, k + 1]) / np.linalg.norm(frames[:, k + 1])) for k in range(4)
    ]
    still = float(np.linalg.norm(frames[:, 0] - frames[:, 4]) / np.linalg.norm(frames[:, 4]))
    assert errors[-1] < 0.3 * still
    assert errors[0] < errors[-1]
    first = predict(model, np.concatenate((static, frames[:, 0]), axis=1))
    assert np.array_equal(rolled[:, 0], first)


def test_increments_start_from_persistence(trajectories: Callable[..., Any], tmp_path: Path) -> None:
    """A network that gives zero leaves the latest frame as it is, but for the mean increment, which here is zero."""
    data = trajectories()
    for values in data.content.values():  # closed orbits: increments average to zero
        values[1][:, 3:] = values[1][:, 2::-1]
    network = build_operator("fno", seed=0, **{**ARGUMENTS, "in_channels": 3, "out_channels": 2})
    train(network, data, tmp_path, settings(epochs=1, history=2, horizon=2, increment=True))
    model = load_operator(tmp_path)
    assert isinstance(model, NormalizedOperator)
    assert model.carried == 1
    view = WindowedDataset(data, Window(history=2, horizon=2))
    inputs, outputs = view.arrays("train")
    for k in (0, 1):
        moved = outputs[:, k] - inputs[:, -1]
        assert float(model.output_std[k]) == pytest.approx(moved.std(), rel=1e-5)
        assert float(model.output_mean[k]) == pytest.approx(moved.mean(), abs=1e-5)
    with torch.no_grad():
        for parameter in model.operator.parameters():
            parameter.zero_()
    still = np.repeat(inputs[:, -1:], 2, axis=1) + model.output_mean.numpy()[:, None]
    assert predict(model, inputs) == pytest.approx(still, abs=1e-5)


def test_a_rollout_that_blows_up_says_where() -> None:
    start, static = np.ones((3, 1, 2, 4)), np.empty((3, 0, 4))
    start[1, 0, 1] = 2.0

    def growing(inputs: np.ndarray) -> np.ndarray:
        outputs = inputs.copy()
        outputs[1:, 1] *= 1e3
        return outputs

    words = r"rollout of fno blew up at step 3 of 9 \(t = 1\.5\): field v of sample 1 reaches 2e\+09"
    with pytest.raises(RolloutBlewUp, match=words):
        roll_out(growing, Window(), static, start, 9, fields=["u", "v"], times=0.5 * np.arange(1, 10), name="fno")
    kept = roll_out(growing, Window(), static, start, 2, fields=["u", "v"])
    assert kept[1, -1, 1, 0] == 2e6

    def nan(inputs: np.ndarray) -> np.ndarray:
        return np.where(inputs > 1.5, np.nan, inputs)

    with pytest.raises(RolloutBlewUp, match=r"at step 1 of 2: field v of sample 1 is no longer finite") as caught:
        roll_out(nan, Window(), static, start, 2, fields=["u", "v"])
    assert "\n" not in str(caught.value)


def test_mistakes_are_named(trajectories: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="are of windows in time: give history=1"):
        TrainSettings(unroll=2)
    with pytest.raises(InputError, match="increment=True is of windows in time"):
        TrainSettings(increment=True)
    with pytest.raises(InputError, match="carried=2 is not usable with 2 channels in and 1 out"):
        NormalizedOperator(build_operator("fno", seed=0, **ARGUMENTS), carried=2)
    with pytest.raises(InputError, match=r"unknown feed 'pushforwards'.*did you mean 'pushforward'"):
        settings(feed="pushforwards")
    with pytest.raises(InputError, match="input_noise=-1"):
        settings(input_noise=-1)
    with pytest.raises(InputError, match="dataset in_channels=3"):
        train(build_operator("fno", seed=0, **ARGUMENTS), trajectories(), tmp_path, settings(history=2))
    with pytest.raises(InputError, match="got 2 first frames"):
        roll_out(lambda x: x, Window(), np.empty((1, 0, 4)), np.ones((1, 2, 1, 4)), 2, fields=["u"])
    wild = settings(lr=1e30, scheduler="constant", unroll=2)
    with pytest.raises(InputError, match=r"training loss \(output u\(t\+1\)\) is no longer finite in epoch 1"):
        train(build_operator("fno", seed=0, **ARGUMENTS), trajectories(), tmp_path / "wild", wild)
