"""Neural operators: models, losses, metrics, baselines, the training loop and evaluation."""

from .baselines import MeanField, PCALinearRegression
from .batches import GridDataset
from .evaluation import compare, evaluate_operator, predict
from .fno import FNO
from .losses import LOSSES
from .normalization import ChannelStatistics, NormalizedOperator, channel_statistics
from .operator import Operator
from .registry import OPERATORS, build_operator
from .rollout import RolloutBlewUp, TrainingStep, roll_out
from .saving import load_operator, save_operator
from .spectral_convolution import SpectralConvolution
from .train_report import TrainReport
from .train_settings import TrainSettings
from .training import train
from .windows import Window, WindowedDataset

__all__ = [
    "FNO",
    "LOSSES",
    "OPERATORS",
    "ChannelStatistics",
    "GridDataset",
    "MeanField",
    "NormalizedOperator",
    "Operator",
    "PCALinearRegression",
    "RolloutBlewUp",
    "SpectralConvolution",
    "TrainReport",
    "TrainSettings",
    "TrainingStep",
    "Window",
    "WindowedDataset",
    "build_operator",
    "channel_statistics",
    "compare",
    "evaluate_operator",
    "load_operator",
    "predict",
    "roll_out",
    "save_operator",
    "train",
]
