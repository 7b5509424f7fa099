"""What every operator of OPERATORS must do; a new one is tested by being listed there and in SMALL."""

from __future__ import annotations

import copy
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from resolvent.operators import (
    OPERATORS,
    ChannelStatistics,
    NormalizedOperator,
    Operator,
    build_operator,
    load_operator,
    save_operator,
)
from resolvent.solvers import InputError

#: Constructor arguments that make each operator quick to test.
SMALL: dict[str, dict[str, Any]] = {
    "fno": {"modes": 3, "width": 6, "layers": 2, "projection": 8},
    "ffno": {"modes": 3, "width": 6, "layers": 2, "projection": 8},
    "unet": {"width": 4, "levels": 2},
    "neural_spectral": {"modes": 3, "width": 4, "layers": 2},
    "sno": {"modes": 3, "width": 4, "layers": 2},
}

GRIDS: dict[int, tuple[tuple[int, ...], ...]] = {1: ((16,), (9,)), 2: ((8, 8), (7, 10)), 3: ((6, 6, 6), (4, 7, 5))}

CASES = [(name, ndim) for name in OPERATORS for ndim in GRIDS]

cases = pytest.mark.parametrize(("name", "ndim"), CASES)


def build(name: str, ndim: int, **arguments: Any) -> Operator:
    given = {"in_channels": 2, "out_channels": 3, "ndim": ndim, **SMALL[name], **arguments}
    return build_operator(name, seed=1, **given)


def values(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(0))


def test_every_operator_has_small_arguments() -> None:
    assert SMALL.keys() == OPERATORS.keys()
    assert all(name == kind.name for name, kind in OPERATORS.items())


@cases
def test_shape_and_dtype(name: str, ndim: int) -> None:
    model = build(name, ndim)
    for batch, grid in zip((1, 3), GRIDS[ndim], strict=True):
        outputs = model(values((batch, 2, *grid)))
        assert outputs.shape == (batch, 3, *grid)
        assert outputs.dtype == torch.float32
        assert bool(torch.isfinite(outputs).all())
    assert model.double()(values((1, 2, *GRIDS[ndim][0]), torch.float64)).dtype == torch.float64


@cases
def test_gradients_reach_every_parameter(name: str, ndim: int) -> None:
    model = build(name, ndim)
    inputs = values((2, 2, *GRIDS[ndim][0])).requires_grad_()
    model(inputs).square().sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert bool(torch.isfinite(parameter.grad).all()), key
        assert float(parameter.grad.abs().max()) > 0.0, key
    assert inputs.grad is not None
    assert float(inputs.grad.abs().min()) > 0.0  # every input value matters


@cases
def test_weights_are_real(name: str, ndim: int) -> None:
    assert not any(tensor.is_complex() for tensor in build(name, ndim).state_dict().values())


@cases
def test_samples_do_not_mix(name: str, ndim: int) -> None:
    model = build(name, ndim).double().eval()
    inputs = values((3, 2, *GRIDS[ndim][1]), torch.float64)
    alone = torch.cat([model(inputs[i : i + 1]) for i in range(3)])
    assert torch.allclose(model(inputs), alone, rtol=1e-12, atol=1e-12)


@cases
def test_arguments_rebuild_it(name: str, ndim: int) -> None:
    model = build(name, ndim)
    arguments = json.loads(json.dumps(model.arguments()))
    assert arguments == model.arguments()
    assert arguments.keys() == inspect.signature(OPERATORS[name]).parameters.keys()
    twin = OPERATORS[name](**arguments)
    assert twin.arguments() == model.arguments()
    twin.load_state_dict(model.state_dict())
    inputs = values((1, 2, *GRIDS[ndim][0]))
    assert torch.equal(twin.eval()(inputs), model.eval()(inputs))


@cases
def test_it_prints_in_one_line(name: str, ndim: int) -> None:
    model = build(name, ndim, **({"width": 5} if ndim == 1 else {}))
    shown = repr(model)
    assert shown.startswith(f"{type(model).__name__}(in_channels=2, out_channels=3, ")
    assert shown.endswith(f": {model.parameter_count()} parameters)")
    assert "\n" not in shown
    assert "activation" not in shown  # at its default
    assert ("width=5" in shown) == (ndim == 1)
    assert repr(NormalizedOperator(model)) == f"NormalizedOperator({shown})"


