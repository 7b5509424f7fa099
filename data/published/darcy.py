"""Discretise Darcy flow as the code that made the published benchmark does (``solve_gwf.m``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from resolvent.solvers import InputError
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem
from resolvent.solvers.matrices.box_stencil import stencil_matrix

from ..format.field import Field, at_centres
from ..grids import cell_centres, nodes
from .skr import SKR_VARIANTS, SkrDarcy


def published_darcy(legacy: Any, shape: tuple[int, ...]) -> PublishedDarcy | SkrDarcy | None:
    """Return the published code that a setting `legacy` of the Darcy problem stands for; None for None and False.

    Raises
    ------
    InputError
        For another setting, or a grid that the published code could not take.
    """
    if legacy is None or legacy is False:
        return None
    if legacy is True:
        return PublishedDarcy(shape)
    if legacy in SKR_VARIANTS:
        return SkrDarcy(legacy, shape)
    raise InputError(f"legacy is {legacy!r}: expected true, false, skr or skr_aligned")


class PublishedDarcy:
    """Solve −∇·(a∇u) = f, u = 0, as for the published Darcy data: on the nodes i/(n−1), between two splines.

    1. a and f, given at the cell centres (i+½)/n, are brought to the nodes by the tensor product of cubic not-a-knot
       splines (MATLAB's ``interp2(…, 'spline')``, which extrapolates by half a cell). The spline overshoots at jumps,
       and where one lies beside the wall the extrapolation turns the boundary nodes of a medium of 12 and 3 even
       negative (−25 was seen): the matrix need not be positive definite.
    2. Five-point differences on the (n−2)² inner nodes, the coefficient of a face the arithmetic mean of its two
       nodes, u = 0 on the boundary nodes; direct solution.
    3. u is brought back to the cell centres by the same kind of spline. The stored values next to the wall are those of
       the interior at half a cell from it, while the benchmark's users place them at linspace(0, 1): this is kept.

    Second order for smooth a. A spline is linear in its data, so each step is a fixed matrix applied along each axis.
    The nodal solution is stored too, so that the residual can be recomputed from the file.

    Parameters
    ----------
    shape : (int, int)
        Cells along x and y, at least 4 each for the not-a-knot condition.
    """

    # The splines overshoot at jumps, so the matrix need not be positive definite.
    solver: ClassVar = SolverSpec("gmres", {"rtol": 1e-10}, "direct", {})

    def __init__(self, shape: tuple[int, ...]) -> None:
        if min(shape) < 4:
            raise InputError(f"resolution {shape} with legacy=true: not-a-knot splines need at least 4 cells an axis")
        self.shape = shape
        self._to_nodes = [_spline_matrix(cell_centres(n), nodes(n)) for n in shape]
        self._to_cells = [_spline_matrix(nodes(n), cell_centres(n)) for n in shape]

    @property
    def axes(self) -> tuple[np.ndarray, ...]:
        """The cell centres, where the fields are stored."""
        return tuple(cell_centres(n) for n in self.shape)

    def to_nodes(self, values: np.ndarray) -> np.ndarray:
        """Interpolate from the cell centres to the nodes."""
        return self._to_nodes[0] @ values @ self._to_nodes[1].T

    def to_cells(self, values: np.ndarray) -> np.ndarray:
        """Interpolate from the nodes to the cell centres."""
        return self._to_cells[0] @ values @ self._to_cells[1].T

    def system(self, parameters: Mapping[str, Any]) -> LinearSystem:
        """Return the matrix (scaled by 1/h²) and the right-hand side at the inner nodes, x-major."""
        a = self.to_nodes(np.asarray(parameters["coefficient"], dtype=np.float64))
        faces_x, faces_y = _faces(a)
        scale_x, scale_y = ((n - 1) ** 2 for n in self.shape)
        left, right = -faces_x[:-1] * scale_x, -faces_x[1:] * scale_x
        below, above = -faces_y[:, :-1] * scale_y, -faces_y[:, 1:] * scale_y
        diagonal = (faces_x[:-1] + faces_x[1:]) * scale_x + (faces_y[:, :-1] + faces_y[:, 1:]) * scale_y
        matrix = stencil_matrix(diagonal, (left, below), (right, above), (False, False))
        return LinearSystem(matrix, self.to_nodes(self._source(parameters))[1:-1, 1:-1].ravel(), diagonal.shape)

    def fields(self, parameters: Mapping[str, Any], solution: np.ndarray) -> dict[str, Field]:
        """Return what is stored of a sample; the nodal solution has the zero boundary around it."""
        nodal = np.zeros(self.shape)
        nodal[1:-1, 1:-1] = np.asarray(solution).reshape(self.shape[0] - 2, self.shape[1] - 2)
        pressure = "pressure u at the cell centres, by spline from the nodes"
        return {
            "coefficient": at_centres(parameters["coefficient"], "permeability a", "input"),
            "source": at_centres(self._source(parameters), "source term f", "constant"),
            "solution": Field(self.to_cells(nodal), "1", pressure, "output"),
            "nodal_solution": Field(nodal, "1", "pressure u at the nodes i/(n-1), boundary included", "auxiliary"),
        }

    def residual(self, fields: Mapping[str, np.ndarray]) -> float:
        """Return the larger of ‖f − Au‖/‖f‖ at the nodes and ‖stored solution − spline of nodal solution‖/‖solution‖.

        A u is summed face by face, not by :meth:`system`'s matrix. A boundary node that is not zero counts as an
        infinite residual.
        """
        nodal = np.asarray(fields["nodal_solution"], dtype=np.float64)
        rim = np.concatenate([nodal[0], nodal[-1], nodal[:, 0], nodal[:, -1]])
        if np.any(rim != 0.0):
            return float("inf")
        a = self.to_nodes(np.asarray(fields["coefficient"], dtype=np.float64))
        rhs = self.to_nodes(np.asarray(fields["source"], dtype=np.float64))[1:-1, 1:-1]
        along_x = (a[1:, 1:-1] + a[:-1, 1:-1]) * np.diff(nodal[:, 1:-1], axis=0) * (0.5 * (self.shape[0] - 1) ** 2)
        along_y = (a[1:-1, 1:] + a[1:-1, :-1]) * np.diff(nodal[1:-1], axis=1) * (0.5 * (self.shape[1] - 1) ** 2)
        equation = np.linalg.norm(rhs + np.diff(along_x, axis=0) + np.diff(along_y, axis=1)) / np.linalg.norm(rhs)
        cells = self.to_cells(nodal)
        stored = np.asarray(fields["solution"], dtype=np.float64)
        return float(max(equation, np.linalg.norm(stored - cells) / np.linalg.norm(cells)))

    def rounding(self, fields: Mapping[str, np.ndarray], dtype: Any) -> float:
        """Bound the effect of rounding the stored fields, with |spline| and |A| entry by entry.

        As in `diffusion_rounding`, but a nodal coefficient moves by up to υ Σ|w||a| with the spline's
        weights w, and the spline back to the cells adds υ(1 + ‖|w|‖) to the stored solution.
        """
        unit = np.finfo(dtype).eps / 2.0
        to_x, to_y = (np.abs(w) for w in self._to_nodes)
        moved = to_x @ np.abs(np.asarray(fields["coefficient"], dtype=np.float64)) @ to_y.T
        magnitude = np.abs(np.asarray(fields["nodal_solution"], dtype=np.float64))
        faces_x, faces_y = _faces(moved)
        scale_x, scale_y = ((n - 1) ** 2 for n in self.shape)
        reach = scale_x * (
            faces_x[1:] * (magnitude[2:, 1:-1] + magnitude[1:-1, 1:-1])
            + faces_x[:-1] * (magnitude[:-2, 1:-1] + magnitude[1:-1, 1:-1])
        ) + scale_y * (
            faces_y[:, 1:] * (magnitude[1:-1, 2:] + magnitude[1:-1, 1:-1])
            + faces_y[:, :-1] * (magnitude[1:-1, :-2] + magnitude[1:-1, 1:-1])
        )
        source = np.abs(np.asarray(fields["source"], dtype=np.float64))
        scale = np.linalg.norm(self.to_nodes(np.asarray(fields["source"], dtype=np.float64))[1:-1, 1:-1])
        moved_source = np.linalg.norm((to_x @ source @ to_y.T)[1:-1, 1:-1])
        equation = unit * ((2.0 + unit) * np.linalg.norm(reach) + moved_source) / scale
        back_x, back_y = (np.abs(w) for w in self._to_cells)
        spread = np.linalg.norm(back_x @ magnitude @ back_y.T) / np.linalg.norm(self.to_cells(magnitude))
        return float(1.01 * max(equation, unit * (1.0 + 2.0 * spread)))

    def _source(self, parameters: Mapping[str, Any]) -> np.ndarray:
        return np.asarray(parameters.get("source", np.ones(self.shape)), dtype=np.float64)


def _spline_matrix(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the matrix of the cubic not-a-knot spline from values at `points` to values at `others`."""
    from scipy.interpolate import CubicSpline  # half a second, which few need

    return CubicSpline(points, np.eye(points.size), bc_type="not-a-knot", extrapolate=True)(others)


def _faces(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the arithmetic means of the nodal coefficient on the faces around the inner nodes: along x, along y."""
    return (a[:-1, 1:-1] + a[1:, 1:-1]) / 2.0, (a[1:-1, :-1] + a[1:-1, 1:]) / 2.0
