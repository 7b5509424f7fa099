"""Run ``resolvent evaluate``: measure a trained operator on the test split of datasets, beside its baselines.

On trajectories errors are also measured by time; a model that steps in time is rolled out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import ListConfig

from resolvent.data import Dataset
from resolvent.operators import Evaluation, evaluate, read_description
from resolvent.solvers import InputError

from ..compose import compose_verb
from ..console import say, show, table
from ..figures.fields import plot_predictions
from ..run_folder import RunFolder, write_whole
from .evaluate_drawn import evaluate_on_draws
from .trajectories import shown_frames, write_trajectories

COLUMNS = ("model", "data", "resolution", "relative L2", "relative H1", "max error", "ms/sample")
BESIDE_VANISHING = ("median L2", "absolute L2")


def run(overrides: Sequence[str]) -> int:
    """Evaluate what the overrides name; return 0.

    Raises
    ------
    InputError
        If settings and data do not fit, or the model's rollout blew up. In that case everything is written first. (A
        baseline that blows up is a row of the table.)
    """
    config = compose_verb("evaluate", overrides)
    description = {} if config.model is None else read_description(str(config.model))
    drawn = "drawn" in description.get("fields", {})
    if config.model is None or (config.data is None and not drawn):
        raise InputError("nothing to evaluate: give model=FOLDER (resolvent train makes one) and data=FOLDER")
    if config.data is None:
        return evaluate_on_draws(config, description)
    paths = [str(path) for path in (config.data if isinstance(config.data, ListConfig) else [config.data])]
    names = [Path(path).name for path in paths]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            f"data={','.join(paths)}: several folders are called {repeated[0]}, and figures and tables are named after "
            "them: evaluate on one at a time, each with its out=FOLDER"
        )
    folder = RunFolder("evaluate", config)
    split = str(config.split)
    rows: list[dict[str, Any]] = []
    blew_up: list[str] = []
    for path in paths:
        dataset = Dataset(path)
        result = evaluate(
            str(config.model),
            dataset,
            split,
            batch_size=config.batch_size,
            baselines=bool(config.baselines),
            baseline_samples=1000 if config.baseline_samples is None else config.baseline_samples,
            keep=int(config.samples),
            announce=say,
        )
        rows += _rows(result, path)
        if result.trajectories or result.blown:
            write_trajectories(result, dataset, Path(path).name, folder, bool(config.animation))
        if result.name in result.blown:
            blew_up.append(str(result.blown[result.name]))
        if int(config.samples) > 0:
            _plot(result, dataset, folder.file(f"predictions_{Path(path).name}.png"), int(config.samples))
    gone = sum(row["vanishing"] for row in rows if row["model"] == rows[0]["model"])
    columns = (*COLUMNS, *BESIDE_VANISHING) if gone else COLUMNS
    table(
        columns,
        [[row[c] for c in columns] for row in rows],
        title=f"{split} split; relative errors are means over samples"
        + (" of one step in time" if "window" in description.get("fields", {}) else "")
        + (f", without {gone} fields of samples that vanish" if gone else ""),
    )
    first, *others = [row for row in rows if row["model"] == rows[0]["model"]]
    for row in others:
        ratio = row["relative L2"] / first["relative L2"]
        say(f"error at {row['resolution']} / error at {first['resolution']}: {ratio:.3f}")
    write_whole(folder.file("evaluation.json"), json.dumps(rows, indent=2) + "\n")
    places = {(row["data"], row["resolution"]) for row in rows}
    # Datasets of one resolution are told apart by their names.
    several = len({resolution for _, resolution in places}) < len(places)
    keyed = {
        f"{row['model']}@{Path(row['data']).name if several else row['resolution']}": {
            "relative_l2": row["relative L2"],
            "relative_h1": row["relative H1"],
            "max_error": row["max error"],
            "relative_l2_median": row["median L2"],
            "absolute_l2": row["absolute L2"],
            **row.get("in time", {}),
        }
        for row in rows
    }
    folder.finish(split=split, relative_l2=first["relative L2"], rows=keyed)
    more = (
        ", trajectories_*.csv, errors_over_time_*.png, spectra_*.png" if any("in time" in row for row in rows) else ""
    )
    more += ", rollout_*.gif" if more and config.animation else ""
    say(f"wrote {folder.path}/ (evaluation.json, result.json, predictions_*.png{more})")
    if blew_up:
        raise InputError(f"{'; '.join(blew_up)}; all else was evaluated and is in {folder.path}")
    return 0


def _rows(result: Evaluation, path: str) -> list[dict[str, Any]]:
    """Return the rows of a dataset in the table, the model's first."""
    resolution = "x".join(str(n) for n in result.data.resolution)
    rows = []
    for name, errors in result.errors.items():
        measures = (errors[key] for key in ("relative_l2", "relative_h1", "max_error", "ms_per_sample"))
        row: dict[str, Any] = dict(zip(COLUMNS, (name, path, resolution, *map(float, measures)), strict=True))
        row |= {"median L2": errors["relative_l2_median"], "absolute L2": errors["absolute_l2"]}
        row["vanishing"] = errors["vanishing"]
        if result.trajectories or result.blown:
            row["in time"] = result.trajectories[name].summary() if name in result.trajectories else {}
            if name in result.blown:
                row["in time"] |= {"blew_up": result.blown[name].where()}
        rows.append(row)
    return rows


def _plot(result: Evaluation, dataset: Dataset, figure: Path, most: int) -> None:
    """Draw the first samples with their predictions."""
    errors, split = result.errors[result.name], result.split
    count, names = min(most, result.data.splits[split]), ("input", "solution")
    if dataset.trajectories:
        model = result.models[result.name]
        inputs, targets, predictions, distances, names = shown_frames(model, result.data, split, count)
    else:
        inputs, targets = result.data.arrays(split, 0, count)
        predictions, distances = errors["predictions"], errors["per_sample_l2"][:count]
    resolution = "x".join(str(n) for n in dataset.resolution)
    title = f"{result.name} on {dataset.name} {resolution}, {split}: mean relative L2 "
    title += f"{show(100 * errors['relative_l2'])} %"
    plot_predictions(inputs, targets, predictions, distances, figure, title, names, dataset.axes)
