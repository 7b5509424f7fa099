"""The problem zoo: one PDE, one file. ``PROBLEMS`` lists them all; the contract tests run each entry."""

from __future__ import annotations

import inspect
from typing import Any

from resolvent.solvers.arguments import one_of

from ..problem import Problem
from .advection import Advection
from .allen_cahn import AllenCahn
from .burgers import Burgers
from .convection_diffusion import ConvectionDiffusion
from .darcy import Darcy
from .elasticity import Elasticity
from .heat import Heat
from .helmholtz import Helmholtz
from .kuramoto_sivashinsky import KuramotoSivashinsky
from .navier_stokes import NavierStokes
from .poisson import Poisson
from .reaction_diffusion import ReactionDiffusion
from .riesz import Riesz
from .thermal import Thermal

__all__ = [
    "PROBLEMS",
    "Advection",
    "AllenCahn",
    "Burgers",
    "ConvectionDiffusion",
    "Darcy",
    "Elasticity",
    "Heat",
    "Helmholtz",
    "KuramotoSivashinsky",
    "NavierStokes",
    "Poisson",
    "ReactionDiffusion",
    "Riesz",
    "Thermal",
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
"""Problems by name. Add your own class under its ``name`` to generate and verify data of it."""


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
    cls = PROBLEMS[one_of(name, PROBLEMS, "problem")]
    known = list(inspect.signature(cls).parameters)
    for key in settings:
        one_of(key, known, f"setting of problem {name}")
    return cls(**settings)
