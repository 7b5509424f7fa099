"""The average of the weights, written out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from resolvent.operators.training.weight_average import WeightAverage


def test_it_follows_its_recurrence_with_a_start_that_forgets_faster() -> None:
    """m ← d m + (1 − d) w with d = min(decay, (1 + k)/(10 + k)) in step k."""
    model, decay = nn.Linear(2, 1), 0.3
    average = WeightAverage(model, decay)
    expected = model.weight.detach().clone()
    for k, factor in enumerate([0.1, 2.0 / 11.0, 0.25, 0.3, 0.3]):
        assert min(decay, (1.0 + k) / (10.0 + k)) == pytest.approx(factor)
        with torch.no_grad():
            model.weight += 1.0 + k
        average.update()
        expected = factor * expected + (1.0 - factor) * model.weight.detach()
        own = model.weight.detach().clone()
        with average.applied():
            torch.testing.assert_close(model.weight.detach(), expected)
        assert torch.equal(model.weight, own)


def test_without_a_decay_there_is_none() -> None:
    model = nn.Linear(2, 1)
    average = WeightAverage(model, None)
    average.update()
    own = model.weight.detach().clone()
    with average.applied():
        assert torch.equal(model.weight, own)
    assert average.state_dict() == {}
