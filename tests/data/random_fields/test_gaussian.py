"""Gaussian random fields: one continuous field at every resolution, with the covariance that is promised."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.fft import idctn

from resolvent.data import GaussianRandomField, cell_centres, nodes
from resolvent.solvers import InputError

BOUNDARIES = ("neumann", "dirichlet", "periodic")


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_same_field_at_common_points_of_two_resolutions(boundary: str, ndim: int) -> None:
    field = GaussianRandomField(boundary, ndim, alpha=2.0, modes=128 if ndim < 3 else 12)
    coefficients = field.sample(np.random.default_rng(3))
    n = 16 if ndim < 3 else 6
    coarse = field.evaluate(coefficients, *[cell_centres(n)] * ndim)
    fine = field.evaluate(coefficients, *[cell_centres(3 * n)] * ndim)  # centre i is centre 3i + 1 of the finer grid
    assert coarse.shape == (n,) * ndim
    assert np.abs(coarse).max() > 0.1
    np.testing.assert_allclose(fine[(slice(1, None, 3),) * ndim], coarse, atol=1e-12, rtol=0)
    on_nodes = field.evaluate(coefficients, *[nodes(2 * n + 1)] * ndim)  # node 2i + 1 is centre i
    np.testing.assert_allclose(on_nodes[(slice(1, None, 2),) * ndim], coarse, atol=1e-12, rtol=0)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_more_modes_refine_the_same_field(boundary: str) -> None:
    few, many = (GaussianRandomField(boundary, 2, modes=m) for m in (8, 20))
    a, b = few.sample(np.random.default_rng(5)), many.sample(np.random.default_rng(5))
    np.testing.assert_array_equal(b[: a.shape[0], : a.shape[1]], a)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("axis", [0, 1])
def test_derivative_is_that_of_the_field(boundary: str, axis: int) -> None:
    field = GaussianRandomField(boundary, 2, modes=9)
    c = field.sample(np.random.default_rng(2))
    points = [cell_centres(6), np.array([0.1, 0.5, 0.83])]
    ahead, behind = ([p + s * (d == axis) for d, p in enumerate(points)] for s in (1e-5, -1e-5))
    difference = (field.evaluate(c, *ahead) - field.evaluate(c, *behind)) / 2e-5
    np.testing.assert_allclose(field.derivative(c, axis, *points), difference, atol=1e-7)


def test_axes_may_have_different_points() -> None:
    field = GaussianRandomField(modes=16)
    c = field.sample(np.random.default_rng(0))
    x, y = cell_centres(7), np.array([0.0, 0.31, 1.0])
    k = np.arange(16)
    phi = [np.where(k == 0, 1.0, np.sqrt(2.0)) * np.cos(np.pi * np.outer(p, k)) for p in (x, y)]
    np.testing.assert_allclose(field.evaluate(c, x, y), np.einsum("ik,jl,kl->ij", *phi, c), atol=1e-13)
    with pytest.raises(ValueError, match="one an axis"):
        field.evaluate(c, x)


def test_neumann_field_is_the_published_cosine_transform() -> None:
    """Compare with GRF.m: idct2(K τ^{α−1} (π²|k|² + τ²)^{−α/2} ξ), ξ_00 = 0, on K cell centres."""
    n = 24
    field = GaussianRandomField("neumann", 2, alpha=2.0, tau=3.0, modes=n)
    assert field.sigma == 3.0
    coefficients = field.sample(np.random.default_rng(1))
    k1, k2 = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    scale = 3.0 * (np.pi**2 * (k1**2 + k2**2) + 9.0) ** -1.0
    assert coefficients[0, 0] == 0.0
    xi = coefficients / scale
    published = idctn(n * scale * xi, norm="ortho")
    np.testing.assert_allclose(field.evaluate(coefficients, cell_centres(n), cell_centres(n)), published, atol=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_variance_is_the_green_function_in_one_dimension(boundary: str) -> None:
    """With α = 1, σ = 1 the covariance is the Green function of −d²/dx² + τ², known in closed form."""
    tau, x = 3.0, np.array([0.1, 0.3, 0.5, 0.85])
    field = GaussianRandomField(boundary, 1, alpha=1.0, tau=tau, sigma=1.0, modes=40_000)
    exact = {
        "dirichlet": np.sinh(tau * x) * np.sinh(tau * (1 - x)) / (tau * np.sinh(tau)),
        "neumann": np.cosh(tau * x) * np.cosh(tau * (1 - x)) / (tau * np.sinh(tau)) - 1 / tau**2,
        "periodic": np.full(4, np.cosh(tau / 2) / (2 * tau * np.sinh(tau / 2)) - 1 / tau**2),
    }[boundary]
    # The sum leaves out about Σ_{k > m} 2cos²/(πk)² ≈ 1/(π²m).
    np.testing.assert_allclose(field.variance(x), exact, atol=2e-5)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_empirical_covariance(boundary: str) -> None:
    """Compare the covariance at six points, from 4000 samples, with Σ λ_k φ_k(x) φ_k(y) by complex exponentials."""
    field = GaussianRandomField(boundary, 2, alpha=2.0, tau=2.0, modes=6)
    points = np.array([0.13, 0.52, 0.9])
    rng = np.random.default_rng(7)
    samples = np.array([field.evaluate(field.sample(rng), points, points[:2]).ravel() for _ in range(4000)])
    x = np.stack(np.meshgrid(points, points[:2], indexing="ij"), -1).reshape(-1, 2)
    exact = np.zeros((6, 6))
    for k in np.ndindex(12, 12):
        if boundary == "periodic":
            k = tuple(i if i < 6 else 5 - i for i in k)  # 0 … 5, −1 … −6
            if min(k) == -6:
                continue
            wave = np.exp(2j * np.pi * x @ np.array(k))
            term, mu = np.real(np.outer(wave, wave.conj())), 4 * np.pi**2 * (k[0] ** 2 + k[1] ** 2)
        else:
            k = tuple(i + (boundary == "dirichlet") for i in k)
            if max(k) > 5 + (boundary == "dirichlet"):
                continue
            along = np.sin if boundary == "dirichlet" else np.cos
            phi = np.prod([np.sqrt(2.0 if i else 1.0) * along(np.pi * i * x[:, d]) for d, i in enumerate(k)], axis=0)
            term, mu = np.outer(phi, phi), np.pi**2 * (k[0] ** 2 + k[1] ** 2)
        if k != (0, 0):
            exact += field.sigma**2 * (mu + 4.0) ** -2.0 * term
    np.testing.assert_allclose(field.variance(points, points[:2]).ravel(), np.diag(exact), rtol=1e-12)
    deviation = np.sqrt((exact**2 + np.outer(np.diag(exact), np.diag(exact))) / len(samples))
    assert np.all(np.abs(samples.T @ samples / len(samples) - exact) < 5 * deviation)
    assert np.all(np.abs(samples.mean(0)) < 5 * np.sqrt(np.diag(exact) / len(samples)))


def test_mean_variance_is_the_average_of_the_variance() -> None:
    field = GaussianRandomField("neumann", 2, modes=10)
    x = cell_centres(40)  # the midpoint rule integrates cos(2πkx) exactly for k < 40
    assert field.variance(x, x).mean() == pytest.approx(field.mean_variance, rel=1e-12)


def test_neumann_field_has_zero_mean() -> None:
    field = GaussianRandomField("neumann", 2, modes=10)
    x = cell_centres(20)
    assert abs(field.evaluate(field.sample(np.random.default_rng(0)), x, x).mean()) < 1e-14


def test_pickle_leaves_out_the_bases() -> None:
    field = GaussianRandomField(modes=64)
    c = field.sample(np.random.default_rng(0))
    values = field.evaluate(c, cell_centres(32), cell_centres(32))
    again = pickle.loads(pickle.dumps(field))
    assert not again._bases
    np.testing.assert_array_equal(again.evaluate(c, cell_centres(32), cell_centres(32)), values)
    for n in range(2, 30):
        field.basis(cell_centres(n))
    assert len(field._bases) <= 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"boundary": "neuman"}, "did you mean 'neumann'"),
        ({"alpha": 1.0}, "alpha > 1"),
        ({"tau": 0.0}, "tau is 0.0"),
        ({"sigma": -1.0}, "sigma is -1.0"),
        ({"modes": 0}, "modes is 0"),
        ({"modes": 2.5}, "modes is 2.5"),
        ({"ndim": "two"}, "ndim is 'two'"),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        GaussianRandomField(**arguments)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)
