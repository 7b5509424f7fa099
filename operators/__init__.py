"""Neural operators: models, losses, metrics, baselines, the training loop and evaluation."""

from .baselines import MeanField, PCALinearRegression
from .batches import GridDataset
from .drawn_samples import DrawnSamples
from .evaluation import compare, evaluate_operator, predict
from .fno import FNO
from .losses import LOSSES
from .neural_spectral import NeuralSpectral
from .normalization import ChannelStatistics, NormalizedOperator, channel_statistics
from .operator import Operator
from .registry import OPERATORS, build_operator
from .saving import load_operator, save_operator
from .spectral_convolution import SpectralConvolution
from .spectral_losses import SpectralLoss
from .train_settings import TrainSettings
from .training import TrainReport, train

__all__ = [
    "FNO",
    "LOSSES",
    "OPERATORS",
    "ChannelStatistics",
    "DrawnSamples",
    "GridDataset",
    "MeanField",
    "NeuralSpectral",
    "NormalizedOperator",
    "Operator",
    "PCALinearRegression",
    "SpectralConvolution",
    "SpectralLoss",
    "TrainReport",
    "TrainSettings",
    "build_operator",
    "channel_statistics",
    "compare",
    "evaluate_operator",
    "load_operator",
    "predict",
    "save_operator",
    "train",
]
