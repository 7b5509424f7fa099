"""The factorised Fourier neural operator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from resolvent.data.arguments import one_of, positive_integer
from resolvent.solvers import InputError

from .fno import ACTIVATIONS
from .grid_embedding import embed_position
from .operator import Operator
from .pointwise import PointwiseLinear
from .spectral_convolution import SpectralConvolution

__all__ = ["FFNO", "AxialConvolution"]


class AxialConvolution(nn.Module):
    """v(x) = Σ_d (K_d u)(x): a sum of spectral convolutions, each along one axis alone.

    Along axis d, K_d is a one-dimensional `SpectralConvolution` on every line of the grid: the weights grow with the
    sum of the modes of the axes, not with their product.
    """

    def __init__(self, channels: int, modes: Sequence[int], *, padding: float, gain: float) -> None:
        super().__init__()
        # A sum over d axes of independent terms has d times the variance of one.
        gain = gain / len(modes) ** 0.5
        self.axes = nn.ModuleList(
            SpectralConvolution(channels, channels, (m,), padding=padding, gain=gain) for m in modes
        )

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, channels, *space) to the same shape, in float32 or float64."""
        total: Tensor | None = None
        for axis, convolution in enumerate(self.axes, start=2):
            lines = values.movedim((axis, 1), (-1, -2))  # (batch, *other axes, channels, n)
            mixed = convolution(lines.flatten(0, -3)).view(lines.shape).movedim((-1, -2), (axis, 1))
            total = mixed if total is None else total + mixed
        assert total is not None
        return total


class FFNO(Operator):
    """Factorised Fourier neural operator in one, two or three dimensions, on cell-centred grids of any resolution.

    v⁰ = P(a, x),  vˡ⁺¹ = vˡ + Bˡ σ(Aˡ Kˡ vˡ),  u = Q₂ σ(Q₁ v)

    with Kˡ an `AxialConvolution` and A, B, P, Q pointwise affine maps of the channels, A to `expansion` times as many.
    Against the FNO: separate transforms along each axis, a residual after the feed-forward part, and so networks that
    can be deep (the paper's have 24 layers). It depends on the grid no more than the `FNO` does.

    Parameters
    ----------
    in_channels, out_channels : int
    ndim : int, default 2
    modes : int or sequence of int, default 16
        Frequencies |k| < modes along each axis.
    width : int, default 32
        Channels of the hidden fields.
    layers : int, default 6
    expansion : int, default 4
    shared : bool, default False
        Whether all layers have the same spectral weights.
    projection : int, default 128
        Channels of the hidden layer of Q.
    position : bool, default True
        Whether the coordinates are appended to the input.
    activation : {'gelu', 'silu', 'relu', 'tanh'}, default 'gelu'
    padding : float, default 0
        The zero extension in each convolution, as a fraction of the domain; for data that are not periodic.
    gain : float, default 1
        Scale of the initial spectral weights; with 1 the retained energy is kept on average.

    Notes
    -----
    Weights: about layers·width²·(2·Σ modes + 2·expansion).

    Raises
    ------
    InputError
        For arguments out of range, and by `forward` for inputs of another shape.

    References
    ----------
    Tran, Mathews, Xie, Ong, "Factorized Fourier Neural Operators", ICLR 2023.
    """

    name = "ffno"
    resolution_free = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        ndim: int = 2,
        modes: int | Sequence[int] = 16,
        width: int = 32,
        layers: int = 6,
        expansion: int = 4,
        shared: bool = False,
        projection: int = 128,
        position: bool = True,
        activation: str = "gelu",
        padding: float = 0.0,
        gain: float = 1.0,
    ) -> None:
        super().__init__(in_channels, out_channels, ndim)
        one_of(activation, ACTIVATIONS, "activation")
        axes = list(modes) if isinstance(modes, Iterable) else [modes] * ndim
        if len(axes) != ndim:
            raise InputError(f"modes={axes} names {len(axes)} axes; expected one number or {ndim} of them")
        self.modes = tuple(positive_integer(m, "modes") for m in axes)
        self.width, self.layers = positive_integer(width, "width"), positive_integer(layers, "layers")
        self.expansion, self.shared = positive_integer(expansion, "expansion"), bool(shared)
        self.projection, self.position = positive_integer(projection, "projection"), bool(position)
        self.activation, self.padding, self.gain = activation, float(padding), float(gain)
        width = self.width
        self.lifting = PointwiseLinear(self.in_channels + (self.ndim if self.position else 0), width)
        self.convolutions = nn.ModuleList(
            AxialConvolution(width, self.modes, padding=self.padding, gain=self.gain)
            for _ in range(1 if self.shared else self.layers)
        )
        self.expanding = nn.ModuleList(PointwiseLinear(width, self.expansion * width) for _ in range(self.layers))
        self.contracting = nn.ModuleList(PointwiseLinear(self.expansion * width, width) for _ in range(self.layers))
        self.projection_in = PointwiseLinear(width, self.projection)
        self.projection_out = PointwiseLinear(self.projection, self.out_channels)

    def arguments(self) -> dict[str, Any]:
        return {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "ndim": self.ndim,
            "modes": list(self.modes),
            "width": self.width,
            "layers": self.layers,
            "expansion": self.expansion,
            "shared": self.shared,
            "projection": self.projection,
            "position": self.position,
            "activation": self.activation,
            "padding": self.padding,
            "gain": self.gain,
        }

    def forward(self, inputs: Tensor) -> Tensor:
        self.check_inputs(inputs)
        activate = ACTIVATIONS[self.activation]
        hidden = self.lifting(embed_position(inputs) if self.position else inputs)
        for layer, (expand, contract) in enumerate(zip(self.expanding, self.contracting, strict=True)):
            convolution = self.convolutions[0 if self.shared else layer]
            hidden = hidden + contract(activate(expand(convolution(hidden))))
        hidden = activate(self.projection_in(hidden))
        # The last map stays in full precision under autocast: bfloat16 would round the solution to 0.4 %.
        with torch.autocast(device_type=hidden.device.type, enabled=False):
            outputs: Tensor = self.projection_out(hidden.to(self.projection_out.weight.dtype))
        return outputs
