"""Keep channel statistics in the model: physical units outside, values of order one inside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from resolvent.solvers import InputError

from .operator import ChannelStatistics, Operator


def channel_statistics(
    batches: Iterable[tuple[np.ndarray, np.ndarray]], *, fixed_outputs: bool = False
) -> ChannelStatistics:
    """Return the statistics of (inputs, outputs) pairs of shape (samples, channels, *space).

    One pass in float64; the partial sums of squares are taken about each batch's own mean and joined by Chan's formula,
    so that a field such as 1e5 ± 1 keeps its digits. There is one number for each channel and not for each grid point:
    the statistics hold at every resolution. A channel that is constant up to the rounding of the stored values has the
    deviation 1: it is only shifted.

    Parameters
    ----------
    batches : iterable of pairs of ndarray
    fixed_outputs : bool, default False
        Whether a constant output has the deviation 0 instead: an operator then returns its mean, and nothing is left to
        learn of it. Outputs that only fill a place, where the loss is a residual, are not to be fixed.

    Raises
    ------
    InputError
        For no samples, or values that are not finite.
    """
    moments: list[_Moments] = []
    for pair in batches:
        moments = moments or [_Moments(), _Moments()]
        for moment, values, what in zip(moments, pair, ("inputs", "outputs"), strict=True):
            moment.add(values, what)
    if not moments or not moments[0].count:
        raise InputError("there are no samples to take statistics of; expected at least one in the training split")
    inputs, outputs = moments
    input_std, output_std = (np.where(moment.std > 0.0, moment.std, 1.0) for moment in (inputs, outputs))
    return ChannelStatistics(inputs.mean, input_std, outputs.mean, outputs.std if fixed_outputs else output_std)


class _Moments:
    """Running mean and sum of squared deviations of each channel (Chan, Golub, LeVeque 1979)."""

    def __init__(self) -> None:
        self.count, self.rounding = 0, 1e-12
        self.mean: np.ndarray = np.zeros(0)
        self.squares: np.ndarray = np.zeros(0)

    def add(self, values: np.ndarray, what: str) -> None:
        channels = np.moveaxis(np.asarray(values, dtype=np.float64), 1, 0).reshape(values.shape[1], -1)
        if not np.isfinite(channels).all():
            raise InputError(
                f"the training {what} hold NaN or infinite values; generate the data again or remove those samples"
            )
        if values.dtype == np.float32:
            self.rounding = float(np.finfo(np.float32).eps)
        count, mean = channels.shape[1], channels.mean(axis=1)
        squares = np.square(channels - mean[:, None]).sum(axis=1)
        if self.count:
            shift, total = mean - self.mean, self.count + count
            squares = self.squares + squares + shift**2 * (self.count * count / total)
            mean = self.mean + shift * (count / total)
        self.count, self.mean, self.squares = self.count + count, mean, squares

    @property
    def std(self) -> np.ndarray:
        """Standard deviation; 0 for a channel that is constant up to the rounding of the stored values."""
        std = np.sqrt(self.squares / self.count)
        return np.where(std > self.rounding * np.abs(self.mean), std, 0.0)


class NormalizedOperator(Operator):
    """Apply an operator in physical units: u = s_u·G((a − m_a)/s_a) + m_u, with a mean m and a deviation s per channel.

    The statistics are buffers: they are moved, saved and loaded with the weights, and the caller normalises nothing.
    Inputs in float64 are normalised in float64 before they are rounded to the dtype of the network, and give outputs in
    float64: a field such as 1e5 ± 1e-2 keeps its digits.

    Parameters
    ----------
    operator : Operator
        The network G.
    statistics : ChannelStatistics, optional
        Only the part that the operator can use (`Operator.usable_statistics`) is applied. Without statistics m = 0 and
        s = 1 (as `load_operator` needs).
    carried : int, default 0
        Number of last input channels that are added to the outputs (to each group of so many outputs): G then learns
        the increment from the latest frame, and m_u and s_u are those of increments.

    Raises
    ------
    InputError
        If the statistics have another number of channels than the operator, or the number of outputs is not a multiple
        of `carried`.
    """

    name = "normalized"

    input_mean: Tensor
    input_std: Tensor
    output_mean: Tensor
    output_std: Tensor

    def __init__(self, operator: Operator, statistics: ChannelStatistics | None = None, carried: int = 0) -> None:
        super().__init__(operator.in_channels, operator.out_channels, operator.ndim)
        if carried < 0 or carried > operator.in_channels or (carried and operator.out_channels % carried):
            raise InputError(
                f"carried={carried} is not usable with {operator.in_channels} channels in and {operator.out_channels} "
                "out; expected the number of state fields, a divisor of the second and at most the first"
            )
        self.operator, self.carried = operator, carried
        dtype = operator.parameter_dtype()
        sides = (("input", operator.in_channels), ("output", operator.out_channels))
        if statistics is not None:
            for side, channels in sides:
                for moment in ("mean", "std"):
                    size = np.asarray(getattr(statistics, f"{side}_{moment}")).size
                    if size != channels:
                        raise InputError(
                            f"the {side} statistics have {size} channels and {operator.name} has {channels}: "
                            f"build the operator with {side[:-3]}_channels={size}"
                        )
            statistics = operator.usable_statistics(statistics)
        for side, channels in sides:
            for moment, neutral in (("mean", torch.zeros), ("std", torch.ones)):
                values = neutral(channels, dtype=dtype)
                if statistics is not None:
                    values = torch.as_tensor(np.asarray(getattr(statistics, f"{side}_{moment}")), dtype=dtype)
                self.register_buffer(f"{side}_{moment}", values)

    @property
    def resolution_free(self) -> bool:  # type: ignore[override]
        """Return what the network says: the statistics, one number a channel, hold on every grid."""
        return self.operator.resolution_free

    @property
    def output_scale(self) -> Tensor:
        """Return what brings each output to order one: its deviation; its mean if it is constant; 1 if it is zero."""
        size = torch.where(self.output_mean != 0, self.output_mean.abs(), torch.ones_like(self.output_mean))
        return torch.where(self.output_std > 0, self.output_std, size)

    def arguments(self) -> dict[str, Any]:
        """Return the constructor arguments of the network."""
        return self.operator.arguments()

    def __repr__(self) -> str:
        return f"NormalizedOperator({self.operator!r}{f', carried={self.carried}' if self.carried else ''})"

    def forward(self, inputs: Tensor) -> Tensor:
        self.check_inputs(inputs)
        broadcast = (1, -1, *(1,) * self.ndim)
        scaled = (inputs - self.input_mean.view(broadcast)) / self.input_std.view(broadcast)
        wide = inputs.dtype == torch.float64
        outputs = self.operator(scaled.to(self.input_mean.dtype) if wide else scaled)
        outputs = outputs.to(inputs.dtype if wide else self.output_mean.dtype)
        outputs = outputs * self.output_std.view(broadcast) + self.output_mean.view(broadcast)
        if self.carried:
            outputs = outputs + torch.cat([inputs[:, -self.carried :]] * (self.out_channels // self.carried), dim=1)
        return outputs