@cases
def test_seed_makes_the_weights_and_nothing_else(name: str, ndim: int) -> None:
    before = torch.get_rng_state()
    first, second = build(name, ndim), build(name, ndim)
    assert torch.equal(before, torch.get_rng_state())
    for key, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[key])
    arguments = first.arguments()
    other = build_operator(name, seed=2, **arguments)
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


@cases
def test_saved_and_loaded_it_is_the_same(name: str, ndim: int, tmp_path: Path) -> None:
    statistics = ChannelStatistics(
        np.array([1.0, -2.0]), np.array([3.0, 0.5]), np.arange(3.0), np.array([1.0, 10.0, 1e-3])
    )
    for model in (build(name, ndim), NormalizedOperator(build(name, ndim), statistics), build(name, ndim).double()):
        folder = tmp_path / f"{type(model).__name__}{model.parameter_dtype()}"
        save_operator(model, folder, {"valid_l2": 0.5})
        loaded = load_operator(folder)
        assert type(loaded) is type(model)
        assert not loaded.training
        inputs = values((2, 2, *GRIDS[ndim][1]), model.parameter_dtype())
        assert torch.equal(loaded(inputs), model.eval()(inputs))
        assert sorted(p.name for p in folder.iterdir()) == ["model.json", "model.safetensors"]


@cases
def test_a_copy_is_independent(name: str, ndim: int) -> None:
    model = build(name, ndim)
    twin = copy.deepcopy(model)
    inputs = values((1, 2, *GRIDS[ndim][0]))
    before = model(inputs)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert torch.equal(model(inputs), before)


@cases
def test_the_map_does_not_depend_on_the_grid(name: str, ndim: int) -> None:
    """Centres of cells of n³ coincide with every third of 3n: the outputs there agree to second order in 1/n."""
    if not OPERATORS[name].resolution_free:
        pytest.skip(f"{name} lives on one grid")
    model = build(name, ndim, in_channels=1).double().eval()

    def outputs(n: int) -> torch.Tensor:
        x = (torch.arange(n, dtype=torch.float64) + 0.5) / n
        field = torch.ones((n,) * ndim, dtype=torch.float64)
        for axis in range(ndim):
            wave = 1.0 + 0.5 * torch.sin(2.0 * torch.pi * x + axis)
            field = field * wave.view(*(-1 if a == axis else 1 for a in range(ndim)))
        with torch.no_grad():
            return model(field[None, None])[0]

    def at_every(step: int, field: torch.Tensor) -> torch.Tensor:
        return field[(slice(None), *(slice(step // 2, None, step),) * ndim)]

    coarse = 10 if ndim < 3 else 8
    fields = [outputs(coarse * 3**k) for k in range(3 if ndim < 3 else 2)]
    scale = float(fields[0].abs().max())
    first = float((fields[0] - at_every(3, fields[1])).abs().max()) / scale
    assert first < 0.05
    if ndim < 3:
        second = float((fields[1] - at_every(3, fields[2])).abs().max()) / scale
        assert second < max(first / 6.0, 1e-13)  # 3² = 9 in the limit, unless it is exact on every grid


@cases
def test_wrong_inputs_are_named(name: str, ndim: int) -> None:
    model = build(name, ndim)
    grid = GRIDS[ndim][0]
    for wrong in (values((2, *grid)), values((1, 5, *grid)), values((1, 2, *grid, 4)), torch.zeros(1, 2, *(0,) * ndim)):
        with pytest.raises(InputError, match=r"expected \(batch, 2"):
            model(wrong)
    with pytest.raises(InputError, match="expected a real floating dtype"):
        model(torch.zeros((1, 2, *grid), dtype=torch.int64))


@pytest.mark.parametrize("name", OPERATORS)
def test_wrong_arguments_are_named(name: str) -> None:
    with pytest.raises(InputError, match="in_channels is 0"):
        build(name, 2, in_channels=0)
    with pytest.raises(InputError, match="ndim=5"):
        build(name, 5)
    with pytest.raises(InputError, match="needs in_channels, out_channels"):
        build_operator(name)
    with pytest.raises(InputError, match=r"unknown setting of operator .* 'in_chanels'.*did you mean 'in_channels'"):
        build_operator(name, in_chanels=1)
    with pytest.raises(InputError, match="unknown operator"):
        build_operator(name + "x", in_channels=1, out_channels=1)
