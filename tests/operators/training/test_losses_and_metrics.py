"""Losses and metrics on arrays whose norms are known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from resolvent.operators.evaluation import metrics
from resolvent.operators.training import losses
from resolvent.solvers import InputError


def tensor(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_relative_l2_by_hand() -> None:
    target = tensor([[[3.0, 4.0]], [[0.0, 2.0]]])  # norms 5 and 2 (times 1/√2)
    prediction = tensor([[[3.0, 3.0]], [[2.0, 2.0]]])  # errors 1 and 2
    assert float(losses.relative_l2(prediction, target)) == pytest.approx((1 / 5 + 2 / 2) / 2, abs=1e-15)
    found = metrics.relative_l2(prediction.numpy(), target.numpy())
    assert found == pytest.approx(np.array([[0.2], [1.0]]), abs=1e-15)


def test_each_channel_counts_by_its_own_norm() -> None:
    target = tensor([[[1.0, 1.0], [1e6, 1e6]]])
    prediction = tensor([[[1.5, 0.5], [1e6, 1e6]]])
    assert float(losses.relative_l2(prediction, target)) == pytest.approx(0.25)
    assert metrics.relative_l2(prediction.numpy(), target.numpy()) == pytest.approx(np.array([[0.5, 0.0]]))


def test_h1_by_hand() -> None:
    # Two cells of width ½: u = (1, 3): mean square 5; one face with slope 4, for the whole: 16.
    target, prediction = tensor([[[1.0, 3.0]]]), tensor([[[1.0, 1.0]]])
    # error (0, 2): mean square 2; slope 4: 16.
    expected = math.sqrt((2 + 16) / (5 + 16))
    assert float(losses.relative_h1(prediction, target)) == pytest.approx(expected, abs=1e-15)
    assert float(metrics.relative_h1(prediction.numpy(), target.numpy())[0, 0]) == pytest.approx(expected, abs=1e-15)
    # On a periodic domain of length 2 (cells of width 1, volume average): slopes 2 and −2, each on half of it.
    expected = math.sqrt((2 + 4) / (5 + 4))
    keywords = {"lengths": (2.0,), "periodic": True}
    assert float(losses.relative_h1(prediction, target, **keywords)) == pytest.approx(expected, abs=1e-15)
    assert float(metrics.relative_h1(prediction.numpy(), target.numpy(), **keywords)[0, 0]) == pytest.approx(expected)


def test_h1_norm_converges_to_the_integral() -> None:
    """‖sin πx sin πy‖²_H¹ = ¼ + π²/2 on the unit square; the differences are second-order accurate."""
    exact = math.sqrt(0.25 + 0.5 * math.pi**2)
    for periodic, waves, integral in ((False, 1, exact), (True, 2, math.sqrt(0.25 + 2 * math.pi**2))):
        errors = []
        for n in (128, 256, 512):
            wave = torch.sin(waves * math.pi * (torch.arange(n, dtype=torch.float64) + 0.5) / n)
            field = (wave[:, None] * wave)[None, None]
            errors.append(abs(float(losses.h1_norms(field, periodic=periodic)) - integral))
        assert errors[1] / errors[2] == pytest.approx(4.0, abs=0.3)  # terms in h³ fade slowly at the ends
        assert errors[0] / errors[1] == pytest.approx(4.0, abs=0.5)


def test_h1_sees_the_shortest_wave() -> None:
    checkerboard = tensor([[[1.0, -1.0, 1.0, -1.0]]])
    assert float(losses.h1_norms(checkerboard)) == pytest.approx(math.sqrt(1 + 8.0**2))


@pytest.mark.parametrize("space", [(6,), (5, 4), (3, 4, 2)])
def test_losses_and_metrics_agree(space: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    prediction, target = (torch.randn(3, 2, *space, dtype=torch.float64, generator=generator) for _ in range(2))
    for name in ("relative_l2", "relative_h1"):
        loss = float(getattr(losses, name)(prediction, target))
        assert loss == pytest.approx(
            float(getattr(metrics, name)(prediction.numpy(), target.numpy()).mean()), rel=1e-12
        )


@pytest.mark.parametrize("name", ["l2", "h1"])
def test_loss_at_an_exact_prediction(name: str) -> None:
    target = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    prediction = target.clone().requires_grad_()
    loss = losses.LOSSES[name](prediction, target)
    loss.backward()
    assert loss.item() == 0.0
    assert prediction.grad is not None
    assert float(prediction.grad.abs().max()) == 0.0  # and not NaN


@pytest.mark.parametrize("name", ["l2", "h1"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_loss_is_not_finite_where_the_prediction_is_not(name: str, value: float) -> None:
    target = torch.ones(2, 1, 4)
    prediction = target.clone()
    prediction[1, 0, 2] = value
    assert not math.isfinite(losses.LOSSES[name](prediction, target).item())
    assert not np.isfinite(metrics.relative_l2(prediction.numpy(), target.numpy())[1, 0])


@pytest.mark.parametrize("name", ["l2", "h1"])
def test_loss_gradient(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    prediction, target = (torch.randn(2, 2, 3, 4, dtype=torch.float64, generator=generator) for _ in range(2))
    assert torch.autograd.gradcheck(lambda p: losses.LOSSES[name](p, target), prediction.requires_grad_())


def test_a_vanishing_sample_does_not_own_the_loss() -> None:
    target = tensor([[[1.0, 1.0]], [[0.0, 0.0]]])
    prediction = tensor([[[1.0, 1.0]], [[1e-3, 1e-3]]])
    floor = losses.FLOOR * math.sqrt(0.5)
    assert float(losses.relative_l2(prediction, target)) == pytest.approx(0.5 * 1e-3 / floor)
    zeros = torch.zeros(2, 1, 3)
    assert losses.relative_l2(zeros, zeros).item() == 0.0
    # A metric has no floor: it says that the relative error is infinite.
    found = metrics.relative_l2(prediction.numpy(), target.numpy())
    assert found[1, 0] == np.inf
    assert metrics.relative_l2(zeros.numpy(), zeros.numpy()).tolist() == [[0.0], [0.0]]


def test_max_errors_by_hand() -> None:
    target = np.array([[[1.0, -4.0], [10.0, 0.0]]])
    prediction = np.array([[[1.5, -3.0], [10.0, -2.0]]])
    assert metrics.max_error(prediction, target).tolist() == [[1.0, 2.0]]
    assert metrics.relative_max(prediction, target).tolist() == [[0.25, 0.2]]


def test_shapes_must_agree() -> None:
    with pytest.raises(InputError, match=r"predictions of shape \(1, 2, 3\) for targets of shape \(1, 1, 3\)"):
        losses.relative_l2(torch.zeros(1, 2, 3), torch.zeros(1, 1, 3))
    with pytest.raises(InputError, match="expected the same shape"):
        metrics.relative_l2(np.zeros((1, 2, 3)), np.zeros((1, 1, 3)))
    with pytest.raises(InputError, match="names 2 axes; the fields have 1"):
        losses.h1_norms(torch.zeros(1, 1, 3), lengths=(1.0, 1.0))
