"""Time steppers for semilinear equations in Fourier space: exponential and implicit-explicit Runge–Kutta."""

from .schemes import SCHEMES, Scheme, Stage
from .stepper import TimeStepper
from .terms import NoTerm, PolynomialTerm, VorticityTerm

__all__ = ["SCHEMES", "NoTerm", "PolynomialTerm", "Scheme", "Stage", "TimeStepper", "VorticityTerm"]
