"""Test Helmholtz: measured orders, indefiniteness, the absorbing sides, the resolution rule."""

from __future__ import annotations

import numpy as np
import pytest

from resolvent.data import make_problem
from resolvent.solvers import InputError, SolverSpec

PI = np.pi


def _rates(errors: list[float]) -> np.ndarray:
    return np.log2(np.array(errors[:-1]) / np.array(errors[1:]))


def _dirichlet_error(n: int, dimension: int) -> float:
    """k = k0 (1 + 0.2 sin(2x + y)), u = e^x sin(πx) sin(2πy), times sin(πz) in the cube.

    k0 = 6 on the square; 3 in the cube, whose coarser grids want to be far from a resonance.
    """
    k0 = 6.0 if dimension == 2 else 3.0
    problem = make_problem(
        "helmholtz", resolution=n, k0=k0, boundary="dirichlet", dimension=dimension, points_per_wavelength=4, modes=4
    )
    grids = np.meshgrid(*problem.axes, indexing="ij")
    x, y = grids[:2]
    k = k0 * (1 + 0.2 * np.sin(2 * x + y))
    u = np.sin(PI * x) * np.sin(2 * PI * y) * np.exp(x)
    laplacian = np.exp(x) * ((1 - PI**2) * np.sin(PI * x) + 2 * PI * np.cos(PI * x)) * np.sin(2 * PI * y)
    laplacian -= 4 * PI**2 * u
    if dimension == 3:
        s = np.sin(PI * grids[2])
        laplacian, u = (laplacian - PI**2 * u) * s, u * s
    result = problem.solve({"wavenumber": k, "source": -laplacian - k**2 * u})
    return float(np.linalg.norm(result.x - u.ravel()) / np.sqrt(u.size))


def test_dirichlet_converges_with_second_order() -> None:
    rates = _rates([_dirichlet_error(n, 2) for n in (64, 128)])
    assert np.all(np.abs(rates - 2.0) < 0.1), rates


def test_second_order_in_three_dimensions() -> None:
    rates = _rates([_dirichlet_error(n, 3) for n in (8, 16)])
    assert abs(rates[0] - 2.0) < 0.1, rates


@pytest.mark.parametrize("norm", [2, np.inf])
def test_absorbing_sides_converge_with_second_order(norm: float) -> None:
    """Solve for u = e^{iθ} with ∂θ/∂n = k on all sides, and k varying along them."""
    k0, errors = 5.0, []
    for n in (16, 32, 64):
        problem = make_problem("helmholtz", resolution=n, k0=k0, points_per_wavelength=4, modes=4)
        x, y = np.meshgrid(*problem.axes, indexing="ij")

        def side(t: np.ndarray, order: int) -> np.ndarray:
            wave = (np.cos, lambda q: -np.sin(q), lambda q: -np.cos(q))[order](2 * PI * t)
            return k0 * ((order == 0) + 0.2 * (2 * PI) ** order * wave)

        def bowl(t: np.ndarray) -> np.ndarray:
            return t * t - t

        theta = bowl(x) * side(y, 0) + bowl(y) * side(x, 0)
        theta_x = (2 * x - 1) * side(y, 0) + bowl(y) * side(x, 1)
        theta_y = (2 * y - 1) * side(x, 0) + bowl(x) * side(y, 1)
        laplacian = 2 * side(y, 0) + bowl(y) * side(x, 2) + 2 * side(x, 0) + bowl(x) * side(y, 2)
        k = side(x, 0) * side(y, 0) / (1.2 * k0)
        u = np.exp(1j * theta)
        source = (theta_x**2 + theta_y**2 - 1j * laplacian - k**2) * u
        result = problem.solve({"wavenumber": k, "source": source})
        assert result.converged
        errors.append(float(np.linalg.norm(result.x - u.ravel(), norm) / (n if norm == 2 else 1)))
    assert np.all(np.abs(_rates(errors) - 2.0) < 0.1), _rates(errors)


def test_eigenfunction_is_scaled_by_its_shifted_discrete_eigenvalue() -> None:
    n, k = 20, 11.0
    problem = make_problem("helmholtz", resolution=n, k0=k, contrast=0.0, boundary="dirichlet")
    x, y = np.meshgrid(*problem.axes, indexing="ij")
    f = np.sin(2 * PI * x) * np.sin(5 * PI * y)
    eigenvalue = sum(4.0 * n**2 * np.sin(PI * m / (2 * n)) ** 2 for m in (2, 5)) - k**2
    result = problem.solve({"wavenumber": np.full((n, n), k), "source": f})
    np.testing.assert_allclose(result.x.reshape(n, n), f / eigenvalue, atol=1e-13)


