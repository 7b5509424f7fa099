"""Map the channels linearly at each grid point."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class PointwiseLinear(nn.Module):
    """Compute y(x) = W a(x) + b at every point x: a convolution with a kernel of one point, in any dimension.

    It is one batched product over all points. PyTorch turns the plain broadcast ``W @ a + b`` into transposed copies,
    which took more than twice as long on a CPU.

    Parameters
    ----------
    in_channels, out_channels : int
        Weights W of shape ``(out_channels, in_channels)``; W and b start uniform in ±1/√in_channels.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(in_channels)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_channels, 1).uniform_(-bound, bound))

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, in_channels, *space) to (batch, out_channels, *space)."""
        batch, points = values.shape[0], values.flatten(2)
        mapped = torch.baddbmm(self.bias.expand(batch, -1, -1), self.weight.expand(batch, -1, -1), points)
        return mapped.unflatten(2, values.shape[2:])

    def extra_repr(self) -> str:
        out_channels, in_channels = self.weight.shape
        return f"{in_channels}, {out_channels}"
