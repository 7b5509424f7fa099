"""Define the contract that every neural operator keeps."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from resolvent.solvers import InputError
from resolvent.solvers.arguments import positive_integer


class Operator(nn.Module, ABC):
    """Learn a map between functions, a ↦ u, given by their values on a grid.

    ``forward`` takes a tensor of shape ``(batch, in_channels, *space)`` and returns ``(batch, out_channels, *space)``
    on the same grid. A subclass takes plain constructor arguments, keeps each in an attribute of the same name, and is
    listed once in ``OPERATORS``; the contract tests, saving and the command line then know it.

    Parameters
    ----------
    in_channels, out_channels : int
        Fields in and out.
    ndim : int
        Space dimensions, 1, 2 or 3.

    Raises
    ------
    InputError
        For sizes below one or a dimension other than 1, 2 or 3.
    """

    name: ClassVar[str]
    #: True where the same weights are the same map on every grid, up to the error of quadrature.
    resolution_free: ClassVar[bool]

    def __init__(self, in_channels: int, out_channels: int, ndim: int) -> None:
        super().__init__()
        if ndim not in (1, 2, 3):
            raise InputError(f"ndim={ndim!r} is not a dimension operators take; expected 1, 2 or 3")
        self.in_channels = positive_integer(in_channels, "in_channels")
        self.out_channels = positive_integer(out_channels, "out_channels")
        self.ndim = int(ndim)

    def arguments(self) -> dict[str, Any]:
        """Return the constructor arguments as JSON-able values: ``type(self)(**arguments)`` is the same network.

        Each is read from the attribute of its name; those that the base classes take come first.
        """
        accepted = inspect.signature(type(self)).parameters
        bases = [kind for kind in reversed(type(self).__mro__) if issubclass(kind, Operator)]
        names = dict.fromkeys(name for kind in bases for name in inspect.signature(kind).parameters if name in accepted)
        return {name: _plain(getattr(self, name)) for name in names}

    def __repr__(self) -> str:
        """Say class, the arguments that are not at their defaults, and the number of parameters, in one line.

        ``torch.nn.Module.__repr__(model)`` draws the tree of its modules.
        """
        defaults = {key: parameter.default for key, parameter in inspect.signature(type(self)).parameters.items()}
        shown = [f"{key}={value!r}" for key, value in self.arguments().items() if not _is_default(value, defaults[key])]
        return f"{type(self).__name__}({', '.join(shown)}: {self.parameter_count()} parameters)"

    @abstractmethod
    def forward(self, inputs: Tensor) -> Tensor:
        """Map ``(batch, in_channels, *space)`` to ``(batch, out_channels, *space)``."""

    def check_inputs(self, inputs: Tensor) -> None:
        """Raise InputError unless `inputs` has the shape and a real floating dtype that `forward` takes."""
        expected = f"(batch, {self.in_channels}{', n' * self.ndim})"
        if inputs.ndim != self.ndim + 2 or inputs.shape[1] != self.in_channels or 0 in inputs.shape[2:]:
            raise InputError(
                f"{self.name} got inputs of shape {tuple(inputs.shape)}; expected {expected}: "
                "add the batch and channel axes, or build the operator with these in_channels and ndim"
            )
        if not inputs.dtype.is_floating_point:
            raise InputError(
                f"{self.name} got inputs of dtype {inputs.dtype}; expected a real floating dtype: convert them"
            )

    def usable_statistics(self, statistics: ChannelStatistics) -> ChannelStatistics:
        """Return the statistics that `NormalizedOperator` may scale and shift by: by default all of them.

        An operator whose outputs satisfy conditions by construction leaves out the shifts that would break them.
        """
        return statistics

    def parameter_count(self) -> int:
        """Return the number of trainable real numbers."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    def parameter_dtype(self) -> torch.dtype:
        """Return the dtype of the weights, which inputs must have too."""
        return next(self.parameters()).dtype


@dataclass(frozen=True)
class ChannelStatistics:
    """Hold the mean and standard deviation of each channel, over samples and space.

    Attributes
    ----------
    input_mean, input_std : ndarray, shape (in_channels,)
    output_mean, output_std : ndarray, shape (out_channels,)
    """

    input_mean: np.ndarray
    input_std: np.ndarray
    output_mean: np.ndarray
    output_std: np.ndarray


def _is_default(value: Any, default: Any) -> bool:
    """Return whether an argument has its default, which may stand for every axis."""
    return bool(value == default) or (isinstance(value, list) and all(item == default for item in value))


def _plain(value: Any) -> Any:
    """Return a value as JSON gives it back: tuples as lists."""
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
