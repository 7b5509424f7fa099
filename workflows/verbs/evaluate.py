"""``resolvent evaluate``: a trained operator on the test split, at one resolution or several, beside its baselines.

On trajectories also by time: rolled out, where it is a map from some frames to the next.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import ListConfig

from resolvent.data import Dataset
from resolvent.operators import (
    GridDataset,
    KernelRidge,
    MeanField,
    PCALinearRegression,
    Window,
    WindowedDataset,
    evaluate_operator,
    load_operator,
    read_description,
    spread_arrays,
)
from resolvent.solvers import InputError

from ..compose import compose_verb
from ..console import say, show, table
from ..figures.fields import plot_predictions
from ..run_folder import RunFolder, write_whole
from .evaluate_drawn import evaluate_on_draws, on_cells
from .trajectories import check_times, shown_frames, write_trajectories

#: The baselines by their names in tables.
BASELINES: dict[str, Any] = {
    "mean field": MeanField,
    "PCA + linear regression": PCALinearRegression,
    "PCA + kernel ridge": KernelRidge,
}

COLUMNS = ("model", "data", "resolution", "relative L2", "relative H1", "max error", "ms/sample")


def run(overrides: Sequence[str]) -> int:
    """Evaluate what the overrides name; return 0.

    Raises
    ------
    InputError
        For settings and data that do not fit; and where the model's own rollout blew up, after everything is written
        (exit code 2, as of a solve that did not converge). A baseline's is a row of the table.
    """
    config = compose_verb("evaluate", overrides)
    description = {} if config.model is None else read_description(str(config.model))
    drawn = "drawn" in description.get("fields", {})
    if config.model is None or (config.data is None and not drawn):
        raise InputError("nothing to evaluate: give model=FOLDER (resolvent train makes one) and data=FOLDER")
    if config.data is None:
        return evaluate_on_draws(config, description, BASELINES)
    paths = [str(path) for path in (config.data if isinstance(config.data, ListConfig) else [config.data])]
    names = [Path(path).name for path in paths]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            f"data={','.join(paths)}: several folders are called {repeated[0]}, and figures and tables are named after "
            "them: evaluate on one at a time, each with its out=FOLDER"
        )
    folder = RunFolder("evaluate", config)
    model = load_operator(str(config.model))
    split = str(config.split)
    rows: list[dict[str, Any]] = []
    blew_up: list[str] = []
    for path in paths:
        dataset = Dataset(path)
        if dataset.splits.get(split, 0) < 1:
            raise InputError(
                f"data={path}: it has no samples in split '{split}'; its splits are {dict(dataset.splits)}"
            )
        its_rows, blown = _evaluate_on(on_cells(model, description, dataset), dataset, Path(path), config, folder)
        rows += its_rows
        blew_up += blown
    table(
        COLUMNS,
        [[row[c] for c in COLUMNS] for row in rows],
        title=f"{split} split; relative errors are means over samples"
        + (" of one step in time" if "window" in description.get("fields", {}) else ""),
    )
    own = [row for row in rows if row["model"] not in BASELINES]
    for row in own[1:]:
        ratio = row["relative L2"] / own[0]["relative L2"]
        say(f"error at {row['resolution']} / error at {own[0]['resolution']}: {ratio:.3f}")
    write_whole(folder.file("evaluation.json"), json.dumps(rows, indent=2) + "\n")
    places = {(row["data"], row["resolution"]) for row in rows}
    several = len({resolution for _, resolution in places}) < len(
        places
    )  # of one resolution: told apart by their names
    keyed = {
        f"{row['model']}@{Path(row['data']).name if several else row['resolution']}": {
            "relative_l2": row["relative L2"],
            "relative_h1": row["relative H1"],
            "max_error": row["max error"],
            **row.get("in time", {}),
        }
        for row in rows
    }
    folder.finish(split=split, relative_l2=own[0]["relative L2"], rows=keyed)
    more = (
        ", trajectories_*.csv, errors_over_time_*.png, spectra_*.png" if any("in time" in row for row in rows) else ""
    )
    more += ", rollout_*.gif" if more and config.animation else ""
    say(f"wrote {folder.path}/ (evaluation.json, result.json, predictions_*.png{more})")
    if blew_up:
        raise InputError(f"{'; '.join(blew_up)}; all else was evaluated and is in {folder.path}")
    return 0


def _evaluate_on(
    model: Any, dataset: Dataset, path: Path, config: Any, folder: RunFolder
) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of a dataset, and what to say of the model's own rollout where it blew up."""
    split, batch = str(config.split), int(config.batch_size)
    if batch < 1:
        raise InputError(f"batch_size={batch}: expected at least 1")
    most = 1000 if config.baseline_samples is None else int(config.baseline_samples)
    if most < 2:
        raise InputError(f"baseline_samples={config.baseline_samples}: expected at least 2")
    resolution = "x".join(str(n) for n in dataset.resolution)
    description = read_description(str(config.model))
    trained = description.get("fields", {})
    name, window = str(description["operator"]), trained.get("window")
    if dataset.trajectories:
        check_times(trained, dataset)
    if trained.get("data", dataset.name) != dataset.name:
        say(f"note: {name} was trained on {trained['data']}; {path} is {dataset.name}, to which baselines are fitted")
    view: GridDataset = dataset if window is None else _windows(dataset, window)
    shown = min(int(config.samples), view.splits[split])
    found = evaluate_operator(model, view, split, batch, keep=shown)
    rows = [_row(name, path, resolution, found)]
    fitted = _fitted_baselines(view, most) if config.baselines else {}
    rows += [
        _row(title, path, resolution, evaluate_operator(baseline, view, split, batch))
        for title, baseline in fitted.items()
    ]
    blown: list[str] = []
    if dataset.trajectories:
        models = {name: model, **fitted}
        errors, failed = write_trajectories(models, view, path.name, folder, split, batch, bool(config.animation))
        for row in rows:
            row["in time"] = {}
            if row["model"] in errors:
                row["in time"] = errors[row["model"]].summary()
            if row["model"] in failed:
                row["in time"] |= {"blew_up": failed[row["model"]].where()}
        blown = [str(failed[name])] if name in failed else []
    if shown:
        names = ("input", "solution")
        if dataset.trajectories:
            inputs, targets, predictions, apart, names = shown_frames(model, view, split, shown)
        else:
            inputs, targets = view.arrays(split, 0, shown)
            predictions, apart = found["predictions"], found["per_sample_l2"][:shown]
        figure = folder.file(f"predictions_{path.name}.png")
        title = f"{name} on {dataset.name} {resolution}, {split}: mean relative L2 {show(100 * found['relative_l2'])} %"
        plot_predictions(inputs, targets, predictions, apart, figure, title, names, dataset.axes)
    return rows, blown


