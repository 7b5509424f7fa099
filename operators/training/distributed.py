"""Where a run computes: devices, processes and threads, by Lightning Fabric."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from resolvent.solvers import InputError

from .allocator import keep_freed_memory
from .settings import TrainSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["cpu_threads", "first_process", "start_fabric", "sum_over_processes"]


def start_fabric(settings: TrainSettings) -> Fabric:
    """Return Fabric on the devices that the settings name; with several, one process each, data parallel.

    Raises
    ------
    InputError
        If the devices are not there, or cannot compute in the precision asked for.
    """
    _check_processes(settings.devices)
    accelerator = settings.accelerator
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if accelerator in ("cuda", "gpu") and torch.cuda.device_count() < settings.devices:
        raise InputError(
            f"accelerator={accelerator} with devices={settings.devices} needs as many CUDA devices and PyTorch sees "
            f"{torch.cuda.device_count()}; set accelerator=cpu, or install a CUDA build of PyTorch"
        )
    if accelerator == "mps" and not torch.backends.mps.is_available():
        raise InputError("accelerator=mps is not available on this machine; set accelerator=auto")
    if accelerator == "cpu" and settings.precision == "16-mixed":
        raise InputError("precision=16-mixed needs a GPU; on a CPU set precision=bf16-mixed or 32-true")
    # In double precision model and data are float64 themselves: Fabric's own plugin would round outputs to float32.
    precision: Any = "32-true" if settings.precision == "64-true" else settings.precision
    strategy = "ddp" if settings.devices > 1 else "auto"
    from lightning_fabric import Fabric  # here, because it takes longer to import than all the rest of the operators

    fabric = Fabric(accelerator=accelerator, devices=settings.devices, strategy=strategy, precision=precision)
    fabric.launch()
    if fabric.world_size > 1:
        atexit.register(_leave_process_group)
    if fabric.device.type == "cpu":
        keep_freed_memory()
    return fabric


def first_process() -> bool:
    """Whether this is the process that reports, of those that train together."""
    return int(os.environ.get("RANK", "0")) == 0


def _check_processes(devices: int) -> None:
    """Refuse a number of processes that is not that of the devices: each would train, and write, by itself."""
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if "LOCAL_RANK" in os.environ and started != devices:
        raise InputError(f"devices={devices} and torchrun started {started} processes: give devices={started}")
    if devices > 1 and not {"LOCAL_RANK", "SLURM_NTASKS"} & set(os.environ):
        raise InputError(
            f"devices={devices} needs as many processes: start them with torchrun --nproc-per-node {devices} "
            f"-m resolvent.workflows.cli train devices={devices} out=FOLDER and the other settings"
        )


def _leave_process_group() -> None:
    """Join the threads of the process group, as Fabric does for NCCL alone: gloo's can abort a process that ends."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def sum_over_processes(fabric: Fabric, values: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes, the same in each."""
    if fabric.world_size == 1:
        return values
    total = fabric.all_reduce(values.to(fabric.device), reduce_op="sum")
    assert isinstance(total, Tensor)
    return total


@contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Compute with `count` CPU threads inside; None leaves them as they are."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
