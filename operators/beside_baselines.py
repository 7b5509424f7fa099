"""Measure a model beside its baselines on a dataset, and on trajectories also by time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from resolvent.data import Dataset, make_spectral_problem
from resolvent.solvers import InputError
from resolvent.solvers.arguments import integer, positive_integer

from .baselines import MeanField, PCALinearRegression
from .evaluation import (
    RolloutBlewUp,
    TrajectoryErrors,
    evaluate_operator,
    evaluate_trajectories,
    persistence,
)
from .evaluation.grids import Predictor
from .gaussian import KernelRidge
from .normalization import NormalizedOperator
from .operator import Operator
from .samples import GridDataset, Window, WindowedDataset, spread_arrays, with_validation
from .saving import load_operator, read_description

#: The baselines by their names in tables.
BASELINES: dict[str, Any] = {
    "mean field": MeanField,
    "PCA + linear regression": PCALinearRegression,
    "PCA + kernel ridge": KernelRidge,
}

COLUMNS = ("relative_l2", "relative_h1", "max_error", "ms_per_sample")

#: Stand in the table too where fields vanish in some samples, which relative errors leave out.
BESIDE_VANISHING = ("relative_l2_median", "absolute_l2")


@dataclass(frozen=True)
class Evaluation:
    """Hold the errors of a model and of its baselines on one split of a dataset; ``print`` shows them as a table.

    Attributes
    ----------
    name : str
        The model's name; it is the first key of each mapping below.
    data : GridDataset
        The samples as the model maps them: the dataset, or its windows in time.
    split : str
    models : dict
        The model and the fitted baselines, by name.
    errors : dict of dict
        For each of `models` what `evaluate_operator` returns.
    trajectories : dict of TrajectoryErrors
        Errors by time, for a dataset of trajectories: of `models`, and of persistence (the latest frame, repeated)
        where they are rolled out. A rollout that blew up in its first step has none.
    blown : dict of RolloutBlewUp
        The rollouts that blew up.
    """

    name: str
    data: GridDataset
    split: str
    models: dict[str, Predictor]
    errors: dict[str, dict[str, Any]]
    trajectories: dict[str, TrajectoryErrors] = field(default_factory=dict)
    blown: dict[str, RolloutBlewUp] = field(default_factory=dict)

    @property
    def vanishing(self) -> int:
        """Return in how many samples a field vanishes, summed over fields; relative errors leave those out."""
        return int(self.errors[self.name]["vanishing"])

    def __str__(self) -> str:
        columns = (*COLUMNS, *BESIDE_VANISHING) if self.vanishing else COLUMNS
        rows = [["model", *columns]]
        rows += [[name, *(f"{errors[key]:.4g}" for key in columns)] for name, errors in self.errors.items()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def evaluate(
    model: Predictor | str | os.PathLike[str],
    data: GridDataset | str | os.PathLike[str],
    split: str = "test",
    *,
    batch_size: int = 16,
    baselines: bool = True,
    baseline_samples: int = 1000,
    keep: int = 0,
    announce: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure a model on one split of a dataset, beside baselines that are fitted to its training split.

    Parameters
    ----------
    model : path, Operator or callable
        The folder of a saved operator, which is measured as it was trained: one that steps in time is rolled out, one
        of spectral coefficients is given values. Or a model, whose data are taken as they are.
    data : path or GridDataset
        A dataset or its folder. A model in memory that steps in time needs a `WindowedDataset`.
    split : str, default 'test'
    batch_size : int, default 16
    baselines : bool, default True
        Fit and measure the mean field, linear regression and kernel ridge too.
    baseline_samples : int, default 1000
        The most training samples that baselines are fitted to, evenly spaced.
    keep : int, default 0
        The number of the model's predictions to return, those of the first samples.
    announce : callable, optional
        Called with a line on what a reader of the errors should know.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If the model and the data do not fit, or the split is empty.
    """
    batch_size = positive_integer(batch_size, "batch_size")
    baseline_samples = integer(baseline_samples, "baseline_samples", 2)
    tell = announce or (lambda line: None)
    # A model is chosen on the samples that training held out, and the baselines on the same.
    dataset = with_validation(Dataset(data) if isinstance(data, str | os.PathLike) else data)
    if dataset.splits.get(split, 0) < 1:
        where = getattr(dataset, "folder", "the dataset")
        raise InputError(
            f"{where} has no samples in split {split!r}; its splits are {dict(dataset.splits)}: give split=NAME of one"
        )
    predictor: Predictor
    if isinstance(model, str | os.PathLike):
        name, predictor, view = _as_trained(model, cast(Dataset, dataset), tell)
    else:
        name, predictor, view = str(getattr(_network(model), "name", "model")), model, dataset
    models = {name: predictor}
    errors = {name: evaluate_operator(predictor, view, split, batch_size, min(keep, view.splits[split]))}
    if baselines:
        fitted = _fitted_baselines(view, baseline_samples, tell)
        errors |= {title: evaluate_operator(baseline, view, split, batch_size) for title, baseline in fitted.items()}
        models |= fitted
    if not getattr(view, "trajectories", False):
        return Evaluation(name, view, split, models, errors)
    rolled = models | ({"persistence": persistence(view)} if isinstance(view, WindowedDataset) else {})
    trajectories, blown = _by_time(rolled, view, split, batch_size)
    return Evaluation(name, view, split, models, errors, trajectories, blown)


