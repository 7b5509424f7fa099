"""Models on trajectories they have not seen: rolled out from the first frames, or all times at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from .batches import GridDataset, split_size
from .evaluation import Predictor, predict
from .rollout import roll_out
from .trajectory_metrics import correlation_time, energy_spectrum, spectrum_error, trajectory_metrics
from .windows import TrajectoryDataset, WindowedDataset

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
    """

    times: np.ndarray
    fields: list[str]
    measures: dict[str, np.ndarray]
    correlation_times: dict[float, np.ndarray]
    spectra: np.ndarray
    true_spectra: np.ndarray
    prediction: np.ndarray
    truth: np.ndarray

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
        those.
        """
        found = {
            "relative_l2_mean": float(self.measures["relative_l2"].mean()),
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

    Raises
    ------
    RolloutBlewUp
        Where the rollout blows up.
    InputError
        For an empty split.
    """
    source: Any = dataset.dataset if isinstance(dataset, WindowedDataset) else dataset
    count = split_size(source, split)
    periodic = getattr(source, "periodic", (False,) * len(source.resolution))
    times = _predicted_times(dataset)
    found: dict[str, list[np.ndarray]] = {}
    sums: list[np.ndarray] = []
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    for start in range(0, count, batch_size):
        stop = min(start + batch_size, count)
        prediction, truth = _trajectories(model, dataset, split, start, stop, times, name)
        for key, values in trajectory_metrics(prediction, truth).items():
            found.setdefault(key, []).append(values)
        spectra = [energy_spectrum(values, periodic).sum(axis=0) for values in (prediction, truth)]
        sums = spectra if not sums else [total + more for total, more in zip(sums, spectra, strict=True)]
        left = max(keep - start, 0)
        kept.append((prediction[:left], truth[:left]))
    samples = {key: np.concatenate(parts) for key, parts in found.items()}
    mean_spectra, true_spectra = (total / count for total in sums)
    measures = {key: values.mean(axis=0) for key, values in samples.items()}
    return TrajectoryErrors(
        times=times,
        fields=list(source.output_fields),
        measures={**measures, "spectrum_error": spectrum_error(mean_spectra, true_spectra)},
        correlation_times={t: correlation_time(samples["correlation"], times, t) for t in THRESHOLDS},
        spectra=mean_spectra,
        true_spectra=true_spectra,
        prediction=np.concatenate([pair[0] for pair in kept]),
        truth=np.concatenate([pair[1] for pair in kept]),
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
    """Prediction and truth of some samples, (N, K, F, *space)."""
    if isinstance(dataset, WindowedDataset):
        window = dataset.window
        static, frames = dataset.whole(split, start, stop)
        frames = frames[:, :: window.frame_step]
        seen, truth = frames[:, : window.history], frames[:, window.history :]
        made = roll_out(
            model, window, static, seen, truth.shape[1], fields=dataset.state_fields, times=times, name=name
        )
        return made, truth
    inputs, outputs = dataset.arrays(split, start, stop)
    shape = (len(outputs), len(dataset.output_fields), len(times), *outputs.shape[2:])
    prediction = predict(model, inputs)
    return prediction.reshape(shape).swapaxes(1, 2), outputs.reshape(shape).swapaxes(1, 2)
