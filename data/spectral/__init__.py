"""Pose problems that a spectral operator learns from the residual alone, without data; see ``SPECTRAL_PROBLEMS``."""

from __future__ import annotations

from typing import Any

from resolvent.solvers.arguments import build

from .classical import ClassicalSolver
from .navier_stokes import SpectralNavierStokes
from .poisson import SpectralPoisson
from .problem import SpectralProblem
from .reaction_diffusion import SpectralReactionDiffusion

__all__ = [
    "SPECTRAL_PROBLEMS",
    "ClassicalSolver",
    "SpectralNavierStokes",
    "SpectralPoisson",
    "SpectralProblem",
    "SpectralReactionDiffusion",
    "make_spectral_problem",
]

#: Spectral problems by name; `make_spectral_problem` builds them.
SPECTRAL_PROBLEMS: dict[str, type[SpectralProblem]] = {
    kind.name: kind for kind in (SpectralPoisson, SpectralReactionDiffusion, SpectralNavierStokes)
}


def make_spectral_problem(name: str, **settings: Any) -> SpectralProblem:
    """Build a member of ``SPECTRAL_PROBLEMS``.

    Raises
    ------
    InputError
        For an unknown problem or setting (with the nearest known one), or a value out of range.
    """
    return build(SPECTRAL_PROBLEMS, "spectral problem", name, settings)
