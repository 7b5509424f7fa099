"""The problem zoo: one PDE, one file. ``PROBLEMS`` lists them all; the contract tests run each entry."""

from __future__ import annotations

from typing import Any

from resolvent.solvers.arguments import build

from .evolution import EvolutionProblem, TimeDependentProblem, Trajectory
from .evolving.advection import Advection
from .evolving.allen_cahn import AllenCahn
from .evolving.burgers import Burgers
from .evolving.heat import Heat
from .evolving.kuramoto_sivashinsky import KuramotoSivashinsky
from .evolving.navier_stokes import NavierStokes
from .evolving.reaction_diffusion import ReactionDiffusion
from .problem import Problem
from .spectral_evolution import SpectralEvolution
from .steady.convection_diffusion import ConvectionDiffusion
from .steady.darcy import Darcy
from .steady.elasticity import Elasticity
from .steady.helmholtz import Helmholtz
from .steady.poisson import Poisson
from .steady.riesz import Riesz
from .steady.thermal import Thermal

__all__ = [
    "PROBLEMS",
    "Advection",
    "AllenCahn",
    "Burgers",
    "ConvectionDiffusion",
    "Darcy",
    "Elasticity",
    "EvolutionProblem",
    "Heat",
    "Helmholtz",
    "KuramotoSivashinsky",
    "NavierStokes",
    "Poisson",
    "Problem",
    "ReactionDiffusion",
    "Riesz",
    "SpectralEvolution",
    "Thermal",
    "TimeDependentProblem",
    "Trajectory",
    "make_problem",
]

PROBLEMS: dict[str, type[Problem]] = {
    cls.name: cls
    for cls in (
        Advection,
        AllenCahn,
        Burgers,
        ConvectionDiffusion,
        Darcy,
        Elasticity,
        Heat,
        Helmholtz,
        KuramotoSivashinsky,
        NavierStokes,
        Poisson,
        ReactionDiffusion,
        Riesz,
        Thermal,
    )
}
"""Problems by name. One's own PDE needs this one place, and no file of the package: after ``PROBLEMS[cls.name] = cls``
`generate`, `verify` and `make_problem` take it. (The command line needs a configuration of it besides.)"""


def make_problem(name: str, **settings: Any) -> Problem:
    """Build a problem from the zoo.

    Raises
    ------
    InputError
        For an unknown problem or setting (with the nearest known one), or a value out of range.

    Examples
    --------
    >>> make_problem("darcy", resolution=32, medium="lognormal").shape
    (32, 32)
    """
    return build(PROBLEMS, "problem", name, settings)