def _windows(dataset: Dataset, description: dict[str, Any]) -> WindowedDataset:
    """The dataset as samples of the map that a model of windows was trained on."""
    if list(dataset.output_fields) != list(description["state"]):
        raise InputError(
            f"{dataset.folder} has the outputs {', '.join(dataset.output_fields)} and the model steps "
            f"{', '.join(description['state'])}: evaluate it on the kind of data it was trained on"
        )
    shape = {key: int(description[key]) for key in ("history", "horizon", "frame_step")}
    return WindowedDataset(dataset, Window(**shape), description["static"])


def _fitted_baselines(view: GridDataset, most: int) -> dict[str, Any]:
    """The baselines, fitted on at most so many samples of the train split, evenly spaced; it is said where they are not
    all."""
    count = view.splits.get("train", 0)
    training, validation = (spread_arrays(view, split, most) for split in ("train", "valid"))
    if count > most:
        say(f"baselines are fitted on {most} of {count} training samples, evenly spaced (baseline_samples)")
    return {title: kind().fit(*training, *validation) for title, kind in BASELINES.items()}


def _row(name: str, path: Path, resolution: str, found: dict[str, Any]) -> dict[str, Any]:
    measures = (found["relative_l2"], found["relative_h1"], found["max_error"], found["ms_per_sample"])
    return dict(zip(COLUMNS, (name, str(path), resolution, *map(float, measures)), strict=True))
