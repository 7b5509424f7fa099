"""Train the operators of ``bench operators`` for equal processor time: faster ones get more epochs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resolvent.solvers import InputError

from ...console import say
from ...run_folder import write_whole
from ...verbs.generate import run as generate
from ...verbs.train import run as train
from .tasks import Task

PILOT = 2  # epochs; the faster one counts, as the first one also warms up


class Interrupted(Exception):
    """Report that a signal ended a generation or training; `code` is the exit code of its verb."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


def prepare(name: str, task: Task, out: Path) -> None:
    """Generate the data of a task and train its operators, resuming each.

    The number of epochs that fit the budget is measured once, in two trial epochs, and stored in ``budgets.json``, so
    that a run that is resumed later, or at another speed of the machine, is the same run.

    Raises
    ------
    Interrupted
        If a signal ended one of them.
    """
    data = out / f"{name}_data"
    _done(generate([*task.data, f"out='{data}'"]))
    budget = task.budget
    for operator, overrides in task.operators.items():
        settings = [*overrides, *task.training, f"data='{data}'", "threads=1", "seed=0"]
        folder = out / f"{name}_{operator}"
        if budget is not None:
            settings.append(f"epochs={_epochs_within(budget, settings, out, folder.name)}")
        _done(train([*settings, f"out='{folder}'"]))
        if budget is None:
            budget = float(trained(folder)["training.processor_seconds"])


def trained(folder: Path) -> dict[str, Any]:
    """Return the ``result.json`` of a training."""
    result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return result


def _epochs_within(budget: float, settings: Sequence[str], out: Path, key: str) -> int:
    """Return how many epochs fit `budget` processor seconds, at least 1; measured at the first call."""
    path = out / "budgets.json"
    try:
        measured: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError:
        raise InputError(f"{path} is damaged; delete it, and the trainings beside it, to measure again") from None
    if key not in measured:
        pilot = out / f"{key}_pilot"
        _done(train([*settings, f"epochs={PILOT}", f"out='{pilot}'"]))
        rows = [json.loads(line) for line in (pilot / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        fastest = min(row["processor_seconds"] for row in rows)
        measured[key] = {
            "budget_seconds": budget,
            "epoch_seconds": fastest,
            "epochs": max(1, round(budget / fastest)),
        }
        write_whole(path, json.dumps(measured, indent=2) + "\n")
        shutil.rmtree(pilot)
        say(f"{key}: {fastest:.3g} s of processor time an epoch, {measured[key]['epochs']} epochs in {budget:.4g} s")
    return int(measured[key]["epochs"])


def _done(code: int) -> None:
    if code:
        raise Interrupted(code)
