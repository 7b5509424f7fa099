"""Cut triangle meshes from grids of boxes: the unit square, and the plate with a slot."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from resolvent.solvers.arguments import positive_integer


@dataclass(frozen=True)
class TriangleMesh:
    """Hold nodes and triangles of degree 1 (vertices) or 2 (vertices and midpoints of edges), with straight edges.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
    triangles : ndarray of int, shape (m, 3) or (m, 6)
        The vertices in ascending order, then the midpoints of the edges 01, 12 and 20.
    """

    points: np.ndarray
    triangles: np.ndarray

    @property
    def degree(self) -> int:
        """The degree is 1 or 2."""
        return 1 if self.triangles.shape[1] == 3 else 2

    @cached_property
    def boundary_edges(self) -> np.ndarray:
        """The edges that belong to one triangle form the boundary, shape (k, 2), or (k, 3) with the midpoint last."""
        return boundary_edges(self.triangles)

    @cached_property
    def boundary_nodes(self) -> np.ndarray:
        """Mask of the nodes that lie on the boundary, shape (n,)."""
        mask = np.zeros(len(self.points), dtype=bool)
        mask[self.boundary_edges] = True
        return mask

    def edges_where(self, inside: np.ndarray) -> np.ndarray:
        """Return the boundary edges whose nodes all lie in the mask `inside`, shape (n,)."""
        return self.boundary_edges[inside[self.boundary_edges].all(axis=1)]


def boundary_edges(triangles: np.ndarray) -> np.ndarray:
    """Return the edges that belong to one triangle only: (k, 2), or (k, 3) with the midpoint last."""
    edges = np.concatenate([triangles[:, pair] for pair in ([0, 1], [1, 2], [2, 0])])
    if triangles.shape[1] == 6:
        edges = np.column_stack([edges, triangles[:, 3:].T.ravel()])
    _, first, count = np.unique(np.sort(edges[:, :2], axis=1), axis=0, return_index=True, return_counts=True)
    return edges[np.sort(first[count == 1])]


def box_mesh(x: np.ndarray, y: np.ndarray, degree: int = 1, keep: np.ndarray | None = None) -> TriangleMesh:
    """Halve each box of a grid by its rising diagonal.

    Parameters
    ----------
    x, y : ndarray
        Ascending coordinates of the grid lines.
    degree : {1, 2}
    keep : ndarray of bool, shape (len(x) − 1, len(y) − 1)
        Which boxes belong to the domain; all by default.

    Returns
    -------
    TriangleMesh
        Nodes in the order of the grid, x-major, those of no triangle left out; without `keep` they are the whole grid
        of (d(len(x) − 1) + 1) × (d(len(y) − 1) + 1) points for degree d.
    """
    boxes = np.ones((len(x) - 1, len(y) - 1), dtype=bool) if keep is None else keep
    fine_x, fine_y = (_with_midpoints(lines) if degree == 2 else np.asarray(lines, dtype=float) for lines in (x, y))
    i, j = (degree * index for index in np.nonzero(boxes))
    number = np.arange(len(fine_x) * len(fine_y)).reshape(len(fine_x), len(fine_y))

    def corner(right: int, up: int) -> tuple[np.ndarray, np.ndarray]:
        return i + degree * right, j + degree * up

    halves = []
    for path in (((0, 0), (1, 0), (1, 1)), ((0, 0), (0, 1), (1, 1))):
        vertices = [corner(*step) for step in path]
        nodes = [number[vertex] for vertex in vertices]
        if degree == 2:
            for a, b in ((0, 1), (1, 2), (2, 0)):
                nodes.append(number[tuple((p + q) // 2 for p, q in zip(vertices[a], vertices[b], strict=True))])
        halves.append(np.column_stack(nodes))
    triangles = np.stack(halves, axis=1).reshape(-1, halves[0].shape[1])
    used, compact = np.unique(triangles, return_inverse=True)
    grid = np.stack(np.meshgrid(fine_x, fine_y, indexing="ij"), axis=-1).reshape(-1, 2)
    return TriangleMesh(grid[used], compact.reshape(triangles.shape))


def spread_cells(breaks: np.ndarray, cells: tuple[int, ...]) -> np.ndarray:
    """Return grid lines with `cells` equal cells between consecutive `breaks`."""
    parts = [
        np.linspace(a, b, positive_integer(count, "cells of a block") + 1)[:-1]
        for a, b, count in zip(breaks[:-1], breaks[1:], cells, strict=True)
    ]
    return np.concatenate([*parts, breaks[-1:]])


def _with_midpoints(lines: np.ndarray) -> np.ndarray:
    fine = np.empty(2 * len(lines) - 1)
    fine[::2] = lines
    fine[1::2] = (lines[:-1] + lines[1:]) / 2.0
    return fine
