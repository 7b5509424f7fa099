"""Kernel ridge against the formula, on nonlinear maps, and where there is nothing to learn."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from resolvent.operators import KernelRidge, MeanField, PCALinearRegression
from resolvent.operators.evaluation.metrics import relative_l2
from resolvent.operators.gaussian.kernel_ridge import RIDGES, _best_ridge, matern52
from resolvent.solvers import InputError


def bent(samples: int, seed: int, n: int = 24, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return u = sin of a functional of a smooth random a, times a shape: smooth and far from linear."""
    rng = np.random.default_rng(seed)
    x = (np.arange(n) + 0.5) / n
    coefficients = rng.standard_normal((samples, 3))
    inputs = coefficients @ np.cos(np.pi * np.outer(np.arange(3), x))
    outputs = np.sin(1.5 * coefficients[:, :1]) * np.cos(np.pi * x) + coefficients[:, 1:2] ** 2 * np.sin(np.pi * x)
    outputs = outputs + noise * rng.standard_normal(outputs.shape)
    return inputs[:, None], outputs[:, None]


def error(model: MeanField | PCALinearRegression | KernelRidge, noise: float = 0.0, n: int = 24) -> float:
    model.fit(*bent(300, 0, noise=noise), *bent(50, 1, noise=noise))
    inputs, outputs = bent(60, 2, n)
    return float(np.linalg.norm(model(inputs) - outputs) / np.linalg.norm(outputs))


def test_learns_what_a_linear_map_cannot() -> None:
    mean, linear, kernel = error(MeanField()), error(PCALinearRegression()), error(KernelRidge())
    assert kernel < 0.05
    assert min(mean, linear) > 10.0 * kernel
    assert error(KernelRidge(), n=48) < kernel + 0.01


def test_kernel_is_matern() -> None:
    from scipy.special import gamma, kv

    d = np.linspace(0.01, 4.0, 50)
    r = np.sqrt(5.0) * d / 0.7
    assert np.allclose(matern52(d, 0.7), 2.0**-1.5 / gamma(2.5) * r**2.5 * kv(2.5, r))
    assert matern52(np.zeros(1), 1.0)[0] == 1.0


def test_prediction_is_the_formula() -> None:
    """With all components and β = 0 the distances are those of the inputs."""
    inputs, outputs = bent(40, 0, noise=0.1)
    model = KernelRidge(energy=1.0).fit(inputs, outputs)
    new = bent(5, 3)[0]
    flat, others = inputs[:, 0], new[:, 0]
    basis = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    scale = (basis[1][:3] ** -model.exponent)[:, None] * basis[2][:3]
    points, places = (flat - flat.mean(axis=0)) @ scale.T, (others - flat.mean(axis=0)) @ scale.T
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    length = model.length * np.median(apart[np.triu_indices(40, 1)])
    kernel = matern52(apart, length) + model.ridge * np.eye(40)
    to_new = matern52(np.linalg.norm(places[:, None] - points[None], axis=2), length)
    mean = outputs[:, 0].mean(axis=0)
    expected = mean + to_new @ np.linalg.solve(kernel, outputs[:, 0] - mean)
    assert np.allclose(model(new)[:, 0], expected, rtol=1e-6, atol=1e-6)


def test_score_is_the_likelihood_of_a_gaussian_process() -> None:
    """−2 ln p(Y | K, γ, σ²) at the best σ² is q times the score, but for a constant."""
    rng = np.random.default_rng(0)
    points, values = rng.standard_normal((12, 2)), rng.standard_normal((12, 3))
    kernel = matern52(np.linalg.norm(points[:, None] - points[None], axis=2), 1.5)

    def likelihood(ridge: float) -> float:
        matrix = kernel + ridge * np.eye(12)
        variance = np.trace(values.T @ np.linalg.solve(matrix, values)) / 36
        deviance = 3 * np.linalg.slogdet(2.0 * np.pi * variance * matrix)[1]
        return float(deviance + np.trace(values.T @ np.linalg.solve(variance * matrix, values)))

    ridge, score = _best_ridge(kernel, values)
    assert likelihood(ridge) == pytest.approx(min(likelihood(other) for other in RIDGES))
    constant = likelihood(ridge) - 3.0 * score
    other = RIDGES[4]
    matrix = kernel + other * np.eye(12)
    by_hand = 12 * np.log(np.trace(values.T @ scipy.linalg.solve(matrix, values))) + np.linalg.slogdet(matrix)[1]
    assert likelihood(other) - 3.0 * by_hand == pytest.approx(constant)


def test_noise_raises_the_ridge() -> None:
    quiet, loud = (KernelRidge().fit(*bent(200, 0, noise=noise)) for noise in (0.0, 0.5))
    assert quiet.ridge < 1e-5
    assert loud.ridge > 100.0 * quiet.ridge


def test_the_number_of_samples_is_capped() -> None:
    model = KernelRidge(samples=30).fit(*bent(100, 0))
    assert model.used == 30
    assert model(bent(3, 1)[0]).shape == (3, 1, 24)


def test_nothing_to_learn() -> None:
    inputs, outputs = bent(8, 0)
    constant = KernelRidge().fit(np.ones((8, 1, 24)), outputs)
    assert np.allclose(constant(np.ones((2, 1, 24))), outputs.mean(axis=0))
    same = KernelRidge().fit(inputs, np.full((8, 1, 24), 3.0))
    assert float(relative_l2(same(inputs), np.full((8, 1, 24), 3.0)).max()) < 1e-12
    one = KernelRidge().fit(inputs[:1], outputs[:1])
    assert np.allclose(one(inputs[:1]), outputs[:1])


def test_mistakes_are_named() -> None:
    inputs, outputs = bent(8, 0)
    with pytest.raises(InputError, match="has not been fitted"):
        KernelRidge()(inputs)
    with pytest.raises(InputError, match="8 inputs came with 7 outputs"):
        KernelRidge().fit(inputs, outputs[:7])
    with pytest.raises(InputError, match=r"expected \(samples, 1, \*space\)"):
        KernelRidge().fit(inputs, outputs)(np.zeros((2, 3, 24)))
    with pytest.raises(InputError, match="samples=1 "):
        KernelRidge(samples=1)
    with pytest.raises(InputError, match="energy=0"):
        KernelRidge(energy=0)
