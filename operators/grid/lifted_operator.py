"""Operators that lift their inputs to a hidden field, act on it by spectral layers and project it to their outputs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from resolvent.solvers import InputError
from resolvent.solvers.arguments import one_of, positive_integer

from ..activations import ACTIVATIONS
from ..operator import Operator
from .grid_embedding import embed_position
from .pointwise import PointwiseLinear

__all__ = [
    "LiftedOperator",
]


class LiftedOperator(Operator):
    """u = Q₂ σ(Q₁ v),  v = hidden layers of P(a, x), with P, Q₁, Q₂ pointwise affine maps of the channels.

    A subclass makes its layers between the calls of this constructor and of `_add_projection`: parameters then stand
    in the order of the forward pass, in which random initial values are drawn and optimisers number them.

    Parameters
    ----------
    in_channels, out_channels, ndim : int
    modes : int or sequence of int
        Frequencies along each axis; one number stands for all.
    width, layers, projection : int
        Channels of the hidden fields, layers, channels of Q₁.
    position : bool
        Whether the coordinates are appended to the input.
    activation : {'gelu', 'silu', 'relu', 'tanh'}
    padding, gain : float
        Of the spectral convolutions.
    nodes : bool
        Whether value i of n stands at i/n of each axis, as periodic problems in time store them, and not in the middle
        of cell i: what the coordinates are then.

    Raises
    ------
    InputError
        For arguments out of range, and by `forward` for inputs of another shape.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        ndim: int,
        *,
        modes: int | Sequence[int],
        width: int,
        layers: int,
        projection: int,
        position: bool,
        activation: str,
        padding: float,
        gain: float,
        nodes: bool,
    ) -> None:
        super().__init__(in_channels, out_channels, ndim)
        one_of(activation, ACTIVATIONS, "activation")
        axes = list(modes) if isinstance(modes, Iterable) else [modes] * ndim
        if len(axes) != ndim:
            raise InputError(f"modes={axes} names {len(axes)} axes; expected one number or {ndim} of them")
        self.modes = tuple(positive_integer(m, "modes") for m in axes)
        self.width, self.layers = positive_integer(width, "width"), positive_integer(layers, "layers")
        self.projection, self.position = positive_integer(projection, "projection"), bool(position)
        self.activation, self.padding, self.gain = activation, float(padding), float(gain)
        self.nodes = bool(nodes)
        self.lifting = PointwiseLinear(self.in_channels + (self.ndim if self.position else 0), self.width)

    def _add_projection(self) -> None:
        self.projection_in = PointwiseLinear(self.width, self.projection)
        self.projection_out = PointwiseLinear(self.projection, self.out_channels)

    def arguments(self) -> dict[str, Any]:
        return {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "ndim": self.ndim,
            "modes": list(self.modes),
            "width": self.width,
            "layers": self.layers,
            "projection": self.projection,
            "position": self.position,
            "activation": self.activation,
            "padding": self.padding,
            "gain": self.gain,
            "nodes": self.nodes,
        }

    @abstractmethod
    def _hidden(self, values: Tensor) -> Tensor:
        """Apply the layers to (batch, width, *space); the shape stays."""

    def forward(self, inputs: Tensor) -> Tensor:
        self.check_inputs(inputs)
        hidden = self._hidden(self.lifting(embed_position(inputs, self.nodes) if self.position else inputs))
        hidden = ACTIVATIONS[self.activation](self.projection_in(hidden))
        # The last map stays in full precision under autocast: bfloat16 would round the solution to 0.4 %.
        with torch.autocast(device_type=hidden.device.type, enabled=False):
            outputs: Tensor = self.projection_out(hidden.to(self.projection_out.weight.dtype))
        return outputs
