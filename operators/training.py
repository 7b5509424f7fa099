"""The training loop."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from resolvent.solvers import InputError

from .batches import Batches, GridDataset, chunks, epoch_order, open_batches, rank_share, split_size
from .checkpoint import Checkpoint, describe_run, read_checkpoint, write_checkpoint
from .distributed import cpu_threads, start_fabric, sum_over_processes
from .interruption import Interruption
from .losses import LOSSES, relative_h1, relative_l2
from .normalization import NormalizedOperator, channel_statistics
from .operator import Operator
from .run_log import RunLog
from .saving import save_operator
from .schedules import SCHEDULERS, step_decay
from .train_settings import TrainSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["TrainReport", "learning_rate", "train"]

COLUMNS = ("epoch", "step", "lr", "train_loss", "valid_l2", "valid_h1", "seconds")

#: A training loss of its own: (network, inputs, targets) of a batch to a scalar. It calls the network itself; an
#: attribute ``config`` of JSON values tells a resumed run that it is the same loss.
BatchLoss = Callable[[torch.nn.Module, Tensor, Tensor], Tensor]

#: Called with (epochs done, epochs in all, the latest numbers in words): at the start and after every epoch.
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class TrainReport:
    """What a call of `train` left behind.

    Attributes
    ----------
    folder : str
    epochs_done : int
        Finished epochs, those before a resumption included.
    interrupted : bool
        Whether a signal ended it before the last epoch.
    resumed_from : int
        Epochs found in the checkpoint; 0 for a fresh run.
    steps, parameters : int
    train_loss : float
        Of the last finished epoch (mean over its batches; nan if there is none).
    best_epoch : int
        The epoch whose model was saved (0: none yet).
    best_valid : float
        Its mean relative L² error on the validation split.
    seconds : float
        Of all finished epochs, validation included.
    device : str
    """

    folder: str
    epochs_done: int
    interrupted: bool
    resumed_from: int
    steps: int
    parameters: int
    train_loss: float
    best_epoch: int
    best_valid: float
    seconds: float
    device: str

    def to_dict(self) -> dict[str, Any]:
        """Return the report as flat JSON-able values."""
        return asdict(self)


def train(
    model: Operator,
    dataset: GridDataset,
    out: str | os.PathLike[str],
    settings: TrainSettings | None = None,
    progress: Progress | None = None,
    loss: BatchLoss | None = None,
) -> TrainReport:
    """Train an operator on the training split; keep the model that is best on the validation split.

    Run again with the same arguments, it goes on after the last finished epoch, and ends where an uninterrupted run
    would have: bit for bit on a CPU with the same number of threads. The test split is not read.

    SIGINT and SIGTERM let the running batch finish and return; the unfinished epoch is dropped, as its repetition
    is the same.

    Parameters
    ----------
    model : Operator
        Trained in place; afterwards it holds the last epoch's weights. One that is not a `NormalizedOperator` is
        wrapped in one, with the channel statistics of the training split.
    dataset : GridDataset
        Such as `resolvent.data.Dataset`, with a ``train`` and a ``valid`` split.
    out : path
        Folder for ``model.safetensors`` and ``model.json`` (the best epoch), ``last.ckpt`` (the last one),
        ``log.jsonl`` and ``metrics.csv`` (every one).
    settings : TrainSettings, optional
    progress : callable, optional
    loss : callable, optional
        In place of ``settings.loss``: (network, inputs, targets) ↦ scalar, such as a `SpectralLoss`.

    Returns
    -------
    TrainReport

    Raises
    ------
    InputError
        If the data do not fit the model, a split is empty, the folder holds another run or cannot be written, the
        device is not there, or the loss is no longer finite (the best model so far is kept).
    """
    settings = settings or TrainSettings()
    fabric = start_fabric(settings)
    with cpu_threads(settings.threads), torch.random.fork_rng(devices=[]), Interruption() as interruption:
        return _train(fabric, model, dataset, Path(out), settings, interruption, progress, loss)


def _train(
    fabric: Fabric,
    model: Operator,
    dataset: GridDataset,
    out: Path,
    settings: TrainSettings,
    interruption: Interruption,
    progress: Progress | None,
    own_loss: BatchLoss | None,
) -> TrainReport:
    dtype = torch.float64 if settings.precision == "64-true" else torch.float32
    _check_fit(model, dataset)
    run = describe_run(model, dataset, settings)
    if own_loss is not None:
        run["loss"] = getattr(own_loss, "config", None)
    past = read_checkpoint(out, run) if settings.resume else None
    model = _normalized(model.to(dtype), dataset, resumed=past is not None)
    training, validation = (
        open_batches(dataset, split, fabric.device, dtype, in_memory=settings.in_memory, workers=settings.workers)
        for split in ("train", "valid")
    )
    optimizer = _build_optimizer(model, settings)
    network, stepper = fabric.setup(model, optimizer)  # the same two, for the device, the precision and the processes
    scaler = fabric.strategy.precision
    step, best_epoch, best_valid = 0, 0, math.inf
    rows: list[dict[str, float]] = []
    if past is not None:
        model.load_state_dict(past.model)
        optimizer.load_state_dict(past.optimizer)
        scaler.load_state_dict(past.precision)
        step, rows, best_epoch, best_valid = past.step, past.rows, past.best_epoch, past.best_valid
    resumed_from, rank, processes = len(rows), fabric.global_rank, fabric.world_size
    log = RunLog(out, rows, COLUMNS) if fabric.is_global_zero else None
    report_progress = progress if progress and fabric.is_global_zero else lambda done, total, note: None
    report_progress(len(rows), settings.epochs, "")

    loss_of = LOSSES[settings.loss]
    steps_per_epoch = math.ceil(math.ceil(training.count / processes) / settings.batch_size)
    # Losses are relative: dividing by the deviation changes nothing but keeps squares of any unit within float32.
    scale = model.output_std.view(1, -1, *(1,) * model.ndim)
    stopped = False
    for epoch in range(len(rows), settings.epochs):
        start = time.perf_counter()
        # From (seed, epoch, rank) alone, so that a resumed epoch draws what the uninterrupted one would have.
        torch.manual_seed(_derived_seed(settings.seed, epoch, rank))
        order = rank_share(epoch_order(training.count, settings.seed, epoch), rank, processes)
        loss_sum, rate = 0.0, 0.0
        model.train()
        for inputs, targets in training.batches(order, settings.batch_size):
            rate = learning_rate(settings, step, steps_per_epoch)
            for group in optimizer.param_groups:
                group["lr"] = rate
            if own_loss is None:
                loss = loss_of(network(inputs) / scale, targets / scale)
            else:
                loss = own_loss(network, inputs, targets)
            fabric.backward(loss)
            if settings.grad_clip is not None:
                fabric.clip_gradients(network, stepper, max_norm=settings.grad_clip, error_if_nonfinite=False)
            stepper.step()
            stepper.zero_grad(set_to_none=True)
            step += 1
            loss_sum += loss.item()
            diverged, stopped = _any_process(fabric, not math.isfinite(loss_sum), interruption.requested)
            if diverged:
                raise InputError(_divergence("training loss", epoch, settings, out, best_epoch, best_valid))
            if stopped and step % steps_per_epoch:
                break
        else:
            valid_l2, valid_h1 = _validate(fabric, model, validation, scale, settings.batch_size)
            if not math.isfinite(valid_l2):
                raise InputError(_divergence("validation error", epoch, settings, out, best_epoch, best_valid))
            losses = sum_over_processes(fabric, torch.tensor(loss_sum / steps_per_epoch, dtype=torch.float64))
            row = {
                "epoch": epoch + 1,
                "step": step,
                "lr": rate,
                "train_loss": float(losses) / processes,
                "valid_l2": valid_l2,
                "valid_h1": valid_h1,
                "seconds": time.perf_counter() - start,
            }
            rows.append(row)
            improved = valid_l2 < best_valid
            if improved:
                best_epoch, best_valid = epoch + 1, valid_l2
            if log is not None:
                # The model first: if the run is killed in between, the repeated epoch saves the same one again.
                if improved:
                    metrics = {key: row[key] for key in ("epoch", "train_loss", "valid_l2", "valid_h1")}
                    save_operator(model, out, metrics, fields=_fields(dataset))
                states = model.state_dict(), optimizer.state_dict(), scaler.state_dict()
                write_checkpoint(out, Checkpoint(run, *states, step, rows, best_epoch, best_valid))
                log.add(row)
            report_progress(epoch + 1, settings.epochs, f"loss {row['train_loss']:.4g}, valid {valid_l2:.4g}")
        if stopped:
            break
    fabric.barrier()
    return TrainReport(
        folder=str(out),
        epochs_done=len(rows),
        interrupted=stopped and len(rows) < settings.epochs,
        resumed_from=resumed_from,
        steps=int(rows[-1]["step"]) if rows else 0,
        parameters=model.parameter_count(),
        train_loss=rows[-1]["train_loss"] if rows else math.nan,
        best_epoch=best_epoch,
        best_valid=best_valid,
        seconds=sum(row["seconds"] for row in rows),
        device=str(fabric.device),
    )


def learning_rate(settings: TrainSettings, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step, counted from 0 over the whole run."""
    if settings.scheduler == "step":
        return settings.lr * step_decay(step // steps_per_epoch, settings.step_epochs, settings.step_factor)
    last = max(settings.epochs * steps_per_epoch - 1, 1)
    return settings.lr * SCHEDULERS[settings.scheduler](step / last, settings.warmup)


@torch.no_grad()
def _validate(
    fabric: Fabric, model: NormalizedOperator, data: Batches, scale: Tensor, batch_size: int
) -> tuple[float, float]:
    """Return the mean relative L² and H¹ errors over the validation split, each sample once, in full precision."""
    model.eval()
    share = np.arange(data.count)[fabric.global_rank :: fabric.world_size]
    sums = torch.zeros(2, dtype=torch.float64)
    for inputs, targets in data.batches(share, batch_size):
        outputs, wanted = model(inputs) / scale, targets / scale
        errors = torch.stack((relative_l2(outputs, wanted), relative_h1(outputs, wanted)))
        sums += len(inputs) * errors.cpu().double()
    l2, h1 = (sum_over_processes(fabric, sums) / data.count).tolist()
    return l2, h1


def _any_process(fabric: Fabric, *states: bool) -> list[bool]:
    """Return each state as true where it is in any process, so that none waits for another that has left the loop."""
    if fabric.world_size == 1:
        return list(states)
    counts: list[float] = sum_over_processes(fabric, torch.tensor(states, dtype=torch.float32)).tolist()
    return [count > 0 for count in counts]


def _derived_seed(*coordinates: int) -> int:
    return int(np.random.SeedSequence(coordinates).generate_state(1, np.uint64)[0])


def _normalized(model: Operator, dataset: GridDataset, *, resumed: bool) -> NormalizedOperator:
    """Wrap the network with the training split's statistics; a resumed run has them in its checkpoint."""
    if isinstance(model, NormalizedOperator):
        return model
    return NormalizedOperator(model, None if resumed else channel_statistics(chunks(dataset, "train")))


def _build_optimizer(model: Operator, settings: TrainSettings) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), lr=settings.lr, momentum=0.9, weight_decay=settings.weight_decay)
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[settings.optimizer]
    return kind(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)


