"""Evaluate models on trajectories they have not seen: rolled out from the first frames, or all times at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from resolvent.data.html import html_table

from ..samples.batches import GridDataset, split_size
from ..samples.windows import TrajectoryDataset, WindowedDataset
from .grids import Predictor, predict
from .rollout import RolloutBlewUp, roll_out
from .trajectory_metrics import correlation_time, energy_spectrum, spectrum_error, trajectory_metrics
from .vanishing import mean_over_samples, vanishing, without_vanishing

THRESHOLDS = (0.9, 0.8)
MEASURES = ("relative_l2", "correlation", "amount_drift", "energy_drift", "spectrum_error")

#: Measures that are divided by the norm of the truth, and at which times: each its own, or the first.
RELATIVE_TO = {"relative_l2": slice(None), "amount_drift": slice(1), "energy_drift": slice(None)}


@dataclass(frozen=True, repr=False)
class TrajectoryErrors:
    """Hold the errors of one model by time.

    Attributes
    ----------
    times : ndarray, shape (K,)
        Times of the predicted frames.
    fields : list of str
    measures : dict of ndarray (K, F)
        Means over samples of `trajectory_metrics`, but for frames that vanish, and ``spectrum_error`` between the mean
        spectra.
    correlation_times : dict of float to ndarray (samples, F)
        The first time with a correlation below each of ``THRESHOLDS``; infinite if there is none.
    spectra, true_spectra : ndarray, shape (K, F, shells)
        Means over samples.
    prediction, truth : ndarray, shape (keep, K, F, *space)
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

    def __repr__(self) -> str:
        errors = self.measures["relative_l2"].mean(axis=1)
        ends = f", {self.blew_up.where()}" if self.blew_up else ""
        return (
            f"TrajectoryErrors({', '.join(self.fields)}: {len(self.whole)} samples, {len(self.times)} times, "
            f"mean relative L2 {errors.mean():.4g}, {errors[-1]:.4g} at t = {self.times[-1]:.4g}{ends})"
        )

    def _repr_html_(self) -> str:
        rows = [(name.replace("_", " "), f"{value:.4g}") for name, value in self.summary().items()]
        return html_table(f"TrajectoryErrors: {', '.join(self.fields)}", rows)

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return one row for each time and field, for a table."""
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
        """Return means over times and fields, errors at the last time, and mean correlation times.

        A correlation that never falls below a threshold counts with the last time; ``…_censored`` is the fraction of
        samples for which this happens. If a rollout blew up, all numbers are from the times before ``blew_up_at_step``.
        """
        numbers = {} if self.blew_up is None else {"blew_up_at_step": float(self.blew_up.step)}
        numbers |= {
            "relative_l2_mean": float(self.measures["relative_l2"].mean()),
            "relative_l2_whole": float(self.whole.mean()),
        }
        for key in ("relative_l2", "spectrum_error", "amount_drift", "energy_drift"):
            numbers[f"{key}_last"] = float(self.measures[key][-1].mean())
        for threshold, times in self.correlation_times.items():
            never = ~np.isfinite(times)
            numbers[f"correlation_time_{threshold:g}"] = float(np.where(never, self.times[-1], times).mean())
            numbers[f"correlation_time_{threshold:g}_censored"] = float(never.mean())
        return numbers


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
        With windows the model is rolled out from the first `history` frames to the last one. Otherwise it maps the
        inputs to all stored times at once.
    split : str
    batch_size : int
    keep : int
        How many of the first samples to return, for figures.
    name : str
        Name of the model, for messages.
    until_blow_up : bool
        If a rollout blows up, measure the times at which the rollouts of all samples are still bounded, and report it
        in ``blew_up``. By default it is an error.

    Raises
    ------
    RolloutBlewUp
        If the rollout blows up; with `until_blow_up`, only if it does so in its first step.
    InputError
        If the split is empty.
    """
    source: Any = dataset.dataset if isinstance(dataset, WindowedDataset) else dataset
    count = split_size(source, split)
    periodic = getattr(source, "periodic", (False,) * len(source.resolution))
    times = _predicted_times(dataset)
    by_batch: dict[str, list[np.ndarray]] = {}
    spectra: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    squares: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    shown: list[tuple[np.ndarray, np.ndarray]] = []
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
            by_batch.setdefault(key, []).append(values)
        for sums, values in zip(spectra, (prediction, truth), strict=True):
            sums.append(energy_spectrum(values, periodic).sum(axis=0))
        for sums, values in zip(squares, (prediction - truth, truth), strict=True):
            sums.append(np.square(values).sum(axis=tuple(range(3, values.ndim))))
        left = max(keep - start, 0)
        shown.append((prediction[:left], truth[:left]))
    reached = len(times) if blew_up is None else blew_up.step - 1
    times = times[:reached]
    samples = {key: np.concatenate([part[:, :reached] for part in parts]) for key, parts in by_batch.items()}
    made_spectra, true_spectra = (np.sum([part[:reached] for part in parts], axis=0) / count for parts in spectra)
    wrong, norms = (np.concatenate([part[:, :reached] for part in parts]) for parts in squares)
    cells = int(np.prod(source.resolution))
    absolute, sizes = np.sqrt(wrong / cells), np.sqrt(norms / cells)
    measures = {key: values.mean(axis=0) for key, values in samples.items() if key not in RELATIVE_TO}
    for key, frames in RELATIVE_TO.items():  # frames that vanish have no relative error
        divisors = np.broadcast_to(sizes[:, frames], sizes.shape)
        errors = without_vanishing(samples[key], absolute, divisors)
        measures[key] = mean_over_samples(errors, vanishing(divisors))
    wrong, norms = wrong.sum(axis=1), norms.sum(axis=1)
    return TrajectoryErrors(
        times=times,
        fields=list(source.output_fields),
        measures={
            **{key: measures[key] for key in samples},
            "spectrum_error": spectrum_error(made_spectra, true_spectra),
        },
        correlation_times={t: correlation_time(samples["correlation"], times, t) for t in THRESHOLDS},
        spectra=made_spectra,
        true_spectra=true_spectra,
        prediction=np.concatenate([pair[0][:, :reached] for pair in shown]),
        truth=np.concatenate([pair[1][:, :reached] for pair in shown]),
        whole=np.sqrt(wrong / np.where(norms > 0.0, norms, 1.0)),
        blew_up=blew_up,
    )


def persistence(dataset: WindowedDataset) -> Predictor:
    """Return the model that repeats the latest frame of a window: a useful rollout must beat it."""
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
    """Return prediction and truth of some samples, (N, K, F, *space), at the first K = len(times) predicted times."""
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
    """Return the first `frames` after those that a rollout starts from, (N, frames, F, *space)."""
    assert isinstance(dataset, WindowedDataset)
    window = dataset.window
    _, stored = dataset.whole(split, start, stop)
    return stored[:, :: window.frame_step][:, window.history : window.history + frames]
