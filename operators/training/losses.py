"""Training losses: relative errors in L² and H¹, differentiable, on cell-centred grids."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from resolvent.solvers import InputError

__all__ = ["LOSSES", "Loss", "h1_norms", "l2_norms", "relative_h1", "relative_l2", "relative_loss", "scaled"]

#: What a training step minimises: (inputs, outputs, targets), each (batch, channel, *space) in physical units, to a
#: scalar.
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

#: A sample's norm counts as at least this fraction of the batch's root mean square norm of the same channel.
FLOOR = 1e-3


def l2_norms(values: Tensor) -> Tensor:
    """‖u‖ = (mean over cells of u²)^½: the L² norm over the domain divided by √volume, shape (batch, channel)."""
    return _root(values.square().flatten(2).mean(dim=2))


def h1_norms(values: Tensor, *, lengths: Sequence[float] | None = None, periodic: bool = False) -> Tensor:
    """‖u‖_H¹ = (‖u‖² + Σ_d ‖∂_d u‖²)^½ as means over the domain, shape (batch, channel).

    The derivative is the difference across each face between two cells, (u_{i+1} − u_i)·n/L: centred there and
    second-order accurate, and, unlike differences over two cells, it sees the shortest wave of the grid. The first and
    the last face stand for the half cells at the ends too, so that the integral is over the whole domain and
    second-order accurate; ``periodic=True`` takes the difference across the ends instead. Differences and not Fourier
    derivatives, which would see a jump at the ends of data that are not periodic.

    Parameters
    ----------
    values : Tensor, shape (batch, channel, *space)
    lengths : sequence of float, optional
        Edge lengths L of the domain; 1 along each axis by default.
    periodic : bool, default False
    """
    space = values.shape[2:]
    lengths = (1.0,) * len(space) if lengths is None else lengths
    if len(lengths) != len(space):
        raise InputError(
            f"lengths={list(lengths)} names {len(lengths)} axes; the fields have {len(space)}: give one length an axis"
        )
    squares = values.square().flatten(2).mean(dim=2)
    for axis, (n, length) in enumerate(zip(space, lengths, strict=True), start=2):
        if n == 1:
            continue
        difference = torch.roll(values, -1, dims=axis) - values if periodic else torch.diff(values, dim=axis)
        slopes = (difference * (n / length)).square()
        total = slopes.flatten(2).sum(dim=2)
        if not periodic:
            ends = slopes.select(axis, 0) + slopes.select(axis, -1)
            total = total + 0.5 * ends.reshape(*total.shape, -1).sum(dim=2)
        squares = squares + total / math.prod(space)
    return _root(squares)


def relative_l2(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean over samples and channels of ‖p − u‖ / ‖u‖, a scalar.

    Each channel is measured by its own norm, so that units do not matter. A sample whose norm is below 10⁻³ of the
    batch's root mean square norm (such as a field that happens to vanish) is divided by that floor instead: it would
    otherwise own the gradient. The metrics have no floor.
    """
    _check_same_shape(prediction, target)
    return (l2_norms(prediction - target) / _floored(l2_norms(target))).mean()


def relative_h1(
    prediction: Tensor, target: Tensor, *, lengths: Sequence[float] | None = None, periodic: bool = False
) -> Tensor:
    """Mean over samples and channels of ‖p − u‖_H¹ / ‖u‖_H¹, a scalar; see `h1_norms` and `relative_l2`."""
    _check_same_shape(prediction, target)
    errors = h1_norms(prediction - target, lengths=lengths, periodic=periodic)
    return (errors / _floored(h1_norms(target, lengths=lengths, periodic=periodic))).mean()


#: Losses by name; each maps (prediction, target) of shape (batch, channel, *space) to a scalar.
LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l2": relative_l2, "h1": relative_h1}


def relative_loss(name: str, deviation: Tensor) -> Loss:
    """Return the loss of that name as a function of (inputs, outputs, targets); it does not look at the inputs.

    It is relative: dividing by the deviation of each channel changes nothing but keeps squares of any unit within
    float32.
    """
    measure = LOSSES[name]
    return lambda inputs, outputs, targets: measure(scaled(outputs, deviation), scaled(targets, deviation))


def scaled(values: Tensor, deviation: Tensor) -> Tensor:
    """Divide the channels of one call of an operator, or of several in turn, by the deviations of one call's."""
    channels = deviation.repeat(values.shape[1] // len(deviation))
    return values / channels.view(-1, *(1,) * (values.ndim - 2))


def _root(squares: Tensor) -> Tensor:
    """√s with derivative 0 at s = 0, where autograd's own would be infinite."""
    zero = squares == 0  # NaN is not zero, and stays
    return torch.where(zero, squares, torch.where(zero, torch.ones_like(squares), squares).sqrt())


def _floored(norms: Tensor) -> Tensor:
    floor = FLOOR * norms.square().mean(dim=0, keepdim=True).sqrt()
    return torch.maximum(norms, floor.clamp_min(torch.finfo(norms.dtype).tiny))


def _check_same_shape(prediction: Tensor, target: Tensor) -> None:
    if prediction.shape != target.shape or prediction.ndim < 3:
        raise InputError(
            f"the loss got predictions of shape {tuple(prediction.shape)} for targets of shape {tuple(target.shape)}; "
            "expected the same shape (batch, channel, *space): build the operator with the data's out_channels"
        )
