"""Test plane elasticity: measured orders, exact linear displacements, rigid body modes, settings."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from resolvent.data import make_problem
from resolvent.data.certificates.triangle_forms import TriangleForms, _rule
from resolvent.data.discretisations.meshes import TriangleMesh, box_mesh
from resolvent.solvers import InputError, SolverSpec


def _l2_error(mesh: TriangleMesh, values: np.ndarray, exact: object) -> float:
    forms, total = TriangleForms(*mesh.points.T, mesh.triangles), 0.0
    for at, weight in zip(*_rule(4), strict=True):
        x, y = np.einsum("k,mkd->dm", at, mesh.points[mesh.triangles[:, :3]])
        error = values.ravel()[mesh.triangles] @ forms.values(at[None])[0] - exact(x, y)  # type: ignore[operator]
        total += float(np.sum(weight * forms.area * error**2))
    return total**0.5


def _manufactured(first: float, second: float) -> tuple[list[object], ...]:
    """u, E, f = −∇·σ and t = σ e_x for displacements that leave the sides y = 0 and y = 1 free of traction."""
    x, y = sympy.symbols("x y")
    bubble = 16 * y**2 * (1 - y) ** 2
    u = sympy.Matrix([sympy.sin(sympy.pi * x / 2) * bubble, x * (1 - x / 3) * bubble * (1 + y)])
    modulus = 1 + sympy.sin(2 * x + y) / 2
    gradient = u.jacobian([x, y])
    strain = (gradient + gradient.T) / 2
    sigma = modulus * (first * strain.trace() * sympy.eye(2) + 2 * second * strain)
    force = [-sum(sympy.diff(sigma[i, j], s) for j, s in enumerate((x, y))) for i in (0, 1)]

    def functions(expressions: object) -> list[object]:
        return [sympy.lambdify((x, y), e) for e in expressions]  # type: ignore[attr-defined]

    return functions(u), functions([modulus]), functions(force), functions(sigma[:, 0])


@pytest.mark.parametrize(
    ("element", "state", "order"),
    [("p1", "plane_stress", 2.0), ("p2", "plane_stress", 3.0), ("p1", "plane_strain", 2.0)],
)
def test_order_of_convergence(element: str, state: str, order: float) -> None:
    errors = []
    for n in (8, 16, 32):
        problem = make_problem("elasticity", resolution=n, element=element, state=state)
        u, (modulus,), force, traction = _manufactured(*problem.lame)
        x, y = np.meshgrid(*problem.axes, indexing="ij")
        side = np.where(x == 1.0, 1.0, 0.0)
        parameters = {
            "modulus": modulus(x, y),  # type: ignore[operator]
            "traction_x": side * traction[0](x, y),  # type: ignore[operator]
            "traction_y": side * traction[1](x, y),  # type: ignore[operator]
            "body_force": np.stack([f(x, y) for f in force]),  # type: ignore[operator]
        }
        fields = problem.fields(parameters, problem.solve(parameters, SolverSpec("cg", {}, "direct", {})).x)
        mesh = box_mesh(np.linspace(0, 1, n + 1), np.linspace(0, 1, n + 1), problem.degree)
        parts = [_l2_error(mesh, fields[f"displacement_{c}"].values, exact) for c, exact in zip("xy", u, strict=True)]
        errors.append(float(np.hypot(*parts)))
    assert abs(np.log2(errors[1] / errors[2]) - order) < 0.1, errors


@pytest.mark.parametrize("element", ["p1", "p2"])
def test_pulled_bar_is_exact(element: str) -> None:
    """Solve ν = 0 and E = 1 under a constant pull: u = (t x, 0) exactly."""
    problem = make_problem("elasticity", resolution=(5, 7), element=element, poisson_ratio=0.0)
    x, _ = np.meshgrid(*problem.axes, indexing="ij")
    pull = np.where(x == 1.0, 0.3, 0.0)
    parameters = {"modulus": np.ones(problem.shape), "traction_x": pull, "traction_y": 0.0 * pull}
    fields = problem.fields(parameters, problem.solve(parameters, SolverSpec("cg", {}, "direct", {})).x)
    np.testing.assert_allclose(fields["displacement_x"].values, 0.3 * x, atol=1e-13)
    np.testing.assert_allclose(fields["displacement_y"].values, 0.0, atol=1e-13)


def test_rigid_body_modes_are_what_aggregation_is_given() -> None:
    """K annihilates them but for the clamped side; with them cg takes less than half the iterations."""
    problem = make_problem("elasticity", resolution=24)
    system = problem.system(problem.sample(np.random.default_rng(0)))
    modes = system.near_nullspace
    assert modes is not None
    assert modes.shape == (system.rhs.size, 3)
    inside = slice(2 * problem.shape[1], None)  # rows off the first free column
    np.testing.assert_allclose((system.operator @ modes)[inside], 0.0, atol=1e-12)
    solver = problem.default_solver
    given = solver.solve(system.operator, system.rhs, near_nullspace=modes)
    assert given.converged
    assert given.iterations < 0.5 * solver.solve(system.operator, system.rhs).iterations
    named = SolverSpec("cg", {}, "amg", {"method": "smoothed_aggregation", "B": np.ones((system.rhs.size, 1))})
    assert named.solve(system.operator, system.rhs, near_nullspace=modes).iterations > given.iterations
    other = SolverSpec("cg", {}, "amg", {"method": "ruge_stuben"})  # takes none, and is given none
    assert other.setup(system.operator, modes) is not None


def test_residual_is_infinite_off_the_sides() -> None:
    problem = make_problem("elasticity", resolution=6)
    parameters = problem.sample(np.random.default_rng(0))
    stored = {n: f.values for n, f in problem.fields(parameters, problem.solve(parameters).x).items()}
    assert problem.residual(stored) < 1e-10
    for name, place in (("displacement_x", (0, 3)), ("traction_y", (2, 3))):
        spoilt = {**stored, name: stored[name].copy()}
        spoilt[name][place] = 1e-300
        assert problem.residual(spoilt) == np.inf


def test_modulus_that_is_negative_between_nodes_is_refused() -> None:
    problem = make_problem("elasticity", resolution=4, element="p2")
    parameters = problem.sample(np.random.default_rng(0))
    parameters["modulus"] = np.where((np.indices(problem.shape) % 2 == 0).all(axis=0), 100.0, 0.01)
    with pytest.raises(InputError, match="expected positive values"):
        problem.system(parameters)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"poisson_ratio": 0.5}, "between -1 and 0.5"),
        ({"state": "plane"}, "unknown state"),
        ({"log_std": 0}, "greater than 0"),
        ({"resolution": (4, 4, 4)}, "3 axes"),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        make_problem("elasticity", **settings)
    assert "\n" not in str(raised.value)
