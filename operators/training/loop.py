"""The training loop."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from resolvent.solvers import InputError

from ..normalization import NormalizedOperator, channel_statistics
from ..operator import Operator
from ..samples.batches import Batches, GridDataset, chunks, epoch_order, open_batches, rank_share, split_size
from ..samples.draws import DrawnSamples
from ..samples.windows import WindowBatches, WindowedDataset, training_view
from ..saving import save_operator
from .checkpoint import Checkpoint, describe_run, read_checkpoint, write_checkpoint
from .distributed import cpu_threads, start_fabric, sum_over_processes
from .interruption import Interruption
from .losses import Loss, relative_h1, relative_l2, relative_loss, scaled
from .optimizers import build_optimizer
from .report import TrainReport
from .run_log import RunLog
from .schedules import SCHEDULERS, step_decay
from .settings import TrainSettings
from .step import TrainingStep
from .weight_average import WeightAverage

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["learning_rate", "train"]

COLUMNS = ("epoch", "step", "lr", "train_loss", "valid_l2", "valid_h1", "seconds", "processor_seconds")

#: Called with (epochs done, epochs in all, the latest numbers in words): at the start and after every epoch.
Progress = Callable[[int, int, str], None]


def train(
    model: Operator,
    dataset: GridDataset,
    out: str | os.PathLike[str],
    settings: TrainSettings | None = None,
    progress: Progress | None = None,
    loss: Loss | None = None,
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
        Replaces that of ``settings.loss``: (inputs, outputs, targets), tensors (batch, channel, *space) in physical
        units on the device, to a scalar tensor; the residual of the equation at the outputs, for instance. A resumed
        run must be given the same one (known by its ``config``, else its name). Validation stays what it is.

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
    own_loss: Loss | None,
) -> TrainReport:
    dtype = torch.float64 if settings.precision == "64-true" else torch.float32
    dataset = training_view(dataset, settings.window())
    mapped = dataset.one_call() if isinstance(dataset, WindowedDataset) else dataset
    _check_fit(model, mapped)
    run = describe_run(model, dataset, settings, own_loss)
    past = read_checkpoint(out, run) if settings.resume else None
    model = _normalized(model.to(dtype), mapped, settings, resumed=past is not None)
    kind = WindowBatches if isinstance(dataset, WindowedDataset) else open_batches
    training, validation = (
        kind(dataset, split, fabric.device, dtype, in_memory=settings.in_memory, workers=settings.workers)
        for split in ("train", "valid")
    )
    optimizer = build_optimizer(
        settings.optimizer, model, settings.lr, settings.weight_decay, settings.seed, settings.optimizer_settings
    )
    trained: Any = torch.compile(model) if settings.compile else model
    network, stepper = fabric.setup(trained, optimizer)  # the same two, for the device, the precision, the processes
    average = WeightAverage(model, settings.ema)
    scaler = fabric.strategy.precision
    step, best_epoch, best_valid = 0, 0, math.inf
    rows: list[dict[str, float]] = []
    if past is not None:
        model.load_state_dict(past.model)
        optimizer.load_state_dict(past.optimizer)
        scaler.load_state_dict(past.precision)
        average.load_state_dict(past.average)
        step, rows, best_epoch, best_valid = past.step, past.rows, past.best_epoch, past.best_valid
    resumed_from, rank, processes = len(rows), fabric.global_rank, fabric.world_size
    log = RunLog(out, rows, COLUMNS) if fabric.is_global_zero else None
    report_progress = progress if progress and fabric.is_global_zero else lambda done, total, note: None
    report_progress(len(rows), settings.epochs, "")

    steps_per_epoch = math.ceil(math.ceil(training.count / processes) / settings.batch_size)
    advance = _training_step(model, dataset, settings)
    loss_of = own_loss or relative_loss(settings.loss, model.output_std)
    stopped = False
    for epoch in range(len(rows), settings.epochs):
        start, busy = time.perf_counter(), time.process_time()
        # From (seed, epoch, rank) alone, so that a resumed epoch draws what the uninterrupted one would have.
        torch.manual_seed(_derived_seed(settings.seed, epoch, rank))
        order = rank_share(epoch_order(training.count, settings.seed, epoch), rank, processes)
        loss_sum, rate = 0.0, 0.0
        model.train()
        for inputs, targets in training.batches(order, settings.batch_size):
            rate = learning_rate(settings, step, steps_per_epoch)
            for group in optimizer.param_groups:
                group["lr"] = rate
            outputs, wanted = advance(network, inputs, targets, step)
            loss = loss_of(inputs, outputs, wanted)
            fabric.backward(loss)
            if settings.grad_clip is not None:
                fabric.clip_gradients(network, stepper, max_norm=settings.grad_clip, error_if_nonfinite=False)
            stepper.step()
            stepper.zero_grad(set_to_none=True)
            average.update()
            step += 1
            loss_sum += loss.item()
            lost = not math.isfinite(loss_sum)
            bad = lost and not _finite(inputs, targets)
            diverged, broken, stopped = _any_process(fabric, lost, bad, interruption.requested)
            if broken:
                raise InputError(_not_finite("train", epoch, out, best_epoch, best_valid))
            if diverged:
                what = "training loss" + _first_not_finite(outputs, dataset.output_fields)
                raise InputError(_divergence(what, epoch, settings, out, best_epoch, best_valid))
            if stopped and step % steps_per_epoch:
                break
        else:
            with average.applied():
                valid_l2, valid_h1, broken = _validate(fabric, model, validation, advance.exact(), settings.batch_size)
            if broken:
                raise InputError(_not_finite("valid", epoch, out, best_epoch, best_valid))
            if not math.isfinite(valid_l2):
                raise InputError(_divergence("validation error", epoch, settings, out, best_epoch, best_valid))
            spent = torch.tensor([loss_sum / steps_per_epoch, time.process_time() - busy], dtype=torch.float64)
            losses, processor_seconds = sum_over_processes(fabric, spent).tolist()
            row = {
                "epoch": epoch + 1,
                "step": step,
                "lr": rate,
                "train_loss": losses / processes,
                "valid_l2": valid_l2,
                "valid_h1": valid_h1,
                "seconds": time.perf_counter() - start,
                "processor_seconds": processor_seconds,
            }
            rows.append(row)
            improved = valid_l2 < best_valid
            if improved:
                best_epoch, best_valid = epoch + 1, valid_l2
            if log is not None:
                # The model first: if the run is killed in between, the repeated epoch saves the same one again.
                if improved:
                    metrics = {key: row[key] for key in ("epoch", "train_loss", "valid_l2", "valid_h1")}
                    with average.applied():
                        save_operator(model, out, metrics, fields=_fields(mapped))
                states = model.state_dict(), optimizer.state_dict(), scaler.state_dict(), average.state_dict()
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
        processor_seconds=sum(row.get("processor_seconds", math.nan) for row in rows),
        device=str(fabric.device),
    )


def learning_rate(settings: TrainSettings, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step, counted from 0 over the whole run."""
    if settings.scheduler == "step":
        return settings.lr * step_decay(step // steps_per_epoch, settings.step_epochs, settings.step_factor)
    last = max(settings.epochs * steps_per_epoch - 1, 1)
    return settings.lr * SCHEDULERS[settings.scheduler](step / last, settings.warmup)


def _training_step(model: NormalizedOperator, dataset: GridDataset, settings: TrainSettings) -> TrainingStep:
    """Return how a step of training makes outputs: one call, or a rollout through a window."""
    static = len(dataset.static_fields) if isinstance(dataset, WindowedDataset) else 0
    noise = None
    if settings.input_noise > 0.0:
        deviations = settings.input_noise * model.input_std
        deviations[:static] = 0.0
        noise = deviations.view(-1, *(1,) * model.ndim)
    return TrainingStep(settings.window(), static, settings.feed, noise, settings.seed)


@torch.no_grad()
def _validate(
    fabric: Fabric, model: NormalizedOperator, data: Batches, advance: TrainingStep, batch_size: int
) -> tuple[float, float, bool]:
    """Return the mean relative L² and H¹ errors over the validation split, each sample once, in full precision, and
    whether the data themselves are not finite."""
    model.eval()
    share = np.arange(data.count)[fabric.global_rank :: fabric.world_size]
    fields = getattr(data, "to_fields", lambda values: values)  # coefficients are first made values
    sums = torch.zeros(3, dtype=torch.float64)
    for inputs, targets in data.batches(share, batch_size):
        outputs, wanted = (fields(scaled(values, model.output_std)) for values in advance(model, inputs, targets))
        errors = torch.stack((relative_l2(outputs, wanted), relative_h1(outputs, wanted)))
        sums[:2] += len(inputs) * errors.cpu().double()
        if not math.isfinite(sums[0].item()):
            sums[2] += not _finite(inputs, targets)
    l2, h1, bad = sum_over_processes(fabric, sums).tolist()
    return l2 / data.count, h1 / data.count, bad > 0


def _finite(*tensors: Tensor) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def _first_not_finite(outputs: Tensor, fields: Sequence[str]) -> str:
    """Name the first channel of a step's outputs that is not finite, where there is one and it has a name."""
    finite = torch.isfinite(outputs.detach()).transpose(0, 1).flatten(1).all(dim=1).tolist()
    if all(finite) or len(finite) != len(fields):
        return ""
    return f" (output {fields[finite.index(False)]})"


def _any_process(fabric: Fabric, *states: bool) -> list[bool]:
    """Return each state as true where it is in any process, so that none waits for another that has left the loop."""
    if fabric.world_size == 1:
        return list(states)
    counts: list[float] = sum_over_processes(fabric, torch.tensor(states, dtype=torch.float32)).tolist()
    return [count > 0 for count in counts]


def _derived_seed(*coordinates: int) -> int:
    return int(np.random.SeedSequence(coordinates).generate_state(1, np.uint64)[0])


def _normalized(model: Operator, dataset: GridDataset, settings: TrainSettings, *, resumed: bool) -> NormalizedOperator:
    """Wrap the network with the training split's statistics; a resumed run has them in its checkpoint."""
    if isinstance(model, NormalizedOperator):
        return model
    carried = len(dataset.state_fields) if settings.increment and isinstance(dataset, WindowedDataset) else 0
    if resumed:
        return NormalizedOperator(model, carried=carried)
    pairs = chunks(dataset, "train")
    if carried and isinstance(dataset, WindowedDataset):
        pairs = dataset.increments("train")
    return NormalizedOperator(model, channel_statistics(pairs), carried)


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


def _not_finite(split: str, epoch: int, out: Path, best_epoch: int, best_valid: float) -> str:
    return (
        f"the {split} split holds NaN or infinite values (seen in epoch {epoch + 1}): `resolvent verify` names the "
        f"samples; generate them again or remove them; {_kept(out, best_epoch, best_valid)}"
    )


def _kept(out: Path, best_epoch: int, best_valid: float) -> str:
    if not best_epoch:
        return "no model was saved"
    return f"the best model, of epoch {best_epoch} (validation error {best_valid:.4g}), is kept in {out}"


def _divergence(what: str, epoch: int, settings: TrainSettings, out: Path, best_epoch: int, best_valid: float) -> str:
    remedy = f"lower lr (now {settings.lr:g}) or set grad_clip=1"
    kept = _kept(out, best_epoch, best_valid)
    return f"the {what} is no longer finite in epoch {epoch + 1}: {remedy}; {kept}"
