"""Show how models do on trajectories: a table by time, figures, an animation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from resolvent.data import Dataset
from resolvent.operators import (
    Evaluation,
    RolloutBlewUp,
    TrajectoryErrors,
    WindowedDataset,
    predict,
    spread_arrays,
)

from ..console import say, table
from ..figures.trajectories import animate, plot_errors_over_time, plot_spectra
from ..run_folder import RunFolder, csv_text, write_whole


def write_trajectories(result: Evaluation, dataset: Dataset, name: str, folder: RunFolder, animation: bool) -> None:
    """Write and print how far each model of an evaluation gets over the trajectories of a split.

    Where a rollout blew up, its row says at which step, field and sample, and the table and the figures have the times
    before; they are made whatever happens to a model. Only the model in question, not its baselines, is drawn.

    Writes ``trajectories_NAME.csv``, ``errors_over_time_NAME.png``, ``spectra_NAME.png`` and ``rollout_NAME.gif``.
    """
    measured, blown, model = result.trajectories, result.blown, result.name
    rows = [row for title, errors in measured.items() for row in errors.rows(title)]
    write_whole(folder.file(f"trajectories_{name}.csv"), csv_text(list(rows[0]), rows))
    ends = [errors.times[k] for errors in measured.values() for k in (0, -1)]
    first, last = min(ends), max(ends)
    columns = ("model", "L2, all times", "L2, last", "corr. > 0.9 until", "> 0.8 until", "spectrum", "amount", "energy")
    titles = [*result.models, *(title for title in measured if title not in result.models)]
    table(
        columns,
        [_cells(title, measured.get(title), blown.get(title), len(columns), first) for title in titles],
        title=f"{name}, {result.split} split, to t = {last:.4g}: relative L2; correlation times; at the last time the "
        "error of the spectrum in decades and the drifts of amount and energy",
    )
    for blow_up in blown.values():
        say(str(blow_up).split(";")[0])
    title = f"{model} on {name}, {result.split} split"
    if model in blown:
        title += f": {blown[model].where()}"
    plot_errors_over_time(measured, folder.file(f"errors_over_time_{name}.png"), title)
    if model in measured:
        plot_spectra(measured[model], folder.file(f"spectra_{name}.png"), title)
        if animation:
            animate(measured[model], folder.file(f"rollout_{name}.gif"), points=dataset.axes)


def _cells(
    title: str, errors: TrajectoryErrors | None, blown: RolloutBlewUp | None, columns: int, first: float
) -> list[Any]:
    """Return a row of the table: for a rollout that blew up, where it did, and the mean error of the times before."""
    if errors is None or blown is not None:
        before = "" if errors is None else f"{errors.summary()['relative_l2_mean']:.4g} before"
        where = "" if blown is None else blown.where()
        return [title, before, where, *[""] * (columns - 3)]
    summary, last = errors.summary(), errors.times[-1]
    numbers = ("relative_l2_mean", "relative_l2_last", "correlation_time_0.9", "correlation_time_0.8")
    drifts = ("spectrum_error_last", "amount_drift_last", "energy_drift_last")
    return [title, *(_until(summary, key, first, last) for key in numbers), *(summary[key] for key in drifts)]


def shown_frames(model: Any, view: Any, split: str, count: int) -> tuple[Any, ...]:
    """Return what a figure shows of evenly spaced samples.

    Returns
    -------
    inputs, truth, prediction : ndarray, shape (count, 1, *space)
        The latest frame that the model saw (or its first input), the last frame that it predicts, and its prediction.
    distances : ndarray, shape (count,)
        ‖p − u‖/‖u‖ of each sample.
    names : tuple of str
        Of the input and of the predicted field.
    """
    inputs, targets = spread_arrays(view, split, count)
    if isinstance(view, WindowedDataset):
        seen = shown = -len(view.state_fields)
        names = (view.input_fields[seen], view.output_fields[shown])
    else:
        seen, shown = 0, targets.shape[1] // len(view.output_fields) - 1
        first = view.input_fields[0] if view.input_fields else f"{view.output_fields[0]}, t = {view.times[0]:.4g}"
        names = (first, f"{view.output_fields[0]}, t = {view.times[-1]:.4g}")
    prediction = predict(model, inputs)[:, [shown]]
    truth = targets[:, [shown]]
    error, size = (np.linalg.norm(x.reshape(len(x), -1), axis=1) for x in (prediction - truth, truth))
    return inputs[:, [seen]], truth, prediction, error / np.where(size > 0.0, size, 1.0), names


def _until(summary: Mapping[str, float], key: str, first: float, last: float) -> Any:
    """Return a correlation time; "> t" if no sample's correlation falls that low, "< t" if all do at the first time."""
    if summary.get(f"{key}_censored") == 1.0:
        return f"> {last:.4g}"
    if key.startswith("correlation") and summary[key] == first:
        return f"< {first:.4g}" if first > 0.0 else "never"
    return summary[key]
