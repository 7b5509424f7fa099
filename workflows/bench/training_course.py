"""Record the course of a training run: error against the processor seconds spent on it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..run_folder import write_whole

COURSE = "course.json"


class TrainingCourse:
    """Record the progress of `train`: after every epoch a row of epoch, seconds and, at some, the test error.

    Seconds are those of all threads of the process, summed over the parts of a resumed run, without the time to measure
    the error. The rows are written to the run's folder, for `read_course`.

    Parameters
    ----------
    folder : Path
        The run's folder.
    error : callable
        Returns the present error of the network.
    epochs, evaluations : int
        The number of epochs, and how many of them measure the error: at equal ratios, the last one included.
    """

    def __init__(self, folder: Path, error: Callable[[], float], epochs: int, evaluations: int) -> None:
        self.path, self.error = folder / COURSE, error
        self.due = set(np.rint(np.geomspace(1, epochs, evaluations)).astype(int).tolist())
        self.rows: list[dict[str, Any]] = []
        self._since = time.process_time()

    def __call__(self, done: int, total: int, note: str) -> None:
        if note:
            spent = self.rows[-1]["seconds"] if self.rows else 0.0
            seconds = spent + time.process_time() - self._since
            error = self.error() if done in self.due else None
            self.rows.append({"epoch": done, "seconds": seconds, "error": error})
            write_whole(self.path, json.dumps(self.rows))
        else:  # the start, of a new run or a resumed one
            self.rows = [row for row in read_course(self.path.parent) if row["epoch"] <= done]
        self._since = time.process_time()


def read_course(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's course; an empty list if none was recorded."""
    path = folder / COURSE
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return rows


def step_seconds(prepared: tuple[Any, Any, Any, Any], batch_size: int, steps: int = 10) -> float:
    """Return the processor time of one training step, data included (wall time would depend on the machine's load).

    `prepared` holds an untrained network, its samples, the loss, and settings that are not used.
    """
    network, samples, loss, _ = prepared
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    batches = samples.make_batches("train", torch.device("cpu"), torch.float32)
    start = 0.0
    for count in (2, steps):
        start = time.process_time()
        for inputs, targets in batches.batches(np.arange(count * batch_size), batch_size):
            loss(inputs, network(inputs), targets).backward()
            optimizer.step()
            optimizer.zero_grad()
    return (time.process_time() - start) / steps