def _check_fit(model: Operator, dataset: GridDataset) -> None:
    for split in ("train", "valid"):
        split_size(dataset, split)
    inputs, outputs = dataset.arrays("train", 0, 1)
    given = (inputs.shape[1], outputs.shape[1], inputs.ndim - 2)
    wanted = (model.in_channels, model.out_channels, model.ndim)
    if wanted != given:
        raise InputError(
            "the operator has in_channels={}, out_channels={}, ndim={} ".format(*wanted)
            + "and the dataset in_channels={}, out_channels={}, ndim={}: build it with those".format(*given)
        )


def _fields(dataset: GridDataset) -> dict[str, Any]:
    return {
        "inputs": list(dataset.input_fields),
        "outputs": list(dataset.output_fields),
        "resolution": list(dataset.resolution),
    }


def _divergence(what: str, epoch: int, settings: TrainSettings, out: Path, best_epoch: int, best_valid: float) -> str:
    kept = "no model was saved"
    if best_epoch:
        kept = f"the best model, of epoch {best_epoch} (validation error {best_valid:.4g}), is kept in {out}"
    remedy = f"lower lr (now {settings.lr:g}) or set grad_clip=1"
    return f"the {what} is no longer finite in epoch {epoch + 1}: {remedy}; {kept}"
