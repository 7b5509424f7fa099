"""Advance semilinear equations in Fourier space by exponential and implicit–explicit Runge–Kutta methods."""

from .schemes import SCHEMES, Scheme, Stage
from .stepper import TimeStepper
from .terms import NoTerm, PolynomialTerm, VorticityTerm

__all__ = ["SCHEMES", "NoTerm", "PolynomialTerm", "Scheme", "Stage", "TimeStepper", "VorticityTerm"]
