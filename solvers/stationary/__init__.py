"""Stationary iterations (Jacobi, Gauss–Seidel, SOR, SSOR, Richardson): splittings, sweeps, colourings, optimal ω."""

from .colouring import greedy_colours
from .omega import optimal_omega, spectral_radius_jacobi

__all__ = ["greedy_colours", "optimal_omega", "spectral_radius_jacobi"]
