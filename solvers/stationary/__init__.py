"""Hold the stationary iterations (Jacobi, Gauss–Seidel, SOR, SSOR, Richardson), their sweeps, colourings, best ω."""

from .colouring import greedy_colours
from .omega import optimal_omega, spectral_radius_jacobi

__all__ = ["greedy_colours", "optimal_omega", "spectral_radius_jacobi"]
