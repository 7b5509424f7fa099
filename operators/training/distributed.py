"""Choose where a run computes: devices, processes and threads."""

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


class OneDevice:
    """Compute on one device in the precision of the weights, with the methods of Fabric that training calls.

    Lightning Fabric takes as long to import as everything else here together, and only several processes and mixed
    precision need it.
    """

    global_rank, world_size, is_global_zero = 0, 1, True

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def setup(self, model: Any, optimizer: torch.optim.Optimizer) -> tuple[Any, torch.optim.Optimizer]:
        """Move the model to the device."""
        return model.to(self.device), optimizer

    def backward(self, loss: Tensor) -> None:
        """Compute the gradients."""
        loss.backward()

    def clip_gradients(
        self, model: Any, optimizer: torch.optim.Optimizer, *, max_norm: float, error_if_nonfinite: bool
    ) -> None:
        """Scale the gradients down to a 2-norm of at most `max_norm`."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, max_norm, error_if_nonfinite=error_if_nonfinite)

    def barrier(self) -> None:
        """Wait for nobody: there is one process."""


def start_fabric(settings: TrainSettings) -> Fabric | OneDevice:
    """Return the devices that the settings name; with several, one process each, data parallel, by Lightning Fabric.

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
    if accelerator == "cpu":
        keep_freed_memory()
    # In full precision model and data have the dtype themselves. (Fabric's '64-true' would round outputs to float32.)
    precision: Any = "32-true" if settings.precision == "64-true" else settings.precision
    if settings.devices == 1 and precision == "32-true":
        return OneDevice(torch.device("cpu" if accelerator == "cpu" else f"{accelerator.replace('gpu', 'cuda')}:0"))
    from lightning_fabric import Fabric

    strategy = "ddp" if settings.devices > 1 else "auto"
    fabric = Fabric(accelerator=accelerator, devices=settings.devices, strategy=strategy, precision=precision)
    fabric.launch()
    if fabric.world_size > 1:
        atexit.register(_leave_process_group)
    return fabric


def first_process() -> bool:
    """Return whether this process is the one that reports, among those that train together."""
    return int(os.environ.get("RANK", "0")) == 0


def _check_processes(devices: int) -> None:
    """Refuse another number of processes than devices: each process would train, and write, by itself."""
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if "LOCAL_RANK" in os.environ and started != devices:
        raise InputError(f"devices={devices} and torchrun started {started} processes: give devices={started}")
    if devices > 1 and not {"LOCAL_RANK", "SLURM_NTASKS"} & set(os.environ):
        raise InputError(
            f"devices={devices} needs as many processes: start them with torchrun --nproc-per-node {devices} "
            f"-m resolvent.workflows.cli train devices={devices} out=FOLDER and the other settings"
        )


def _leave_process_group() -> None:
    """Join the threads of the process group: gloo's can abort a process that ends, and Fabric joins NCCL's alone."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def scaler_state(fabric: Fabric | OneDevice) -> dict[str, Any]:
    """Return the state of the loss scaler; empty without one."""
    return {} if isinstance(fabric, OneDevice) else fabric.strategy.precision.state_dict()


def sum_over_processes(fabric: Fabric | OneDevice, values: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes, the same in each."""
    if isinstance(fabric, OneDevice) or fabric.world_size == 1:
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
