"""Test truncated Chebyshev series: values, law, dimension."""

from __future__ import annotations

import numpy as np
import pytest

from resolvent.data.random_fields.chebyshev_series import ChebyshevSeries
from resolvent.solvers import InputError


def test_values_are_products_of_cosines() -> None:
    series = ChebyshevSeries(4, 2)
    a = series.sample(np.random.default_rng(0))
    x, y = np.array([0.0, 0.2, 0.9]), np.array([0.5, 1.0])
    angles = [np.arccos(2 * t - 1) for t in (x, y)]
    k = np.arange(5)
    expected = np.einsum("kl,ik,jl->ij", a, np.cos(np.outer(angles[0], k)), np.cos(np.outer(angles[1], k)))
    np.testing.assert_allclose(series.evaluate(a, x, y), expected, atol=1e-13)
    with pytest.raises(ValueError, match="2 variables"):
        series.evaluate(a, x)


def test_law() -> None:
    series = ChebyshevSeries(3, 2)
    assert series.size == 10  # C(5, 2)
    draws = np.stack([series.sample(np.random.default_rng(i)) for i in range(500)])
    kept = np.add.outer(np.arange(4), np.arange(4)) <= 3
    assert np.all(draws[:, ~kept] == 0.0)
    assert np.abs(draws).max() < 1.0
    np.testing.assert_allclose(draws[:, kept].std(axis=0), 1 / np.sqrt(3), rtol=0.15)
    assert np.abs(draws.mean(axis=0)).max() < 0.12


def test_no_variables_and_one() -> None:
    constant = ChebyshevSeries(5, 0)
    assert constant.size == 1
    assert constant.evaluate(constant.sample(np.random.default_rng(0))).shape == ()
    line = ChebyshevSeries(2, 1)
    np.testing.assert_allclose(line.evaluate(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0])), [6.0, 2.0])
    with pytest.raises(InputError, match="degree is -1"):
        ChebyshevSeries(-1, 2)
