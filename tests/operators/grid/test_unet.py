"""The U-Net: symmetries on periodic grids, grids that are no multiples, and a map that it learns."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from resolvent.operators import UNet, build_operator
from resolvent.solvers import InputError


def build(**arguments: Any) -> UNet:
    model = build_operator(
        "unet", seed=0, **{"in_channels": 1, "out_channels": 1, "width": 4, "levels": 2, **arguments}
    )
    assert isinstance(model, UNet)
    return model


def values(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("grid", [(16,), (8, 12), (8, 4, 8)])
def test_on_a_periodic_grid_it_commutes_with_shifts(grid: tuple[int, ...]) -> None:
    """By multiples of 2^levels, to round-off; by one cell only in part, as the coarse grids are elsewhere."""
    model = build(ndim=len(grid), boundary="circular", position=False).double()
    inputs = values(2, 1, *grid)
    shifted = model(torch.roll(inputs, 4, dims=2))
    assert torch.allclose(shifted, torch.roll(model(inputs), 4, dims=2), atol=1e-10)
    assert not torch.allclose(model(torch.roll(inputs, 1, dims=2)), torch.roll(model(inputs), 1, dims=2), atol=1e-4)
    walled = build(ndim=len(grid), position=False).double()
    assert not torch.allclose(walled(torch.roll(inputs, 4, dims=2)), torch.roll(walled(inputs), 4, dims=2), atol=1e-4)


@pytest.mark.parametrize("boundary", ["zeros", "replicate", "circular"])
@pytest.mark.parametrize("grid", [(3,), (9,), (5, 10), (2, 4, 7)])
def test_any_size_is_extended_and_cut(boundary: str, grid: tuple[int, ...]) -> None:
    """The extension is what `boundary` says: the same as extending by hand, and cutting off again."""
    model = build(ndim=len(grid), boundary=boundary, position=False, levels=3).double()
    inputs = values(2, 1, *grid)
    extended = inputs
    for axis, n in enumerate(grid, start=2):
        index = torch.arange(-(-n // 8) * 8)
        if boundary == "circular":
            extended = extended.index_select(axis, index % n)
        else:
            extended = extended.index_select(axis, index.clamp(max=n - 1))
            if boundary == "zeros":
                extended.narrow(axis, n, len(index) - n).zero_()
    whole = model(extended)
    for axis, n in enumerate(grid, start=2):
        whole = whole.narrow(axis, 0, n)
    assert torch.allclose(model(inputs), whole, atol=1e-12)


def test_channels_double_at_each_level() -> None:
    model = build(width=8, levels=3)
    assert [block.convolutions[1].out_channels for block in model.down] == [8, 16, 32, 64]
    assert [norm.num_groups for norm in model.down[2].norms] == [4, 4]


def test_it_learns_a_step_across_the_grid() -> None:
    """u(x) = the mean of a, which needs all levels, beside a(x)², which needs none."""
    torch.manual_seed(0)
    inputs = values(32, 1, 16).float()
    targets = torch.cat((inputs.mean(dim=2, keepdim=True).expand(-1, -1, 16), inputs.square()), dim=1)
    model = build(ndim=1, width=8, out_channels=2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    errors = []
    for _ in range(150):
        loss = (model(inputs) - targets).square().mean(dim=(0, 2)) / targets.var(dim=(0, 2))
        errors.append(loss.detach())
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
    assert float(errors[-1].max()) < 0.1 < float(errors[0].min())


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match="unknown boundary of a unet 'periodic'"):
        build(boundary="periodic")
    with pytest.raises(InputError, match="levels"):
        build(levels=0)
    with pytest.raises(InputError, match="unknown activation"):
        build(activation="sine")
