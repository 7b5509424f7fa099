"""Provide neural operators: models, losses, metrics, baselines, the training loop and evaluation."""

from .baselines import MeanField, PCALinearRegression
from .beside_baselines import Evaluation, evaluate
from .evaluation import (
    RolloutBlewUp,
    TrajectoryErrors,
    compare,
    evaluate_operator,
    evaluate_trajectories,
    persistence,
    predict,
    roll_out,
)
from .gaussian import KernelRidge
from .grid import FFNO, FNO, SpectralConvolution, UNet
from .networks_for_problems import problem_network
from .normalization import NormalizedOperator, channel_statistics
from .operator import ChannelStatistics, Operator
from .registry import OPERATORS, build_operator
from .samples import DrawnSamples, GridDataset, Window, WindowedDataset, spread_arrays, training_view
from .saving import load_operator, read_description, save_operator
from .spectral import NeuralSpectral, SpectralNeuralOperator
from .training import LOSSES, SpectralLoss, TrainingStep, TrainReport, TrainSettings, train

__all__ = [
    "FFNO",
    "FNO",
    "LOSSES",
    "OPERATORS",
    "ChannelStatistics",
    "DrawnSamples",
    "Evaluation",
    "GridDataset",
    "KernelRidge",
    "MeanField",
    "NeuralSpectral",
    "NormalizedOperator",
    "Operator",
    "PCALinearRegression",
    "RolloutBlewUp",
    "SpectralConvolution",
    "SpectralLoss",
    "SpectralNeuralOperator",
    "TrainReport",
    "TrainSettings",
    "TrainingStep",
    "TrajectoryErrors",
    "UNet",
    "Window",
    "WindowedDataset",
    "build_operator",
    "channel_statistics",
    "compare",
    "evaluate",
    "evaluate_operator",
    "evaluate_trajectories",
    "load_operator",
    "persistence",
    "predict",
    "problem_network",
    "read_description",
    "roll_out",
    "save_operator",
    "spread_arrays",
    "train",
    "training_view",
]
