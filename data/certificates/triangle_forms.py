"""Evaluate weak forms on triangles of degree 1 and 2 by closed-form gradients and plain NumPy.

The certificates of the finite element problems use this file alone; their systems are assembled elsewhere
(`data/discretisations`, scikit-fem). Shapes: m triangles, k = 3 or 6 nodes of a triangle, q quadrature points.
"""

from __future__ import annotations

import numpy as np

from resolvent.solvers import InputError

_ROOT = np.sqrt(38.0 - 44.0 * np.sqrt(0.4))
_WEIGHT_ROOT = np.sqrt(213125.0 - 53320.0 * np.sqrt(10.0))


def _rule(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Return barycentric points (q, 3) and weights (q,) of a rule exact to `degree` ≤ 4 (Strang and Fix 1973)."""
    if degree <= 1:
        return np.full((1, 3), 1.0 / 3.0), np.ones(1)
    if degree == 2:
        return (1.0 - np.eye(3)) / 2.0, np.full(3, 1.0 / 3.0)
    points, weights = [], []
    for a, weight in (
        ((8.0 - np.sqrt(10.0) + _ROOT) / 18.0, (620.0 + _WEIGHT_ROOT) / 3720.0),
        ((8.0 - np.sqrt(10.0) - _ROOT) / 18.0, (620.0 - _WEIGHT_ROOT) / 3720.0),
    ):
        points.append(a + (1.0 - 3.0 * a) * np.eye(3))
        weights += [weight] * 3
    return np.concatenate(points), np.array(weights)


class TriangleForms:
    """Evaluate forms on the triangles of a mesh as stored.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Coordinates of the nodes.
    triangles : ndarray, shape (m, 3) or (m, 6)
        Vertices, then the midpoints of the edges 01, 12 and 20.

    Raises
    ------
    InputError
        If a triangle names a node that does not exist, or has no area.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, triangles: np.ndarray) -> None:
        self.points = np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
        self.nodes = np.asarray(triangles).astype(np.int64)
        count = len(self.points)
        if self.nodes.ndim != 2 or self.nodes.shape[1] not in (3, 6) or not self.nodes.size:
            raise InputError(f"triangles have shape {self.nodes.shape}: expected (m, 3) or (m, 6)")
        if self.nodes.min() < 0 or self.nodes.max() >= count:
            raise InputError(
                f"triangles name the nodes {self.nodes.min()} to {self.nodes.max()}: expected 0 to {count - 1}"
            )
        self.degree = 1 if self.nodes.shape[1] == 3 else 2
        corner = self.points[self.nodes[:, :3]]
        opposite = corner[:, [2, 0, 1]] - corner[:, [1, 2, 0]]
        twice = opposite[:, 2, 0] * opposite[:, 0, 1] - opposite[:, 2, 1] * opposite[:, 0, 0]
        if not np.all(np.abs(twice) > 0.0):
            raise InputError(f"triangle {int(np.argmin(np.abs(twice)))} has no area: its nodes lie on one line")
        # ∇λ_i is the edge opposite to vertex i, turned by a right angle, over twice the signed area.
        turned = np.stack([opposite[..., 1], -opposite[..., 0]], axis=-1)
        self.area = np.abs(twice) / 2.0
        self.slopes = turned / twice[:, None, None]
        self.altitude = np.abs(twice) / np.sqrt(np.square(opposite).sum(axis=-1).max(axis=1))

    def values(self, at: np.ndarray) -> np.ndarray:
        """Return φ at barycentric points (q, 3): shape (q, k)."""
        if self.degree == 1:
            return at
        return np.column_stack([at * (2.0 * at - 1.0), 4.0 * at * at[:, [1, 2, 0]]])

    def gradients(self, at: np.ndarray) -> np.ndarray:
        """Return ∇φ at a barycentric point (3,) of every triangle: shape (m, k, 2)."""
        if self.degree == 1:
            return self.slopes
        ahead = [1, 2, 0]
        vertex = (4.0 * at - 1.0)[None, :, None] * self.slopes
        middle = 4.0 * (at[None, :, None] * self.slopes[:, ahead] + at[ahead][None, :, None] * self.slopes)
        return np.concatenate([vertex, middle], axis=1)

    def diffusion(self, u: np.ndarray) -> np.ndarray:
        """Return ∫ ∇u·∇φ_i, shape (n,)."""
        total = np.zeros(self.nodes.shape)
        for at, weight in zip(*_rule(2 * self.degree - 2), strict=True):
            slopes = self.gradients(at)
            gradient = np.einsum("mkd,mk->md", slopes, u[self.nodes])
            total += (weight * self.area)[:, None] * np.einsum("mkd,md->mk", slopes, gradient)
        return self._gathered(total)

    def diffusion_change(self, u: np.ndarray, unit: float) -> np.ndarray:
        """Bound how far rounding u and the coordinates by the relative `unit` moves :meth:`diffusion`, (n,).

        Moving the vertices of a triangle by at most δ maps it by I + G with ‖G‖ ≤ 3δ/altitude, which changes the form
        by at most the factor 4‖G‖, to first order.
        """
        moved = 12.0 * self._displacement(unit) / self.altitude
        total = np.zeros(self.nodes.shape)
        for at, weight in zip(*_rule(2 * self.degree - 2), strict=True):
            slopes = self.gradients(at)
            steepness = np.sqrt(np.square(slopes).sum(axis=-1))
            gradient = np.einsum("mkd,mk->md", slopes, u[self.nodes])
            size = moved * np.sqrt(np.square(gradient).sum(axis=-1))
            size += unit * np.einsum("mk,mk->m", steepness, np.abs(u[self.nodes]))
            total += (weight * self.area * size)[:, None] * steepness
        return self._gathered(total)

    def elasticity(
        self, modulus: np.ndarray, displacement: np.ndarray, lame: tuple[float, float], magnitude: bool = False
    ) -> np.ndarray:
        """Return ∫ E (λ div u div v + 2μ ε(u):ε(v)) for v = φ_i e_d, shape (n, 2).

        Parameters
        ----------
        modulus : ndarray, shape (n,)
        displacement : ndarray, shape (n, 2)
        lame : (float, float)
            λ and μ for E = 1.
        magnitude : bool
            Add the absolute values of all terms instead, for bounds on rounding.
        """
        first, second = lame
        total = np.zeros((*self.nodes.shape, 2))
        local = displacement[self.nodes]
        for at, weight in zip(*_rule(max(1, 3 * self.degree - 2)), strict=True):
            slopes, shape = self.gradients(at), self.values(at[None])[0]
            nodal = modulus[self.nodes]
            if magnitude:
                slopes, shape, local, nodal = np.abs(slopes), np.abs(shape), np.abs(local), np.abs(nodal)
            gradient = np.einsum("mkd,mkc->mcd", slopes, local)  # ∂u_c/∂x_d
            stress = second * (gradient + gradient.transpose(0, 2, 1))
            stress[:, [0, 1], [0, 1]] += (first * (gradient[:, 0, 0] + gradient[:, 1, 1]))[:, None]
            stress *= (weight * self.area * (nodal @ shape))[:, None, None]
            total += np.einsum("mcd,mkd->mkc", stress, slopes)
        return np.stack([self._gathered(total[..., c]) for c in (0, 1)], axis=1)

    def boundary_edges(self) -> np.ndarray:
        """Return the edges of one triangle only, (k, 2), or (k, 3) with the midpoint last."""
        ends = np.stack([self.nodes[:, :3], self.nodes[:, [1, 2, 0]]], axis=-1).reshape(-1, 2)
        key = ends.min(axis=1) * len(self.points) + ends.max(axis=1)
        _, edge, triangles = np.unique(key, return_inverse=True, return_counts=True)
        edges = ends if self.degree == 1 else np.column_stack([ends, self.nodes[:, 3:].ravel()])
        return edges[triangles[edge] == 1]

    def edge_integral(self, edges: np.ndarray, flux: np.ndarray) -> np.ndarray:
        """Return ∫ q φ_i ds over `edges` (k, 2) or (k, 3), shape (n,), by Gauss's rule of three points, exact here."""
        ends = self.points[edges[:, :2]]
        length = np.hypot(*(ends[:, 1] - ends[:, 0]).T)
        total = np.zeros(edges.shape)
        offset = np.sqrt(0.6) / 2.0
        for s, weight in ((0.5 - offset, 5.0 / 18.0), (0.5, 4.0 / 9.0), (0.5 + offset, 5.0 / 18.0)):
            shape = [1.0 - s, s] if self.degree == 1 else [(1 - s) * (1 - 2 * s), s * (2 * s - 1), 4 * s * (1 - s)]
            total += (weight * length * (flux[edges] @ np.array(shape)))[:, None] * np.array(shape)
        return self._gathered(total, edges)

    def midpoint_error(self) -> float:
        """Return the largest distance of a midpoint from the middle of its edge, over the largest coordinate."""
        if self.degree == 1:
            return 0.0
        corner, middle = self.points[self.nodes[:, :3]], self.points[self.nodes[:, 3:]]
        offset = middle - (corner + corner[:, [1, 2, 0]]) / 2.0
        return float(np.abs(offset).max() / np.abs(self.points).max())

    def _displacement(self, unit: float) -> np.ndarray:
        """Return how far rounding moves a vertex of a triangle at most, shape (m,)."""
        reach = np.hypot(*np.abs(self.points).T)
        return unit * reach[self.nodes[:, :3]].max(axis=1)

    def _gathered(self, values: np.ndarray, nodes: np.ndarray | None = None) -> np.ndarray:
        where = self.nodes if nodes is None else nodes
        return np.bincount(where.ravel(), values.ravel(), minlength=len(self.points))
