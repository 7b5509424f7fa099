"""Provide networks between coefficients in a spectral basis."""

from .neural_spectral import NeuralSpectral
from .sno import SpectralNeuralOperator
from .spectral_operator import SpectralOperator

__all__ = ["NeuralSpectral", "SpectralNeuralOperator", "SpectralOperator"]
