"""Compare the spectral convolution with its definition, on even, odd, coarse and fine grids."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.operators import SpectralConvolution
from resolvent.operators.grid.spectral_convolution import retained_modes
from resolvent.solvers import InputError


def by_definition(layer: SpectralConvolution, values: torch.Tensor) -> torch.Tensor:
    """Sum over the frequencies below Nyquist, one by one: W_k times the midpoint rule of the integral."""
    period, space = 1.0 + layer.padding, values.shape[2:]
    axes = [(torch.arange(n, dtype=torch.float64) + 0.5) / n for n in space]
    points = torch.meshgrid(*axes, indexing="ij")
    weight = torch.view_as_complex(layer.weight.detach().double().contiguous())
    out = torch.zeros(values.shape[0], layer.out_channels, *space, dtype=torch.complex128)
    for index in itertools.product(*(range(size) for size in weight.shape[: len(space)])):
        k = [i - (m - 1) for i, m in zip(index[:-1], layer.modes[:-1], strict=True)] + [index[-1]]
        if any(2 * abs(a) >= n * period for a, n in zip(k, space, strict=True)):
            continue
        phase = 2.0 * math.pi / period * sum(a * x for a, x in zip(k, points, strict=True))
        wave = torch.polar(torch.ones_like(phase), phase)
        coefficient = (values * wave.conj()).flatten(2).mean(dim=2) / period ** len(space)
        mixed = coefficient @ weight[index]
        out += (1 if k[-1] == 0 else 2) * mixed.view(*mixed.shape, *(1,) * len(space)) * wave
    return out.real


SHAPES = [
    ((16,), (5,), 0.0),
    ((17,), (5,), 0.0),
    ((8,), (6,), 0.0),  # more modes than the grid holds; k = 4 is the Nyquist frequency
    ((9,), (6,), 0.25),
    ((12, 15), (4, 5), 0.0),
    ((6, 8), (5, 5), 0.0),
    ((12, 7), (4, 5), 0.3),
    ((6, 7, 8), (3, 2, 5), 0.0),
    ((4, 6, 5), (3, 4, 2), 0.1),
]


@pytest.mark.parametrize(("space", "modes", "padding"), SHAPES)
def test_equals_its_definition(space: tuple[int, ...], modes: tuple[int, ...], padding: float) -> None:
    torch.manual_seed(0)
    layer = SpectralConvolution(3, 2, modes, padding=padding).double()
    values = torch.randn(2, 3, *space, dtype=torch.float64)
    expected = by_definition(layer, values)
    assert torch.allclose(layer(values), expected, rtol=0, atol=1e-13 * float(expected.abs().max()) + 1e-14)


@settings(max_examples=15, deadline=None)
@given(
    space=st.lists(st.integers(1, 9), min_size=1, max_size=2),
    modes=st.integers(1, 6),
    padding=st.sampled_from([0.0, 0.2, 1.0]),
)
def test_equals_its_definition_on_any_grid(space: list[int], modes: int, padding: float) -> None:
    torch.manual_seed(1)
    layer = SpectralConvolution(1, 2, (modes,) * len(space), padding=padding).double()
    values = torch.randn(1, 1, *space, dtype=torch.float64)
    assert torch.allclose(layer(values), by_definition(layer, values), rtol=1e-10, atol=1e-12)


def band_limited(n: int, coefficients: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    """Evaluate Σ_{k,l} Re(c_kl e^{2πi(kx+ly)}) at n × n cell centres, |k|, |l| ≤ 4."""
    x = (np.arange(n) + 0.5) / n
    waves = np.exp(2j * np.pi * np.outer(x, np.arange(-4, 5)))
    return torch.tensor((waves @ coefficients @ waves.T).real[:, None], dtype=dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_output_is_the_same_function_at_every_resolution(dtype: torch.dtype, tolerance: float) -> None:
    """The output is a trigonometric polynomial: recovered from each grid's values, it is the same at common points."""
    rng = np.random.default_rng(0)
    coefficients = rng.standard_normal((2, 9, 9)) + 1j * rng.standard_normal((2, 9, 9))
    torch.manual_seed(0)
    layer = SpectralConvolution(1, 1, (4, 4)).to(dtype)
    points = rng.random(20)
    found = []
    for n in (9, 10, 16, 33, 64):  # 9 is the coarsest grid that holds |k| ≤ 4
        values = layer(band_limited(n, coefficients, dtype)).double().detach().numpy()[:, 0]
        x = (np.arange(n) + 0.5) / n
        k = np.arange(-4, 5)
        analysis, synthesis = np.exp(-2j * np.pi * np.outer(k, x)) / n, np.exp(2j * np.pi * np.outer(points, k))
        found.append((synthesis @ (analysis @ values @ analysis.T) @ synthesis.T).real)
    scale = np.abs(found[0]).max()
    for other in found[1:]:
        assert np.abs(other - found[0]).max() < tolerance * scale


