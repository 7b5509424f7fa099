"""Recompute the residual of each equation from what a file stores, by code that shares nothing with the solvers."""

from .diffusion import diffusion_residual, diffusion_rounding
from .heat_replay import HeatReplay
from .spectral_replay import SpectralReplay
from .triangle_forms import TriangleForms

__all__ = ["HeatReplay", "SpectralReplay", "TriangleForms", "diffusion_residual", "diffusion_rounding"]
