"""Test channel statistics and the operator in physical units."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from resolvent.operators import FNO, NormalizedOperator, channel_statistics, predict
from resolvent.solvers import InputError


def test_statistics_do_not_depend_on_the_batches() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((10, 2, 5, 4)) * np.array([1.0, 7.0])[:, None, None] + 1e5
    outputs = rng.random((10, 1, 5, 4))
    for cuts in ([0, 10], [0, 1, 4, 10], list(range(11))):
        found = channel_statistics((inputs[a:b], outputs[a:b]) for a, b in pairwise(cuts))
        assert found.input_mean == pytest.approx(inputs.mean(axis=(0, 2, 3)), rel=1e-14)
        assert found.input_std == pytest.approx(inputs.std(axis=(0, 2, 3)), rel=1e-10)
        assert found.output_std == pytest.approx(outputs.std(axis=(0, 2, 3)), rel=1e-12)


def test_a_constant_channel_is_only_shifted() -> None:
    constant = np.full((3, 1, 6), 0.1)
    found = channel_statistics([(constant, constant)])
    assert found.input_std.tolist() == [1.0]
    assert found.input_mean == pytest.approx([0.1])


def test_values_must_be_finite_and_there() -> None:
    broken = np.array([[[1.0, np.nan]]])
    with pytest.raises(InputError, match="training inputs hold NaN"):
        channel_statistics([(broken, np.ones((1, 1, 2)))])
    with pytest.raises(InputError, match="training outputs hold NaN"):
        channel_statistics([(np.ones((1, 1, 2)), broken)])
    with pytest.raises(InputError, match="no samples"):
        channel_statistics([])


def test_the_wrapped_operator_is_in_physical_units() -> None:
    torch.manual_seed(0)
    network = FNO(2, 1, ndim=1, modes=3, width=4, layers=2, projection=5).double()
    inputs = np.random.default_rng(0).standard_normal((6, 2, 8)) * 3.0 + np.array([[5.0], [-1.0]])
    outputs = 1e-3 * np.random.default_rng(1).standard_normal((6, 1, 8)) + 2.0
    model = NormalizedOperator(network, channel_statistics([(inputs, outputs)]))
    scaled = (inputs - inputs.mean(axis=(0, 2), keepdims=True)) / inputs.std(axis=(0, 2), keepdims=True)
    expected = network(torch.tensor(scaled)) * outputs.std() + outputs.mean()
    assert torch.allclose(model(torch.tensor(inputs)), expected, rtol=1e-12)
    assert model.arguments() == network.arguments()
    assert model.resolution_free is True
    buffers = {"input_mean", "input_std", "output_mean", "output_std"}
    assert buffers <= model.state_dict().keys()


def test_channels_must_agree() -> None:
    network = FNO(2, 1, ndim=1, modes=3, width=4, layers=2, projection=5)
    statistics = channel_statistics([(np.random.default_rng(0).random((2, 3, 8)), np.ones((2, 1, 8)))])
    with pytest.raises(InputError, match=r"input statistics have 3 channels and fno has 2: build .* in_channels=3"):
        NormalizedOperator(network, statistics)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_outputs_may_be_fixed(dtype: type) -> None:
    """A model of fixed statistics returns the constant itself; the rounding of stored values is no variation."""
    rng = np.random.default_rng(0)
    values = rng.random((4, 3, 6))
    values[:, 1], values[:, 2] = 0.0, 300.0 * (1.0 + 0.1 * np.finfo(dtype).eps * values[:, 2])
    found = channel_statistics([(values.astype(dtype), values.astype(dtype))], fixed_outputs=True)
    assert found.input_std.tolist() == [pytest.approx(values[:, 0].std(), rel=1e-6), 1.0, 1.0]
    assert found.output_std.tolist() == [pytest.approx(values[:, 0].std(), rel=1e-6), 0.0, 0.0]
    network = FNO(3, 3, ndim=1, modes=3, width=4, layers=2, projection=5).double()
    model = NormalizedOperator(network, found)
    outputs = model(torch.tensor(values)).detach().numpy()
    assert np.array_equal(outputs[:, 1], np.zeros((4, 6)))
    assert outputs[:, 2] == pytest.approx(300.0)
    assert model.output_scale.tolist() == [pytest.approx(found.output_std[0]), 1.0, pytest.approx(300.0)]


def test_digits_beside_a_large_mean_are_kept() -> None:
    """A float32 network on float64 values 1e5 ± 1e-3: the same outputs as for the values without the mean."""
    torch.manual_seed(0)
    network = FNO(1, 1, ndim=1, modes=3, width=4, layers=2, projection=5)
    values = 1e-3 * np.random.default_rng(0).standard_normal((4, 1, 8))
    shifted = NormalizedOperator(network, channel_statistics([(values + 65536.0, values + 65536.0)]))
    plain = NormalizedOperator(network, channel_statistics([(values, values)]))
    shifted.input_mean.fill_(65536.0), plain.input_mean.fill_(0.0)
    shifted.output_mean.fill_(65536.0), plain.output_mean.fill_(0.0)
    found, expected = predict(shifted, values + 65536.0) - 65536.0, predict(plain, values)
    assert found == pytest.approx(expected, abs=1e-7)
