"""Provide spectral bases on intervals and boxes, exact Poisson and heat solvers in them, and norms of coefficients."""

from .bases import BASES, Basis, Chebyshev, Fourier, Legendre
from .fourier_grid import FourierGrid
from .heat_equation import HeatEquation
from .recombined_bases import DIRICHLET, NEUMANN, Condition, RecombinedBasis, robin
from .separable_poisson import NORMS, CoefficientNorm, SeparablePoisson
from .tensor_basis import TensorBasis

__all__ = [
    "BASES",
    "DIRICHLET",
    "NEUMANN",
    "NORMS",
    "Basis",
    "Chebyshev",
    "CoefficientNorm",
    "Condition",
    "Fourier",
    "FourierGrid",
    "HeatEquation",
    "Legendre",
    "RecombinedBasis",
    "SeparablePoisson",
    "TensorBasis",
    "robin",
]
