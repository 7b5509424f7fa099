"""Provide matrices and matrix-free operators, and probe their properties."""

from typing import Any

from ..moved_names import with_moved_names
from .box import Box
from .box_stencil import BoxStencil
from .diffusion import Diffusion
from .properties import MatrixProperties, matrix_properties
from .symmetry import is_hermitian
from .toeplitz import ToeplitzOperator

__all__ = [
    "Box",
    "BoxStencil",
    "Diffusion",
    "MatrixProperties",
    "ToeplitzOperator",
    "is_hermitian",
    "matrix_properties",
]


def _unknown(name: str) -> Any:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__getattr__ = with_moved_names(
    __name__,
    _unknown,
    dict.fromkeys(("BoxDiffusion", "DiffusionStencil", "box_diffusion"), "resolvent.solvers.matrices:Diffusion"),
)
