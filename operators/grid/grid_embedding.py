"""Tell a network where the values of a grid are: coordinates as extra input channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def cell_centre_coordinates(shape: Sequence[int], *, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the coordinates of the cell centres of a box, scaled to [−1, 1] along each axis.

    Cell i of n has its centre at (i + ½)/n of the axis, which is 2(i + ½)/n − 1 here. The ends of the domain are ±1 at
    every resolution and are never grid points, so a point of the domain has the same coordinate on every grid
    (``linspace(0, 1, n)`` would shift it by up to half a cell, differently for each n).

    Returns
    -------
    Tensor, shape (ndim, *shape)
    """
    axes = [(2.0 * torch.arange(n, device=device, dtype=torch.float64) + 1.0) / n - 1.0 for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).to(dtype)


def embed_position(inputs: Tensor, nodes: bool = False) -> Tensor:
    """Append the coordinates of the cell centres, (batch, channel, *space) → (batch, channel + ndim, *space).

    With `nodes`, value i of n belongs to the point i/n of the axis, half a cell before the centre of cell i.
    """
    space = inputs.shape[2:]
    coordinates = cell_centre_coordinates(space, device=inputs.device, dtype=inputs.dtype)
    if nodes:
        coordinates = torch.stack([axis - 1.0 / n for axis, n in zip(coordinates, space, strict=True)])
    return torch.cat((inputs, coordinates.expand(inputs.shape[0], *coordinates.shape)), dim=1)
