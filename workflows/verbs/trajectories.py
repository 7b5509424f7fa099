"""The evaluation of models on trajectories: a table by time, figures, an animation."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from resolvent.data import Dataset
from resolvent.operators import (
    GridDataset,
    RolloutBlewUp,
    TrajectoryErrors,
    WindowedDataset,
    evaluate_trajectories,
    persistence,
    predict,
    spread_arrays,
)
from resolvent.solvers import InputError

from ..console import say, table
from ..figures.trajectories import animate, plot_errors_over_time, plot_spectra
from ..run_folder import RunFolder, write_whole


def check_times(trained: Mapping[str, Any], dataset: Dataset) -> None:
    """Refuse trajectories stored at other times than those that a model was trained on (as its ``fields`` say)."""
    there = np.asarray(dataset.times, dtype=float)
    window = trained.get("window")
    if window is None:
        times = np.asarray(trained.get("times", there))
        if times.shape == there.shape and not np.allclose(times, there, rtol=1e-6, atol=1e-9 * abs(there).max()):
            raise InputError(
                f"the model gives {len(times)} times from {times[0]:g} to {times[-1]:g} and {dataset.folder} holds as "
                f"many from {there[0]:g} to {there[-1]:g}: evaluate it on trajectories stored at its own times"
            )
        return
    step, frames = window.get("time_step"), int(window["frame_step"])
    if step is None or len(there) <= frames:
        return
    found = there[frames] - there[0]
    if not np.isclose(found, step, rtol=1e-6):
        raise InputError(
            f"the model steps {step:g} in time and the frames of {dataset.folder} that it would be compared with are "
            f"{found:g} apart: generate data with problem.snapshots such that they are {step:g} apart"
        )


def write_trajectories(
    models: Mapping[str, Any], view: GridDataset, name: str, folder: RunFolder, split: str, batch: int, animation: bool
) -> tuple[dict[str, TrajectoryErrors], dict[str, RolloutBlewUp]]:
    """Roll every model out over the trajectories of a split, and write and print how far it goes.

    Models of windows are rolled out, beside persistence (the latest frame, repeated); others give all times at once.
    Where a rollout blows up, its row says at which step, field and sample, and the table and the figures have the times
    before; they are made whatever happens to a model. The first of `models` is the one in question: it alone is drawn.

    Returns
    -------
    errors : dict
        By model; without those that blew up in their first step.
    blown : dict of str to RolloutBlewUp
        Those that blew up.

    Writes ``trajectories_NAME.csv``, ``errors_over_time_NAME.png``, ``spectra_NAME.png`` and ``rollout_NAME.gif``.
    """
    own = next(iter(models))
    others = {"persistence": persistence(view)} if isinstance(view, WindowedDataset) else {}
    found: dict[str, TrajectoryErrors] = {}
    blown: dict[str, RolloutBlewUp] = {}
    for title, model in {**models, **others}.items():
        try:
            errors = evaluate_trajectories(model, view, split, batch, keep=1, name=title, until_blow_up=True)
        except RolloutBlewUp as error:  # in the first step: there is no time to measure at
            blown[title] = error
            continue
        found[title] = errors
        if errors.blew_up is not None:
            blown[title] = errors.blew_up
    rows = [row for title, errors in found.items() for row in errors.rows(title)]
    write_whole(folder.file(f"trajectories_{name}.csv"), _csv(rows))
    ends = [errors.times[k] for errors in found.values() for k in (0, -1)]
    first, last = min(ends), max(ends)
    columns = ("model", "L2, all times", "L2, last", "corr. > 0.9 until", "> 0.8 until", "spectrum", "amount", "energy")
    table(
        columns,
        [_cells(title, found.get(title), blown.get(title), len(columns), first) for title in {**models, **others}],
        title=f"{name}, {split} split, to t = {last:.4g}: relative L2; correlation times; at the last time the error "
        "of the spectrum in decades and the drifts of amount and energy",
    )
    for blow_up in blown.values():
        say(str(blow_up).split(";")[0])
    title = f"{own} on {name}, {split} split"
    if own in blown:
        title += f": {blown[own].where()}"
    plot_errors_over_time(found, folder.file(f"errors_over_time_{name}.png"), title)
    if own in found:
        plot_spectra(found[own], folder.file(f"spectra_{name}.png"), title)
        if animation:
            source: Any = view.dataset if isinstance(view, WindowedDataset) else view
            animate(found[own], folder.file(f"rollout_{name}.gif"), points=getattr(source, "axes", None))
    return found, blown


def _cells(
    title: str, errors: TrajectoryErrors | None, blown: RolloutBlewUp | None, columns: int, first: float
) -> list[Any]:
    """A row of the table; of a rollout that blew up, where, and the mean error of the times before."""
    if errors is None or blown is not None:
        before = "" if errors is None else f"{errors.summary()['relative_l2_mean']:.4g} before"
        where = "" if blown is None else blown.where()
        return [title, before, where, *[""] * (columns - 3)]
    summary, last = errors.summary(), errors.times[-1]
    numbers = ("relative_l2_mean", "relative_l2_last", "correlation_time_0.9", "correlation_time_0.8")
    drifts = ("spectrum_error_last", "amount_drift_last", "energy_drift_last")
    return [title, *(_until(summary, key, first, last) for key in numbers), *(summary[key] for key in drifts)]


def shown_frames(model: Any, view: Any, split: str, count: int) -> tuple[Any, ...]:
    """What a figure shows of evenly spaced samples: a frame that the model saw (or its first input), the last frame
    that it gives, its prediction, their distances ‖p − u‖/‖u‖, and the names of the two fields."""
    inputs, targets = spread_arrays(view, split, count)
    if isinstance(view, WindowedDataset):
        seen = given = -len(view.state_fields)
        names = (view.input_fields[seen], view.output_fields[given])
    else:
        seen, given = 0, targets.shape[1] // len(view.output_fields) - 1
        first = view.input_fields[0] if view.input_fields else f"{view.output_fields[0]}, t = {view.times[0]:.4g}"
        names = (first, f"{view.output_fields[0]}, t = {view.times[-1]:.4g}")
    made = predict(model, inputs)[:, [given]]
    truth = targets[:, [given]]
    apart, size = (np.linalg.norm(x.reshape(len(x), -1), axis=1) for x in (made - truth, truth))
    return inputs[:, [seen]], truth, made, apart / np.where(size > 0.0, size, 1.0), names


def _until(summary: Mapping[str, float], key: str, first: float, last: float) -> Any:
    """A correlation time, marked where no sample's correlation falls that low, and where every one's does at once."""
    if summary.get(f"{key}_censored") == 1.0:
        return f"> {last:.4g}"
    if key.startswith("correlation") and summary[key] == first:
        return f"< {first:.4g}" if first > 0.0 else "never"
    return summary[key]


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
