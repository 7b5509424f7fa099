"""Building optimisers: which parameters get which step, and what is said about wrong settings."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest
import torch

from resolvent.operators import build_operator
from resolvent.operators.training.optimizers import OPTIMIZERS, build_optimizer
from resolvent.operators.training.weight_average import WeightAverage
from resolvent.solvers import InputError


def network() -> torch.nn.Module:
    return build_operator(
        "fno", seed=0, in_channels=2, out_channels=1, ndim=2, modes=3, width=4, layers=2, projection=6
    )


def build(name: str, model: torch.nn.Module, **settings: Any) -> torch.optim.Optimizer:
    return build_optimizer(name, model, 1e-2, 1e-4, 0, settings)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_parameter_is_in_one_group(name: str) -> None:
    if name in ("soap", "muon", "psgd", "shampoo"):
        pytest.importorskip("pytorch_optimizer")
    model = network()
    groups = build(name, model).param_groups
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in model.parameters())
    assert {group["lr"] for group in groups} == {1e-2}
    assert {group["weight_decay"] for group in groups} == {1e-4}


def test_muon_takes_the_matrices() -> None:
    pytest.importorskip("pytorch_optimizer")
    model = network()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    muon, adamw = ({names[id(p)] for p in group["params"]} for group in build("muon", model).param_groups)
    assert muon == {"lifting.weight", "skips.0.weight", "skips.1.weight", "projection_in.weight"}
    assert {"convolutions.0.weight", "projection_out.weight", "skips.0.bias"} <= adamw


def test_an_orthogonal_step_is_as_large_as_one_of_adam() -> None:
    """Muon's step is lr · 0.2 √max(m, n) U Vᵀ: the root mean square of its entries is about 0.2 lr, as Adam's."""
    pytest.importorskip("pytorch_optimizer")
    model = torch.nn.Linear(24, 32, bias=False)
    before = model.weight.detach().clone()
    optimizer = build_optimizer("muon", model, 1e-2, 0.0, 0)
    model.weight.grad = torch.randn(32, 24, generator=torch.Generator().manual_seed(0))
    optimizer.step()
    step = (model.weight.detach() - before) / 1e-2
    assert float(step.square().mean().sqrt()) == pytest.approx(0.2, rel=0.2)
    singular = torch.linalg.svdvals(step)
    assert float(singular.max() / singular.min()) < 2.0  # five Newton–Schulz steps bring all near one


def test_probes_depend_on_seed_and_step_alone() -> None:
    """What two processes, or an interrupted and an uninterrupted run, need: the same steps from other generators."""
    pytest.importorskip("pytorch_optimizer")
    weights = []
    for start, seed in ((1, 0), (2, 0), (1, 5)):
        torch.manual_seed(start)
        np.random.seed(start)  # noqa: NPY002
        model = network()
        optimizer = build_optimizer("psgd", model, 1e-2, 0.0, seed)
        before = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
        for step in range(3):
            for k, parameter in enumerate(model.parameters()):
                generator = torch.Generator().manual_seed(100 * step + k)
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            optimizer.step()
        assert torch.equal(before[0], torch.get_rng_state())
        assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
        weights.append(torch.cat([parameter.detach().flatten() for parameter in model.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_mistakes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"unknown setting of optimizer adamw 'beta'.*did you mean 'betas'"):
        build("adamw", network(), beta=[0.9, 0.99])
    with pytest.raises(InputError, match="set lr itself"):
        build("adamw", network(), lr=1.0)
    with pytest.raises(InputError, match=r"optimizer=adamw refuses its settings \(Invalid beta"):
        build("adamw", network(), betas=[0.9, 2.0])
    load = builtins.__import__

    def without(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name == "pytorch_optimizer":
            raise ImportError(name)
        return load(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'resolvent\[optim\]', or set optimizer=adamw"):
        build("soap", network())


def test_the_average_is_the_recursion() -> None:
    model = torch.nn.Linear(3, 2)
    average = WeightAverage(model, 0.5)
    expected = model.weight.detach().clone()
    for step in range(20):
        with torch.no_grad():
            model.weight.add_(torch.randn(2, 3, generator=torch.Generator().manual_seed(step)))
        average.update()
        kept = min(0.5, (1 + step) / (10 + step))
        expected = kept * expected + (1 - kept) * model.weight.detach()
    own = model.weight.detach().clone()
    with average.applied():
        assert torch.allclose(model.weight, expected, atol=1e-6)
    assert torch.equal(model.weight, own)
    twin = WeightAverage(model, 0.5)
    twin.load_state_dict(average.state_dict())
    with average.applied():
        held = model.weight.detach().clone()
    with twin.applied():
        assert torch.equal(model.weight, held)