def _as_trained(
    folder: str | os.PathLike[str], dataset: Dataset, tell: Callable[[str], None]
) -> tuple[str, Operator, GridDataset]:
    """Return the name of a saved model, the model, and the dataset as the samples that it was trained on."""
    description = read_description(folder)
    trained = description.get("fields", {})
    name, window = str(description["operator"]), trained.get("window")
    model = _on_cells(load_operator(folder), trained, dataset)
    if dataset.trajectories:
        _check_times(trained, dataset)
    if trained.get("data", dataset.name) != dataset.name:
        tell(
            f"note: {name} was trained on {trained['data']}; {dataset.folder} is {dataset.name}, to which baselines are"
            " fitted"
        )
    return name, model, dataset if window is None else _windows(dataset, window)


def _by_time(
    models: Mapping[str, Predictor], view: GridDataset, split: str, batch_size: int
) -> tuple[dict[str, TrajectoryErrors], dict[str, RolloutBlewUp]]:
    """Return the errors of each model by time, and where rollouts blew up."""
    measured: dict[str, TrajectoryErrors] = {}
    blown: dict[str, RolloutBlewUp] = {}
    for title, model in models.items():
        try:
            errors = evaluate_trajectories(model, view, split, batch_size, name=title, until_blow_up=True)
        except RolloutBlewUp as error:  # in the first step: there is no time to measure at
            blown[title] = error
            continue
        measured[title] = errors
        if errors.blew_up is not None:
            blown[title] = errors.blew_up
    return measured, blown


def _network(model: Any) -> Any:
    return model.operator if isinstance(model, NormalizedOperator) else model


def _on_cells(model: Operator, trained: Mapping[str, Any], dataset: Dataset) -> Operator:
    """Return a model of coefficients as one of the values that a dataset stores; any other model as it is.

    Raises
    ------
    InputError
        If the values do not determine the coefficients: on a grid that is not periodic, or of other variables.
    """
    network = _network(model)
    drawn = trained.get("drawn")
    if drawn is None or getattr(network, "arrays", "cells") != "coefficients":
        return model
    where = f"leave data= out to test it on the test functions of {drawn['problem']}"
    if dataset.trajectories or len(dataset.resolution) != network.ndim:
        raise InputError(
            f"{dataset.folder} stores {'trajectories' if dataset.trajectories else 'fields'} in "
            f"{len(dataset.resolution)} space dimensions and the model maps functions of {network.ndim} variables"
            f"{', the first of them time' if 'initial' in getattr(network, 'constraints', ()) else ''}: {where}"
        )
    bases = {axis.name for axis in make_spectral_problem(str(drawn["problem"]), **drawn["settings"]).basis.axes}
    if bases != {"fourier"}:
        raise InputError(
            f"the model maps coefficients in {' and '.join(sorted(bases))} functions, which the cells of "
            f"{dataset.folder} do not determine: {where}"
        )
    if not all(dataset.periodic):
        raise InputError(
            f"the grid of {dataset.folder} is not periodic and the model maps Fourier coefficients: generate it with "
            f"problem.boundary=periodic, or {where}"
        )
    vars(network)["arrays"] = "cells"
    return model


def _check_times(trained: Mapping[str, Any], dataset: Dataset) -> None:
    """Refuse trajectories stored at other times than those that a model was trained on."""
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
    stored = there[frames] - there[0]
    if not np.isclose(stored, step, rtol=1e-6):
        raise InputError(
            f"the model steps {step:g} in time and the frames of {dataset.folder} that it would be compared with are "
            f"{stored:g} apart: generate data with problem.snapshots such that they are {step:g} apart"
        )


def _windows(dataset: Dataset, description: Mapping[str, Any]) -> WindowedDataset:
    """Return the dataset as samples of the map that a model of windows was trained on."""
    if list(dataset.output_fields) != list(description["state"]):
        raise InputError(
            f"{dataset.folder} has the outputs {', '.join(dataset.output_fields)} and the model steps "
            f"{', '.join(description['state'])}: evaluate it on the kind of data it was trained on"
        )
    shape = {key: int(description[key]) for key in ("history", "horizon", "frame_step")}
    return WindowedDataset(dataset, Window(**shape), description["static"])


def _fitted_baselines(view: GridDataset, most: int, tell: Callable[[str], None]) -> dict[str, Predictor]:
    """Return the baselines, fitted to at most so many samples of the train split, evenly spaced."""
    count = view.splits.get("train", 0)
    training, validation = (spread_arrays(view, split, most) for split in ("train", "valid"))
    if count > most:
        tell(f"baselines are fitted on {most} of {count} training samples, evenly spaced (baseline_samples)")
    return {title: kind().fit(*training, *validation) for title, kind in BASELINES.items()}
