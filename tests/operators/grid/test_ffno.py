"""The convolution along axes against FFTs, and what the factorisation saves."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from resolvent.operators import FFNO, build_operator
from resolvent.operators.grid.ffno import AxialConvolution
from resolvent.solvers import InputError


def values(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("grid", [(16,), (8, 11), (6, 9, 8)])
def test_it_is_a_sum_of_fourier_multipliers(grid: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    modes = (3, 4, 2)[: len(grid)]
    convolution = AxialConvolution(2, modes, padding=0.0, gain=1.0).double()
    inputs = values(3, 2, *grid)
    expected = torch.zeros_like(inputs)
    for axis, (m, layer) in enumerate(zip(modes, convolution.axes, strict=True), start=2):
        weight = torch.view_as_complex(layer.weight.detach())  # (m, in, out)
        spectrum = torch.fft.rfft(inputs, dim=axis).movedim(axis, 2)[:, :, :m]
        mixed = torch.einsum("bik...,kio->bok...", spectrum, weight).movedim(2, axis)
        expected = expected + torch.fft.irfft(mixed, n=grid[axis - 2], dim=axis)
    assert torch.allclose(convolution(inputs), expected, atol=1e-12)


def test_axes_do_not_swap() -> None:
    """With equal weights on both axes it commutes with transposing the grid; with different ones it does not."""
    torch.manual_seed(0)
    convolution = AxialConvolution(2, (3, 3), padding=0.25, gain=1.0).double()
    inputs = values(1, 2, 7, 9)
    swapped = convolution(inputs.transpose(2, 3)).transpose(2, 3)
    assert not torch.allclose(convolution(inputs), swapped, atol=1e-3)
    convolution.axes[1].load_state_dict(convolution.axes[0].state_dict())
    swapped = convolution(inputs.transpose(2, 3)).transpose(2, 3)
    assert torch.allclose(convolution(inputs), swapped, atol=1e-12)


def build(name: str = "ffno", **arguments: Any) -> Any:
    return build_operator(name, seed=0, **{"in_channels": 1, "out_channels": 1, "width": 8, "modes": 8, **arguments})


def test_weights_grow_with_the_sum_of_modes() -> None:
    one, two = (build(modes=m, layers=4) for m in (8, 16))
    assert two.parameter_count() - one.parameter_count() == 4 * 2 * 8 * 8 * 8 * 2  # layers · axes · modes · width² · 2
    assert build(modes=16, layers=4).parameter_count() < 0.2 * build("fno", modes=16, layers=4).parameter_count()
    shared = build(modes=16, layers=4, shared=True)
    assert two.parameter_count() - shared.parameter_count() == 3 * 2 * 16 * 8 * 8 * 2
    assert len(shared.convolutions) == 1


def test_deep_networks_start_near_order_one() -> None:
    outputs = build(layers=24)(values(2, 1, 16, 16).float())
    assert 1e-3 < float(outputs.detach().std()) < 10.0


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match=r"modes=\[3, 3, 3\] names 3 axes; expected one number or 2"):
        FFNO(1, 1, modes=[3, 3, 3])
    with pytest.raises(InputError, match="expansion"):
        FFNO(1, 1, expansion=0)
    with pytest.raises(InputError, match="unknown activation"):
        FFNO(1, 1, activation="sine")
