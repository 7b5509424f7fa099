"""Solve linear systems: Krylov and stationary methods, multigrid, preconditioners and matrix-free operators."""

from typing import Any

import lazy_loader

from .moved_names import with_moved_names

# The exports stand in __init__.pyi, which editors and type checkers read too; nothing is imported before it is used.
_exported, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def _found(name: str) -> Any:
    """Return an export of the stub, or a solver of the registry that the stub does not list."""
    if name not in __all__ and not name.startswith("_"):
        from .registry import SOLVERS

        if name in SOLVERS:
            return SOLVERS[name]
    return _exported(name)


__getattr__ = with_moved_names(
    __name__,
    _found,
    {
        "BoxDiffusion": "resolvent.solvers:Diffusion",
        "DiffusionStencil": "resolvent.solvers:Diffusion",
        "box_diffusion": "resolvent.solvers:Diffusion",
        "path_length": "resolvent.solvers.sequences:path_length",
        "greedy_colours": "resolvent.solvers.stationary:greedy_colours",
        "spectral_radius_jacobi": "resolvent.solvers.stationary:spectral_radius_jacobi",
        "ACCEPTED_KINDS": "resolvent.solvers.registry:ACCEPTED_KINDS",
    },
)