def test_nyquist_frequency_is_left_out() -> None:
    n = 8
    alternating = torch.tensor([(-1.0) ** i for i in range(n)], dtype=torch.float64)
    layer = SpectralConvolution(1, 1, (n,)).double()
    assert retained_modes(n, n) == 4
    assert retained_modes(9, 9) == 5  # 2·4 < 9: an odd grid has no Nyquist frequency
    assert float(layer(alternating.view(1, 1, n)).detach().abs().max()) < 1e-14
    plane = SpectralConvolution(1, 1, (n, n)).double()
    assert float(plane(alternating.view(1, 1, n, 1).expand(1, 1, n, n)).detach().abs().max()) < 1e-14


def test_commutes_with_translations() -> None:
    torch.manual_seed(0)
    layer = SpectralConvolution(2, 2, (4, 3)).double()
    values = torch.randn(1, 2, 10, 9, dtype=torch.float64)
    shifted = layer(torch.roll(values, (3, 4), dims=(2, 3)))
    assert torch.allclose(shifted, torch.roll(layer(values), (3, 4), dims=(2, 3)), atol=1e-13)


def test_padding_is_second_order_accurate_and_lifts_periodicity() -> None:
    torch.manual_seed(0)
    layer = SpectralConvolution(1, 1, (5,), padding=0.3).double()

    def output(n: int) -> torch.Tensor:
        points = (torch.arange(n, dtype=torch.float64) + 0.5) / n
        return layer(torch.exp(points).view(1, 1, n))[0, 0].detach()

    fine = output(9 * 27)  # its centres 13, 40, … are the centres of 9 cells
    errors = [float((output(n)[n // 18 :: n // 9] - fine[13::27]).abs().max()) for n in (9, 27)]
    assert errors[0] / errors[1] > 8.5  # 3² = 9 in the limit
    assert abs(float(fine[0] - fine[-1])) > 1e-2


def test_gradients_by_finite_differences() -> None:
    torch.manual_seed(0)
    layer = SpectralConvolution(2, 1, (3, 2)).double()
    values = torch.randn(1, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda v, w: torch.func.functional_call(layer, {"weight": w}, (v,)), (values, layer.weight)
    )
    assert torch.autograd.gradgradcheck(layer, (values,))


def test_gain_sets_the_energy() -> None:
    torch.manual_seed(0)
    values = torch.randn(4, 32, 64)
    layer = SpectralConvolution(32, 32, (32,), gain=1.0)  # every frequency below Nyquist
    assert float(layer(values).detach().square().mean()) == pytest.approx(1.0, rel=0.15)
    assert float(SpectralConvolution(32, 32, (32,), gain=0.0)(values).detach().abs().max()) == 0.0


def test_stays_in_single_precision_under_autocast() -> None:
    torch.manual_seed(0)
    layer = SpectralConvolution(1, 1, (4, 4))
    values = torch.randn(1, 1, 16, 16)
    with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
        cast = layer(values)
        from_half = layer(values.bfloat16())
    assert cast.dtype == torch.float32
    assert torch.equal(cast, layer(values))
    assert from_half.dtype == torch.float32


def test_basis_made_in_inference_mode_serves_training() -> None:
    layer = SpectralConvolution(1, 1, (3,))
    values = torch.randn(1, 1, 41)  # a size no other test uses, so that the basis is made here
    with torch.inference_mode():
        layer(values)
    layer(values).sum().backward()
    assert layer.weight.grad is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"modes": ()}, "names no axis"),
        ({"modes": (0,)}, "modes is 0"),
        ({"modes": (3,), "padding": -0.1}, "padding=-0.1"),
        ({"modes": (3,), "padding": math.nan}, "padding=nan"),
        ({"modes": (3,), "in_channels": 0}, "in_channels is 0"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SpectralConvolution(**{"in_channels": 1, "out_channels": 1, **arguments})  # type: ignore[arg-type]
