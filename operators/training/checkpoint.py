"""Store the state of a training run (``last.ckpt``), and decide whether a new run may continue from it."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from resolvent.data.format.atomic_files import storage_errors, write_atomically
from resolvent.data.format.config import differences
from resolvent.solvers import InputError

from ..normalization import NormalizedOperator
from ..operator import Operator
from ..registry import OPERATORS, build_operator
from ..samples.batches import GridDataset
from .settings import TrainSettings

CHECKPOINT = "last.ckpt"
FORMAT_VERSION = 2


@dataclass
class Checkpoint:
    """Hold all that a run needs to continue as if it had never stopped.

    It contains no random state: the generators of every epoch are seeded from (seed, epoch, rank). It contains no
    scheduler state either: the learning rate is a function of the step.

    Attributes
    ----------
    run : dict
        What is being trained on what and how; see `describe_run`.
    model, optimizer, precision, average : dict
        State dictionaries. `precision` is the loss scaler's, `average` that of the averaged weights (or empty).
    step : int
        Optimiser steps done.
    rows : list of dict
        The log, one row a finished epoch.
    best_epoch, best_valid : int, float
        The best epoch so far (counted from 1; 0: none) and its validation error.
    """

    run: dict[str, Any]
    model: dict[str, Any]
    optimizer: dict[str, Any]
    precision: dict[str, Any]
    average: dict[str, Any]
    step: int
    rows: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_valid: float = float("inf")


def describe_run(
    model: Operator, dataset: GridDataset, settings: TrainSettings, loss: Callable[..., Any] | None = None
) -> dict[str, Any]:
    """Return what two runs must share to be the same run, as JSON-able values: settings, operator and data.

    A `loss` that replaces the one in the settings is described by its ``config``, else by its name.
    """
    network = model.operator if isinstance(model, NormalizedOperator) else model
    replaced = {} if loss is None else {"loss": getattr(loss, "config", None) or _name(loss)}
    description = {
        "settings": {**settings.outcome(), **replaced},
        "operator": {"name": network.name, **network.arguments()},
        "data": {
            "train": dataset.splits.get("train", 0),
            "valid": dataset.splits.get("valid", 0),
            "resolution": list(dataset.resolution),
            "input_fields": list(dataset.input_fields),
            "output_fields": list(dataset.output_fields),
            # The digest does not depend on the shards; a dataset without one is identified by its configuration.
            "content": getattr(dataset, "content_digest", None) or dataset.config,
        },
    }
    plain: dict[str, Any] = json.loads(json.dumps(description, default=str))
    return plain


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write ``last.ckpt`` atomically: tensors, numbers and text only, as ``torch.load(weights_only=True)`` reads."""
    content = io.BytesIO()
    torch.save({"format_version": FORMAT_VERSION, **vars(checkpoint)}, content)
    with storage_errors(folder / CHECKPOINT):
        write_atomically(content.getvalue(), folder / CHECKPOINT)


def read_checkpoint(folder: Path, run: Mapping[str, Any]) -> Checkpoint | None:
    """Return the checkpoint of `folder`, or None if there is none.

    Raises
    ------
    InputError
        If it is damaged, of another format version, or belongs to another run: the message names what differs.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        version = content.pop("format_version")
        checkpoint = Checkpoint(**content) if version == FORMAT_VERSION else None
    except (OSError, EOFError, RuntimeError, KeyError, TypeError, AttributeError, ValueError, pickle.UnpicklingError):
        raise InputError(f"{path} is damaged; delete it, or set resume=false, to train from the start") from None
    if checkpoint is None:
        raise InputError(
            f"{path} has format version {version}, expected {FORMAT_VERSION}; "
            "use the version of resolvent that wrote it, or set resume=false"
        )
    past = {**checkpoint.run, "operator": _completed(checkpoint.run.get("operator", {}), run.get("operator", {}))}
    differing = [f"{key} ({_short(old)} there, {_short(new)} now)" for key, old, new in differences(past, dict(run))]
    if differing:
        raise InputError(
            f"{os.fspath(path)} is of another run: {'; '.join(differing)}; give those values again, "
            "another out folder, or resume=false to replace it"
        )
    return checkpoint


def _name(loss: Callable[..., Any]) -> str:
    name = getattr(loss, "name", None) or getattr(loss, "__qualname__", None) or type(loss).__qualname__
    return str(name)


def _completed(old: dict[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Add to an operator's stored arguments those that it did not have then, with their defaults."""
    if old.get("name") != new.get("name") or set(new) <= set(old) or old.get("name") not in OPERATORS:
        return old
    arguments = {key: value for key, value in old.items() if key != "name"}
    try:
        whole = build_operator(str(old["name"]), seed=0, **arguments).arguments()
    except InputError:
        return old
    plain: dict[str, Any] = json.loads(json.dumps(whole, default=str))
    return {**plain, **old}


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:12] + "…" + text[-4:]
