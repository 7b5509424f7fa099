"""Provide baselines without training loops: the mean field and linear regression."""

from .mean_field import MeanField
from .regression import PCALinearRegression

__all__ = ["MeanField", "PCALinearRegression"]
