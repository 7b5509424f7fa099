"""``resolvent evaluate``: a trained operator on the test split, at one resolution or several, beside its baselines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import ListConfig

from resolvent.data import Dataset
from resolvent.operators import MeanField, PCALinearRegression, evaluate_operator, load_operator
from resolvent.solvers import InputError

from .compose import compose_verb
from .console import say, show, table
from .figures import plot_predictions
from .run_folder import RunFolder, write_whole

COLUMNS = ("model", "data", "resolution", "relative L2", "relative H1", "max error", "ms/sample")


def run(overrides: Sequence[str]) -> int:
    """Evaluate what the overrides name; return 0."""
    config = compose_verb("evaluate", overrides)
    if config.model is None or config.data is None:
        raise InputError("nothing to evaluate: give model=FOLDER (resolvent train makes one) and data=FOLDER")
    paths = [str(path) for path in (config.data if isinstance(config.data, ListConfig) else [config.data])]
    folder = RunFolder("evaluate", config)
    model = load_operator(str(config.model))
    split = str(config.split)
    rows: list[dict[str, Any]] = []
    for path in paths:
        dataset = Dataset(path)
        if dataset.splits.get(split, 0) < 1:
            raise InputError(
                f"data={path}: it has no samples in split '{split}'; its splits are {dict(dataset.splits)}"
            )
        rows += _evaluate_on(model, dataset, Path(path), config, folder)
    table(
        COLUMNS,
        [[row[c] for c in COLUMNS] for row in rows],
        title=f"{split} split; relative errors are means over samples",
    )
    own = [row for row in rows if row["model"] not in ("mean field", "PCA + linear regression")]
    for row in own[1:]:
        ratio = row["relative L2"] / own[0]["relative L2"]
        say(f"error at {row['resolution']} / error at {own[0]['resolution']}: {ratio:.3f}")
    write_whole(folder.file("evaluation.json"), json.dumps(rows, indent=2) + "\n")
    keyed = {
        f"{row['model']}@{row['resolution']}": {
            "relative_l2": row["relative L2"],
            "relative_h1": row["relative H1"],
            "max_error": row["max error"],
        }
        for row in rows
    }
    folder.finish(split=split, relative_l2=own[0]["relative L2"], rows=keyed)
    say(f"wrote {folder.path}/ (evaluation.json, result.json, predictions_*.png)")
    return 0


def _evaluate_on(model: Any, dataset: Dataset, path: Path, config: Any, folder: RunFolder) -> list[dict[str, Any]]:
    split, batch = str(config.split), int(config.batch_size)
    if batch < 1:
        raise InputError(f"batch_size={batch}: expected at least 1")
    resolution = "x".join(str(n) for n in dataset.resolution)
    shown = min(int(config.samples), dataset.splits[split])
    found = evaluate_operator(model, dataset, split, batch, keep=shown)
    name = json.loads((Path(str(config.model)) / "model.json").read_text(encoding="utf-8"))["operator"]
    rows = [_row(str(name), path, resolution, found)]
    if shown:
        inputs, targets = dataset.arrays(split, 0, shown)
        figure = folder.file(f"predictions_{path.name}.png")
        title = f"{name} on {dataset.name} {resolution}, {split}: mean relative L2 {show(100 * found['relative_l2'])} %"
        plot_predictions(inputs, targets, found["predictions"], found["per_sample_l2"][:shown], figure, title)
    if config.baselines:
        for title, baseline in (("mean field", MeanField()), ("PCA + linear regression", PCALinearRegression())):
            baseline.fit(*dataset.arrays("train"), *dataset.arrays("valid"))
            rows.append(_row(title, path, resolution, evaluate_operator(baseline, dataset, split, batch)))
    return rows


def _row(name: str, path: Path, resolution: str, found: dict[str, Any]) -> dict[str, Any]:
    measures = (found["relative_l2"], found["relative_h1"], found["max_error"], found["ms_per_sample"])
    return dict(zip(COLUMNS, (name, str(path), resolution, *map(float, measures)), strict=True))
