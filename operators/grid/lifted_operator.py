"""Share what operators have in common that lift inputs to a hidden field, apply spectral layers, and project back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from resolvent.solvers import InputError
from resolvent.solvers.arguments import one_of, positive_integer

from ..activations import ACTIVATIONS
from ..operator import Operator
from .grid_embedding import embed_position
from .pointwise import PointwiseLinear


class LiftedOperator(Operator):
    """Map a to u = Q₂ σ(Q₁ v), where v is what the layers make of P(a, x), and P, Q₁, Q₂ are pointwise affine maps.

    A subclass calls this constructor, creates its layers, and then calls `_add_projection`: the parameters are then in
    the order of the forward pass, in which random initial values are drawn and optimisers number them.

    Parameters
    ----------
    in_channels, out_channels, ndim, modes, width, layers, projection, position, activation, padding, gain, nodes
        As in `FNO`.

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

    @abstractmethod
    def _hidden(self, values: Tensor) -> Tensor:
        """Apply the layers to (batch, width, *space); the shape stays the same."""

    def forward(self, inputs: Tensor) -> Tensor:
        self.check_inputs(inputs)
        hidden = self._hidden(self.lifting(embed_position(inputs, self.nodes) if self.position else inputs))
        hidden = ACTIVATIONS[self.activation](self.projection_in(hidden))
        # The last map stays in full precision under autocast: bfloat16 would round the solution to 0.4 %.
        with torch.autocast(device_type=hidden.device.type, enabled=False):
            outputs: Tensor = self.projection_out(hidden.to(self.projection_out.weight.dtype))
        return outputs
