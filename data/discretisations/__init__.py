"""Turn equations into linear systems: finite volumes on boxes, finite elements on triangles, implicit time steps."""

from .finite_elements import ElasticStiffness, stiffness
from .finite_volumes import diffusion_solver, diffusion_system
from .implicit_heat import conduction_matrix
from .meshes import TriangleMesh, box_mesh

__all__ = [
    "ElasticStiffness",
    "TriangleMesh",
    "box_mesh",
    "conduction_matrix",
    "diffusion_solver",
    "diffusion_system",
    "stiffness",
]
