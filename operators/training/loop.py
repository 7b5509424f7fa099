"""Train operators: the loop over epochs and steps."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..operator import Operator
from ..samples.batches import GridDataset, epoch_order, rank_share
from ..saving import save_operator
from .checkpoint import write_checkpoint
from .distributed import OneDevice, cpu_threads, start_fabric, sum_over_processes
from .interruption import Interruption
from .losses import Loss, relative_h1, relative_l2, scaled
from .report import TrainReport
from .run import Run, open_run
from .schedules import SCHEDULERS, step_decay
from .settings import TrainSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Called with (epochs done, epochs in all, the latest numbers in words): at the start and after every epoch.
Listener = Callable[[int, int, str], None]


def train(
    model: Operator,
    dataset: GridDataset,
    out: str | os.PathLike[str],
    settings: TrainSettings | None = None,
    progress: bool | Listener | None = True,
    loss: Loss | None = None,
) -> TrainReport:
    """Train an operator on the training split; keep the model that is best on the validation split.

    Called again with the same arguments, it continues after the last finished epoch and ends where an uninterrupted
    run would have: bit for bit on a CPU with the same number of threads. The test split is not read.

    After SIGINT or SIGTERM it finishes the current batch and returns; the unfinished epoch is dropped, because it will
    be repeated identically.

    Parameters
    ----------
    model : Operator
        Trained in place; afterwards it holds the last epoch's weights. One that is not a `NormalizedOperator` is
        wrapped in one, with the channel statistics of the training split.
    dataset : GridDataset
        Such as `resolvent.data.Dataset`, with a ``train`` and a ``valid`` split. Without a ``valid`` split, the last
        tenth of the training samples is held out for it, and the progress says so.
    out : path
        Folder for ``model.safetensors`` and ``model.json`` (the best epoch), ``last.ckpt`` (the last epoch),
        ``log.jsonl`` and ``metrics.csv`` (all epochs).
    settings : TrainSettings, optional
    progress : bool or callable, default True
        Whether to show the progress: a bar on a terminal, else a line for each epoch. A function is called with (epochs
        done, epochs in all, the latest numbers in words) instead, at the start and after every epoch.
    loss : callable, optional
        Replaces that of ``settings.loss``. It maps (inputs, outputs, targets), tensors (batch, channel, *space) in
        physical units on the device, to a scalar tensor: for instance the residual of the equation at the outputs. A
        resumed run must be given the same one (compared by its ``config``, else its name). Validation stays as it is.

    Returns
    -------
    TrainReport

    Raises
    ------
    InputError
        If the data do not fit the model, the training split is empty, the folder holds another run or cannot be
        written, the device is missing, or the loss is no longer finite (the best model so far is kept).
    """
    settings = settings or TrainSettings()
    fabric = start_fabric(settings)
    with cpu_threads(settings.threads), torch.random.fork_rng(devices=[]), Interruption() as interruption:
        run = open_run(fabric, model, dataset, Path(out), settings, loss)
        done = run.progress
        with _listener(progress if fabric.is_global_zero else False) as tell:
            tell(done.epochs_done, settings.epochs, run.division)
            while done.unfinished and not done.stopped:
                row = epoch(run, interruption)
                if row is not None:
                    finish(run, row)
                    note = f"loss {row['train_loss']:.4g}, valid {row['valid_l2']:.4g}"
                    tell(done.epochs_done, settings.epochs, note)
        fabric.barrier()
        return done.report(run.model.parameter_count(), str(fabric.device))


def epoch(run: Run, interruption: Interruption) -> dict[str, float] | None:
    """Train one epoch and validate; return its row of the log, or None where a signal broke it off.

    Raises
    ------
    InputError
        If the data, the loss or the validation error are not finite.
    """
    fabric, settings, progress = run.fabric, run.settings, run.progress
    start, busy = time.perf_counter(), time.process_time()
    # The seed depends on (seed, epoch, rank) alone: a resumed epoch draws the same numbers as an uninterrupted one.
    torch.manual_seed(_derived_seed(settings.seed, progress.epochs_done, fabric.global_rank))
    order = epoch_order(run.training.count, settings.seed, progress.epochs_done)
    share = rank_share(order, fabric.global_rank, fabric.world_size)
    loss_sum, rate = 0.0, 0.0
    run.model.train()
    for inputs, targets in run.training.batches(share, settings.batch_size):
        rate = learning_rate(settings, progress.step, run.steps_per_epoch)
        for group in run.optimizer.param_groups:
            group["lr"] = rate
        outputs, expected = run.forward(run.network, inputs, targets, progress.step)
        loss = run.loss(inputs, outputs, expected)
        fabric.backward(loss)
        if settings.grad_clip is not None:
            fabric.clip_gradients(run.network, run.stepper, max_norm=settings.grad_clip, error_if_nonfinite=False)
        run.stepper.step()
        run.stepper.zero_grad(set_to_none=True)
        run.average.update()
        progress.step += 1
        loss_sum += loss.item()
        diverged = not math.isfinite(loss_sum)
        bad_data = diverged and not _finite(inputs, targets)
        diverged, bad_data, progress.stopped = _any_process(fabric, diverged, bad_data, interruption.requested)
        if bad_data:
            raise progress.bad_data("train")
        if diverged:
            raise progress.divergence("training loss" + _first_not_finite(outputs, run.output_fields))
        if progress.stopped and progress.step % run.steps_per_epoch:
            return None
    valid_l2, valid_h1 = validate(run)
    spent = torch.tensor([loss_sum / run.steps_per_epoch, time.process_time() - busy], dtype=torch.float64)
    losses, processor_seconds = sum_over_processes(fabric, spent).tolist()
    return {
        "epoch": progress.epochs_done + 1,
        "step": progress.step,
        "lr": rate,
        "train_loss": losses / fabric.world_size,
        "valid_l2": valid_l2,
        "valid_h1": valid_h1,
        "seconds": time.perf_counter() - start,
        "processor_seconds": processor_seconds,
    }


@torch.no_grad()
def validate(run: Run) -> tuple[float, float]:
    """Return the mean relative L² and H¹ errors over the validation split, each sample once, in full precision.

    Raises
    ------
    InputError
        If the data or the error are not finite.
    """
    fabric, data, forward = run.fabric, run.validation, run.forward.exact()
    share = np.arange(data.count)[fabric.global_rank :: fabric.world_size]
    to_fields = getattr(data, "to_fields", lambda values: values)  # turns coefficients into values
    sums = torch.zeros(3, dtype=torch.float64)
    run.model.eval()
    with run.average.applied():
        for inputs, targets in data.batches(share, run.settings.batch_size):
            pair = forward(run.model, inputs, targets)
            outputs, expected = (to_fields(scaled(values, run.model.output_scale)) for values in pair)
            slopes = relative_h1(outputs, expected, lengths=run.domain.lengths, periodic=run.domain.periodic)
            errors = torch.stack((relative_l2(outputs, expected), slopes))
            sums[:2] += len(inputs) * errors.cpu().double()
            if not math.isfinite(sums[0].item()):
                sums[2] += not _finite(inputs, targets)
    l2, h1, bad_batches = sum_over_processes(fabric, sums).tolist()
    if bad_batches:
        raise run.progress.bad_data("valid")
    if not math.isfinite(l2):
        raise run.progress.divergence("validation error")
    return l2 / data.count, h1 / data.count


def finish(run: Run, row: dict[str, float]) -> None:
    """Record a finished epoch; the first process saves the model if it is the best, the checkpoint and the log."""
    improved = run.progress.add(row)
    if run.log is None:
        return
    # The model comes first: if the run is killed in between, the repeated epoch saves the same model again.
    if improved:
        metrics = {key: row[key] for key in ("epoch", "train_loss", "valid_l2", "valid_h1")}
        with run.average.applied():
            save_operator(run.model, run.progress.folder, metrics, fields=run.fields)
    write_checkpoint(run.progress.folder, run.checkpoint())
    run.log.add(row)


def learning_rate(settings: TrainSettings, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step, counted from 0 over the whole run."""
    if settings.scheduler == "step":
        return settings.lr * step_decay(step // steps_per_epoch, settings.step_epochs, settings.step_factor)
    last = max(settings.epochs * steps_per_epoch - 1, 1)
    return settings.lr * SCHEDULERS[settings.scheduler](step / last, settings.warmup)


@contextmanager
def _listener(progress: bool | Listener | None) -> Iterator[Listener]:
    """Give the function that is told of finished epochs: the caller's, or one that prints."""
    if progress is True:
        from resolvent.data.progress import ProgressLine  # rich, which takes a while to import

        with ProgressLine("train", unit="epochs", every=0.0) as line:
            yield line
    else:
        yield progress or (lambda epochs, total, note: None)


def _finite(*tensors: Tensor) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def _first_not_finite(outputs: Tensor, fields: Sequence[str]) -> str:
    """Name the first channel of a step's outputs that is not finite, if there is one and it has a name."""
    finite = torch.isfinite(outputs.detach()).transpose(0, 1).flatten(1).all(dim=1).tolist()
    if all(finite) or len(finite) != len(fields):
        return ""
    return f" (output {fields[finite.index(False)]})"


def _any_process(fabric: Fabric | OneDevice, *states: bool) -> list[bool]:
    """Return for each state whether it is true in any process: all leave the loop together, and none waits forever."""
    if fabric.world_size == 1:
        return list(states)
    counts: list[float] = sum_over_processes(fabric, torch.tensor(states, dtype=torch.float32)).tolist()
    return [count > 0 for count in counts]


def _derived_seed(*coordinates: int) -> int:
    return int(np.random.SeedSequence(coordinates).generate_state(1, np.uint64)[0])
