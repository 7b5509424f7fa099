"""Pose plane linear elasticity with a random modulus, by finite elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from resolvent.solvers import InputError
from resolvent.solvers.arguments import nonnegative_number, one_of, positive_number
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem

from ...certificates.triangle_forms import TriangleForms
from ...discretisations.finite_elements import ElasticStiffness, edge_load, mass_load
from ...discretisations.meshes import box_mesh
from ...format.field import Field
from ...random_fields.gaussian import GaussianRandomField
from ..problem import Problem


class Elasticity(Problem):
    """Plane linear elasticity is −∇·σ(u) = 0 on the unit square, σ = E(x) (λ₁ (∇·u) I + 2μ₁ ε(u)).

    ε(u) = (∇u + ∇uᵀ)/2. The boundary: u = 0 on the clamped side x = 0, a traction σn = t on the side x = 1, the other
    two free. μ₁ = 1/(2(1 + ν)); λ₁ = ν/(1 − ν²) in plane stress and ν/((1 + ν)(1 − 2ν)) in plane strain.

    **Parameters.** E = exp(s z/‖z‖) with a Gaussian field z ~ N(0, σ²(−Δ + τ²)^{−α}), ‖z‖² its variance averaged over
    the square, s = `log_std`. Each component of the traction is `load` (ξ + v z(y)) with ξ ~ N(0, 1), v = `variation`
    and z a Gaussian field of variance 1 along the side.

    **Scheme.** Continuous finite elements of degree 1 or 2 for both components, on the triangles of n × n boxes halved
    along one diagonal; E of the same degree between its nodal values. Order 2 (`p1`) and 3 (`p2`) in L² where u is
    smooth; at the ends of the clamped side it is not, and the samples converge more slowly. Symmetric positive
    definite, condition number of the order of n² max E/min E; no stability limit. Near-nullspace: the three rigid body
    modes, which smoothed aggregation is given.

    **Values that work.** With p1, 16 iterations at 32² and 21 at 64² (65 and 124 without the rigid body modes); with p2
    about 36. ν towards 0.5 in plane strain locks `p1` elements and costs iterations: up to 0.45 is safe. With `p2`,
    log_std above 1 on a coarse grid can make E negative between nodes, which is refused.

    Parameters
    ----------
    resolution : int or (int, int)
        Boxes along x and y; the nodes are one more, with p2 twice as many and one.
    element : {'p1', 'p2'}
    state : {'plane_stress', 'plane_strain'}
    poisson_ratio : float
        −1 < ν < 0.5.
    log_std : float
        Standard deviation of log E.
    load : float
        Scale of the traction, in units of the mean modulus.
    variation : float
        v ≥ 0.
    alpha, tau, modes
        Passed to :class:`~resolvent.data.GaussianRandomField`.

    Fields: ``modulus``, ``traction_x``, ``traction_y`` (inputs; the tractions zero off their side), ``displacement_x``,
    ``displacement_y`` (outputs).

    References
    ----------
    Brenner and Scott, The Mathematical Theory of Finite Element Methods, 3rd ed., 2008, ch. 11.
    Vaněk, Mandel and Brezina, Computing 56 (1996) 179 (rigid body modes in aggregation).
    """

    name = "elasticity"
    exact_outputs = True  # the values at the nodes of the clamped side are prescribed
    default_solver = SolverSpec("cg", {"rtol": 1e-10}, "amg", {"method": "smoothed_aggregation"})

    def __init__(
        self,
        resolution: Any = 32,
        element: str = "p1",
        state: str = "plane_stress",
        poisson_ratio: float = 0.3,
        log_std: float = 0.5,
        load: float = 0.01,
        variation: float = 0.5,
        alpha: float = 2.0,
        tau: float = 3.0,
        modes: int = 64,
    ) -> None:
        super().__init__(resolution)
        self.element = one_of(element, ("p1", "p2"), "element")
        self.state = one_of(state, ("plane_stress", "plane_strain"), "state")
        if isinstance(poisson_ratio, bool) or not -1.0 < float(poisson_ratio) < 0.5:
            raise InputError(f"poisson_ratio is {poisson_ratio!r}: expected a number between -1 and 0.5")
        self.poisson_ratio = float(poisson_ratio)
        self.log_std, self.load = positive_number(log_std, "log_std"), positive_number(load, "load")
        self.variation = nonnegative_number(variation, "variation")
        self.modulus_field = field = GaussianRandomField("neumann", 2, alpha, tau, None, modes)
        self.alpha, self.tau, self.modes = field.alpha, field.tau, field.modes
        self.profile = GaussianRandomField("neumann", 1, alpha, tau, None, modes)
        self.degree = 1 if self.element == "p1" else 2
        self.shape = tuple(self.degree * n + 1 for n in self.cells)
        lines = [np.linspace(0.0, 1.0, n + 1) for n in self.cells]
        self._mesh = box_mesh(lines[0], lines[1], self.degree)
        self._assemble: ElasticStiffness | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_assemble": None}

    def scalars(self) -> dict[str, float]:
        return {"poisson_ratio": self.poisson_ratio, "log_std": self.log_std, "load": self.load}

    @property
    def axes(self) -> tuple[np.ndarray, ...]:
        return tuple(np.linspace(0.0, 1.0, n) for n in self.shape)

    @property
    def lame(self) -> tuple[float, float]:
        """The Lamé parameters are λ₁ and μ₁, for a material with E = 1."""
        nu = self.poisson_ratio
        first = nu / (1.0 - nu**2) if self.state == "plane_stress" else nu / ((1.0 + nu) * (1.0 - 2.0 * nu))
        return first, 1.0 / (2.0 * (1.0 + nu))

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        z = self.modulus_field.evaluate(self.modulus_field.sample(rng), *self.axes)
        tractions = []
        for _ in range(2):
            mean, wave = rng.standard_normal(), self.profile.evaluate(self.profile.sample(rng), self.axes[1])
            values = np.zeros(self.shape)
            values[-1] = self.load * (mean + self.variation * wave / np.sqrt(self.profile.mean_variance))
            tractions.append(values)
        modulus = np.exp(self.log_std / np.sqrt(self.modulus_field.mean_variance) * z)
        return {"modulus": modulus, "traction_x": tractions[0], "traction_y": tractions[1]}

    def system(self, parameters: Mapping[str, Any]) -> LinearSystem:
        """Discretise as the contract says; `body_force`, shape (2, *nodes), makes it −∇·σ = f with nodal values f."""
        if self._assemble is None:
            self._assemble = ElasticStiffness(self._mesh, self.lame)
        matrix = self._assemble(np.asarray(parameters["modulus"], dtype=np.float64).ravel())
        edges = self._mesh.edges_where(self._mesh.points[:, 0] == 1.0)
        forces = np.asarray(parameters.get("body_force", np.zeros((2, *self.shape))), dtype=np.float64)
        load = np.empty((len(self._mesh.points), 2))
        for c, name in enumerate(("traction_x", "traction_y")):
            load[:, c] = edge_load(self._mesh, edges, np.asarray(parameters[name], dtype=np.float64).ravel())
            if "body_force" in parameters:
                load[:, c] += mass_load(self._mesh, forces[c].ravel())
        clamped = 2 * self.shape[1]  # the nodes of the clamped side come first
        shape = (self.shape[0] - 1, self.shape[1], 2)
        modes = self._rigid_body_modes()[clamped:]
        return LinearSystem(matrix[clamped:][:, clamped:], load.ravel()[clamped:], shape, near_nullspace=modes)

    def fields(self, parameters: Mapping[str, Any], solution: np.ndarray) -> dict[str, Field]:
        displacement = np.zeros((*self.shape, 2))
        displacement[1:] = np.asarray(solution).reshape(self.shape[0] - 1, self.shape[1], 2)
        texts = {
            "modulus": "Young's modulus E at the nodes",
            "traction_x": "traction along x on the side x = 1, zero elsewhere",
            "traction_y": "traction along y on the side x = 1, zero elsewhere",
        }
        stored = {name: Field(np.asarray(parameters[name]), "1", text, "input") for name, text in texts.items()}
        for c, axis in enumerate("xy"):
            values = np.ascontiguousarray(displacement[..., c])
            stored[f"displacement_{axis}"] = Field(values, "1", f"displacement along {axis} at the nodes", "output")
        return stored

    def residual(self, fields: Mapping[str, np.ndarray]) -> float:
        """Return ‖load − K u‖ / ‖load‖ over the nodes that are not clamped.

        It is infinite where u ≠ 0 on the clamped side, or a traction is not zero off its side.
        """
        forms, modulus, displacement, traction = self._read(fields)
        if np.any(displacement[: self.shape[1]]) or np.any(traction[: -self.shape[1]]):
            return float("inf")
        load = self._load(forms, traction)
        defect = load - forms.elasticity(modulus, displacement, self.lame)
        return float(np.linalg.norm(defect[self.shape[1] :]) / np.linalg.norm(load[self.shape[1] :]))

    def rounding(self, fields: Mapping[str, np.ndarray], dtype: Any) -> float:
        """Bound the effect of rounding the load by υ, and by υ each both factors of K u, modulus and displacement."""
        unit = float(np.finfo(dtype).eps) / 2.0
        forms, modulus, displacement, traction = self._read(fields)
        reach = forms.elasticity(modulus, displacement, self.lame, magnitude=True)
        scale = np.linalg.norm(self._load(forms, traction))
        return float(1.01 * (unit * (2.0 + unit) * np.linalg.norm(reach) / scale + unit))

    def _read(self, fields: Mapping[str, np.ndarray]) -> tuple[TriangleForms, np.ndarray, np.ndarray, np.ndarray]:
        x, y = np.meshgrid(*self.axes, indexing="ij")
        flat = {name: np.asarray(values, dtype=np.float64).ravel() for name, values in fields.items()}
        displacement = np.column_stack([flat["displacement_x"], flat["displacement_y"]])
        traction = np.column_stack([flat["traction_x"], flat["traction_y"]])
        return TriangleForms(x.ravel(), y.ravel(), self._mesh.triangles), flat["modulus"], displacement, traction

    def _load(self, forms: TriangleForms, traction: np.ndarray) -> np.ndarray:
        """Integrate the traction over the side x = 1, which is the last column of nodes, in order."""
        side = np.arange(len(forms.points) - self.shape[1], len(forms.points))
        ends = side[:: self.degree]
        edges = np.column_stack([ends[:-1], ends[1:], *([side[1::2]] if self.degree == 2 else [])])
        return np.column_stack([forms.edge_integral(edges, traction[:, c]) for c in (0, 1)])

    def _rigid_body_modes(self) -> np.ndarray:
        """Return two translations and the rotation, shape (2n, 3), about the centre: they are nearly orthogonal."""
        x, y = (self._mesh.points - 0.5).T
        modes = np.zeros((len(x), 2, 3))
        modes[:, 0, 0] = modes[:, 1, 1] = 1.0
        modes[:, 0, 2], modes[:, 1, 2] = -y, x
        return modes.reshape(-1, 3)
