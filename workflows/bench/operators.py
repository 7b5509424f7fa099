"""Operators, their baselines and our classical solvers on the same tasks: error against time (``bench operators``).

Data and trainings are kept in the run's folder: the same command goes on where it was left.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from omegaconf import DictConfig
from threadpoolctl import threadpool_limits

from resolvent.data import Dataset
from resolvent.operators import (
    RolloutBlewUp,
    Window,
    WindowedDataset,
    evaluation,
    load_operator,
    persistence,
    roll_out,
    spread_arrays,
)
from resolvent.operators.metrics import relative_l2

from ..compose import compose_verb
from ..console import say
from ..evaluate import BASELINES
from ..figures import pyplot, save
from ..generate import run as generate
from ..run_folder import RunFolder
from ..train import run as train
from .equal_error import Measured, Setting, at_equal_error, coarse_flows, coarse_media, front, time_by_sample
from .markdown import RESULTS, Section, write_results

BATCH = 16  # samples that models and solvers are given together


@dataclass(frozen=True)
class Task:
    """What is learned: the data, the settings of the training, and those of each operator (overrides of the verbs).

    Attributes
    ----------
    title : str
    data : tuple of str
        Overrides of ``resolvent generate``.
    training : tuple of str
        Overrides of ``resolvent train``, for all operators. With ``history=1`` the map is that from a stored time to
        the next one, and what is measured is its rollout over all of them.
    operators : mapping of str to tuple of str
        Further overrides, by operator.
    classical : callable
        The settings of the problem to the settings of its classical solver that are tried.
    """

    title: str
    data: tuple[str, ...]
    training: tuple[str, ...]
    operators: Mapping[str, tuple[str, ...]]
    classical: Callable[[dict[str, Any]], Iterator[Setting]]


def experiment_data(name: str) -> tuple[str, ...]:
    """The data of ``experiment=NAME``, as overrides of ``resolvent generate``."""
    return tuple(map(str, compose_verb("train", [f"experiment={name}"]).generate))


_WINDOWS = ("history=1", "batch_size=20")
_PLANE = ("operator.modes=12", "operator.width=16")

TASKS: dict[str, Task] = {
    "darcy": Task(
        "Darcy flow, a ∈ {3, 12}, 64² cells: a ↦ u",
        ("problem=darcy", "problem.resolution=64", "samples=500", "splits=[400,40,60]", "seed=0"),
        ("batch_size=8",),
        {
            "fno": ("operator=fno", *_PLANE, "operator.projection=64", "lr=5e-3", "epochs=20"),
            "ffno": ("operator=ffno", *_PLANE, "operator.layers=4", "operator.projection=64", "lr=4e-3", "epochs=10"),
            "unet": ("operator=unet", "operator.width=16", "operator.levels=3", "lr=2e-3", "epochs=10"),
        },
        lambda problem: coarse_media((8, 16, 32), (0.3, 0.1, 0.03, 0.01, 1e-3), problem["resolution"]),
    ),
    "burgers": Task(
        "Burgers' equation, ν = 0.1, 256 points: u(0) ↦ u(1)",
        experiment_data("burgers_fno"),
        _WINDOWS,
        {
            "fno": ("experiment=burgers_fno", "evaluate=[]", "epochs=20"),
            "ffno": (
                "operator=ffno",
                "operator.modes=16",
                "operator.layers=4",
                "operator.padding=0",
                "lr=4e-3",
                "epochs=8",
            ),
            "unet": (
                "operator=unet",
                "operator.width=16",
                "operator.levels=3",
                "operator.boundary=circular",
                "lr=3e-3",
                "epochs=12",
            ),
        },
        lambda problem: coarse_flows("burgers", problem, (8, 12, 16, 24, 32, 64), (2, 4, 8, 16)),
    ),
    "navier_stokes": Task(
        "Navier–Stokes, ν = 1e-3, 64² points: ω(t) ↦ ω(t + 1), rolled out from t = 0 to 10",
        (
            "problem=navier_stokes",
            "problem.resolution=64",
            "problem.final_time=10",
            "problem.snapshots=10",
            "samples=90",
            "splits=[60,10,20]",
            "seed=0",
        ),
        ("history=1", "increment=true", "input_noise=0.003", "batch_size=10"),
        {
            "fno": (
                "operator=fno",
                *_PLANE,
                "operator.projection=64",
                "operator.padding=0",
                "lr=5e-3",
                "epochs=16",
            ),
            "ffno": (
                "operator=ffno",
                *_PLANE,
                "operator.layers=4",
                "operator.projection=64",
                "operator.padding=0",
                "lr=4e-3",
                "epochs=7",
            ),
            "unet": (
                "operator=unet",
                "operator.width=16",
                "operator.levels=3",
                "operator.boundary=circular",
                "lr=2e-3",
                "epochs=4",
            ),
        },
        lambda problem: coarse_flows("navier_stokes", problem, (8, 12, 16, 24, 32, 48), (2, 4, 8, 16)),
    ),
}


def prepare(name: str, task: Task, out: Path) -> int:
    """Generate the data of a task and train its operators, from where they were left; return 0, or what stopped it."""
    data = out / f"{name}_data"
    code = generate([*task.data, f"out='{data}'"])
    for operator, overrides in task.operators.items():
        if code:
            break
        given = (*overrides, *task.training)
        code = train([*given, f"data='{data}'", f"out='{out / f'{name}_{operator}'}'", "threads=1", "seed=0"])
    return code


@dataclass
class Found:
    """What was measured of a task: rows of the table, and points of the figure."""

    title: str
    rows: list[tuple[object, ...]] = field(default_factory=list)
    operators: list[Measured] = field(default_factory=list)
    baselines: list[Measured] = field(default_factory=list)
    classical: list[Measured] = field(default_factory=list)


class TestData:
    """The inputs (N, *space) and outputs (N, K, *space) of a task's test split, and models of it as maps between them.

    K is 1 where nothing depends on time, else the number of stored times after the first.
    """

    __test__ = False

    def __init__(self, data: Path, windows: bool) -> None:
        dataset = Dataset(data)
        self.problem: dict[str, Any] = dict(dataset.config["problem"]["settings"])
        self.view: Any = dataset
        self.windows = windows
        if windows:
            self.view = WindowedDataset(dataset, Window())
            _, frames = self.view.whole("test")
            self.inputs, self.outputs = frames[:, 0, 0].astype(np.float64), frames[:, 1:, 0].astype(np.float64)
        else:
            inputs, outputs = dataset.arrays("test")
            self.inputs, self.outputs = inputs[:, 0].astype(np.float64), outputs.astype(np.float64)

    def map_of(self, model: Any, name: str) -> Callable[[np.ndarray], np.ndarray]:
        """The model as a map of inputs (N, *space); one of windows is rolled out."""
        if not self.windows:
            return lambda inputs: evaluation.predict(model, inputs[:, None])

        def rolled(inputs: np.ndarray) -> np.ndarray:
            none, start = np.empty((len(inputs), 0, *inputs.shape[1:])), inputs[:, None, None]
            frames = self.outputs.shape[1]
            return roll_out(model, self.view.window, none, start, frames, fields=self.view.state_fields, name=name)[
                :, :, 0
            ]

        return rolled

    def measured(self, name: str, run: Callable[[np.ndarray], np.ndarray], rounds: int) -> Measured:
        """Mean relative L² error over samples and times, and time; an infinite error where a rollout blows up."""
        parts = [self.inputs[i : i + BATCH] for i in range(0, len(self.inputs), BATCH)]
        try:
            outputs = np.concatenate([run(part) for part in parts])
        except RolloutBlewUp:
            return Measured(name, math.inf, math.nan)
        error = float(relative_l2(outputs, self.outputs).mean()) if np.isfinite(outputs).all() else math.inf
        return Measured(name, error, time_by_sample(run, self.inputs, BATCH, rounds))


def measure_task(name: str, task: Task, out: Path, rounds: int) -> Found:
    """Measure the trained operators of a task, its baselines, and its classical solver at every setting."""
    test = TestData(out / f"{name}_data", any(each.startswith("history=") for each in task.training))
    found = Found(task.title)
    for operator in task.operators:
        folder = out / f"{name}_{operator}"
        model = load_operator(str(folder))
        trained = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        point = test.measured(operator, test.map_of(model, operator), rounds)
        found.operators.append(point)
        epochs, parameters = trained["training.epochs_done"], trained["training.parameters"]
        seconds = trained["training.seconds"]
        found.rows.append((name, *_cells(point), parameters, seconds, f"{epochs} epochs"))
        say(f"{name}: {operator} {point.error:.4g}, {point.milliseconds:.3g} ms a sample")
    models: dict[str, tuple[Any, float]] = {}
    arrays = [array for split in ("train", "valid") for array in spread_arrays(test.view, split, 1000)]
    for title, kind in BASELINES.items():
        began = time.perf_counter()
        models[title] = kind().fit(*arrays), time.perf_counter() - began
    if test.windows:
        models["persistence"] = persistence(test.view), 0.0
    for title, (model, seconds) in models.items():
        point = test.measured(title, test.map_of(model, title), rounds)
        found.baselines.append(point)
        found.rows.append((name, *_cells(point), "", seconds, f"{min(1000, len(arrays[0]))} samples"))
    for setting in task.classical(test.problem):
        point = test.measured(setting.name, setting.solve, rounds)
        found.classical.append(point)
        say(f"{name}: {setting.name} {point.error:.4g}, {point.milliseconds:.3g} ms a sample")
    best = min(found.operators, key=lambda each: each.error)
    same = at_equal_error(found.classical, best.error)
    if same is not None:
        found.rows.append((name, f"classical: {same.name}", same.error, same.milliseconds, "", "", f"≤ {best.name}"))
    return found


def _cells(point: Measured) -> tuple[object, ...]:
    if not math.isfinite(point.error):
        return point.name, "blew up", ""
    return point.name, point.error, point.milliseconds


def equal_error_rows(found: Mapping[str, Found]) -> list[tuple[object, ...]]:
    """A row for each task and operator: the fastest setting of the classical solver that errs no more."""
    rows: list[tuple[object, ...]] = []
    for name, task in found.items():
        for point in task.operators:
            same = at_equal_error(task.classical, point.error)
            beside = ("none that was tried", "", "", "")
            if same is not None:
                ratio = point.milliseconds / same.milliseconds
                beside = (same.name, same.error, same.milliseconds, f"{ratio:.3g}")  # type: ignore[assignment]
            rows.append((name, *_cells(point), *beside))
    return rows


def plot_pareto(found: Mapping[str, Found], path: Path) -> Path:
    """Draw error over milliseconds a sample, a panel a task: operators, baselines, and the classical solver's front."""
    plt = pyplot()
    figure, panels = plt.subplots(1, len(found), figsize=(4.2 * len(found), 3.6), squeeze=False, layout="constrained")
    for axes, (name, task) in zip(panels[0], found.items(), strict=True):
        best = front(task.classical)
        axes.loglog(
            [p.milliseconds for p in best], [p.error for p in best], "-", color="0.2", marker=".", label="classical"
        )
        for marker, points in (("o", task.operators), ("x", task.baselines)):
            for point in points:
                if math.isfinite(point.error):
                    axes.loglog([point.milliseconds], [point.error], marker, label=point.name)
        axes.set(title=name, xlabel="ms a sample", ylabel="relative L2")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=6)
    return save(figure, path)


