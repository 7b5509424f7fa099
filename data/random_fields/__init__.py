"""Draw random fields, each once, as coefficients, and evaluate them on any grid."""

from .chebyshev_series import ChebyshevSeries
from .gaussian import GaussianRandomField, PeriodicKernelField
from .kernel import KernelField
from .solenoidal import SolenoidalField

__all__ = ["ChebyshevSeries", "GaussianRandomField", "KernelField", "PeriodicKernelField", "SolenoidalField"]
