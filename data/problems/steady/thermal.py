"""Pose steady heat conduction in a plate with a slot, by finite elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp

from resolvent.solvers import InputError
from resolvent.solvers.arguments import nonnegative_number, one_of, positive_integer
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem

from ...certificates.triangle_forms import TriangleForms
from ...discretisations.finite_elements import edge_load, mass_load, stiffness
from ...discretisations.meshes import TriangleMesh, box_mesh, spread_cells
from ...format.field import Field
from ...random_fields.gaussian import GaussianRandomField
from ..problem import Problem

_HALF_WIDTH, _HALF_HEIGHT = 0.5, 0.8
_SLOT = (-0.05, 0.05, -0.4, 0.4)  # x from, to; y from, to


class Thermal(Problem):
    """Steady conduction is −∇·∇T = 0 in the plate (−0.5, 0.5) × (−0.8, 0.8) minus a slot, conductivity 1.

    The boundary conditions: T = g on the left side, ∂T/∂n = q (heat that enters) on the right side, and insulation,
    ∂T/∂n = 0, on the two others and around the slot.

    **Parameters.** g = 100 (U + v z(y)) and q = −100 (U' + v z'(y)) with U, U' uniform on (0, 1), v = `variation` and
    z, z' Gaussian fields of variance 1 along the side, N(0, σ²(−Δ + τ²)^{−α}); ``variation=0`` gives constants.
    ``geometry='fixed'``: the slot is (−0.05, 0.05) × (−0.4, 0.4). ``geometry='varying'``: its centre is uniform in
    (−0.2, 0.2) × (−0.25, 0.25), its half width in (0.03, 0.12), its half height in (0.2, 0.45); the mesh is mapped
    with it: the triangles stay the same; the coordinates of their nodes, and with them the matrix, change.

    **Scheme.** Continuous finite elements of degree 1 or 2 on triangles: the boxes of a grid that respects the slot,
    halved. Order 2 (`p1`) and 3 (`p2`) in L² where T is smooth; the samples are not: at the four corners of the slot
    T behaves like r^{2/3}, which limits both to about 4/3. Symmetric positive definite, condition number of the order
    of resolution²; no stability limit.

    **Values that work.** resolution 20 (678 nodes with p1, 2572 with p2) to 160 (39 000 with p1); the default solver
    factors the matrix. ``amg`` takes 9 iterations with p1 at any of them; with p2 it needs
    ``method='smoothed_aggregation'`` (23 to 32, where classical coarsening takes 31 to 188).

    **legacy='skr'** is the published setting (MATLAB's block with a cavity): ``element='p2'``, constant g = 100 U,
    q = −100 U', fixed geometry. Its meshes come from MATLAB's generator with a largest edge of 1/resolution; here they
    are the grid's. All its samples have one matrix, and their solutions lie in a space of two dimensions.

    Parameters
    ----------
    resolution : int
        Boxes for a length of 1, at least 2.
    element : {'p1', 'p2'}, optional
        p1 by default, with legacy p2.
    geometry : {'fixed', 'varying'}
    variation : float
        v ≥ 0; 0.25 by default, with legacy 0.
    alpha, tau, modes
        Parameters of the fields along the sides (:class:`~resolvent.data.GaussianRandomField` in one dimension).
    legacy : {None, 'skr'}

    Fields, at the nodes: ``temperature`` and ``flux`` (inputs; g and q at the nodes of their side, zero elsewhere),
    ``x``, ``y`` (constant, or inputs where the geometry varies), ``solution`` (output), ``triangles`` (mesh).

    References
    ----------
    Brenner and Scott, The Mathematical Theory of Finite Element Methods, 3rd ed., 2008, ch. 0, 3, 12.
    Wang et al., Accelerating Data Generation for Neural Operators via Krylov Subspace Recycling, ICLR 2024.
    """

    name = "thermal"
    ndim = 1
    axis_names = ("node",)
    exact_outputs = True  # the values at the nodes of the held side are prescribed
    default_solver = SolverSpec("cg", {"rtol": 1e-10}, "direct", {})

    def __init__(
        self,
        resolution: Any = 20,
        element: str | None = None,
        geometry: str = "fixed",
        variation: float | None = None,
        alpha: float = 2.0,
        tau: float = 3.0,
        modes: int = 32,
        legacy: str | None = None,
    ) -> None:
        self.legacy = None if legacy is None else one_of(legacy, ("skr",), "legacy setting of thermal")
        if self.legacy and (geometry != "fixed" or variation):
            raise InputError(
                f"legacy={legacy} has geometry=fixed and variation=0, but geometry is {geometry!r} and variation "
                f"{variation!r}: leave these two or legacy out"
            )
        self.boxes = positive_integer(resolution, "resolution")
        if self.boxes < 2:
            raise InputError(f"resolution is {self.boxes}: expected at least 2 boxes for a length of 1")
        usual = "p2" if self.legacy else "p1"
        self.element = one_of(usual if element is None else element, ("p1", "p2"), "element")
        self.geometry = one_of(geometry, ("fixed", "varying"), "geometry")
        default = 0.0 if self.legacy else 0.25
        self.variation = default if variation is None else nonnegative_number(variation, "variation")
        self.profile = field = GaussianRandomField("neumann", 1, alpha, tau, None, modes)
        self.alpha, self.tau, self.modes = field.alpha, field.tau, field.modes
        self._mesh = self.mesh(np.array(_SLOT))
        self._matrix: sp.csr_array | None = None
        super().__init__(len(self._mesh.points))
        self.cells = (self.boxes,)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_matrix": None}

    def scalars(self) -> dict[str, float]:
        return {"variation": self.variation, "alpha": self.alpha, "tau": self.tau}

    @property
    def axes(self) -> tuple[np.ndarray, ...]:
        return (np.arange(float(self.shape[0])),)

    @property
    def boundary_masks(self) -> tuple[np.ndarray, ...]:
        return (self._mesh.boundary_nodes,)

    def mesh(self, slot: np.ndarray) -> TriangleMesh:
        """Return the mesh around the slot (x from, to, y from, to): it has the same triangles for every slot."""
        breaks, cells = [], []
        for half, (low, high), (a, b) in (
            (_HALF_WIDTH, _SLOT[:2], slot[:2]),
            (_HALF_HEIGHT, _SLOT[2:], slot[2:]),
        ):
            lengths = np.diff([-half, low, high, half])
            cells.append(tuple(max(1, round(float(length) * self.boxes)) for length in lengths))
            breaks.append(np.array([-half, a, b, half]))
        across, up = cells
        keep = np.ones((sum(across), sum(up)), dtype=bool)
        keep[across[0] : across[0] + across[1], up[0] : up[0] + up[1]] = False
        x, y = (spread_cells(points, count) for points, count in zip(breaks, cells, strict=True))
        return box_mesh(x, y, degree=1 if self.element == "p1" else 2, keep=keep)

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        levels = rng.uniform(size=2)
        profiles = [self.profile.sample(rng) for _ in range(2)]
        slot = np.array(_SLOT)
        if self.geometry == "varying":
            x, y, width, height = rng.uniform((-0.2, -0.25, 0.03, 0.2), (0.2, 0.25, 0.12, 0.45))
            slot = np.array([x - width, x + width, y - height, y + height])
        left, right = self._sides(self._mesh.points[:, 0])
        sides = []
        for level, profile, side, scale in zip(levels, profiles, (left, right), (100.0, -100.0), strict=True):
            place = (self._mesh.points[side, 1] + _HALF_HEIGHT) / (2.0 * _HALF_HEIGHT)
            wave = self.profile.evaluate(profile, place) / np.sqrt(self.profile.mean_variance)
            values = np.zeros(self.shape)
            values[side] = scale * (level + self.variation * wave)
            sides.append(values)
        return {"temperature": sides[0], "flux": sides[1], "slot": slot}

    def system(self, parameters: Mapping[str, Any]) -> LinearSystem:
        """Discretise as the contract says; a parameter `source`, shape (n,), makes it −∇·∇T = f with nodal values f."""
        mesh, matrix = self._discretised(parameters)
        left, right = self._sides(mesh.points[:, 0])
        load = edge_load(mesh, mesh.edges_where(right), np.asarray(parameters["flux"], dtype=np.float64))
        if "source" in parameters:
            load += mass_load(mesh, np.asarray(parameters["source"], dtype=np.float64))
        load -= matrix @ np.where(left, parameters["temperature"], 0.0)
        free = np.flatnonzero(~left)
        return LinearSystem(matrix[free][:, free], load[free], (free.size,))

    def fields(self, parameters: Mapping[str, Any], solution: np.ndarray) -> dict[str, Field]:
        mesh = self.mesh(parameters["slot"])
        left, _ = self._sides(mesh.points[:, 0])
        values = np.array(parameters["temperature"], dtype=np.float64)
        values[~left] = solution
        where: Any = "input" if self.geometry == "varying" else "constant"
        return {
            "temperature": Field(
                np.asarray(parameters["temperature"]), "K", "temperature g at the left side, zero elsewhere", "input"
            ),
            "flux": Field(
                np.asarray(parameters["flux"]), "W/m^2", "heat q entering at the right side, zero elsewhere", "input"
            ),
            "x": Field(mesh.points[:, 0].copy(), "m", "first coordinate of the nodes", where),
            "y": Field(mesh.points[:, 1].copy(), "m", "second coordinate of the nodes", where),
            "solution": Field(values, "K", "temperature T at the nodes", "output"),
            "triangles": Field(
                mesh.triangles,
                "1",
                "nodes of the triangles: vertices, with p2 midpoints of the edges 01, 12, 20",
                "mesh",
            ),
        }

    def residual(self, fields: Mapping[str, np.ndarray]) -> float:
        """Return the larger of ‖load − K T‖ / ‖load − K g‖ over the nodes off the left side and the midpoints' error.

        Infinite where T ≠ g on the left side, or where g or q are not zero off their sides.
        """
        forms, arrays = self._forms(fields)
        left, right = self._sides(forms.points[:, 0])
        if (
            np.any(arrays["solution"][left] != arrays["temperature"][left])
            or np.any(arrays["temperature"][~left])
            or np.any(arrays["flux"][~right])
        ):
            return float("inf")
        load = self._load(forms, arrays["flux"], right)
        defect = (load - forms.diffusion(arrays["solution"]))[~left]
        scale = np.linalg.norm((load - forms.diffusion(arrays["temperature"]))[~left])
        return max(float(np.linalg.norm(defect) / scale), forms.midpoint_error())

    def rounding(self, fields: Mapping[str, np.ndarray], dtype: Any) -> float:
        unit = float(np.finfo(dtype).eps) / 2.0
        forms, arrays = self._forms(fields)
        left, right = self._sides(forms.points[:, 0])
        load = self._load(forms, arrays["flux"], right)
        scale = np.linalg.norm((load - forms.diffusion(arrays["temperature"]))[~left])
        change = forms.diffusion_change(arrays["solution"], unit)
        # An edge of the grid is as long as the boxes are high; its ends move by υ times a coordinate.
        stretch = 2.0 * _HALF_HEIGHT / forms.altitude.min()
        change += unit * (2.0 + stretch) * self._load(forms, np.abs(arrays["flux"]), right)
        return max(float(1.01 * np.linalg.norm(change[~left]) / scale), 4.0 * unit)

    def _discretised(self, parameters: Mapping[str, Any]) -> tuple[TriangleMesh, sp.csr_array]:
        if self.geometry == "varying":
            mesh = self.mesh(np.asarray(parameters["slot"], dtype=np.float64))
            return mesh, stiffness(mesh)
        if self._matrix is None:
            self._matrix = stiffness(self._mesh)
        return self._mesh, self._matrix

    @staticmethod
    def _sides(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return masks of the nodes on the left and on the right side, at the same coordinates in every mesh."""
        return x == -_HALF_WIDTH, x == _HALF_WIDTH

    @staticmethod
    def _forms(fields: Mapping[str, np.ndarray]) -> tuple[TriangleForms, dict[str, np.ndarray]]:
        arrays = {name: np.asarray(fields[name], dtype=np.float64) for name in fields if name != "triangles"}
        return TriangleForms(arrays["x"], arrays["y"], fields["triangles"]), arrays

    @staticmethod
    def _load(forms: TriangleForms, flux: np.ndarray, right: np.ndarray) -> np.ndarray:
        edges = forms.boundary_edges()
        return forms.edge_integral(edges[right[edges].all(axis=1)], flux)
