"""Measure relative errors in L² and H¹ on cell-centred grids, differentiably: the training losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from resolvent.solvers import InputError

from ..samples.domain import Domain

#: What a training step minimises: (inputs, outputs, targets), each (batch, channel, *space) in physical units, to a
#: scalar.
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

#: Norms are raised to at least this fraction of the batch's root mean square norm of the same channel.
FLOOR = 1e-3


def l2_norms(values: Tensor) -> Tensor:
    """Return ‖u‖ = (mean over cells of u²)^½, the L² norm divided by √volume, shape (batch, channel)."""
    return _root(values.square().flatten(2).mean(dim=2))


def h1_norms(
    values: Tensor, *, lengths: Sequence[float] | None = None, periodic: bool | Sequence[bool] = False
) -> Tensor:
    """Return ‖u‖_H¹ = (‖u‖² + Σ_d ‖∂_d u‖²)^½ with means over the domain, shape (batch, channel).

    The derivative is the difference across each face between two cells, (u_{i+1} − u_i)·n/L: it is centred and
    second-order accurate there, and, unlike differences over two cells, it detects the shortest wave of the grid. The
    first and the last face also represent the half cells at the ends, so that the integral covers the whole domain to
    second order; ``periodic=True`` takes the difference across the ends instead. Fourier derivatives would see a jump
    at the ends of data that are not periodic.

    Parameters
    ----------
    values : Tensor, shape (batch, channel, *space)
    lengths : sequence of float, optional
        Edge lengths L of the domain; 1 along each axis by default.
    periodic : bool or sequence of bool, default False
        For all axes, or for each.
    """
    space = values.shape[2:]
    lengths = (1.0,) * len(space) if lengths is None else lengths
    wraps = periodic if isinstance(periodic, Sequence) else (periodic,) * len(space)
    if len(lengths) != len(space):
        raise InputError(
            f"lengths={list(lengths)} names {len(lengths)} axes; the fields have {len(space)}: give one length an axis"
        )
    squares = values.square().flatten(2).mean(dim=2)
    for axis, (n, length, wrap) in enumerate(zip(space, lengths, wraps, strict=True), start=2):
        if n == 1:
            continue
        difference = torch.roll(values, -1, dims=axis) - values if wrap else torch.diff(values, dim=axis)
        slopes = (difference * (n / length)).square()
        total = slopes.flatten(2).sum(dim=2)
        if not wrap:
            ends = slopes.select(axis, 0) + slopes.select(axis, -1)
            total = total + 0.5 * ends.reshape(*total.shape, -1).sum(dim=2)
        squares = squares + total / math.prod(space)
    return _root(squares)


def relative_l2(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean over samples and channels of ‖p − u‖ / ‖u‖, a scalar.

    Each channel is divided by its own norm, so that units do not matter. If the norm of a sample is below 10⁻³ of the
    batch's root mean square norm (such as a field that happens to vanish), the error is divided by that floor instead:
    the sample would otherwise dominate the gradient. Where a channel vanishes in the whole batch, its error is not
    divided. The metrics have no floor.
    """
    _check_same_shape(prediction, target)
    return (l2_norms(prediction - target) / _floored(l2_norms(target))).mean()


def relative_h1(
    prediction: Tensor,
    target: Tensor,
    *,
    lengths: Sequence[float] | None = None,
    periodic: bool | Sequence[bool] = False,
) -> Tensor:
    """Return the mean over samples and channels of ‖p − u‖_H¹ / ‖u‖_H¹; see `h1_norms` and `relative_l2`."""
    _check_same_shape(prediction, target)
    errors = h1_norms(prediction - target, lengths=lengths, periodic=periodic)
    return (errors / _floored(h1_norms(target, lengths=lengths, periodic=periodic))).mean()


#: Losses by name; each maps (prediction, target) of shape (batch, channel, *space) to a scalar. 'h1' also takes the
#: domain's lengths and periodic axes.
LOSSES: dict[str, Callable[..., Tensor]] = {"l2": relative_l2, "h1": relative_h1}


def relative_loss(name: str, deviation: Tensor, domain: Domain | None = None) -> Loss:
    """Return the loss of that name as a function of (inputs, outputs, targets), which ignores the inputs.

    Derivatives are taken on the `domain`, by default the unit box. The loss is relative: dividing by the deviation of
    each channel only keeps the squares of any unit within float32.
    """
    measure = LOSSES[name]
    if name == "h1" and domain is not None:
        measure = partial(measure, lengths=domain.lengths, periodic=domain.periodic)
    return lambda inputs, outputs, targets: measure(scaled(outputs, deviation), scaled(targets, deviation))


def scaled(values: Tensor, deviation: Tensor) -> Tensor:
    """Divide the channels of one or several calls of an operator by the deviations of the channels of one call."""
    channels = deviation.repeat(values.shape[1] // len(deviation))
    return values / channels.view(-1, *(1,) * (values.ndim - 2))


def _root(squares: Tensor) -> Tensor:
    """Return √s with derivative 0 at s = 0, where autograd's would be infinite."""
    zero = squares == 0  # NaN is not zero, and stays
    return torch.where(zero, squares, torch.where(zero, torch.ones_like(squares), squares).sqrt())


def _floored(norms: Tensor) -> Tensor:
    """Return norms to divide by; where a channel vanishes in the whole batch, 1: its error counts as it is."""
    floor = FLOOR * norms.square().mean(dim=0, keepdim=True).sqrt()
    floored = torch.maximum(norms, floor.clamp_min(torch.finfo(norms.dtype).tiny))
    return torch.where(floor > 0, floored, torch.ones_like(norms))


def _check_same_shape(prediction: Tensor, target: Tensor) -> None:
    if prediction.shape != target.shape or prediction.ndim < 3:
        raise InputError(
            f"the loss got predictions of shape {tuple(prediction.shape)} for targets of shape {tuple(target.shape)}; "
            "expected the same shape (batch, channel, *space): build the operator with the data's out_channels"
        )
