"""Assemble a training run: data, model and optimiser on their device, as new or as the checkpoint left them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from resolvent.solvers import InputError

from ..normalization import NormalizedOperator, channel_statistics
from ..operator import Operator
from ..samples.batches import Batches, GridDataset, chunks, open_batches, split_size
from ..samples.domain import Domain, domain_of
from ..samples.draws import DrawnSamples
from ..samples.held_out import with_validation
from ..samples.windows import WindowBatches, WindowedDataset, training_view
from .checkpoint import Checkpoint, describe_run, read_checkpoint
from .distributed import OneDevice, scaler_state
from .losses import Loss, relative_loss
from .optimizers import build_optimizer
from .progress import Progress
from .run_log import RunLog
from .settings import TrainSettings
from .step import TrainingStep
from .weight_average import WeightAverage

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Columns of ``metrics.csv``, keys of the rows.
COLUMNS = ("epoch", "step", "lr", "train_loss", "valid_l2", "valid_h1", "seconds", "processor_seconds")

#: Above this many deviations of mean, data are held in float64 and normalised before they are rounded to float32.
OFFSET = 1e3


@dataclass(repr=False)
class Run:
    """Hold what the training loop works with.

    Attributes
    ----------
    fabric : Fabric or OneDevice
        Where it computes.
    settings : TrainSettings
    description : dict
        What is trained on what and how; see `describe_run`.
    fields : dict
        What a saved model says of its data.
    output_fields : list of str
        Names of the channels that a training step returns.
    training, validation : Batches
    model, optimizer
        As they are saved.
    network, stepper
        The same two for the device, the precision and the processes.
    forward : TrainingStep
    loss : callable
    average : WeightAverage
    progress : Progress
    division : str
        How samples were held out for validation, in words; empty if the dataset has a validation split.
    domain : Domain
        Where H¹ norms are taken.
    log : RunLog, optional
        Only in the first process.
    """

    fabric: Fabric | OneDevice
    settings: TrainSettings
    description: dict[str, Any]
    fields: dict[str, Any]
    output_fields: list[str]
    training: Batches
    validation: Batches
    model: NormalizedOperator
    optimizer: torch.optim.Optimizer
    network: Any
    stepper: Any
    forward: TrainingStep
    loss: Loss
    average: WeightAverage
    progress: Progress
    division: str
    domain: Domain
    log: RunLog | None

    @property
    def steps_per_epoch(self) -> int:
        """Return the optimiser steps of an epoch, the same in every process."""
        return math.ceil(math.ceil(self.training.count / self.fabric.world_size) / self.settings.batch_size)

    def checkpoint(self) -> Checkpoint:
        """Return all that a later run needs to go on from here."""
        return Checkpoint(
            run=self.description,
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            precision=scaler_state(self.fabric),
            average=self.average.state_dict(),
            step=self.progress.step,
            rows=self.progress.rows,
            best_epoch=self.progress.best_epoch,
            best_valid=self.progress.best_valid,
        )


def open_run(
    fabric: Fabric | OneDevice,
    model: Operator,
    dataset: GridDataset,
    out: Path,
    settings: TrainSettings,
    loss: Loss | None,
) -> Run:
    """Return a run at its start, or where the checkpoint in its folder left it.

    Raises
    ------
    InputError
        If the data do not fit the model, the training split is empty, or the folder holds another run or cannot be
        written.
    """
    dtype = torch.float64 if settings.precision == "64-true" else torch.float32
    dataset = with_validation(dataset)
    dataset = training_view(dataset, settings.window())
    one_call = dataset.one_call() if isinstance(dataset, WindowedDataset) else dataset
    _check_fit(model, one_call)
    domain = domain_of(dataset)
    description = describe_run(model, dataset, settings, loss)
    past = read_checkpoint(out, description) if settings.resume else None
    model = _normalized(model.to(dtype), one_call, settings, resumed=past is not None, fixed=loss is None)
    if past is not None:
        model.load_state_dict(past.model)
    held = torch.float64 if isinstance(fabric, OneDevice) and _needs_float64(model, fabric.device) else dtype
    kind = WindowBatches if isinstance(dataset, WindowedDataset) else open_batches
    training, validation = (
        kind(dataset, split, fabric.device, held, in_memory=settings.in_memory, workers=settings.workers)
        for split in ("train", "valid")
    )
    optimizer = build_optimizer(
        settings.optimizer, model, settings.lr, settings.weight_decay, settings.seed, settings.optimizer_settings
    )
    compiled: Any = torch.compile(model) if settings.compile else model
    network, stepper = fabric.setup(compiled, optimizer)
    average = WeightAverage(model, settings.ema)
    progress = Progress(out, settings)
    if past is not None:
        optimizer.load_state_dict(past.optimizer)
        if not isinstance(fabric, OneDevice):
            fabric.strategy.precision.load_state_dict(past.precision)
        average.load_state_dict(past.average)
        progress = Progress(out, settings, past.step, past.rows, past.best_epoch, past.best_valid)
    return Run(
        fabric=fabric,
        settings=settings,
        description=description,
        fields=_fields(one_call),
        output_fields=list(dataset.output_fields),
        training=training,
        validation=validation,
        model=model,
        optimizer=optimizer,
        network=network,
        stepper=stepper,
        forward=_training_step(model, dataset, settings),
        loss=loss or relative_loss(settings.loss, model.output_scale, domain),
        average=average,
        progress=progress,
        division=str(getattr(dataset.dataset if isinstance(dataset, WindowedDataset) else dataset, "division", "")),
        domain=domain,
        log=RunLog(out, progress.rows, COLUMNS) if fabric.is_global_zero else None,
    )


def _check_fit(model: Operator, dataset: GridDataset) -> None:
    for split in ("train", "valid"):
        split_size(dataset, split)
    inputs, outputs = dataset.arrays("train", 0, 1)
    of_data = (inputs.shape[1], outputs.shape[1], inputs.ndim - 2)
    of_model = (model.in_channels, model.out_channels, model.ndim)
    if of_model != of_data:
        raise InputError(
            "the operator has in_channels={}, out_channels={}, ndim={} ".format(*of_model)
            + "and the dataset in_channels={}, out_channels={}, ndim={}: build it with those".format(*of_data)
        )


def _normalized(
    model: Operator, dataset: GridDataset, settings: TrainSettings, *, resumed: bool, fixed: bool
) -> NormalizedOperator:
    """Wrap the network with the training split's statistics; a resumed run has them in its checkpoint.

    If the loss compares with the targets, outputs that are constant there are `fixed`.
    """
    if isinstance(model, NormalizedOperator):
        return model
    carried = len(dataset.state_fields) if settings.increment and isinstance(dataset, WindowedDataset) else 0
    if resumed:
        return NormalizedOperator(model, carried=carried)
    pairs = chunks(dataset, "train")
    if carried and isinstance(dataset, WindowedDataset):
        pairs = dataset.increments("train")
    return NormalizedOperator(model, channel_statistics(pairs, fixed_outputs=fixed), carried)


def _needs_float64(model: NormalizedOperator, device: torch.device) -> bool:
    """Return whether float32 would take too many digits of what varies: a mean above a thousand deviations."""
    pairs = ((model.input_mean, model.input_std), (model.output_mean, model.output_std))
    lost = any(bool(((std > 0) & (mean.abs() > OFFSET * std)).any()) for mean, std in pairs)
    return lost and device.type != "mps"


def _training_step(model: NormalizedOperator, dataset: GridDataset, settings: TrainSettings) -> TrainingStep:
    """Return how a training step makes its outputs: by one call, or by a rollout through a window."""
    static = len(dataset.static_fields) if isinstance(dataset, WindowedDataset) else 0
    noise = None
    if settings.input_noise > 0.0:
        deviations = settings.input_noise * model.input_std
        deviations[:static] = 0.0
        noise = deviations.view(-1, *(1,) * model.ndim)
    return TrainingStep(settings.window(), static, settings.feed, noise, settings.seed)


def _fields(dataset: GridDataset) -> dict[str, Any]:
    """Return what a saved model says of its data."""
    described: dict[str, Any] = {
        "inputs": list(dataset.input_fields),
        "outputs": list(dataset.output_fields),
        "resolution": list(dataset.resolution),
    }
    name = getattr(dataset.dataset if isinstance(dataset, WindowedDataset) else dataset, "name", "")
    if name:
        described["data"] = name
    for kind, key in ((WindowedDataset, "window"), (DrawnSamples, "drawn")):
        if isinstance(dataset, kind):
            described[key] = dataset.description()
    times = np.atleast_1d(getattr(dataset, "times", 0.0))
    if times.size > 1 and not isinstance(dataset, WindowedDataset):
        described["times"] = times.tolist()
    return described
