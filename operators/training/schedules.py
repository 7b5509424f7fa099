"""Compute learning rates as functions of the step alone: there is no scheduler state to save or restore."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

ONECYCLE_START, ONECYCLE_END = 1 / 25, 1e-4  # of the largest rate, at the first and at the last step
EXPONENTIAL_END = 1e-3


def onecycle(progress: float, warmup: float) -> float:
    """Rise along a half cosine from 1/25 to 1 during `warmup` of the run, then fall along one to 10⁻⁴.

    Reference: Smith, Topin, "Super-convergence", 2018, with cosine annealing.
    """
    if progress < warmup:
        return ONECYCLE_START + (1.0 - ONECYCLE_START) * _half_cosine(progress / warmup)
    return 1.0 - (1.0 - ONECYCLE_END) * _half_cosine(_since(progress, warmup))


def cosine(progress: float, warmup: float) -> float:
    """Rise linearly during `warmup` of the run, then fall along a half cosine to zero."""
    if progress < warmup:
        return max(progress / warmup, 1e-3)
    return 1.0 - _half_cosine(_since(progress, warmup))


def linear(progress: float, warmup: float) -> float:
    """Rise linearly during `warmup` of the run, then fall linearly to zero."""
    if progress < warmup:
        return max(progress / warmup, 1e-3)
    return 1.0 - _since(progress, warmup)


def exponential(progress: float, warmup: float) -> float:
    """Rise linearly during `warmup` of the run, then fall by the same factor each step, to 10⁻³ at the end."""
    if progress < warmup:
        return max(progress / warmup, 1e-3)
    return float(EXPONENTIAL_END ** _since(progress, warmup))


def constant(progress: float, warmup: float) -> float:
    """Return 1."""
    return 1.0


def step_decay(epoch: int, step_epochs: int | Sequence[int], step_factor: float) -> float:
    """Return `step_factor` to the power of the whole `step_epochs` so far, or of the listed epochs that have begun."""
    if isinstance(step_epochs, int):
        return step_factor ** (epoch // step_epochs)
    return step_factor ** sum(epoch >= start for start in step_epochs)


#: Factors of the learning rate as functions of (fraction of all steps done, warm-up fraction). 'step' depends on the
#: epoch instead, by `step_decay`.
SCHEDULERS: dict[str, Callable[[float, float], float]] = {
    "onecycle": onecycle,
    "cosine": cosine,
    "linear": linear,
    "exponential": exponential,
    "step": constant,
    "constant": constant,
}


def _since(progress: float, warmup: float) -> float:
    """Return how much of the part after the warm-up is done, between 0 and 1."""
    return min((progress - warmup) / max(1.0 - warmup, 1e-12), 1.0)


def _half_cosine(fraction: float) -> float:
    """Return 0 at 0 and 1 at 1, flat at both ends."""
    return (1.0 - math.cos(math.pi * min(fraction, 1.0))) / 2.0
