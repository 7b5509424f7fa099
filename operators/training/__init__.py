"""Provide the training loop and its parts: losses, optimisers, schedules, checkpoints."""

from .loop import train
from .losses import LOSSES
from .optimizers import OPTIMIZERS
from .report import TrainReport
from .residual_loss import SpectralLoss
from .schedules import SCHEDULERS
from .settings import TrainSettings
from .step import TrainingStep

__all__ = [
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULERS",
    "SpectralLoss",
    "TrainReport",
    "TrainSettings",
    "TrainingStep",
    "train",
]
