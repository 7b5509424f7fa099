"""Trainings of ``bench operators`` at equal processor time: how many epochs an operator gets follows from its speed."""

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

__all__ = ["Interrupted", "prepare", "trained"]

PILOT = 2  # epochs; the faster one counts, as the first one also warms up


class Interrupted(Exception):
    """A generation or training that a signal ended; `code` is the exit code of its verb."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


def prepare(name: str, task: Task, out: Path) -> None:
    """Generate the data of a task and train its operators, each from where it was left.

    The epochs that a budget buys are measured once, by a pilot of two epochs, and kept in ``budgets.json``: a run that
    goes on later, or after a change of the machine's speed, is the same run.

    Raises
    ------
    Interrupted
        By a signal.
    """
    data = out / f"{name}_data"
    _done(generate([*task.data, f"out='{data}'"]))
    budget = task.budget
    for operator, overrides in task.operators.items():
        given = [*overrides, *task.training, f"data='{data}'", "threads=1", "seed=0"]
        folder = out / f"{name}_{operator}"
        if budget is not None:
            given.append(f"epochs={_epochs_within(budget, given, out, folder.name)}")
        _done(train([*given, f"out='{folder}'"]))
        if budget is None:
            budget = float(trained(folder)["training.processor_seconds"])


def trained(folder: Path) -> dict[str, Any]:
    """What a training left in its ``result.json``."""
    found: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return found


def _epochs_within(budget: float, given: Sequence[str], out: Path, key: str) -> int:
    """The epochs that `budget` processor seconds buy, 1 at least, as measured at the first call."""
    path = out / "budgets.json"
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError:
        raise InputError(f"{path} is damaged; delete it, and the trainings beside it, to measure again") from None
    if key not in kept:
        pilot = out / f"{key}_pilot"
        _done(train([*given, f"epochs={PILOT}", f"out='{pilot}'"]))
        rows = [json.loads(line) for line in (pilot / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        fastest = min(row["processor_seconds"] for row in rows)
        kept[key] = {
            "budget_seconds": budget,
            "epoch_seconds": fastest,
            "epochs": max(1, round(budget / fastest)),
        }
        write_whole(path, json.dumps(kept, indent=2) + "\n")
        shutil.rmtree(pilot)
        say(f"{key}: {fastest:.3g} s of processor time an epoch, {kept[key]['epochs']} epochs in {budget:.4g} s")
    return int(kept[key]["epochs"])


def _done(code: int) -> None:
    if code:
        raise Interrupted(code)
