"""Describe a training run: every number that changes its outcome, checked before anything starts."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from resolvent.solvers import InputError
from resolvent.solvers.arguments import is_integer, is_real, one_of

from ..samples.windows import Window
from .losses import LOSSES
from .optimizers import OPTIMIZERS
from .schedules import SCHEDULERS
from .step import FEEDS

PRECISIONS = ("32-true", "64-true", "bf16-mixed", "16-mixed")
ACCELERATORS = ("auto", "cpu", "cuda", "gpu", "mps")

#: Settings that do not change the outcome: they may differ when a run is resumed.
_FREE_ON_RESUME = frozenset({"resume", "threads", "accelerator", "workers", "in_memory"})


@dataclass(frozen=True)
class TrainSettings:
    """Hold the settings of `train`.

    Attributes
    ----------
    epochs : int, default 20
    batch_size : int, default 8
        Samples per step on each device.
    lr : float, default 5e-3
        The largest learning rate of the schedule.
    weight_decay : float, default 1e-4
    optimizer : {'adamw', 'adam', 'sgd', 'soap', 'muon', 'psgd', 'shampoo'}, default 'adamw'
        See `optimizers`; the last four need the extra ``optim``.
    optimizer_settings : dict, optional
        Further keyword arguments of the optimiser.
    scheduler : {'onecycle', 'cosine', 'linear', 'exponential', 'step', 'constant'}, default 'onecycle'
        See `schedules`.
    warmup : float, default 0.3
        Fraction of the steps in which 'onecycle' rises to `lr`, or 'cosine', 'linear' and 'exponential' warm up.
    step_epochs, step_factor : int or list of int, float, default 100, 0.5
        'step' multiplies the rate by `step_factor` every `step_epochs` epochs, or after the epochs of a list.
    loss : {'l2', 'h1'}, default 'l2'
        The relative error that is minimised, in physical units.
    grad_clip : float, optional
        Largest 2-norm of the gradient; not limited by default.
    ema : float, optional
        Decay of an exponential moving average of the weights, such as 0.999. The averaged weights are then validated
        and saved. No average by default. See `weight_average`.
    history : int, optional
        Number of input frames. If given, learn the one-step map of trajectories, to be rolled out. By default learn the
        map from the inputs to all stored times at once.
    horizon, frame_step, stride : int, default 1
        Frames that a call returns, stored frames from one frame to the next, and from one window to the next; see
        `Window`.
    unroll : int, default 1
        Successive calls in a training step. Validation makes as many, each fed with the outputs of the calls before.
    feed : {'unrolled', 'pushforward', 'teacher_forcing'}, default 'unrolled'
        What these calls get as inputs and which are differentiated; see `TrainingStep`.
    increment : bool, default False
        With `history`: the network learns the increment from the latest frame, which is added to its outputs.
    input_noise : float, default 0
        Standard deviation of noise on the inputs that vary in time (without `history`: on all inputs), in units of
        each channel's standard deviation.
    seed : int, default 0
        Seed of the data order and of everything random in training; the caller sets the initial weights
        (`build_operator`).
    precision : {'32-true', '64-true', 'bf16-mixed', '16-mixed'}, default '32-true'
        '16-mixed' needs a GPU and scales the loss. In mixed precision, spectral transforms stay in float32.
    accelerator : {'auto', 'cpu', 'cuda', 'gpu', 'mps'}, default 'auto'
        'auto': CUDA if available, else the CPU.
    devices : int, default 1
        With more than one, training is data parallel with one process per device (start them with ``torchrun``).
    compile : bool, default False
        Compile the network with ``torch.compile``: it takes minutes at the start, steps are faster on a GPU, and
        rounding differs.
    threads : int, optional
        CPU threads of one process; PyTorch's choice by default. Rounding may depend on it.
    resume : bool, default True
        Continue from ``last.ckpt`` if there is one; False starts again and replaces it.
    in_memory : bool, optional
        Whether the training and validation splits are held as tensors. By default each is if it takes less than a
        quarter of the free memory.
    workers : int, default 0
        Processes that read ahead when the data are not in memory.

    Raises
    ------
    InputError
        If a value is out of range; the message names it.
    """

    epochs: int = 20
    batch_size: int = 8
    lr: float = 5e-3
    weight_decay: float = 1e-4
    optimizer: str = "adamw"
    optimizer_settings: dict[str, Any] = field(default_factory=dict)
    scheduler: str = "onecycle"
    warmup: float = 0.3
    step_epochs: int | list[int] = 100
    step_factor: float = 0.5
    loss: str = "l2"
    grad_clip: float | None = None
    ema: float | None = None
    history: int | None = None
    horizon: int = 1
    frame_step: int = 1
    stride: int = 1
    unroll: int = 1
    feed: str = "unrolled"
    increment: bool = False
    input_noise: float = 0.0
    seed: int = 0
    precision: str = "32-true"
    accelerator: str = "auto"
    devices: int = 1
    compile: bool = False
    threads: int | None = None
    resume: bool = True
    in_memory: bool | None = None
    workers: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "devices", "horizon", "frame_step", "stride", "unroll"):
            self._check_integer(name, 1)
        self._check_step_epochs()
        self._check_integer("seed", 0)
        self._check_integer("workers", 0)
        for name in ("threads", "history"):
            if getattr(self, name) is not None:
                self._check_integer(name, 1)
        if self.history is None and (self.horizon, self.frame_step, self.stride, self.unroll) != (1, 1, 1, 1):
            raise InputError(
                f"horizon={self.horizon}, frame_step={self.frame_step}, stride={self.stride}, unroll={self.unroll} are "
                "of windows in time: give history=1 (or more) with them"
            )
        self._check_number("lr", 0.0, math.inf, low_open=True)
        self._check_number("weight_decay", 0.0, math.inf)
        self._check_number("warmup", 0.0, 1.0)
        self._check_number("input_noise", 0.0, math.inf)
        self._check_number("step_factor", 0.0, 1.0, low_open=True)
        if self.grad_clip is not None:
            self._check_number("grad_clip", 0.0, math.inf, low_open=True)
        if self.ema is not None:
            self._check_number("ema", 0.0, 1.0)
        if not isinstance(self.optimizer_settings, dict):
            raise InputError(
                f"optimizer_settings={self.optimizer_settings!r} is not usable; expected names and values, such as "
                "{betas: [0.9, 0.95]}"
            )
        one_of(self.feed, FEEDS, "feed")
        for name in ("compile", "increment"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name}={getattr(self, name)!r} is not usable; expected true or false")
        if self.increment and self.history is None:
            raise InputError("increment=True is of windows in time: give history=1 (or more) with it")
        if self.feed != "unrolled" and self.unroll == 1:
            raise InputError(
                f"feed={self.feed} says how the calls of a training step follow one another, and unroll=1 makes one: "
                f"give {'unroll=2' if self.history else 'history=1 unroll=2'} (or more) with it, or leave feed= out"
            )
        one_of(self.optimizer, OPTIMIZERS, "optimizer")
        one_of(self.scheduler, SCHEDULERS, "scheduler")
        one_of(self.loss, LOSSES, "loss")
        one_of(self.precision, PRECISIONS, "precision")
        one_of(self.accelerator, ACCELERATORS, "accelerator")

    def window(self) -> Window | None:
        """Return the windows in time to train on; None without `history`."""
        if self.history is None:
            return None
        return Window(self.history, self.horizon, self.unroll, self.frame_step, self.stride)

    def outcome(self) -> dict[str, Any]:
        """Return the settings that a resumed run must share.

        With a schedule that does not depend on the number of epochs ('constant', 'step') this number may change: such a
        run can be lengthened.
        """
        free = _FREE_ON_RESUME | ({"epochs"} if self.scheduler in ("constant", "step") else set())
        return {key: value for key, value in self.to_dict().items() if key not in free}

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-able values."""
        return asdict(self)

    def _check_step_epochs(self) -> None:
        if not isinstance(self.step_epochs, list):
            self._check_integer("step_epochs", 1)
            return
        integers = all(is_integer(e) and e >= 1 for e in self.step_epochs)
        if not integers or sorted(set(self.step_epochs)) != self.step_epochs:
            raise InputError(
                f"step_epochs={self.step_epochs!r} is not usable; expected an integer of at least 1, or a list of "
                "ascending ones"
            )

    def _check_integer(self, name: str, low: int) -> None:
        value = getattr(self, name)
        if not is_integer(value) or value < low:
            raise InputError(f"{name}={value!r} is not usable; expected an integer of at least {low}")

    def _check_number(self, name: str, low: float, high: float, *, low_open: bool = False) -> None:
        value = getattr(self, name)
        number = is_real(value) and math.isfinite(value)
        if not number or value < low or value > high or (low_open and value == low):
            above = "above" if low_open else "of at least"
            raise InputError(
                f"{name}={value!r} is not usable; expected a number {above} {low:g}"
                + (f" and at most {high:g}" if high < math.inf else "")
            )
