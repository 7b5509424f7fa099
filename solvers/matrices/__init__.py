"""Matrices and matrix-free operators, and what can be found out about them."""

from .box import Box
from .box_stencil import BoxDiffusion, BoxStencil, box_diffusion
from .diffusion_stencil import DiffusionStencil
from .properties import MatrixProperties, matrix_properties
from .symmetry import is_hermitian
from .toeplitz import ToeplitzOperator

__all__ = [
    "Box",
    "BoxDiffusion",
    "BoxStencil",
    "DiffusionStencil",
    "MatrixProperties",
    "ToeplitzOperator",
    "box_diffusion",
    "is_hermitian",
    "matrix_properties",
]
