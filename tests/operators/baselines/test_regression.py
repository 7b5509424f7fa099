"""Compare the baselines with closed forms; interpolate between grids."""

from __future__ import annotations

import numpy as np
import pytest

from resolvent.operators import MeanField, PCALinearRegression
from resolvent.operators.baselines.regression import RIDGES
from resolvent.operators.baselines.resampling import interpolation_matrix, resample
from resolvent.operators.evaluation.metrics import relative_l2
from resolvent.solvers import InputError


def linear_data(samples: int, seed: int, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Outputs that are an affine function of inputs with 12 degrees of freedom on a 5 × 6 grid."""
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(99)
    basis, matrix, offset = fixed.standard_normal((12, 30)), fixed.standard_normal((30, 60)), fixed.standard_normal(60)
    inputs = rng.standard_normal((samples, 12)) @ basis
    outputs = inputs @ matrix + offset + noise * rng.standard_normal((samples, 60))
    return inputs.reshape(samples, 1, 5, 6), outputs.reshape(samples, 2, 5, 6)


def test_mean_field() -> None:
    inputs, outputs = linear_data(7, 0)
    model = MeanField().fit(inputs, outputs, inputs, outputs)
    assert np.allclose(model(inputs[:3]), np.broadcast_to(outputs.mean(axis=0), (3, 2, 5, 6)))
    with pytest.raises(InputError, match="has not been fitted"):
        MeanField()(inputs)


def test_regression_recovers_an_affine_map() -> None:
    model = PCALinearRegression().fit(*linear_data(40, 0), *linear_data(10, 1))
    inputs, outputs = linear_data(20, 2)
    assert float(relative_l2(model(inputs), outputs).max()) < 1e-9
    assert model.chosen_ridge < 1e-6


def test_regression_is_the_ridge_normal_equations() -> None:
    inputs, outputs = linear_data(25, 0, noise=1.0)
    ridge = 1e-2
    model = PCALinearRegression(ridge=ridge).fit(inputs, outputs)
    flat, targets = inputs.reshape(25, -1), outputs.reshape(25, -1)
    centred = flat - flat.mean(axis=0)
    penalty = ridge * np.linalg.norm(centred, 2) ** 2
    matrix = np.linalg.solve(centred.T @ centred + penalty * np.eye(30), centred.T @ (targets - targets.mean(axis=0)))
    new = linear_data(4, 5)[0]
    expected = targets.mean(axis=0) + (new.reshape(4, -1) - flat.mean(axis=0)) @ matrix
    assert np.allclose(model(new).reshape(4, -1), expected, rtol=1e-10, atol=1e-10)


def test_ridge_is_the_best_one_on_the_validation_split() -> None:
    training, validation = linear_data(16, 0, noise=30.0), linear_data(30, 1, noise=30.0)
    chosen = PCALinearRegression().fit(*training, *validation).chosen_ridge

    def error(ridge: float) -> float:
        return float(relative_l2(PCALinearRegression(ridge=ridge).fit(*training)(validation[0]), validation[1]).mean())

    assert chosen > 0.0
    assert error(chosen) == pytest.approx(min(error(ridge) for ridge in RIDGES))


def test_truncated_bases() -> None:
    inputs, outputs = linear_data(40, 0)
    errors = [
        float(relative_l2(PCALinearRegression(components=k, ridge=0.0).fit(inputs, outputs)(inputs), outputs).mean())
        for k in (1, 4, 12)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-10
    one = PCALinearRegression(ridge=0.0, output_components=1).fit(inputs, outputs)
    predicted = one(inputs).reshape(40, -1) - outputs.reshape(40, -1).mean(axis=0)
    assert np.linalg.matrix_rank(predicted, tol=1e-8 * np.linalg.norm(predicted, 2)) == 1


def test_on_another_grid_they_interpolate() -> None:
    """A map between linear functions of x commutes with linear interpolation, so it is the same on a finer grid."""
    rng = np.random.default_rng(0)

    def data(n: int, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = (np.arange(n) + 0.5) / n
        inputs = coefficients[:, :1] + coefficients[:, 1:] * x
        return inputs[:, None], (2.0 * coefficients[:, :1] - coefficients[:, 1:] * x)[:, None]

    model = PCALinearRegression(ridge=0.0).fit(*data(8, rng.standard_normal((5, 2))))
    for n in (4, 16, 11):
        inputs, outputs = data(n, rng.standard_normal((3, 2)))
        assert np.allclose(model(inputs), outputs, atol=1e-10)
    mean = MeanField().fit(*data(8, np.array([[1.0, 2.0], [3.0, 4.0]])))
    assert np.allclose(mean(data(16, np.zeros((1, 2)))[0]), data(16, np.array([[2.0, 3.0]]))[1])


def test_constant_inputs_give_the_mean() -> None:
    outputs = np.random.default_rng(0).random((4, 1, 6))
    model = PCALinearRegression(ridge=0.0).fit(np.ones((4, 1, 6)), outputs)
    assert np.allclose(model(np.ones((2, 1, 6))), outputs.mean(axis=0))


def test_mistakes_are_named() -> None:
    inputs, outputs = linear_data(5, 0)
    with pytest.raises(InputError, match="5 inputs came with 4 outputs"):
        PCALinearRegression().fit(inputs, outputs[:4], inputs, outputs)
    with pytest.raises(InputError, match="no validation samples"):
        PCALinearRegression().fit(inputs, outputs)
    with pytest.raises(InputError, match="components=0"):
        PCALinearRegression(components=0)
    with pytest.raises(InputError, match="ridge=-1"):
        PCALinearRegression(ridge=-1.0)
    with pytest.raises(InputError, match=r"expected \(samples, 1, \*space\)"):
        PCALinearRegression(ridge=0.0).fit(inputs, outputs)(np.zeros((2, 3, 5, 6)))


def test_interpolation_matrix() -> None:
    assert np.allclose(interpolation_matrix(4, 2), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])  # halving averages two cells
    assert np.allclose(interpolation_matrix(5, 5), np.eye(5))
    assert np.allclose(interpolation_matrix(1, 3), 1.0)
    for source, target in ((5, 12), (12, 5), (2, 7)):
        matrix = interpolation_matrix(source, target)
        x, y = ((np.arange(n) + 0.5) / n for n in (source, target))
        assert np.allclose(matrix @ (3.0 * x - 1.0), 3.0 * y - 1.0)  # exact for straight lines, to the boundary


def test_resampling_is_second_order_accurate() -> None:
    def field(n: int) -> np.ndarray:
        x = (np.arange(n) + 0.5) / n
        return np.sin(3.0 * x)[:, None] * np.exp(x)[None, None, None]

    errors = [np.abs(resample(field(n), (50, 60)) - resample(field(400), (50, 60))).max() for n in (20, 40)]
    assert errors[0] / errors[1] == pytest.approx(4.0, abs=0.8)
