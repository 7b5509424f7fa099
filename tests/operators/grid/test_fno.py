"""Test what is special to the Fourier neural operator: size, positions, arguments."""

from __future__ import annotations

import pytest
import torch

from resolvent.operators import FNO
from resolvent.operators.grid.grid_embedding import cell_centre_coordinates, embed_position
from resolvent.operators.grid.pointwise import PointwiseLinear
from resolvent.solvers import InputError


def test_number_of_weights() -> None:
    model = FNO(1, 2, ndim=2, modes=(5, 4), width=6, layers=3, projection=7)
    spectral = 3 * (9 * 4) * 6 * 6 * 2
    pointwise = (3 * 6 + 6) + 3 * (6 * 6 + 6) + (6 * 7 + 7) + (7 * 2 + 2)
    assert model.parameter_count() == spectral + pointwise


def test_coordinates_are_cell_centres_and_agree_between_grids() -> None:
    coarse = cell_centre_coordinates((3, 2), device=torch.device("cpu"), dtype=torch.float64)
    assert torch.allclose(coarse[0, :, 0], torch.tensor([-2 / 3, 0.0, 2 / 3], dtype=torch.float64), atol=1e-15)
    assert torch.equal(coarse[1, 0], torch.tensor([-0.5, 0.5], dtype=torch.float64))
    fine = cell_centre_coordinates((9, 6), device=torch.device("cpu"), dtype=torch.float64)
    assert torch.allclose(fine[:, 1::3, 1::3], coarse, atol=1e-15)  # a third of a cell has its centre in common
    nodes = [embed_position(torch.zeros(1, 1, n), nodes=True)[0, 1] for n in (4, 8)]
    assert nodes[0].tolist() == nodes[1][::2].tolist() == [-1.0, -0.5, 0.0, 0.5]
    embedded = embed_position(torch.zeros(4, 1, 3, 2, dtype=torch.float64))
    assert embedded.shape == (4, 3, 3, 2)
    assert torch.equal(embedded[2, 1:], coarse)


def test_without_position_it_commutes_with_translations() -> None:
    torch.manual_seed(0)
    values = torch.randn(1, 1, 12, 10, dtype=torch.float64)
    shifted = torch.roll(values, (5, 3), dims=(2, 3))
    arguments = {"modes": 3, "width": 4, "layers": 2, "projection": 5}
    free, fixed = (FNO(1, 1, position=position, **arguments).double() for position in (False, True))
    assert torch.allclose(free(shifted), torch.roll(free(values), (5, 3), dims=(2, 3)), atol=1e-12)
    assert not torch.allclose(fixed(shifted), torch.roll(fixed(values), (5, 3), dims=(2, 3)), atol=1e-4)


def test_pointwise_linear_is_a_matrix_at_each_point() -> None:
    torch.manual_seed(0)
    layer = PointwiseLinear(3, 2).double()
    values = torch.randn(2, 3, 4, 5, 6, dtype=torch.float64)
    expected = torch.einsum("oi,bixyz->boxyz", layer.weight, values) + layer.bias.view(1, 2, 1, 1, 1)
    assert torch.allclose(layer(values), expected, atol=1e-14)


def test_output_keeps_full_precision_under_autocast() -> None:
    torch.manual_seed(0)
    model = FNO(1, 1, modes=3, width=4, layers=2, projection=5)
    values = torch.randn(2, 1, 8, 8)
    with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
        cast = model(values)
    assert cast.dtype == torch.float32
    assert torch.allclose(cast, model(values), atol=0.05)
    assert not torch.equal(cast, cast.bfloat16().float())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activation": "gleu"}, "did you mean 'gelu'"),
        ({"modes": [3, 3, 3]}, "names 3 axes; expected one number or 2"),
        ({"modes": [3, 0]}, "modes is 0"),
        ({"width": 0}, "width is 0"),
        ({"layers": 1.5}, "layers is 1.5"),
        ({"projection": "many"}, "projection is 'many'"),
        ({"padding": -1.0}, "padding=-1.0"),
        ({"ndim": 4}, "ndim=4"),
        ({"in_channels": 0}, "in_channels is 0"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FNO(**{"in_channels": 1, "out_channels": 1, **arguments})  # type: ignore[arg-type]
