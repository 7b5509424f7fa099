"""Test Poisson and Darcy: measured orders of convergence, analytic checks, and the published scheme."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from resolvent.data import cell_centres, make_problem, nodes
from resolvent.solvers import InputError, SolverSpec

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


_SIDES = [
    "dirichlet",
    ["periodic", "dirichlet"],
    [["dirichlet", "neumann"], "neumann"],
    ["neumann", "periodic"],
]


def _factor(pair: str | list[str], x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A function of one variable that meets the conditions at 0 and 1, and its two derivatives."""
    low, high = (pair, pair) if isinstance(pair, str) else pair
    if low == "periodic":
        return np.exp(np.sin(q := 2 * np.pi * x)), *_exponential(q)
    k = {("dirichlet", "dirichlet"): 2.0, ("neumann", "neumann"): 1.0}.get((low, high), 1.5) * np.pi
    if low == "dirichlet":
        return np.sin(k * x), k * np.cos(k * x), -(k**2) * np.sin(k * x)
    return np.cos(k * x), -k * np.sin(k * x), -(k**2) * np.cos(k * x)


def _exponential(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale, value = 2 * np.pi, np.exp(np.sin(q))
    return scale * np.cos(q) * value, scale**2 * (np.cos(q) ** 2 - np.sin(q)) * value


def _separable(sides: object, axes: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """a = 1 + ½ ∏ cos(2πx_i), u a product of such functions, f = −∇·(a∇u)."""
    entries = [sides] * len(axes) if isinstance(sides, str) else list(sides)  # type: ignore[call-overload]
    factors = [_factor(pair, x) for pair, x in zip(entries, axes, strict=True)]
    waves = [(np.cos(q := 2 * np.pi * x), -2 * np.pi * np.sin(q)) for x in axes]

    def product(parts: list[np.ndarray]) -> np.ndarray:
        return np.asarray(np.prod(np.stack(np.meshgrid(*parts, indexing="ij")), axis=0))

    a = 1.0 + 0.5 * product([w[0] for w in waves])
    u = product([f[0] for f in factors])
    source = np.zeros_like(u)
    for d in range(len(axes)):
        slope, bend = (product([f[order if i == d else 0] for i, f in enumerate(factors)]) for order in (1, 2))
        a_slope = 0.5 * product([w[1 if i == d else 0] for i, w in enumerate(waves)])
        source -= a_slope * slope + a * bend
    return a, u, source


@pytest.mark.parametrize("sides", _SIDES, ids=str)
def test_second_order_with_every_kind_of_side(sides: object) -> None:
    errors = []
    for n in (16, 32, 64):
        problem = make_problem("darcy", resolution=n, boundary=sides, source="wells")
        a, u, f = _separable(sides, problem.axes)
        parameters = {"coefficient": a, "source": f}
        result = problem.solve(parameters)
        assert result.converged
        fields = problem.fields(parameters, result.x)
        found = fields["solution"].values
        singular = problem.system(parameters).nullspace is not None
        assert singular == (sides == ["neumann", "periodic"])
        # The discrete solution has mean zero over the cells, the continuous one over the square.
        errors.append(float(np.abs(found - (u - u.mean() if singular else u)).max()))
        assert problem.residual({name: field.values for name, field in fields.items()}) <= 1e-10
    assert np.all(np.abs(_rates(errors) - 2.0) < 0.1), _rates(errors)


@pytest.mark.parametrize("name", ["poisson", "darcy"])
@pytest.mark.parametrize("sides", ["dirichlet", [["neumann", "dirichlet"], "periodic", "dirichlet"]], ids=str)
def test_second_order_in_three_dimensions(name: str, sides: object) -> None:
    errors = []
    for n in (10, 20):
        problem = make_problem(name, dimension=3, resolution=[n, n + 2 * n // 10, n], boundary=sides, modes=4)
        a, u, f = _separable(sides, problem.axes)
        if name == "poisson":
            f = _laplace(sides, problem.axes)
        result = problem.solve({"coefficient": a, "source": f})
        errors.append(float(np.linalg.norm(result.x - u.ravel()) / np.sqrt(u.size)))
    assert abs(_rates(errors)[0] - 2.0) < 0.1, _rates(errors)


def _laplace(sides: object, axes: tuple[np.ndarray, ...]) -> np.ndarray:
    entries = [sides] * len(axes) if isinstance(sides, str) else list(sides)  # type: ignore[call-overload]
    factors = [_factor(pair, x) for pair, x in zip(entries, axes, strict=True)]
    total = np.zeros(tuple(x.size for x in axes))
    for d in range(len(axes)):
        parts = [f[2 if i == d else 0] for i, f in enumerate(factors)]
        total -= np.prod(np.stack(np.meshgrid(*parts, indexing="ij")), axis=0)
    return total


def test_values_on_the_walls_converge_with_second_order() -> None:
    """Solve for u = e^x sin(2y) + x y² with its own values on all four sides."""
    errors = []
    for n in (16, 32, 64):
        problem = make_problem("poisson", resolution=n, walls="chebyshev")
        x, y = problem.axes
        u = lambda s, t: np.exp(s) * np.sin(2 * t) + s * t**2  # noqa: E731
        walls = {
            "wall_x_low": u(0.0, y)[None, :], "wall_x_high": u(1.0, y)[None, :],
            "wall_y_low": u(x, 0.0)[:, None], "wall_y_high": u(x, 1.0)[:, None],
        }  # fmt: skip
        grid_x, grid_y = _grid(problem.shape)
        parameters = {name: np.broadcast_to(values, problem.shape) for name, values in walls.items()}
        parameters["source"] = 3 * np.exp(grid_x) * np.sin(2 * grid_y) - 2 * grid_x
        result = problem.solve(parameters, TIGHT)
        errors.append(float(np.linalg.norm(result.x.reshape(problem.shape) - u(grid_x, grid_y)) / n))
        arrays = {name: field.values for name, field in problem.fields(parameters, result.x).items()}
        assert problem.residual(arrays) < 1e-10
    assert np.all(np.abs(_rates(errors) - 2.0) < 0.1), _rates(errors)


def test_boundary_data_must_not_vary_along_the_normal() -> None:
    problem = make_problem("poisson", resolution=8, walls="chebyshev")
    parameters = problem.sample(np.random.default_rng(0))
    fields = {n: f.values for n, f in problem.fields(parameters, problem.solve(parameters).x).items()}
    assert problem.residual(fields) < 1e-10
    fields["wall_x_low"] = fields["wall_x_low"].copy()
    fields["wall_x_low"][5, 3] += 1e-9
    assert problem.residual(fields) == np.inf


def test_solution_of_a_singular_problem_has_mean_zero() -> None:
    problem = make_problem("poisson", resolution=12, boundary="neumann")
    parameters = problem.sample(np.random.default_rng(0))
    fields = {n: f.values for n, f in problem.fields(parameters, problem.solve(parameters).x).items()}
    assert abs(fields["solution"].mean()) < 1e-16
    assert problem.residual(fields) < 1e-10
    assert problem.residual({**fields, "solution": fields["solution"] + 1e-3}) > 1e-3


@pytest.mark.parametrize("dimension", [2, 3])
def test_one_well_pumps_in_what_the_other_takes_out(dimension: int) -> None:
    problem = make_problem("darcy", resolution=16, dimension=dimension, boundary="neumann", source="wells")
    parameters = problem.sample(np.random.default_rng(0))
    source = problem.fields(parameters, np.zeros(16**dimension))["source"].values
    assert source.shape == (16,) * dimension
    np.testing.assert_allclose(source, -np.flip(source), rtol=1e-12)
    assert max(zip(source.flat, np.ndindex(source.shape), strict=True))[1][0] in (3, 4)  # about x = 1/4
    assert source.max() > 0.5


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
    """Solve −c Δu = 1: u(½, ½) = 0.0736713532814951…/c by its double sine series; the error falls with n²."""
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
    """Compare the scheme of solve_gwf.m with a slow transcription of it."""

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
        ("poisson", {"source_boundary": "robin"}, "boundary condition 'robin'"),
        ("poisson", {"boundary": "robin"}, "boundary in x is 'robin'"),
        ("poisson", {"boundary": ["dirichlet", ["periodic", "neumann"]]}, "in y is .* a periodic axis is so on both"),
        ("poisson", {"boundary": ["dirichlet"]}, "2 entries, one an axis"),
        ("poisson", {"dimension": 4}, "dimension is 4"),
        ("poisson", {"source": "cheb"}, "unknown source 'cheb'"),
        ("poisson", {"walls": "chebyshev", "boundary": "neumann"}, "make one dirichlet"),
        ("poisson", {"legacy": "skr", "boundary": "neumann"}, "dimension=2, boundary=dirichlet"),
        ("poisson", {"degree": -1}, "degree is -1"),
        ("darcy", {"boundary": "periodic"}, "use source=wells"),
        ("darcy", {"legacy": True, "dimension": 3}, "legacy=True is on the square"),
        ("darcy", {"legacy": "skr", "resolution": [10, 12]}, "square of at least 5x5"),
        ("darcy", {"dimension": 3, "alpha": 1.5}, "alpha > 1.5"),
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
