"""Poisson and Darcy: measured orders of convergence, analytic checks, and the published scheme."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from resolvent.data import SolverSpec, cell_centres, make_problem, nodes
from resolvent.solvers import InputError

TIGHT = SolverSpec("cg", {"rtol": 1e-11}, "fast_poisson", {})
DIRECT = SolverSpec("gmres", {"rtol": 1e-10}, "direct", {})


def _rates(errors: list[float]) -> np.ndarray:
    return np.log2(np.array(errors[:-1]) / np.array(errors[1:]))


def _manufactured(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """a = exp(½ sin(2πx) cos(πy)), u = sin(πx) sin(2πy) (1 + x), f = −∇a·∇u − aΔu."""
    pi = np.pi
    a = np.exp(0.5 * np.sin(2 * pi * x) * np.cos(pi * y))
    a_x, a_y = a * pi * np.cos(2 * pi * x) * np.cos(pi * y), -a * 0.5 * pi * np.sin(2 * pi * x) * np.sin(pi * y)
    u = np.sin(pi * x) * np.sin(2 * pi * y) * (1 + x)
    u_x = (pi * np.cos(pi * x) * (1 + x) + np.sin(pi * x)) * np.sin(2 * pi * y)
    u_y = 2 * pi * np.sin(pi * x) * np.cos(2 * pi * y) * (1 + x)
    u_xx = (-(pi**2) * np.sin(pi * x) * (1 + x) + 2 * pi * np.cos(pi * x)) * np.sin(2 * pi * y)
    return a, u, -(a_x * u_x + a_y * u_y) - a * (u_xx - 4 * pi**2 * u)


def _grid(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(*(cell_centres(n) for n in shape), indexing="ij")
    return x, y


@pytest.mark.parametrize("norm", [2, np.inf])
def test_darcy_converges_with_second_order(norm: float) -> None:
    errors = []
    for n in (16, 32, 64, 128):
        problem = make_problem("darcy", resolution=n)
        a, u, f = _manufactured(*_grid(problem.shape))
        result = problem.solve({"coefficient": a, "source": f}, TIGHT)
        error = result.x.reshape(problem.shape) - u
        errors.append(float(np.linalg.norm(error.ravel(), norm) / (n if norm == 2 else 1)))
    assert np.all(np.abs(_rates(errors)[-2:] - 2.0) < 0.1), _rates(errors)


@pytest.mark.parametrize("norm", [2, np.inf])
def test_poisson_converges_with_second_order(norm: float) -> None:
    errors = []
    for n in (16, 32, 64, 128):
        problem = make_problem("poisson", resolution=n)
        x, y = _grid(problem.shape)
        u = np.sin(np.pi * x) * np.sin(3 * np.pi * y) * np.exp(x)
        u_xx = np.exp(x) * ((1 - np.pi**2) * np.sin(np.pi * x) + 2 * np.pi * np.cos(np.pi * x)) * np.sin(3 * np.pi * y)
        result = problem.solve({"source": -(u_xx - 9 * np.pi**2 * u)}, TIGHT)
        error = result.x.reshape(problem.shape) - u
        errors.append(float(np.linalg.norm(error.ravel(), norm) / (n if norm == 2 else 1)))
    assert np.all(np.abs(_rates(errors)[-2:] - 2.0) < 0.1), _rates(errors)


def test_darcy_on_a_grid_that_is_not_square() -> None:
    errors = []
    for shape in ((24, 40), (48, 80)):
        problem = make_problem("darcy", resolution=shape)
        a, u, f = _manufactured(*_grid(shape))
        result = problem.solve({"coefficient": a, "source": f}, TIGHT)
        errors.append(float(np.abs(result.x.reshape(shape) - u).max()))
    assert abs(_rates(errors)[0] - 2.0) < 0.15


def test_poisson_eigenfunction_is_scaled_by_its_discrete_eigenvalue() -> None:
    """sin(πjx) sin(πky) on cell centres is an eigenvector: Σ 4n² sin²(πk/(2n)), exactly."""
    n, (j, k) = 20, (2, 5)
    problem = make_problem("poisson", resolution=n)
    x, y = _grid(problem.shape)
    f = np.sin(np.pi * j * x) * np.sin(np.pi * k * y)
    eigenvalue = sum(4.0 * n**2 * np.sin(np.pi * m / (2 * n)) ** 2 for m in (j, k))
    result = problem.solve({"source": f}, TIGHT)
    np.testing.assert_allclose(result.x.reshape(n, n), f / eigenvalue, atol=1e-13)


@pytest.mark.parametrize("constant", [1.0, 7.0])
def test_constant_medium_is_the_torsion_function(constant: float) -> None:
    """−c Δu = 1: u(½, ½) = 0.0736713532814951…/c by its double sine series; the error falls with n²."""
    k = np.arange(1, 400, 2)
    series = np.outer((-1.0) ** (k // 2) / k, (-1.0) ** (k // 2) / k) / (k[:, None] ** 2 + k**2)
    exact = 16 / np.pi**4 * series.sum()
    assert exact == pytest.approx(0.0736713532814951, abs=1e-7)
    errors = []
    for n in (21, 63):
        problem = make_problem("darcy", resolution=n, low=constant, high=constant)
        result = problem.solve(problem.sample(np.random.default_rng(0)), TIGHT)
        errors.append(abs(result.x.reshape(n, n)[n // 2, n // 2] * constant - 0.0736713532814951))
    assert errors[0] / errors[1] == pytest.approx(9.0, rel=0.05)


def test_layered_medium_keeps_the_flux_of_one_dimension() -> None:
    """a jumps on a face, far from the side walls: harmonic means make −(a u')' = 1 exact at the nodes of the flux."""
    n, low, high = 32, 1.0, 10.0
    a1 = np.where(cell_centres(n) < 0.5, low, high)
    faces = np.concatenate([[2 * a1[0]], 2 * a1[:-1] * a1[1:] / (a1[:-1] + a1[1:]), [2 * a1[-1]]]) * n**2
    matrix = np.diag(faces[:-1] + faces[1:]) - np.diag(faces[1:-1], 1) - np.diag(faces[1:-1], -1)
    u = np.linalg.solve(matrix, np.ones(n))
    resistance = 0.5 / low + 0.5 / high  # exact flux q = q0 − … of the layered bar, with u = 0 at both ends
    q0 = (0.5**2 / 2 / low + (1 - 0.5**2) / 2 / high) / resistance
    exact = np.where(
        cell_centres(n) < 0.5,
        (q0 * cell_centres(n) - cell_centres(n) ** 2 / 2) / low,
        ((1 - cell_centres(n) ** 2) / 2 - q0 * (1 - cell_centres(n))) / high,
    )
    assert np.abs(u - exact).max() < 1.01 / (8 * n**2 * low)  # the midpoint rule's h²/(8a) and no more
    # The two-dimensional operator has these very faces: its action on a function of x alone, away from the y walls.
    problem = make_problem("darcy", resolution=n)
    system = problem.system({"coefficient": np.repeat(a1[:, None], n, axis=1)})
    action = (system.operator @ np.repeat(u[:, None], n, axis=1).ravel()).reshape(n, n)
    np.testing.assert_allclose(action[:, n // 2], 1.0, atol=1e-10)


def test_binary_medium_takes_two_values_and_lognormal_its_standard_deviation() -> None:
    binary = make_problem("darcy", resolution=32)
    a = binary.sample(np.random.default_rng(0))["coefficient"]
    assert set(np.unique(a)) == {3.0, 12.0}
    assert 0.2 < (a == 12.0).mean() < 0.8
    lognormal = make_problem("darcy", resolution=32, medium="lognormal", log_std=1.3)
    logs = [np.log(lognormal.sample(np.random.default_rng(i))["coefficient"]) for i in range(300)]
    # The mean mode is zero, so the spatial second moment of log a has the mean log_std².
    assert np.mean(np.square(logs)) == pytest.approx(1.3**2, rel=0.1)
    plain = make_problem("darcy", resolution=32, medium="lognormal")
    z = np.log(plain.sample(np.random.default_rng(0))["coefficient"])
    np.testing.assert_array_equal(z >= 0, a == 12.0)  # the same field under both media


class TestPublishedScheme:
    """The scheme of solve_gwf.m, against a slow transcription of it."""

    @staticmethod
    def _transcription(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n = len(a)
        cells, points = cell_centres(n), nodes(n)

        def spline(values: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
            across = np.array([CubicSpline(known, row)(wanted) for row in values])
            return np.array([CubicSpline(known, column)(wanted) for column in across.T]).T

        c, f = spline(a, cells, points), spline(np.ones((n, n)), cells, points)
        matrix, rhs = np.zeros(((n - 2) ** 2,) * 2), np.zeros((n - 2) ** 2)
        number = {(i, j): (i - 1) * (n - 2) + j - 1 for i in range(1, n - 1) for j in range(1, n - 1)}
        for (i, j), row in number.items():
            rhs[row] = f[i, j]
            for neighbour in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
                t = (c[i, j] + c[neighbour]) / 2 * (n - 1) ** 2
                matrix[row, row] += t
                if neighbour in number:
                    matrix[row, number[neighbour]] = -t
        nodal = np.zeros((n, n))
        nodal[1:-1, 1:-1] = np.linalg.solve(matrix, rhs).reshape(n - 2, n - 2)
        return nodal, spline(nodal, points, cells)

    def test_equals_the_transcription(self) -> None:
        problem = make_problem("darcy", resolution=17, legacy=True)
        parameters = problem.sample(np.random.default_rng(2))
        result = problem.solve(parameters)
        fields = problem.fields(parameters, result.x)
        nodal, solution = self._transcription(parameters["coefficient"])
        np.testing.assert_allclose(fields["nodal_solution"].values, nodal, atol=1e-12)
        np.testing.assert_allclose(fields["solution"].values, solution, atol=1e-12)
        assert fields["nodal_solution"].role == "auxiliary"
        assert np.abs(fields["solution"].values[0]).min() > 1e-5  # the published data's values next to the wall

    def test_grid_that_is_not_square_and_second_order(self) -> None:
        errors = []
        for shape in ((24, 36), (48, 72), (96, 144)):
            problem = make_problem("darcy", resolution=shape, legacy=True)
            a, u, f = _manufactured(*_grid(shape))
            parameters = {"coefficient": a, "source": f}
            solution = problem.fields(parameters, problem.solve(parameters, DIRECT).x)["solution"].values
            errors.append(float(np.abs(solution - u).max()))
        assert abs(_rates(errors)[-1] - 2.0) < 0.15, _rates(errors)

    def test_certificate_covers_equation_interpolation_and_boundary(self) -> None:
        problem = make_problem("darcy", resolution=16, legacy=True)
        parameters = problem.sample(np.random.default_rng(2))
        stored = problem.fields(parameters, problem.solve(parameters).x)
        arrays = {name: item.values.copy() for name, item in stored.items()}
        assert problem.residual(arrays) < 1e-12
        for name, place in (("nodal_solution", (5, 5)), ("solution", (3, 4)), ("coefficient", (8, 8))):
            spoilt = {**arrays, name: arrays[name].copy()}
            spoilt[name][place] *= 1.001
            assert problem.residual(spoilt) > 1e-6
        arrays["nodal_solution"][0, 3] = 1e-300
        assert problem.residual(arrays) == np.inf

    def test_is_close_to_the_finite_volumes(self) -> None:
        parameters, solutions = {}, []
        for legacy in (False, True):
            problem = make_problem("darcy", resolution=64, legacy=legacy)
            parameters = problem.sample(np.random.default_rng(4))
            solutions.append(problem.fields(parameters, problem.solve(parameters).x)["solution"].values)
        assert np.linalg.norm(solutions[0] - solutions[1]) < 0.05 * np.linalg.norm(solutions[0])


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("darci", {}, "did you mean 'darcy'"),
        ("darcy", {"resolutin": 64}, "did you mean 'resolution'"),
        ("darcy", {"medium": "log"}, "unknown medium 'log'"),
        ("darcy", {"low": -1.0}, "low is -1.0"),
        ("darcy", {"high": float("nan")}, "high is nan"),
        ("darcy", {"log_std": 1.0}, "medium=lognormal"),
        ("darcy", {"resolution": 0}, "at least 2"),
        ("darcy", {"resolution": [64, 64, 64]}, "3 axes"),
        ("darcy", {"resolution": "big"}, "resolution is 'big'"),
        ("darcy", {"resolution": 3, "legacy": True}, "at least 4 cells"),
        ("darcy", {"legacy": "yes"}, "legacy is 'yes'"),
        ("poisson", {"boundary": "robin"}, "boundary condition 'robin'"),
    ],
)
def test_wrong_settings(name: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        make_problem(name, **settings)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "cgs"}, "did you mean 'cg'"),
        ({"preconditioner": "amgg"}, "did you mean 'amg'"),
        ({"settings": {"rtol": -1e-8}}, "rtol is -1e-08"),
        ({"settings": {"rtoll": 1e-8}}, "did you mean 'rtol'"),
        ({"precond": "amg"}, "did you mean 'preconditioner'"),
    ],
)
def test_wrong_solver(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SolverSpec.from_dict(values)


def test_solver_round_trip() -> None:
    solver = SolverSpec("cg", {"rtol": 1e-7}, "amg", {"method": "ruge_stuben"})
    assert SolverSpec.from_dict(solver.to_dict()) == solver
    assert SolverSpec("sor", {"omega": 1.5}, None).rtol == 1e-10
