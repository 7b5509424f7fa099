"""Models on trajectories they have not seen: rolled out from the first frames, or all times at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ..samples.batches import GridDataset, split_size
from ..samples.windows import TrajectoryDataset, WindowedDataset
from .grids import Predictor, predict
from .rollout import RolloutBlewUp, roll_out
from .trajectory_metrics import correlation_time, energy_spectrum, spectrum_error, trajectory_metrics

__all__ = ["THRESHOLDS", "TrajectoryErrors", "evaluate_trajectories", "persistence"]

THRESHOLDS = (0.9, 0.8)
MEASURES = ("relative_l2", "correlation", "amount_drift", "energy_drift", "spectrum_error")


@dataclass(frozen=True)
class TrajectoryErrors:
    """The errors of one model by time.

    Attributes
    ----------
    times : ndarray, shape (K,)
        Of the predicted frames.
    fields : list of str
    measures : dict of ndarray (K, F)
        Means over samples of `trajectory_metrics`; ``spectrum_error`` of the spectra averaged over samples.
    correlation_times : dict of float to ndarray (samples, F)
        The first time with a correlation below each of ``THRESHOLDS``; infinite where it never is.
    spectra, true_spectra : ndarray, shape (K, F, shells)
        Averaged over samples.
    prediction, truth : ndarray, shape (kept, K, F, *space)
        The first samples, for figures.
    whole : ndarray, shape (samples, F)
        Relative L² errors over space and all K times together, ‖p − u‖/‖u‖.
    blew_up : RolloutBlewUp, optional
        Where a rollout blew up; K is then the number of times before it did.
    """

    times: np.ndarray
    fields: list[str]
    measures: dict[str, np.ndarray]
    correlation_times: dict[float, np.ndarray]
    spectra: np.ndarray
    true_spectra: np.ndarray
    prediction: np.ndarray
    truth: np.ndarray
    whole: np.ndarray
    blew_up: RolloutBlewUp | None = None

    def rows(self, name: str) -> list[dict[str, Any]]:
        """One row a time and field, for a table."""
        return [
            {
                "model": name,
                "time": float(time),
                "field": field,
                **{key: float(self.measures[key][k, f]) for key in MEASURES},
            }
            for k, time in enumerate(self.times)
            for f, field in enumerate(self.fields)
        ]

    def summary(self) -> dict[str, float]:
        """Means over times and fields, errors at the last time, mean correlation times.

        A correlation that never falls below a threshold counts as the last time; ``…_censored`` is the part of
        those. Of a rollout that blew up, all of it is of the times before, and ``blew_up_at_step`` says when.
        """
        found = {} if self.blew_up is None else {"blew_up_at_step": float(self.blew_up.step)}
        found |= {
            "relative_l2_mean": float(self.measures["relative_l2"].mean()),
            "relative_l2_whole": float(self.whole.mean()),
            "relative_l2_last": float(self.measures["relative_l2"][-1].mean()),
            "spectrum_error_last": float(self.measures["spectrum_error"][-1].mean()),
            "amount_drift_last": float(self.measures["amount_drift"][-1].mean()),
            "energy_drift_last": float(self.measures["energy_drift"][-1].mean()),
        }
        for threshold, times in self.correlation_times.items():
            never = ~np.isfinite(times)
            found[f"correlation_time_{threshold:g}"] = float(np.where(never, self.times[-1], times).mean())
            found[f"correlation_time_{threshold:g}_censored"] = float(never.mean())
        return found


def evaluate_trajectories(
    model: Predictor,
    dataset: GridDataset,
    split: str = "test",
    batch_size: int = 16,
    keep: int = 1,
    name: str = "model",
    until_blow_up: bool = False,
) -> TrajectoryErrors:
    """Measure a model on the trajectories of a split, by time.

    Parameters
    ----------
    model : Operator or callable
    dataset : WindowedDataset or GridDataset
        Windows: the model is rolled out from the first `history` frames to the last one. Else it maps the inputs to all
        stored times at once.
    split : str
    batch_size : int
    keep : int
        How many of the first samples to return, for figures.
    name : str
        Of the model, for messages.
    until_blow_up : bool
        Measure a rollout that blows up on the times at which those of all samples are still bounded, and say so in
        ``blew_up``. By default it is an error.

    Raises
    ------
    RolloutBlewUp
        Where the rollout blows up; with `until_blow_up`, where it does so in its first step.
    InputError
        For an empty split.
    """
    source: Any = dataset.dataset if isinstance(dataset, WindowedDataset) else dataset
    count = split_size(source, split)
    periodic = getattr(source, "periodic", (False,) * len(source.resolution))
    times = _predicted_times(dataset)
    found: dict[str, list[np.ndarray]] = {}
    spectra: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    squares: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    blew_up: RolloutBlewUp | None = None
    for start in range(0, count, batch_size):
        stop = min(start + batch_size, count)
        try:
            prediction, truth = _trajectories(model, dataset, split, start, stop, times, name)
        except RolloutBlewUp as error:
            if not until_blow_up or error.step == 1:
                raise
            if blew_up is None or error.step < blew_up.step:
                blew_up = error
            prediction, truth = error.made, _truth(dataset, split, start, stop, error.step - 1)
        for key, values in trajectory_metrics(prediction, truth).items():
            found.setdefault(key, []).append(values)
        for sums, values in zip(spectra, (prediction, truth), strict=True):
            sums.append(energy_spectrum(values, periodic).sum(axis=0))
        for sums, values in zip(squares, (prediction - truth, truth), strict=True):
            sums.append(np.square(values).sum(axis=tuple(range(3, values.ndim))))
        left = max(keep - start, 0)
        kept.append((prediction[:left], truth[:left]))
    reached = len(times) if blew_up is None else blew_up.step - 1
    times = times[:reached]
    samples = {key: np.concatenate([part[:, :reached] for part in parts]) for key, parts in found.items()}
    made_spectra, true_spectra = (np.sum([part[:reached] for part in parts], axis=0) / count for parts in spectra)
    wrong, norms = (np.concatenate([part[:, :reached] for part in parts]).sum(axis=1) for parts in squares)
    measures = {key: values.mean(axis=0) for key, values in samples.items()}
    return TrajectoryErrors(
        times=times,
        fields=list(source.output_fields),
        measures={**measures, "spectrum_error": spectrum_error(made_spectra, true_spectra)},
        correlation_times={t: correlation_time(samples["correlation"], times, t) for t in THRESHOLDS},
        spectra=made_spectra,
        true_spectra=true_spectra,
        prediction=np.concatenate([pair[0][:, :reached] for pair in kept]),
        truth=np.concatenate([pair[1][:, :reached] for pair in kept]),
        whole=np.sqrt(wrong / np.where(norms > 0.0, norms, 1.0)),
        blew_up=blew_up,
    )


def persistence(dataset: WindowedDataset) -> Predictor:
    """The model of windows that repeats the latest frame: what a rollout must beat to have predicted anything."""
    fields = len(dataset.state_fields)

    def latest(inputs: np.ndarray) -> np.ndarray:
        return np.concatenate([inputs[:, -fields:]] * dataset.window.horizon, axis=1)

    return latest


def _predicted_times(dataset: GridDataset) -> np.ndarray:
    if isinstance(dataset, WindowedDataset):
        window = dataset.window
        return np.asarray(dataset.times[:: window.frame_step][window.history :])
    times = cast(TrajectoryDataset, dataset).times
    return np.asarray(times if dataset.input_fields else times[1:])


def _trajectories(
    model: Predictor, dataset: GridDataset, split: str, start: int, stop: int, times: np.ndarray, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and truth of some samples, (N, K, F, *space), at the first K = len(times) times to be predicted."""
    if isinstance(dataset, WindowedDataset):
        window = dataset.window
        static, frames = dataset.whole(split, start, stop)
        seen = frames[:, :: window.frame_step][:, : window.history]
        made = roll_out(
            model, window, static, seen, len(times), fields=dataset.state_fields, times=times, name=name, first=start
        )
        return made, _truth(dataset, split, start, stop, len(times))
    inputs, outputs = dataset.arrays(split, start, stop)
    shape = (len(outputs), len(dataset.output_fields), len(times), *outputs.shape[2:])
    prediction = predict(model, inputs)
    return prediction.reshape(shape).swapaxes(1, 2), outputs.reshape(shape).swapaxes(1, 2)


def _truth(dataset: GridDataset, split: str, start: int, stop: int, frames: int) -> np.ndarray:
    """The first `frames` that follow those which a rollout starts from, (N, frames, F, *space)."""
    assert isinstance(dataset, WindowedDataset)
    window = dataset.window
    _, stored = dataset.whole(split, start, stop)
    return stored[:, :: window.frame_step][:, window.history : window.history + frames]
