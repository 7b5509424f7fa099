"""Compare metrics by time with closed forms; evaluate models on trajectories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from resolvent.operators import RolloutBlewUp, Window, WindowedDataset, evaluate_trajectories, persistence
from resolvent.operators.evaluation.trajectory_metrics import (
    correlation_time,
    energy_spectrum,
    spectrum_error,
    trajectory_metrics,
)
from resolvent.solvers import InputError

X = (np.arange(32) + 0.5) / 32


def test_metrics_of_waves() -> None:
    """Compare a wave with itself shifted by a phase φ: correlation cos φ, error 2 sin(φ/2)."""
    phase = np.array([0.0, 0.3, 1.2, np.pi])
    truth = np.tile(np.sin(2.0 * np.pi * X), (1, 4, 1, 1))
    prediction = np.sin(2.0 * np.pi * X - phase[:, None])[None, :, None]
    found = trajectory_metrics(prediction, truth)
    assert found["correlation"].shape == (1, 4, 1)
    assert found["correlation"].ravel() == pytest.approx(np.cos(phase))
    assert found["relative_l2"].ravel() == pytest.approx(2.0 * np.sin(phase / 2.0), abs=1e-12)
    assert found["amount_drift"].ravel() == pytest.approx(np.zeros(4), abs=1e-12)
    assert found["energy_drift"].ravel() == pytest.approx(np.zeros(4), abs=1e-12)
    times = np.array([1.0, 2.0, 3.0, 4.0])
    assert correlation_time(found["correlation"], times, 0.9)[0, 0] == 3.0
    assert correlation_time(found["correlation"], times, -1.1)[0, 0] == np.inf


def test_drifts() -> None:
    truth = np.ones((2, 3, 1, 8)) * np.array([1.0, -1.0] * 4)
    found = trajectory_metrics(truth + 0.5, truth)
    assert np.allclose(found["amount_drift"], 0.5)
    assert np.allclose(found["energy_drift"], 0.25)
    doubled = trajectory_metrics(2.0 * truth, truth)
    assert np.allclose(doubled["energy_drift"], 3.0)
    assert np.allclose(doubled["correlation"], 1.0)
    assert trajectory_metrics(np.ones((1, 2, 1, 4)), np.zeros((1, 2, 1, 4)))["relative_l2"].tolist() == [
        [[np.inf], [np.inf]]
    ]


@pytest.mark.parametrize(
    ("periodic", "values", "shell", "energy"),
    [
        ((True,), 3.0 * np.sin(2 * np.pi * 5 * X), 5, 4.5),
        ((False,), 3.0 * np.cos(np.pi * 10 * X), 5, 4.5),  # ten half waves
        ((True, True), np.outer(np.sin(2 * np.pi * 3 * X), np.cos(2 * np.pi * 4 * X)), 5, 0.25),
        ((False, True), np.outer(np.cos(np.pi * 6 * X), np.cos(2 * np.pi * 4 * X)), 5, 0.25),
        ((False, False), np.full((32, 32), 2.0), 0, 4.0),
    ],
)
def test_spectrum_of_one_mode(periodic: tuple[bool, ...], values: np.ndarray, shell: int, energy: float) -> None:
    spectrum = energy_spectrum(values[None, None], periodic)
    assert spectrum.shape[:2] == (1, 1)
    assert spectrum[0, 0, shell] == pytest.approx(energy)
    assert spectrum.sum() == pytest.approx(energy)


@pytest.mark.parametrize("periodic", [(True, True), (False, True), (False, False)])
def test_spectrum_sums_to_the_mean_square(periodic: tuple[bool, bool]) -> None:
    values = np.random.default_rng(0).standard_normal((3, 7, 10))
    assert energy_spectrum(values, periodic).sum(axis=1) == pytest.approx(np.square(values).mean(axis=(1, 2)))


def test_spectrum_error_is_in_decades() -> None:
    truth = np.array([1.0, 1e-2, 1e-4, 1e-30])
    assert spectrum_error(truth * [1.0, 10.0, 0.01, 1e9], truth) == pytest.approx(1.0)
    assert spectrum_error(truth, truth) == 0.0


def test_a_perfect_step_rolls_out_perfectly(trajectories: Callable[..., Any]) -> None:
    """Waves travel by the cells that the static field says: the exact step has no error at any time."""
    data = trajectories(frames=9)

    def step(inputs: np.ndarray) -> np.ndarray:
        shifts = inputs[:, 0, 0].astype(int)
        return np.stack([np.roll(frame[-1:], c, axis=-1) for frame, c in zip(inputs, shifts, strict=True)])

    for window in (Window(), Window(history=2)):
        view = WindowedDataset(data, window)
        found = evaluate_trajectories(step, view, batch_size=3, keep=2)
        assert np.allclose(found.times, data.times[window.history :])
        assert float(np.abs(found.measures["relative_l2"]).max()) < 1e-12
        assert np.isinf(found.correlation_times[0.9]).all()
        assert found.summary()["correlation_time_0.9_censored"] == 1.0
        assert found.summary()["correlation_time_0.9"] == data.times[-1]
        assert found.prediction.shape == (2, 9 - window.history, 1, 16)
    still = evaluate_trajectories(persistence(view), view)
    assert still.measures["relative_l2"].min() > 0.3
    assert still.measures["energy_drift"].max() < 1e-12  # a wave that does not move keeps its energy
    rows = still.rows("persistence")
    assert len(rows) == 7
    assert rows[0]["time"] == data.times[2]
    assert rows[0]["relative_l2"] == still.measures["relative_l2"][0, 0]


def test_every_second_frame(trajectories: Callable[..., Any]) -> None:
    data = trajectories(frames=9)
    view = WindowedDataset(data, Window(frame_step=2))
    found = evaluate_trajectories(persistence(view), view, batch_size=4, keep=4)
    assert np.allclose(found.times, data.times[2::2])
    assert np.array_equal(found.truth[:, :, 0], data.content["test"][1][:, 2::2])


def test_all_times_at_once(trajectories: Callable[..., Any]) -> None:
    """A map from the inputs to every stored time: channels are field by field, frames are told apart."""
    data = trajectories(frames=4)
    frames = data.content["test"][1]

    def exact_but_for_the_last(inputs: np.ndarray) -> np.ndarray:
        outputs = frames[: len(inputs)].copy()
        outputs[:, -1] *= 2.0
        return outputs

    found = evaluate_trajectories(exact_but_for_the_last, data)
    assert np.allclose(found.times, data.times)
    assert found.measures["relative_l2"][:, 0] == pytest.approx([0.0, 0.0, 0.0, 1.0])


def test_errors_end_where_a_rollout_blows_up(trajectories: Callable[..., Any]) -> None:
    """In the batch with sample 2 the rollout explodes near the end; the errors before are the usual ones."""
    data = trajectories(frames=6)
    view = WindowedDataset(data, Window())
    marked = data.content["test"][1][2, 0]

    def wild(inputs: np.ndarray) -> np.ndarray:
        outputs = inputs[:, -1:].copy()
        for k, first in enumerate(inputs[:, -1]):
            scale = np.abs(first).max() / np.abs(marked).max()
            if np.allclose(first, scale * marked):
                outputs[k] *= 1e2
        return outputs

    found = evaluate_trajectories(wild, view, batch_size=2, keep=4, name="wild", until_blow_up=True)
    assert found.blew_up is not None
    assert (found.blew_up.step, found.blew_up.frames, found.blew_up.sample) == (4, 5, 2)
    assert found.blew_up.where() == "blew up at step 4 of 5: field u (sample 2)"
    still = evaluate_trajectories(persistence(view), view, batch_size=2, keep=4)
    assert np.array_equal(found.times, still.times[:3])
    assert found.prediction.shape == still.prediction[:, :3].shape
    others = [k for k in range(len(still.truth)) if k != 2]
    assert np.array_equal(found.prediction[others], still.prediction[others, :3])
    assert found.measures["relative_l2"].shape == (3, 1)
    assert found.measures["relative_l2"][2, 0] > 1e4
    assert found.summary()["blew_up_at_step"] == 4.0
    assert "blew_up_at_step" not in still.summary()
    assert repr(found).startswith("TrajectoryErrors(u: 4 samples, 3 times, mean relative L2 ")
    assert repr(found).endswith(f" at t = {found.times[-1]:.4g}, {found.blew_up.where()})")
    assert len(repr(still)) < 120
    assert "\n<tr><th style='text-align:left'>blew up at step</th><td style='text-align:left'>4</td></tr>" in (
        found._repr_html_()
    )
    assert len(found.rows("wild")) == 3
    with pytest.raises(RolloutBlewUp):
        evaluate_trajectories(wild, view, name="wild")
    with pytest.raises(RolloutBlewUp, match="at step 1 of 5"):
        evaluate_trajectories(lambda inputs: np.nan * inputs[:, -1:], view, until_blow_up=True)


def test_the_error_of_space_and_time_together(trajectories: Callable[..., Any]) -> None:
    view = WindowedDataset(trajectories(), Window())
    found = evaluate_trajectories(persistence(view), view, batch_size=3, keep=9)
    wrong, truth = found.prediction - found.truth, found.truth
    expected = [np.linalg.norm(wrong[k]) / np.linalg.norm(truth[k]) for k in range(len(truth))]
    assert found.whole[:, 0] == pytest.approx(expected)
    assert found.summary()["relative_l2_whole"] == pytest.approx(np.mean(expected))


def test_mistakes_are_named(trajectories: Callable[..., Any]) -> None:
    view = WindowedDataset(trajectories(), Window())
    with pytest.raises(RolloutBlewUp, match=r"rollout of wild blew up at step 4 of 5 \(t = 2\): field u of sample"):
        evaluate_trajectories(lambda inputs: 50.0 * inputs[:, -1:], view, name="wild")
    with pytest.raises(InputError, match="expected the same shape"):
        trajectory_metrics(np.ones((1, 2, 1, 4)), np.ones((1, 2, 1, 5)))
    with pytest.raises(InputError, match="no samples in its test split"):
        evaluate_trajectories(persistence(view), WindowedDataset(trajectories(test=0), Window()))


def test_correlation_of_constants_offsets_and_nothing() -> None:
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((1, 1, 1, 64))
    collapsed = np.full_like(truth, 0.1)
    # A prediction that has collapsed to a constant is correlated with nothing; it counted as perfect.
    assert trajectory_metrics(collapsed, truth)["correlation"].item() == 0.0
    assert trajectory_metrics(truth, collapsed)["correlation"].item() == 0.0
    assert trajectory_metrics(collapsed, 3.0 * collapsed)["correlation"].item() == 1.0
    # About the means, whatever they are.
    offset, noise = 1e5 + 1e-3 * truth, 1e-3 * rng.standard_normal(truth.shape)
    found = trajectory_metrics(offset + noise, offset)["correlation"].item()
    assert found == pytest.approx(np.corrcoef((offset + noise).ravel(), offset.ravel())[0, 1], rel=1e-9)
    lost = trajectory_metrics(np.full_like(truth, np.nan), truth)["correlation"]
    assert np.isnan(lost).all()
    assert correlation_time(lost, np.array([2.0]), 0.8).tolist() == [[2.0]]


def test_frames_that_vanish_do_not_spoil_the_means(trajectories: Callable[..., Any]) -> None:
    """One sample is zero at a time, all are at another: the means are of the samples that have a size."""
    source = trajectories()
    truth = source.content["test"][1]
    truth[1, 2] = 0.0
    truth[:, 4] = 0.0

    def predictor(inputs: np.ndarray) -> np.ndarray:
        return 1.1 * truth[: len(inputs)] + 0.01 * (truth[: len(inputs)] == 0.0)

    found = evaluate_trajectories(predictor, source, "test")
    assert found.measures["relative_l2"][:, 0] == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.01, 0.1])
    assert all(np.isfinite(value) for value in found.summary().values())
