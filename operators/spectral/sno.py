"""Implement the spectral neural operator: a network on the coefficients themselves, without transforms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from resolvent.solvers.arguments import nonnegative_integer, one_of, positive_integer

from ..activations import ACTIVATIONS
from .spectral_operator import ChannelLinear, SpectralOperator, channel_maps


class SpectralNeuralOperator(SpectralOperator):
    """Apply a spectral neural operator on the unit box in one, two or three dimensions: σ acts on coefficients.

    v̂⁰ = σ(P₂ σ(P₁ (â, x̂))),  v̂ˡ⁺¹ = σ(Dˡ (Kˡ v̂ˡ + cˡ)),
    û = B Q₃ σ(Q₂ σ(Q₁ v̂ᴸ)) + V (Λ ⊙ V* â) + lift

    with P, D, Q maps of the channels at each coefficient and K one dense matrix between all modes, the same for every
    channel, with a bias for each mode. No transform is needed and nothing aliases; but σ of a coefficient is not the
    coefficient of any σ(v), and K has (∏ modes)² weights: in three dimensions keep `modes` small. It is the baseline
    of Neural Spectral Methods; the published settings are ``activation='relu', position='coordinates',
    gauge='origin', output_scale=1e-3``.

    Parameters
    ----------
    in_channels, out_channels, ndim, bases, modes, constraints, gauge, position, linear_path, output_scale, arrays
        As in `NeuralSpectral`, with the same defaults, but without a linear path.
    width : int, default 32
        h, channels of the hidden coefficients; P and Q pass through 4h.
    layers : int, default 4
    activation : {'relu', 'gelu', 'silu', 'tanh'}, default 'gelu'

    Raises
    ------
    InputError
        For arguments out of range, and by `forward` for inputs of another shape.

    References
    ----------
    Fanaskov and Oseledets, Spectral neural operators, Doklady Mathematics 108, 2023.
    Du, Chalapathi and Krishnapriyan, Neural Spectral Methods: Self-supervised learning in the spectral domain, ICLR
    2024.
    """

    name = "sno"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        ndim: int = 2,
        bases: str | Sequence[str] = "fourier",
        modes: int | Sequence[int] = 17,
        width: int = 32,
        layers: int = 4,
        constraints: Any = "none",
        gauge: str = "none",
        activation: str = "gelu",
        position: str = "none",
        linear_path: bool = False,
        output_scale: float = 1.0,
        arrays: str = "cells",
    ) -> None:
        shape = in_channels, out_channels, ndim
        super().__init__(*shape, bases, modes, constraints, gauge, position, linear_path, output_scale, arrays)
        self.width, self.layers = positive_integer(width, "width"), nonnegative_integer(layers, "layers")
        self.activation = one_of(activation, ACTIVATIONS, "activation")
        h, inputs, size = self.width, self.in_channels + len(self.position_functions()), math.prod(self.basis.shape)
        self.lifting = channel_maps(inputs, 4 * h, h)
        self.mixing = nn.ParameterList(
            nn.Parameter(torch.randn(size, size) / math.sqrt(size)) for _ in range(self.layers)
        )
        self.mixing_bias = nn.ParameterList(nn.Parameter(torch.zeros(size, 1)) for _ in range(self.layers))
        self.channels = nn.ModuleList(ChannelLinear(h, h) for _ in range(self.layers))
        self.projection = channel_maps(h, h, 4 * h, self.out_channels)
        self.symbol = self.new_symbol()

    def free_coefficients(self, inputs: Tensor) -> Tensor:
        activate = ACTIVATIONS[self.activation]
        hidden = inputs.permute(*range(2, self.ndim + 2), 0, 1)  # (*modes, batch, channel)
        functions = self.position_values(self.basis.shape, inputs)
        if functions is not None:
            known = self.basis.to_coefficients(functions.movedim((-2, -1), (0, 1))).movedim((0, 1), (-2, -1))
            hidden = torch.cat((hidden, known.expand(*self.basis.shape, inputs.shape[0], -1)), dim=-1)
        hidden = hidden.flatten(0, self.ndim - 1)
        for pointwise in self.lifting:
            hidden = activate(pointwise(hidden))
        for matrix, bias, channels in zip(self.mixing, self.mixing_bias, self.channels, strict=True):
            mixed = torch.addmm(bias, matrix, hidden.flatten(1))
            hidden = activate(channels(mixed.view(hidden.shape)))
        first, second, last = self.projection
        outputs: Tensor = last(activate(second(activate(first(hidden)))))
        return self.output_scale * outputs.unflatten(0, self.basis.shape).permute(-2, -1, *range(self.ndim))