def measure(config: DictConfig, folder: RunFolder) -> int:
    """Prepare every task, measure the models and the solvers, write the tables and the figure; return 0."""
    for name, task in TASKS.items():
        code = prepare(name, task, folder.path)
        if code:
            return code
    torch_threads, numba_threads = torch.get_num_threads(), numba.get_num_threads()
    try:
        torch.set_num_threads(1)
        numba.set_num_threads(1)
        with threadpool_limits(1):
            found = {name: measure_task(name, task, folder.path, int(config.rounds)) for name, task in TASKS.items()}
    finally:
        torch.set_num_threads(torch_threads)
        numba.set_num_threads(numba_threads)
    for path in [folder.file("operators.png"), *([RESULTS / "operators.png"] if RESULTS.is_dir() else [])]:
        plot_pareto(found, path)
    columns = ("task", "model", "relative L2", "ms/sample", "parameters", "training s", "trained on")
    equal = Section(
        "The classical solver at an operator's error",
        "The fastest of the settings tried whose error is that of the operator or less. Ratio: the operator's time over"
        " the solver's; above 1 the solver is faster.",
        ("task", "operator", "relative L2", "ms/sample", "classical", "relative L2", "ms/sample", "ratio"),
        equal_error_rows(found),
    )
    fronts = Section(
        "The classical solvers' fronts",
        "Settings that no other one beats in both error and time.",
        ("task", "setting", "relative L2", "ms/sample"),
        [(name, *_cells(point)) for name, task in found.items() for point in front(task.classical)],
    )
    rows = [row for task in found.values() for row in task.rows]
    write_results(folder, "operators", _intro(), columns, rows, _notes(found), [equal, fronts])
    folder.finish(errors={name: {p.name: p.error for p in task.operators} for name, task in found.items()})
    return 0


