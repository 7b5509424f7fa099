"""Neural operators: models, losses, metrics, baselines, the training loop and evaluation."""

from .baselines import MeanField, PCALinearRegression
from .batches import GridDataset, spread_arrays
from .drawn_samples import DrawnSamples
from .evaluation import compare, evaluate_operator, predict
from .ffno import FFNO
from .fno import FNO
from .kernel_ridge import KernelRidge
from .losses import LOSSES
from .neural_spectral import NeuralSpectral
from .normalization import ChannelStatistics, NormalizedOperator, channel_statistics
from .operator import Operator
from .problem_network import problem_network
from .registry import OPERATORS, build_operator
from .rollout import RolloutBlewUp, TrainingStep, roll_out
from .saving import load_operator, read_description, save_operator
from .spectral_convolution import SpectralConvolution
from .spectral_losses import SpectralLoss
from .spectral_neural_operator import SpectralNeuralOperator
from .train_report import TrainReport
from .train_settings import TrainSettings
from .training import train
from .trajectory_evaluation import TrajectoryErrors, evaluate_trajectories, persistence
from .unet import UNet
from .windows import Window, WindowedDataset, training_view

__all__ = [
    "FFNO",
    "FNO",
    "LOSSES",
    "OPERATORS",
    "ChannelStatistics",
    "DrawnSamples",
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
