"""Implement the U-Net: convolutions on grids that are halved and doubled again."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from resolvent.solvers.arguments import one_of, positive_integer

from ..activations import ACTIVATIONS
from ..operator import Operator
from .grid_embedding import embed_position
from .pointwise import PointwiseLinear

#: How a convolution sees past the ends of the grid, as PyTorch's convolutions and `pad` name it.
BOUNDARIES = {"zeros": "constant", "replicate": "replicate", "circular": "circular"}

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_POOLS = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)


class UNet(Operator):
    """Apply a U-Net in 1, 2 or 3 dimensions: it halves the grid `levels` times, with twice the channels each time.

    A block is twice (convolution of three points, group normalisation, σ). Down: a block, then means over 2^d cells.
    Up: a transposed convolution of stride two, whose result is joined to the field of the same grid from the way down,
    then a block. The last map is pointwise.

    Grids may have any size: one that is not a multiple of 2^levels is extended at its end, as `boundary` says, and the
    extension is cut off again. But the kernels are three *cells* wide, so the map differs from grid to grid: use the
    model on the grid it was trained on (``resolution_free`` is False). With 'circular' and a size that is not a
    multiple, the two ends are not exactly joined.

    Parameters
    ----------
    in_channels, out_channels : int
    ndim : int, default 2
    width : int, default 32
        Channels on the finest grid.
    levels : int, default 4
    position : bool, default True
        Whether the coordinates are appended to the input.
    boundary : {'zeros', 'replicate', 'circular'}, default 'zeros'
        What lies past the ends: 'circular' for periodic data.
    activation : {'gelu', 'silu', 'relu', 'tanh'}, default 'gelu'

    Raises
    ------
    InputError
        For arguments out of range, and by `forward` for inputs of another shape.

    References
    ----------
    Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015; with group normalisation (Wu, He 2018), which unlike batch
    normalisation does not mix samples.
    """

    name = "unet"
    resolution_free = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        ndim: int = 2,
        width: int = 32,
        levels: int = 4,
        position: bool = True,
        boundary: str = "zeros",
        activation: str = "gelu",
    ) -> None:
        super().__init__(in_channels, out_channels, ndim)
        self.boundary = one_of(boundary, BOUNDARIES, "boundary of a unet")
        one_of(activation, ACTIVATIONS, "activation")
        self.width, self.levels = positive_integer(width, "width"), positive_integer(levels, "levels")
        self.position, self.activation = bool(position), activation
        channels = [self.width * 2**level for level in range(self.levels + 1)]
        first = self.in_channels + (self.ndim if self.position else 0)
        self.down = nn.ModuleList(
            self._block(before, after) for before, after in zip([first, *channels[:-1]], channels, strict=True)
        )
        transposed = _TRANSPOSED[self.ndim - 1]
        self.doubling = nn.ModuleList(
            transposed(channels[level + 1], channels[level], kernel_size=2, stride=2) for level in range(self.levels)
        )
        self.up = nn.ModuleList(self._block(2 * channels[level], channels[level]) for level in range(self.levels))
        self.projection_out = PointwiseLinear(self.width, self.out_channels)

    def forward(self, inputs: Tensor) -> Tensor:
        self.check_inputs(inputs)
        space = inputs.shape[2:]
        hidden = self._extended(embed_position(inputs) if self.position else inputs)
        pool = _POOLS[self.ndim - 1]
        skipped = []
        for level, block in enumerate(self.down):
            hidden = block(hidden if level == 0 else pool(hidden, 2))
            skipped.append(hidden)
        for level in reversed(range(self.levels)):
            hidden = self.up[level](torch.cat((skipped[level], self.doubling[level](hidden)), dim=1))
        for axis, n in enumerate(space, start=2):
            hidden = hidden.narrow(axis, 0, n)
        # The last map stays in full precision under autocast: bfloat16 would round the solution to 0.4 %.
        with torch.autocast(device_type=hidden.device.type, enabled=False):
            outputs: Tensor = self.projection_out(hidden.to(self.projection_out.weight.dtype))
        return outputs

    def _extended(self, values: Tensor) -> Tensor:
        """Extend each axis at its end to a multiple of 2^levels."""
        stride = 2**self.levels
        for axis, n in enumerate(values.shape[2:], start=2):
            missing = -n % stride
            while missing:  # PyTorch wraps around once at most
                more = min(missing, values.shape[axis]) if self.boundary == "circular" else missing
                pads = [0] * (2 * self.ndim)
                pads[2 * (self.ndim + 1 - axis) + 1] = more  # `pad` names the last axis first
                values = functional.pad(values, pads, mode=BOUNDARIES[self.boundary])
                missing -= more
        return values

    def _block(self, before: int, after: int) -> _Block:
        return _Block(self.ndim, before, after, self.boundary, self.activation)


class _Block(nn.Module):
    """Twice: convolution of three points along each axis, group normalisation, activation."""

    def __init__(self, ndim: int, before: int, after: int, boundary: str, activation: str) -> None:
        super().__init__()
        convolution: Any = _CONVOLUTIONS[ndim - 1]
        # No bias: the normalisation has one. A group has eight channels or more: normalising fewer would remove most of
        # the information on a coarse grid of few cells.
        self.convolutions = nn.ModuleList(
            convolution(channels, after, 3, padding=1, bias=False, padding_mode=boundary)
            for channels in (before, after)
        )
        groups = max(after // 8, 1) if after % 8 == 0 else 1
        self.norms = nn.ModuleList(nn.GroupNorm(groups, after) for _ in range(2))
        self.activation = activation

    def forward(self, values: Tensor) -> Tensor:
        activate = ACTIVATIONS[self.activation]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            values = activate(norm(convolution(values)))
        return values
