"""Test the plate with a slot: measured orders, scikit-fem beside closed forms, geometry, the published setting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from resolvent.data import Problem, make_problem
from resolvent.data.certificates.triangle_forms import TriangleForms, _rule
from resolvent.data.discretisations.finite_elements import ElasticStiffness, edge_load, mass_load, stiffness
from resolvent.data.discretisations.meshes import TriangleMesh, box_mesh
from resolvent.solvers import AMG, InputError, cg

SLOT = np.array([-0.05, 0.05, -0.4, 0.4])


def l2_error(mesh: TriangleMesh, values: np.ndarray, exact: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> float:
    """Return ‖u_h − u‖ in L², by a rule of degree 4 on every triangle."""
    forms, total = TriangleForms(*mesh.points.T, mesh.triangles), 0.0
    for at, weight in zip(*_rule(4), strict=True):
        x, y = np.einsum("k,mkd->dm", at, mesh.points[mesh.triangles[:, :3]])
        error = values[mesh.triangles] @ forms.values(at[None])[0] - exact(x, y)
        total += float(np.sum(weight * forms.area * error**2))
    return total**0.5


def _manufactured(problem: Problem, mesh: TriangleMesh) -> dict[str, np.ndarray]:
    """T = 1 + p(x) cos(5πy/2) with p = x³/3 − x/400: insulated around the slot, above and below, as the plate is."""
    x, y = mesh.points.T
    wave, p = np.cos(2.5 * np.pi * y), x**3 / 3 - x / 400
    return {
        "temperature": np.where(x == -0.5, 1 + p * wave, 0.0),
        "flux": np.where(x == 0.5, (x**2 - 1 / 400) * wave, 0.0),
        "source": -2 * x * wave + (2.5 * np.pi) ** 2 * p * wave,
        "slot": SLOT,
    }


def _exact(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 1 + (x**3 / 3 - x / 400) * np.cos(2.5 * np.pi * y)


@pytest.mark.parametrize(("element", "order"), [("p1", 2.0), ("p2", 3.0)])
def test_order_of_convergence(element: str, order: float) -> None:
    errors = []
    for n in (20, 40, 80):
        problem = make_problem("thermal", resolution=n, element=element)
        mesh = problem.mesh(SLOT)
        parameters = _manufactured(problem, mesh)
        solution = problem.fields(parameters, problem.solve(parameters).x)["solution"].values
        errors.append(l2_error(mesh, solution, _exact))
    assert abs(np.log2(errors[1] / errors[2]) - order) < 0.1, errors


@pytest.mark.parametrize("element", ["p1", "p2"])
def test_linear_temperature_is_exact_on_any_geometry(element: str) -> None:
    """T = a + bx solves the plate without a slot in its way: check the parts that are exact for linear functions."""
    problem = make_problem("thermal", resolution=10, element=element, geometry="varying")
    slot = problem.sample(np.random.default_rng(3))["slot"]
    mesh = problem.mesh(slot)
    matrix = stiffness(mesh)
    assert abs(matrix - matrix.T).max() < 1e-12
    np.testing.assert_allclose(matrix @ np.ones(len(mesh.points)), 0.0, atol=1e-12)
    area = 1.6 - (slot[1] - slot[0]) * (slot[3] - slot[2])
    for field in mesh.points.T:
        assert field @ (matrix @ field) == pytest.approx(area, rel=1e-12)  # ∫ |∇x|²
    assert mass_load(mesh, np.ones(len(mesh.points))).sum() == pytest.approx(area, rel=1e-12)
    length = edge_load(mesh, mesh.boundary_edges, np.ones(len(mesh.points))).sum()
    assert length == pytest.approx(2 * (1 + 1.6 + slot[1] - slot[0] + slot[3] - slot[2]), rel=1e-12)


@pytest.mark.parametrize("degree", [1, 2])
def test_closed_forms_equal_scikit_fem(degree: int) -> None:
    """The certificate's forms and the solver's matrices come from different code and agree to rounding."""
    rng = np.random.default_rng(0)
    lines = [np.sort(rng.uniform(size=n)) for n in (5, 7)]
    keep = np.ones((4, 6), dtype=bool)
    keep[1:3, 2:4] = False
    mesh = box_mesh(*lines, degree=degree, keep=keep)
    forms = TriangleForms(*mesh.points.T, mesh.triangles)
    edges = [
        {tuple(edge) for edge in np.sort(found, axis=1)} for found in (forms.boundary_edges(), mesh.boundary_edges)
    ]
    assert edges[0] == edges[1]
    assert len(edges[0]) == len(forms.boundary_edges()) == 2 * (4 + 6) + 2 * (2 + 2)
    u = rng.normal(size=len(mesh.points))
    np.testing.assert_allclose(forms.diffusion(u), stiffness(mesh) @ u, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(
        forms.edge_integral(mesh.boundary_edges, u), edge_load(mesh, mesh.boundary_edges, u), rtol=1e-10, atol=1e-12
    )
    modulus, displacement = 3.0 + rng.uniform(size=len(u)), rng.normal(size=(len(u), 2))
    matrix = ElasticStiffness(mesh, (0.7, 0.4))(modulus)
    expected = (matrix @ displacement.ravel()).reshape(-1, 2)
    np.testing.assert_allclose(forms.elasticity(modulus, displacement, (0.7, 0.4)), expected, rtol=1e-9, atol=1e-9)


def test_mesh_of_boxes() -> None:
    mesh = box_mesh(np.linspace(0, 1, 4), np.linspace(0, 2, 3), degree=2)
    assert mesh.points.shape == (7 * 5, 2)
    assert mesh.triangles.shape == (12, 6)
    np.testing.assert_array_equal(mesh.points.reshape(7, 5, 2)[:, 0, 0], np.linspace(0, 1, 7))
    assert TriangleForms(*mesh.points.T, mesh.triangles).midpoint_error() < 1e-15
    assert TriangleForms(*mesh.points.T, mesh.triangles).area.sum() == pytest.approx(2.0)
    assert len(mesh.boundary_edges) == 2 * (3 + 2)
    rim = (mesh.points == 0).any(axis=1) | (mesh.points == (1, 2)).any(axis=1)
    np.testing.assert_array_equal(mesh.boundary_nodes, rim)
    assert np.all(np.diff(mesh.triangles[:, :3], axis=1) > 0)


def test_geometry_moves_the_nodes_and_keeps_the_triangles() -> None:
    problem = make_problem("thermal", resolution=10, geometry="varying")
    samples = [problem.sample(np.random.default_rng(i)) for i in range(2)]
    meshes = [problem.mesh(s["slot"]) for s in samples]
    np.testing.assert_array_equal(meshes[0].triangles, meshes[1].triangles)
    assert np.abs(meshes[0].points - meshes[1].points).max() > 0.01
    matrices = [problem.system(s).operator for s in samples]
    np.testing.assert_array_equal(matrices[0].indices, matrices[1].indices)
    assert np.abs(matrices[0].data - matrices[1].data).max() > 0.01
    for i in range(40):  # no triangle degenerates
        mesh = problem.mesh(problem.sample(np.random.default_rng(i))["slot"])
        assert TriangleForms(*mesh.points.T, mesh.triangles).area.min() > 1e-4


def test_published_setting_spans_two_dimensions() -> None:
    problem = make_problem("thermal", resolution=10, legacy="skr")
    solutions, matrices = [], []
    for i in range(5):
        parameters = problem.sample(np.random.default_rng(i))
        values = parameters["temperature"][parameters["temperature"] != 0]
        assert np.ptp(values) == 0 < values[0] < 100
        assert -100 < parameters["flux"].min() < 0
        matrices.append(problem.system(parameters).operator)
        solutions.append(problem.fields(parameters, problem.solve(parameters).x)["solution"].values)
    singular = np.linalg.svd(np.array(solutions), compute_uv=False)
    assert singular[2] < 1e-12 * singular[0] < singular[1]
    assert all((m != matrices[0]).nnz == 0 for m in matrices)
    assert problem.settings()["element"] == "p2"
    assert make_problem("thermal", legacy="skr").shape == (2572,)


def test_residual_is_infinite_where_boundary_values_are_wrong() -> None:
    problem = make_problem("thermal", resolution=8)
    parameters = problem.sample(np.random.default_rng(0))
    stored = {n: f.values for n, f in problem.fields(parameters, problem.solve(parameters).x).items()}
    left, inside = np.flatnonzero(stored["x"] == -0.5)[2], np.flatnonzero(np.abs(stored["x"]) < 0.3)[0]
    for name, place in (("solution", left), ("temperature", inside), ("flux", left)):
        spoilt = {**stored, name: stored[name].copy()}
        spoilt[name][place] += 1e-9
        assert problem.residual(spoilt) == np.inf


def test_triangles_that_cannot_be_are_refused() -> None:
    x, y = np.array([0.0, 1.0, 2.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0])
    for triangles, message in (
        ([[0, 1, 4]], "expected 0 to 3"),
        ([[0, -1, 3]], "expected 0 to 3"),
        ([[0, 1, 3], [0, 1, 2]], "triangle 1 has no area"),
        ([[0, 1]], "expected"),
    ):
        with pytest.raises(InputError, match=message):
            TriangleForms(x, y, np.array(triangles))


def test_algebraic_multigrid_on_the_slotted_plate() -> None:
    problem = make_problem("thermal", resolution=60)
    system = problem.system(problem.sample(np.random.default_rng(0)))
    result = cg(system.operator, system.rhs, rtol=1e-10, M=AMG.setup(system.operator))
    assert result.converged
    assert result.iterations <= 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"element": "p3"}, "unknown element 'p3'"),
        ({"geometry": "random"}, "unknown geometry"),
        ({"legacy": "skr", "geometry": "varying"}, "leave these two or legacy out"),
        ({"legacy": "sk"}, "did you mean 'skr'"),
        ({"resolution": 1}, "at least 2"),
        ({"variation": -1}, "at least 0"),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        make_problem("thermal", **settings)
    assert "\n" not in str(raised.value)
