"""Compare operators, their baselines and our classical solvers on the same tasks: error against time.

This is ``resolvent bench operators``. Data and trainings stay in the run's folder: the same command resumes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from threadpoolctl import threadpool_limits

from resolvent.data import Dataset
from resolvent.operators import (
    RolloutBlewUp,
    Window,
    WindowedDataset,
    load_operator,
    persistence,
    roll_out,
    spread_arrays,
)
from resolvent.operators.beside_baselines import BASELINES
from resolvent.operators.evaluation import grids as evaluation

from ...console import say
from ...run_folder import RunFolder
from ..equal_error import Measured, at_equal_error, front, time_by_sample
from ..markdown import RESULTS, Section, write_results
from .budgets import Interrupted, prepare, trained
from .figures import plot_over_time, plot_pareto
from .tasks import TASKS, Task

BATCH = 16  # samples that models and solvers are given together


@dataclass
class TaskResult:
    """Hold what was measured in a task: rows of the table, and points of the figure.

    Attributes
    ----------
    times : ndarray, shape (K,)
        The times of the outputs.
    budget : float
        Processor seconds of training for each operator; with `measured_budget`, what the first operator took.
    curves : dict of ndarray (K,)
        For each model the relative L² error by time, mean over samples.
    """

    title: str
    times: np.ndarray
    budget: float
    measured_budget: bool
    rows: list[tuple[object, ...]] = field(default_factory=list)
    operators: list[Measured] = field(default_factory=list)
    baselines: list[Measured] = field(default_factory=list)
    classical: list[Measured] = field(default_factory=list)
    curves: dict[str, np.ndarray] = field(default_factory=dict)


class TestData:
    """Hold the inputs (N, …, *space) and outputs (N, K, *space) of a task's test split; turn models into maps of them.

    K is 1 if nothing depends on time, else the number of stored times after the first `history`. These are the inputs:
    (N, *space) for one frame, (N, history, *space) for more.
    """

    __test__ = False

    def __init__(self, data: Path, history: int | None) -> None:
        dataset = Dataset(data)
        self.problem: dict[str, Any] = dict(dataset.config["problem"]["settings"])
        self.view: Any = dataset
        self.history = history
        if history is None:
            inputs, outputs = dataset.arrays("test")
            self.inputs, self.outputs = inputs[:, 0].astype(np.float64), outputs.astype(np.float64)
            self.times = np.zeros(1)
        else:
            self.view = WindowedDataset(dataset, Window(history=history))
            _, frames = self.view.whole("test")
            frames = frames[:, :, 0].astype(np.float64)
            self.inputs, self.outputs = frames[:, :history], frames[:, history:]
            if history == 1:
                self.inputs = self.inputs[:, 0]
            self.times = np.asarray(self.view.times[history:])

    def map_of(self, model: Any, name: str) -> Callable[[np.ndarray], np.ndarray]:
        """Return the model as a map of inputs; a model of windows is rolled out."""
        history = self.history
        if history is None:
            return lambda inputs: evaluation.predict(model, inputs[:, None])

        def rolled(inputs: np.ndarray) -> np.ndarray:
            space = self.outputs.shape[2:]
            none, start = np.empty((len(inputs), 0, *space)), inputs.reshape(len(inputs), history, 1, *space)
            frames = self.outputs.shape[1]
            made = roll_out(model, self.view.window, none, start, frames, fields=self.view.state_fields, name=name)
            return made[:, :, 0]

        return rolled

    def measured(
        self, name: str, run: Callable[[np.ndarray], np.ndarray], rounds: int
    ) -> tuple[Measured, np.ndarray | None]:
        """Return error and time, and the errors by time (K,), means over samples; None for a rollout that blows up.

        The error is the mean over samples and times of the relative L² norm over space.
        """
        parts = [self.inputs[i : i + BATCH] for i in range(0, len(self.inputs), BATCH)]
        try:
            outputs = np.concatenate([run(part) for part in parts])
        except RolloutBlewUp as error:
            return Measured(name, math.inf, math.nan, error.where()), None
        if not np.isfinite(outputs).all():
            return Measured(name, math.inf, math.nan, "not finite"), None
        space = tuple(range(2, outputs.ndim))
        wrong = np.square(outputs - self.outputs).sum(axis=space)
        squares = np.square(self.outputs).sum(axis=space)
        curve = np.sqrt(wrong / squares).mean(axis=0)
        whole = float(np.sqrt(wrong.sum(axis=1) / squares.sum(axis=1)).mean())
        milliseconds = time_by_sample(run, self.inputs, BATCH, rounds)
        return Measured(name, float(curve.mean()), milliseconds, whole=whole), curve


def measure_task(name: str, task: Task, out: Path, rounds: int) -> TaskResult:
    """Measure the trained operators of a task, its baselines, and its classical solver at every setting."""
    test = TestData(out / f"{name}_data", task.history)
    first = trained(out / f"{name}_{next(iter(task.operators))}")
    budget = task.budget or float(first["training.processor_seconds"])
    result = TaskResult(task.title, test.times, budget, task.budget is None)

    def measured(title: str, run: Callable[[np.ndarray], np.ndarray], among: list[Measured]) -> Measured:
        point, curve = test.measured(title, run, rounds)
        among.append(point)
        if curve is not None:
            result.curves[title] = curve
        say(f"{name}: {title} {point.failure or f'{point.error:.4g}, {point.milliseconds:.3g} ms a sample'}")
        return point

    for operator in task.operators:
        folder = out / f"{name}_{operator}"
        point = measured(operator, test.map_of(load_operator(str(folder)), operator), result.operators)
        training = trained(folder)
        seconds = float(training["training.processor_seconds"])
        result.rows.append(
            (
                name,
                *_cells(point),
                training["training.parameters"],
                seconds,
                f"{training['training.epochs_done']} epochs",
            )
        )
    models: dict[str, tuple[Any, float]] = {}
    arrays = [array for split in ("train", "valid") for array in spread_arrays(test.view, split, task.baseline_samples)]
    for title, kind in BASELINES.items():
        began = time.process_time()
        models[title] = kind().fit(*arrays), time.process_time() - began
    if test.history is not None:
        models["persistence"] = persistence(test.view), 0.0
    for title, (model, seconds) in models.items():
        point = measured(title, test.map_of(model, title), result.baselines)
        result.rows.append((name, *_cells(point), "", seconds, f"{len(arrays[0])} samples"))
    for setting in task.classical(test.problem):
        measured(setting.name, setting.solve, result.classical)
    best = _best(result)
    same = at_equal_error(result.classical, best.error)
    if same is not None:
        result.rows.append((name, f"classical: {same.name}", same.error, same.milliseconds, "", "", f"≤ {best.name}"))
    return result


def _cells(point: Measured) -> tuple[object, ...]:
    if point.failure:
        return point.name, point.failure, ""
    return point.name, point.error, point.milliseconds


def equal_error_rows(results: Mapping[str, TaskResult]) -> list[tuple[object, ...]]:
    """Return a row per task and operator: the fastest setting of the classical solver with at most its error."""
    rows: list[tuple[object, ...]] = []
    for name, task in results.items():
        for point in task.operators:
            same = at_equal_error(task.classical, point.error)
            beside = ("" if point.failure else "none that was tried", "", "", "")
            if same is not None:
                ratio = point.milliseconds / same.milliseconds
                beside = (same.name, same.error, same.milliseconds, f"{ratio:.3g}")  # type: ignore[assignment]
            rows.append((name, *_cells(point), *beside))
    return rows


def shown_over_time(result: TaskResult) -> dict[str, np.ndarray]:
    """Return the errors by time of a task's models, and of the classical solver at the best operator's error."""
    names = [point.name for point in (*result.operators, *result.baselines)]
    same = at_equal_error(result.classical, _best(result).error)
    if same is not None:
        names.append(same.name)
    return {name: result.curves[name] for name in names if name in result.curves}


def over_time_rows(results: Mapping[str, TaskResult]) -> list[tuple[object, ...]]:
    """Return a row per model of a task in time: the error over space and time, and the errors at five times."""
    rows: list[tuple[object, ...]] = []
    for name, task in results.items():
        chosen = np.unique(np.linspace(0, len(task.times) - 1, 5).round().astype(int))
        points = {point.name: point for point in (*task.operators, *task.baselines, *task.classical)}
        if len(task.times) > 1:
            for title, curve in shown_over_time(task).items():
                at = "; ".join(f"{task.times[k]:.3g}: {curve[k]:.3g}" for k in chosen)
                rows.append((name, title, points[title].whole, float(curve.mean()), at))
    return rows


def _best(task: TaskResult) -> Measured:
    return min(task.operators, key=lambda each: each.error)


def measure(config: DictConfig, folder: RunFolder) -> int:
    """Prepare every task, measure the models and the solvers, write the tables and the figure; return 0."""
    try:
        for name, task in TASKS.items():
            prepare(name, task, folder.path)
    except Interrupted as stopped:
        return stopped.code
    torch_threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with threadpool_limits(1):
            results = {name: measure_task(name, task, folder.path, int(config.rounds)) for name, task in TASKS.items()}
    finally:
        torch.set_num_threads(torch_threads)
    in_time = {name: (task.times, shown_over_time(task)) for name, task in results.items() if len(task.times) > 1}
    for place in [folder.path, *([RESULTS] if RESULTS.is_dir() else [])]:
        panels = {name: ((*task.operators, *task.baselines), task.classical) for name, task in results.items()}
        plot_pareto(panels, place / "operators.png")
        if in_time:
            plot_over_time(in_time, place / "operators_over_time.png")
    columns = ("task", "model", "relative L2", "ms/sample", "parameters", "training s", "trained on")
    equal = Section(
        "The classical solver at an operator's error",
        "The fastest of the settings tried whose error is that of the operator or less. Ratio: the operator's time over"
        " the solver's; above 1 the solver is faster.",
        ("task", "operator", "relative L2", "ms/sample", "classical", "relative L2", "ms/sample", "ratio"),
        equal_error_rows(results),
    )
    over_time = Section(
        "Rollouts by time",
        "Relative L2 over space and all times together (what Li et al. report), the mean of the errors at each time"
        " and those at five of the times; means over samples. ![error by time](operators_over_time.png)",
        ("task", "model", "of space and time", "mean", "t: relative L2"),
        over_time_rows(results),
    )
    fronts = Section(
        "The classical solvers' fronts",
        "Settings that no other one beats in both error and time.",
        ("task", "setting", "relative L2", "ms/sample"),
        [(name, *_cells(point)) for name, task in results.items() for point in front(task.classical)],
    )
    rows = [row for task in results.values() for row in task.rows]
    write_results(folder, "operators", _intro(), columns, rows, _notes(results), [equal, over_time, fronts])
    folder.finish(errors={name: {p.name: p.error for p in task.operators} for name, task in results.items()})
    return 0


def _intro() -> str:
    lines = "; ".join(f"**{name}**: {task.title} (`{' '.join(task.data)}`)" for name, task in TASKS.items())
    return (
        f"{lines}. Relative L2 on the test split: means over samples and, of rollouts, over times. Milliseconds and"
        f" seconds are processor time of one thread; milliseconds a sample in batches of {BATCH}, of a whole rollout."
        " ![error over time](operators.png)"
    )


def _notes(results: Mapping[str, TaskResult]) -> list[str]:
    notes = [
        f"Each operator of a task was trained for the same processor time, on one thread: {_budgets(results)}. The"
        " epochs follow from its speed, measured in two trial epochs, and the schedule is fitted to them. One seed. The"
        " errors are those of these budgets, not of the operators at their best. Training seconds are what it took,"
        " validation included; the machine's other work slows processors, too, by their shared caches and memory.",
        "The truth is the data's own: of darcy the finite volumes at 64², whose distance to the differential equation"
        " is not in the errors, and which the classical solver shares; of the others resolved in space and time.",
        "Classical solvers are given what operators are given: on a coarser grid they see the input averaged or cut,"
        " and their outputs are brought back to the grid of the data; both is in their times.",
    ]
    for name, task in results.items():
        best = _best(task)
        plain = min(task.baselines, key=lambda each: each.error)
        worse = [point.name for point in task.operators if point.error > plain.error]
        if worse:
            notes.append(f"{name}: the baseline {plain.name} ({plain.error:.3g}) is better than {', '.join(worse)}.")
        for point in (*task.operators, *task.baselines):
            if point.failure:
                notes.append(f"{name}: the rollout of {point.name} {point.failure}.")
        if best.failure:
            continue
        same = at_equal_error(task.classical, best.error)
        if same is None:
            notes.append(f"{name}: no setting of the classical solver that was tried has the error of {best.name}.")
            continue
        ratio = best.milliseconds / same.milliseconds
        verdict = f"{ratio:.3g} × faster" if ratio >= 1.0 else f"{1.0 / ratio:.3g} × slower"
        notes.append(
            f"{name}: at the error of the best operator ({best.name}, {best.error:.3g}) the classical solver"
            f" ({same.name}, {same.error:.3g}) is {verdict}, without training."
        )
        if name in PUBLISHED and task.operators[0].name == "fno":
            fno = task.operators[0]
            notes.append(f"{name}: {PUBLISHED[name].format(error=fno.error, whole=fno.whole)}")
    return notes


def _budgets(results: Mapping[str, TaskResult]) -> str:
    return ", ".join(
        f"{name} {task.budget:.3g} s"
        + (" (what the experiment of the first one takes)" if task.measured_budget else "")
        for name, task in results.items()
    )


#: What the literature has for the first operator of a task, beside what is measured here.
PUBLISHED = {
    "burgers": (
        "published FNO (Li et al. 2021, 500 epochs) 0.0149 at 256 points, 0.0139 at 8192; later runs of the same"
        " network 0.002 to 0.004. Here `experiment=burgers_fno` as it stands, at 256 points: {error:.3g}."
    ),
    "navier_stokes_50": (
        "published FNO-2D (Li et al. 2021: 1000 training samples, 500 epochs, trained through the rollout, frames"
        " 1 … 10 to 11 … 50) 0.0128 over space and time. Here `experiment=navier_stokes_fno` as it stands (66 training"
        " samples, the loss of one step, frames 0 … 9 to 10 … 50): {whole:.3g} over space and time, {error:.3g} as the"
        " mean over times."
    ),
}
