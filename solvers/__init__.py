"""Linear solvers, preconditioners and matrix-free operators."""

import lazy_loader

from .moved_names import with_moved_names

# The exports stand in __init__.pyi, which editors and type checkers read too; nothing is imported before it is used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = with_moved_names(
    __name__,
    __getattr__,
    {
        "BoxDiffusion": "resolvent.solvers:Diffusion",
        "DiffusionStencil": "resolvent.solvers:Diffusion",
        "box_diffusion": "resolvent.solvers:Diffusion",
        "path_length": "resolvent.solvers.sequences:path_length",
        "greedy_colours": "resolvent.solvers.stationary:greedy_colours",
        "spectral_radius_jacobi": "resolvent.solvers.stationary:spectral_radius_jacobi",
        "ACCEPTED_KINDS": "resolvent.solvers.kinds:ACCEPTED_KINDS",
    },
)
