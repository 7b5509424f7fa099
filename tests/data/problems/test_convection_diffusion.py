"""Test convection and diffusion: measured orders, monotonicity, the flow's law, the Péclet number's."""

from __future__ import annotations

import numpy as np
import pytest

from resolvent.data import cell_centres, make_problem
from resolvent.data.random_fields.solenoidal import SolenoidalField
from resolvent.solvers import InputError

PI = np.pi


def _error(n: int, scheme: str, dimension: int = 2, norm: float = 2) -> float:
    """u = e^x sin(πx) sin(πy) (times sin πz) in a flow that crosses the sides, ε = 0.2."""
    problem = make_problem("convection_diffusion", resolution=n, scheme=scheme, dimension=dimension, modes=4)
    grids = np.meshgrid(*problem.axes, indexing="ij")
    x, y = grids[:2]
    w = [2 * np.sin(PI * x) * np.cos(PI * y) + 0.5, -2 * np.cos(PI * x) * np.sin(PI * y) + 0.3]
    u = np.sin(PI * x) * np.sin(PI * y) * np.exp(x)
    u_x = (PI * np.cos(PI * x) + np.sin(PI * x)) * np.sin(PI * y) * np.exp(x)
    u_y = PI * np.sin(PI * x) * np.cos(PI * y) * np.exp(x)
    laplacian = np.exp(x) * ((1 - PI**2) * np.sin(PI * x) + 2 * PI * np.cos(PI * x)) * np.sin(PI * y) - PI**2 * u
    convection = w[0] * u_x + w[1] * u_y
    if dimension == 3:
        s, c = np.sin(PI * grids[2]), PI * np.cos(PI * grids[2])
        w.append(0.7 + np.cos(x) * np.sin(y))
        laplacian, convection, u = (laplacian - PI**2 * u) * s, convection * s + w[2] * u * c, u * s
    parameters = {f"velocity_{axis}": v for axis, v in zip("xyz", w, strict=False)}
    parameters |= {"diffusivity": np.full(u.shape, 0.2), "source": -0.2 * laplacian + convection}
    result = problem.solve(parameters)
    assert result.converged
    return float(np.linalg.norm(result.x - u.ravel(), norm) / (np.sqrt(u.size) if norm == 2 else 1))


@pytest.mark.parametrize("norm", [2, np.inf])
@pytest.mark.parametrize(("scheme", "order", "sizes"), [("central", 2.0, (16, 32, 64)), ("upwind", 1.0, (32, 64, 128))])
def test_order(scheme: str, order: float, sizes: tuple[int, ...], norm: float) -> None:
    errors = np.array([_error(n, scheme, norm=norm) for n in sizes])
    rates = np.log2(errors[:-1] / errors[1:])
    assert np.all(np.abs(rates - order) < 0.1), rates


def test_order_in_three_dimensions() -> None:
    assert abs(np.log2(_error(7, "central", 3) / _error(14, "central", 3)) - 2.0) < 0.1


def test_upwind_gives_an_m_matrix_whatever_the_peclet_number() -> None:
    for flow in ("dirichlet", "neumann", "periodic"):
        settings = {"scheme": "upwind", "flow": flow, "peclet_low": 1e6, "peclet_high": 1e6, "modes": 16}
        problem = make_problem("convection_diffusion", resolution=12, **settings)
        parameters = problem.sample(np.random.default_rng(1))
        matrix = problem.system(parameters).operator.tocsr().toarray()
        off = matrix - np.diag(np.diag(matrix))
        assert off.max() <= 0.0
        assert np.diag(matrix).min() > 0.0
        assert (matrix.sum(axis=1) >= -1e-12 * np.diag(matrix)).all()
        inverse = np.linalg.inv(matrix)
        assert inverse.min() > -1e-13 * inverse.max()  # f ≥ 0 gives u ≥ 0
        assert np.abs(matrix - matrix.T).max() > 1.0


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("flow", ["dirichlet", "neumann", "periodic"])
def test_flow_has_no_divergence_and_unit_mean_square_speed(ndim: int, flow: str) -> None:
    field = SolenoidalField(ndim, flow, 4.0, 5.0, 8)
    rng = np.random.default_rng(0)
    step, points = 1e-4, [cell_centres(5)] * ndim
    coefficients = field.sample(rng)
    divergence = np.zeros((5,) * ndim)
    for d in range(ndim):
        ahead, behind = ([p + s * (i == d) for i, p in enumerate(points)] for s in (step, -step))
        difference = field.evaluate(coefficients, *ahead)[d] - field.evaluate(coefficients, *behind)[d]
        divergence += difference / (2 * step)
    assert np.abs(divergence).max() < 1e-4
    points = [cell_centres(12)] * ndim
    squares = [sum(np.mean(w**2) for w in field.evaluate(field.sample(rng), *points)) for _ in range(300)]
    assert np.mean(squares) == pytest.approx(1.0, rel=0.1)
    if flow == "dirichlet":  # a closed box
        for d in range(ndim):
            side = [np.array([0.0, 1.0]) if i == d else p for i, p in enumerate(points)]
            assert np.abs(field.evaluate(coefficients, *side)[d]).max() < 1e-12


def test_peclet_number_is_log_uniform_and_means_what_it_says() -> None:
    problem = make_problem("convection_diffusion", resolution=8, modes=4, peclet_low=1.0, peclet_high=100.0)
    numbers = [1.0 / problem.sample(np.random.default_rng(i))["diffusivity"][0, 0] for i in range(400)]
    assert 1.0 <= min(numbers) < 2.0
    assert 50.0 < max(numbers) <= 100.0
    assert np.mean(np.log10(numbers)) == pytest.approx(1.0, abs=0.1)
    cell = make_problem("convection_diffusion", resolution=(8, 16), modes=4, peclet="cell", peclet_low=2, peclet_high=2)
    assert cell.sample(np.random.default_rng(0))["diffusivity"][3, 3] == pytest.approx(1.0 / 8 / 2.0)


def test_default_solver() -> None:
    def solver(**settings: object) -> str | None:
        return make_problem("convection_diffusion", modes=4, **settings).default_solver.preconditioner

    assert solver() == "direct"
    assert solver(resolution=200) == "amg"
    assert solver(resolution=200, peclet_high=1e5) == "direct"
    assert solver(resolution=200, peclet_high=1e5, scheme="upwind") == "amg"
    problem = make_problem("convection_diffusion", resolution=17, dimension=3, modes=8, scheme="upwind")
    assert problem.default_solver.preconditioner == "amg"
    assert problem.solve(problem.sample(np.random.default_rng(0))).converged


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scheme": "quick"}, "unknown scheme 'quick'"),
        ({"peclet_low": 200.0}, "above peclet_high"),
        ({"peclet_low": -1.0}, "peclet_low is -1.0"),
        ({"alpha": 2.0}, "alpha > 2"),
        ({"flow": "open"}, "boundary condition 'open'"),
        ({"peclet": "local"}, "unknown peclet 'local'"),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        make_problem("convection_diffusion", **settings)
    assert "\n" not in str(raised.value)
