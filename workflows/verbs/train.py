"""Run ``resolvent train``: train an operator on a dataset or on a problem's residual; run again, resume."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from resolvent.data import Dataset
from resolvent.operators import (
    GridDataset,
    Operator,
    TrainSettings,
    WindowedDataset,
    build_operator,
    train,
    training_view,
)
from resolvent.operators.samples import HeldOutValidation, with_validation
from resolvent.operators.training.distributed import first_process
from resolvent.solvers import InputError

from ..compose import compose_verb
from ..console import ProgressLine, duration, say
from ..figures.fields import plot_training
from ..run_folder import RunFolder
from ..systems import settings_of
from .train_drawn import draws_to_train_on, refuse_settings_of_draws


def run(overrides: Sequence[str]) -> int:
    """Train what the overrides name; return 0, or 130 if a signal ended it early."""
    config = compose_verb("train", overrides)
    drawn = config.get("draw") is not None
    if drawn == (config.data is not None):
        raise InputError(
            f"data={config.data} and draw={config.draw.name} are two things to train on: give one of them"
            if drawn
            else "nothing to train on: give data=FOLDER (resolvent generate makes one), or draw=NAME for a problem "
            "whose residual is trained on"
        )
    if config.out is None and int(config.devices) > 1:
        raise InputError(f"devices={config.devices}: give out=FOLDER, which the processes share")
    values = OmegaConf.to_container(config, resolve=True)
    assert isinstance(values, dict)
    settings = TrainSettings(**{f.name: values[f.name] for f in fields(TrainSettings) if f.name in values})
    prepare = draws_to_train_on if drawn else _stored_data
    folder, model, dataset, loss = prepare(config, settings)
    with ProgressLine("train", unit="epochs", every=0.0) as progress:
        report = train(model, dataset, folder.path, settings, progress=progress, loss=loss)
    if not first_process():
        return 130 if report.interrupted else 0
    if report.epochs_done:
        lines = (folder.path / "log.jsonl").read_text(encoding="utf-8").splitlines()
        plot_training([json.loads(line) for line in lines], folder.file("training.png"))
    folder.finish(operator=str(config.operator.name), training=report.to_dict())
    if report.interrupted:
        say(f"stopped after epoch {report.epochs_done} of {settings.epochs}; run the same command again to go on")
        return 130
    say(
        f"best validation relative L2 {report.best_valid:.4g} at epoch {report.best_epoch},"
        f" {duration(report.seconds)} of training"
    )
    say(f"wrote {folder.path}/ (model.safetensors, model.json, metrics.csv, training.png)")
    if config.evaluate:
        from .evaluate import run as evaluate

        evaluation = [f"model='{folder.path}'", f"out='{folder.path / 'evaluation'}'"]
        paths = [config.data] if config.evaluate is True else config.evaluate
        if config.evaluate is not True or not drawn:
            evaluation.append("data=[" + ",".join(f"'{path}'" for path in paths) + "]")
        return evaluate(evaluation)
    return 0


def _stored_data(config: DictConfig, settings: TrainSettings) -> tuple[RunFolder, Operator, GridDataset, None]:
    """Return the folder of a run on stored samples, an operator that fits them, and the samples."""
    refuse_settings_of_draws(config)
    folder = RunFolder("train", config)
    _generate_first(config)
    stored = Dataset(str(config.data))
    if stored.splits.get("train", 0) < 1:
        raise InputError(
            f"data={config.data}: its train split is empty ({dict(stored.splits)}); expected at least one sample: make "
            "it again with splits=[0.8,0.1,0.1], or with counts"
        )
    dataset = with_validation(stored)
    if isinstance(dataset, HeldOutValidation) and first_process():
        say(f"{dataset.division} (splits= of resolvent convert or generate sets it)")
    name, arguments = settings_of(config.operator)
    view = training_view(dataset, settings.window())
    mapped = view.one_call() if isinstance(view, WindowedDataset) else view
    inputs, outputs = mapped.arrays("train", 0, 1)
    if not any(points[0] for points in stored.axes):  # periodic problems in time store values at i/n
        for key, value in (("arrays", "nodes"), ("nodes", True)):
            if key in arguments and arguments[key] is None:
                arguments[key] = value
    arguments = {
        "in_channels": inputs.shape[1],
        "out_channels": outputs.shape[1],
        "ndim": len(stored.resolution),
        **{key: value for key, value in arguments.items() if value is not None},
    }
    model = build_operator(name, seed=settings.seed, **arguments)
    count = sum(p.numel() for p in model.parameters())
    shape = " x ".join(str(n) for n in stored.resolution)
    if first_process():
        say(
            f"{name}, {count} parameters, on {stored.name} {shape}:"
            f" {view.splits['train']} train, {view.splits['valid']} valid"
            f" {'windows in time' if isinstance(view, WindowedDataset) else 'samples'}"
        )
    return folder, model, dataset, None


def _generate_first(config: DictConfig) -> None:
    """Generate the dataset that an experiment describes, unless it is complete."""
    if config.generate is None:
        return
    from .generate import generate_dataset

    overrides: list[Any] = list(config.generate)
    composed = compose_verb("generate", [*map(str, overrides), f"out='{config.data}'"])
    Path(str(config.data)).parent.mkdir(parents=True, exist_ok=True)
    generate_dataset(composed, RunFolder("generate", composed))
