"""The evaluation of models on trajectories: a table by time, figures, an animation."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from resolvent.operators import (
    GridDataset,
    RolloutBlewUp,
    TrajectoryErrors,
    WindowedDataset,
    evaluate_trajectories,
    persistence,
)

from .console import say, table
from .run_folder import RunFolder, write_whole
from .trajectory_figures import animate, plot_errors_over_time, plot_spectra


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
    last = max(errors.times[-1] for errors in found.values())
    columns = ("model", "L2, all times", "L2, last", "corr. > 0.9 until", "> 0.8 until", "spectrum", "amount", "energy")
    table(
        columns,
        [_cells(title, found.get(title), blown.get(title), len(columns)) for title in {**models, **others}],
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
            animate(found[own], folder.file(f"rollout_{name}.gif"))
    return found, blown


def _cells(title: str, errors: TrajectoryErrors | None, blown: RolloutBlewUp | None, columns: int) -> list[Any]:
    """A row of the table; of a rollout that blew up, where, and the mean error of the times before."""
    if errors is None or blown is not None:
        before = "" if errors is None else f"{errors.summary()['relative_l2_mean']:.4g} before"
        where = "" if blown is None else blown.where()
        return [title, before, where, *[""] * (columns - 3)]
    summary, last = errors.summary(), errors.times[-1]
    numbers = ("relative_l2_mean", "relative_l2_last", "correlation_time_0.9", "correlation_time_0.8")
    drifts = ("spectrum_error_last", "amount_drift_last", "energy_drift_last")
    return [title, *(_until(summary, key, last) for key in numbers), *(summary[key] for key in drifts)]


def _until(summary: Mapping[str, float], key: str, last: float) -> Any:
    """A correlation time, marked where no sample's correlation falls that low."""
    if summary.get(f"{key}_censored") == 1.0:
        return f"> {last:.4g}"
    return summary[key]


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
