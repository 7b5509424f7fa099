"""Assemble finite element matrices on triangles of degree 1 and 2 by scikit-fem.

Certificates use none of them: they evaluate the equations themselves (`data/certificates/`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from resolvent.solvers import InputError

from .meshes import TriangleMesh


def stiffness(mesh: TriangleMesh) -> sp.csr_array:
    """Return ∫ ∇φ_i·∇φ_j, shape (n, n)."""
    from skfem import BilinearForm
    from skfem.helpers import dot, grad

    basis, numbers = _basis(mesh, vector=False, order=2 * mesh.degree - 2)
    matrix = BilinearForm(lambda u, v, w: dot(grad(u), grad(v))).assemble(basis)
    return _renumbered(matrix, numbers)


class ElasticStiffness:
    """Assemble ∫ E(x) (λ div u div v + 2μ ε(u):ε(v)), shape (2n, 2n), the two components of a node side by side.

    Parameters
    ----------
    mesh : TriangleMesh
    lame : (float, float)
        λ and μ of a material with E = 1.
    """

    def __init__(self, mesh: TriangleMesh, lame: tuple[float, float]) -> None:
        from skfem import Basis, ElementTriP1, ElementTriP2

        order = max(1, 3 * mesh.degree - 2)
        self.mesh, self.lame = mesh, lame
        self._basis, self._numbers = _basis(mesh, vector=True, order=order)
        element = ElementTriP1() if mesh.degree == 1 else ElementTriP2()
        self._scalar = Basis(self._basis.mesh, element, intorder=order)

    def __call__(self, modulus: np.ndarray) -> sp.csr_array:
        """Assemble for the nodal values of E, shape (n,); between the nodes E is of the degree of the mesh.

        Raises
        ------
        InputError
            If E is not positive at some quadrature point.
        """
        from skfem import BilinearForm
        from skfem.helpers import ddot, div, sym_grad

        nodal = np.empty(self._scalar.N)
        nodal[self._scalar.element_dofs.T] = modulus[self.mesh.triangles]
        inside = self._scalar.interpolate(nodal)
        if not float(np.min(inside)) > 0.0:
            raise InputError(
                f"the modulus falls to {float(np.min(inside)):.3g} between its nodes: expected positive values; "
                "raise the resolution, lower log_std, or use element=p1"
            )
        first, second = self.lame

        def energy(u: Any, v: Any, w: Any) -> Any:
            return w.modulus * (first * div(u) * div(v) + 2.0 * second * ddot(sym_grad(u), sym_grad(v)))

        return _renumbered(BilinearForm(energy).assemble(self._basis, modulus=inside), self._numbers)


def mass_load(mesh: TriangleMesh, density: np.ndarray) -> np.ndarray:
    """Return ∫ f φ_i, shape (n,), for the finite element function f with the nodal values `density`."""
    from skfem import BilinearForm

    basis, numbers = _basis(mesh, vector=False, order=2 * mesh.degree)
    return _renumbered(BilinearForm(lambda u, v, w: u * v).assemble(basis), numbers) @ density


def edge_load(mesh: TriangleMesh, edges: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """Return ∫ q φ_i ds over `edges`, shape (n,), for the q on the edges with the nodal values `flux`."""
    local = _EDGE_MASS[mesh.degree]
    length = np.linalg.norm(mesh.points[edges[:, 1]] - mesh.points[edges[:, 0]], axis=1)
    load = np.zeros(len(mesh.points))
    np.add.at(load, edges, length[:, None] * (flux[edges] @ local))
    return load


# ∫ φ_i φ_j over an edge of length 1; nodes: the two ends, then the midpoint.
_EDGE_MASS = {
    1: np.array([[2.0, 1.0], [1.0, 2.0]]) / 6.0,
    2: np.array([[4.0, -1.0, 2.0], [-1.0, 4.0, 2.0], [2.0, 2.0, 16.0]]) / 30.0,
}


def _basis(mesh: TriangleMesh, vector: bool, order: int) -> tuple[Any, np.ndarray]:
    """Return scikit-fem's basis, and for each of its unknowns the number that it has here."""
    from skfem import Basis, ElementTriP1, ElementTriP2, ElementVector, MeshTri

    vertices, local = np.unique(mesh.triangles[:, :3], return_inverse=True)
    # The vertices of a triangle ascend, so that scikit-fem's sorting leaves them where they are.
    grid = MeshTri(np.ascontiguousarray(mesh.points[vertices].T), np.ascontiguousarray(local.reshape(-1, 3).T))
    element = ElementTriP1() if mesh.degree == 1 else ElementTriP2()
    basis = Basis(grid, ElementVector(element) if vector else element, intorder=order)
    numbers = np.empty(basis.N, dtype=np.int64)
    nodes = mesh.triangles  # scikit-fem's edges of a triangle are 01, 12 and 02, in the order of ours
    if vector:
        nodes = np.stack([2 * nodes, 2 * nodes + 1], axis=-1).reshape(len(nodes), -1)
    numbers[basis.element_dofs.T] = nodes
    return basis, numbers


def _renumbered(matrix: sp.csr_matrix, numbers: np.ndarray) -> sp.csr_array:
    entries = matrix.tocoo()
    renumbered = sp.csr_array((entries.data, (numbers[entries.row], numbers[entries.col])), shape=matrix.shape)
    renumbered.sort_indices()
    return renumbered