def test_truly_indefinite() -> None:
    """As many negative eigenvalues as discrete modes below k; 26 modes of the square itself are below k0 = 20."""
    problem = make_problem("helmholtz", resolution=36, contrast=0.0, boundary="dirichlet")
    matrix = problem.system(problem.sample(np.random.default_rng(0))).operator.toarray()
    found = int(np.count_nonzero(np.linalg.eigvalsh(matrix) < 0.0))
    modes = PI * np.arange(1, 37)
    for squares, expected in ((modes**2, 26), ((72 * np.sin(modes / 72)) ** 2, found)):
        assert np.count_nonzero(squares[:, None] + squares < 20.0**2) == expected
    assert found >= 26


def test_wavenumber_stays_within_its_bounds_and_takes_its_law() -> None:
    problem = make_problem("helmholtz", resolution=32, k0=16.0, contrast=0.25, modes=32)
    k = np.stack([problem.sample(np.random.default_rng(i))["wavenumber"] for i in range(200)])
    assert 16.0 * 0.75 < k.min() < k.max() < 16.0 * 1.25
    z = np.arctanh((k / 16.0 - 1.0) / 0.25)
    assert np.mean(z**2) == pytest.approx(1.0, rel=0.1)


def test_point_source_is_a_delta() -> None:
    """Its integral is 1 and its first moment the same place on every grid."""
    moments = []
    for n in (20, 50):
        problem = make_problem("helmholtz", resolution=n, k0=8.0, source="point", modes=8)
        f = problem.sample(np.random.default_rng(4))["source"]
        assert f.sum() / n**2 == pytest.approx(1.0, rel=1e-12)
        assert np.count_nonzero(f) <= 4
        moments.append([float((f.sum(axis=1 - d) * problem.axes[d]).sum() / n**2) for d in range(2)])
    np.testing.assert_allclose(moments[0], moments[1], atol=1e-12)


def test_gaussian_source_has_unit_strength() -> None:
    problem = make_problem("helmholtz", resolution=80, k0=8.0, modes=8)
    f = problem.sample(np.random.default_rng(4))["source"]
    assert f.mean() == pytest.approx(1.0, rel=1e-3)
    assert f.max() == pytest.approx(1.0 / (2.0 * PI * 0.05**2), rel=0.05)


def test_absorbing_sides_let_a_wave_out() -> None:
    """Energy leaves: the flux Im(ū ∂u/∂n) through the sides is Im ∫ f ū, and nothing rings as in the closed box."""
    problem = make_problem("helmholtz", resolution=40, k0=20.0, contrast=0.0, modes=8)
    parameters = problem.sample(np.random.default_rng(0))
    u = problem.solve(parameters).x.reshape(problem.shape)
    power = float((parameters["source"] * u.imag).mean())
    rim = sum(np.abs(edge) ** 2 for edge in (u[0], u[-1], u[:, 0], u[:, -1])).mean()
    assert power == pytest.approx(20.0 * rim / (1.0 + (20.0 / 80.0) ** 2), rel=1e-9)


def test_default_solver_beyond_the_direct_one() -> None:
    problem = make_problem("helmholtz", resolution=18, k0=8.0, dimension=3, modes=8)
    assert problem.default_solver.preconditioner == "ilut"
    result = problem.solve(problem.sample(np.random.default_rng(0)))
    assert result.converged
    assert make_problem("helmholtz", resolution=300).default_solver.preconditioner == "ilut"
    assert make_problem("helmholtz").default_solver == SolverSpec("gmres", {"rtol": 1e-10}, "direct", {})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resolution": 32}, "use resolution >= 36"),
        ({"k0": 0}, "k0 is 0"),
        ({"contrast": 1.0}, "0 <= contrast < 1"),
        ({"contrast": "much"}, "contrast is 'much'"),
        ({"boundary": "neumann"}, "unknown boundary 'neumann'"),
        ({"source": "points"}, "did you mean 'point'"),
        ({"legacy": "skr", "dimension": 3}, "dimension=2"),
        ({"legacy": True}, "unknown legacy True"),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        make_problem("helmholtz", **settings)
    assert "\n" not in str(raised.value)