def _intro() -> str:
    lines = "; ".join(f"**{name}**: {task.title} (`{' '.join(task.data)}`)" for name, task in TASKS.items())
    return (
        f"{lines}. Relative L2 on the test split: means over samples and, of rollouts, over times. Milliseconds a"
        f" sample of one CPU thread, in batches of {BATCH}, of a whole rollout. ![error over time](operators.png)"
    )


def _notes(found: Mapping[str, Found]) -> list[str]:
    notes = [
        "Trainings are reduced to one or two minutes of one CPU thread: one seed, the epochs of the table. Training"
        " seconds are of the clock, on a machine whose other work stopped the trainings for minutes: no claims. The"
        " errors are those of these budgets, not of the operators at their best.",
        "The truth is the data's own: of darcy the finite volumes at 64², whose distance to the differential equation"
        " is not in the errors, and which the classical solver shares; of the others resolved in space and time.",
        "Classical solvers are given what operators are given: on a coarser grid they see the input averaged or cut,"
        " and their outputs are brought back to the grid of the data; both is in their times.",
    ]
    for name, task in found.items():
        best = min(task.operators, key=lambda each: each.error)
        plain = min(task.baselines, key=lambda each: each.error)
        worse = [point.name for point in task.operators if point.error > plain.error]
        if worse:
            notes.append(f"{name}: the baseline {plain.name} ({plain.error:.3g}) is better than {', '.join(worse)}.")
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
        if name == "burgers":
            fno = next((point for point in task.operators if point.name == "fno"), best)
            notes.append(
                f"Published FNO on burgers (Li et al. 2021, 500 epochs): 0.0149 at 256 points, 0.0139 at 8192; later"
                " runs of the same network 0.002 to 0.004. Here, `experiment=burgers_fno` at 256 points"
                f" with the epochs of the table: {fno.error:.3g}."
            )
    return notes
