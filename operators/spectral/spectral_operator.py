"""Share what operators between coefficients have in common: bases, boundary conditions, gauge, linear path."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from resolvent.solvers import (
    BASES,
    DIRICHLET,
    NEUMANN,
    Condition,
    InputError,
    RecombinedBasis,
    SeparablePoisson,
    TensorBasis,
    robin,
)
from resolvent.solvers.arguments import one_of, positive_integer, positive_number
from resolvent.solvers.spectral.bases import Basis, on_device_of
from resolvent.solvers.spectral.tensor_basis import apply_along

from ..operator import ChannelStatistics, Operator

_CONDITIONS = {"none": (), "dirichlet": DIRICHLET, "neumann": NEUMANN, "initial": (Condition("low"),)}


class SpectralOperator(Operator):
    """Map coefficients on the unit box, û = B N(â) + V (Λ ⊙ V* â) + lift, with a network N that the subclass defines.

    The output is a series that satisfies the boundary conditions exactly: on an axis with a constraint its functions
    are recombined (the matrix B; see `RecombinedBasis`). `modes` coefficients an axis determine input and output, so
    neither the cost nor the output depends on the grid of the input values.

    A subclass implements `free_coefficients`, the network N; its constructor ends with
    ``self.symbol = self.new_symbol()``.

    Parameters
    ----------
    in_channels, out_channels : int
    ndim, bases, modes, constraints, gauge, position, linear_path, output_scale, arrays
        As in `NeuralSpectral`.

    Raises
    ------
    InputError
        For arguments out of range, and by `forward` for inputs of another shape.
    """

    resolution_free = True
    symbol: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        ndim: int,
        bases: str | Sequence[str],
        modes: int | Sequence[int],
        constraints: Any,
        gauge: str,
        position: str,
        linear_path: bool,
        output_scale: float,
        arrays: str,
    ) -> None:
        super().__init__(in_channels, out_channels, ndim)
        names = [one_of(name, BASES, "basis") for name in self._one_an_axis(bases, "bases")]
        sizes = [positive_integer(n, "modes") for n in self._one_an_axis(modes, "modes")]
        self.bases, self.modes = tuple(names), tuple(sizes)
        self.basis = TensorBasis(*(BASES[name](n) for name, n in zip(names, sizes, strict=True)))
        self.constraints = self._read_constraints(constraints)
        conditions = [_conditions(c) for c in self.constraints]
        # It checks that the conditions fit the bases; its modes carry the linear path.
        self._poisson = SeparablePoisson(self.basis, conditions)
        self.initial_axes = tuple(d for d, c in enumerate(self.constraints) if c == "initial")
        if self.initial_axes and self.in_channels < self.out_channels:
            raise InputError(
                f"constraint 'initial' with in_channels={in_channels} and out_channels={out_channels}: "
                "the first inputs are the initial values, expected as many at least"
            )
        self.gauge = one_of(gauge, ("none", "mean", "origin"), "gauge")
        if self.gauge != "none":
            self._check_gauge()
        self.position = one_of(position, ("waves", "coordinates", "bounded", "none"), "position")
        self.linear_path = bool(linear_path)
        self.output_scale = positive_number(output_scale, "output_scale")
        self.arrays = one_of(arrays, ("cells", "nodes", "coefficients"), "arrays")

    @abstractmethod
    def free_coefficients(self, inputs: Tensor) -> Tensor:
        """Map coefficients (batch, in_channels, *modes) to those of the recombined functions, of the same sizes."""

    def new_symbol(self) -> nn.Parameter | None:
        """Return the weights Λ of the linear path, zero at the start; None without one."""
        free = tuple(recombined.n for recombined in self._poisson.recombined)
        return nn.Parameter(torch.zeros(self.out_channels, self.in_channels, *free)) if self.linear_path else None

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, in_channels, *space) to (batch, out_channels, *space): values, or coefficients (see `arrays`)."""
        self.check_inputs(inputs)
        # Half precision has too few digits for coefficients: they are sums over a grid, and solve to 1e-4 or better.
        with torch.autocast(device_type=inputs.device.type, enabled=False):
            inputs = inputs.to(self.parameter_dtype())
            if self.arrays == "coefficients":
                return self.solution_coefficients(inputs)
            space = inputs.shape[2:]
            return self._on_grid(
                self.solution_coefficients(self._on_grid(inputs, space, "analysis")), space, "synthesis"
            )

    def _on_grid(self, array: Tensor, shape: Sequence[int], direction: str) -> Tensor:
        """Transform values on a grid of `shape` to coefficients, or back."""
        for d, (basis, m) in enumerate(zip(self.basis.axes, shape, strict=True)):
            where = "" if self.arrays == "nodes" and basis.periodic else "cell_"
            array = apply_along(on_device_of(basis, f"{where}{direction}_matrix", m, like=array), array, d - self.ndim)
        return array

    @torch.no_grad()
    def start_linear_path(self, solution: Callable[[Tensor], Tensor]) -> None:
        """Set the linear path to the map `solution` on inputs that are constant in time.

        Parameters
        ----------
        solution : callable
            Maps coefficients (batch, *modes) to coefficients, linearly up to a constant and without mixing waves, such
            as `SpectralNavierStokes.linear_solution`; for one channel, on a basis with one axis of initial values.

        Raises
        ------
        InputError
            If the network has several channels, no linear path, or another set of constraints.
        """
        periodic = all(axis.periodic for d, axis in enumerate(self.basis.axes) if d not in self.initial_axes)
        channels = (self.in_channels, self.out_channels)
        if self.symbol is None or len(self.initial_axes) != 1 or not periodic or channels != (1, 1):
            raise InputError(
                "a linear path is started for one channel, one axis with the constraint 'initial' and Fourier axes "
                f"beside it; this network has channels {channels}, constraints {self.constraints} and "
                f"linear_path={self.linear_path}"
            )
        # All waves at once: they do not mix.
        waves = torch.zeros(1, *self.basis.shape, dtype=torch.float64, device=self.symbol.device)
        waves.select(1 + self.initial_axes[0], 0).fill_(1.0)
        change = solution(waves) - solution(0.0 * waves) - waves
        self.symbol.copy_(self._poisson.amplitudes(change)[None] / self._poisson.amplitudes(waves)[None])

    def check_inputs(self, inputs: Tensor) -> None:
        super().check_inputs(inputs)
        if self.arrays == "coefficients" and tuple(inputs.shape[2:]) != self.basis.shape:
            raise InputError(
                f"{self.name} got coefficients of shape {tuple(inputs.shape)}; expected (batch, {self.in_channels}, "
                f"{', '.join(map(str, self.basis.shape))}): resize them, or build it with arrays='cells' for values"
            )

    def usable_statistics(self, statistics: ChannelStatistics) -> ChannelStatistics:
        """Drop the means unless a constant satisfies constraints and gauge, and for coefficients.

        A mean of the outputs, added to a series that vanishes on the boundary, would become its boundary value. With an
        initial value in the input, the output gets the statistics of that.
        """
        values = [
            c.value for constraint in self.constraints if constraint != "initial" for c in _conditions(constraint)
        ]
        constants = self.arrays != "coefficients" and self.gauge == "none" and not any(values)
        moments = {name: np.array(getattr(statistics, name), np.float64) for name in ("input_mean", "input_std")}
        moments |= {name: np.array(getattr(statistics, name), np.float64) for name in ("output_mean", "output_std")}
        initial = slice(self.out_channels if self.initial_axes else 0)
        for side, which in (
            ("input", slice(None) if self.arrays == "coefficients" else initial),
            ("output", slice(None)),
        ):
            if not constants:  # the deviation is then that from zero
                mean, std = moments[f"{side}_mean"], moments[f"{side}_std"]
                std[which] = np.hypot(std[which], mean[which])
                mean[which] = 0.0
        if self.initial_axes:
            for moment in ("mean", "std"):
                moments[f"output_{moment}"] = moments[f"input_{moment}"][initial].copy()
        return ChannelStatistics(**moments)

    def solution_coefficients(self, inputs: Tensor) -> Tensor:
        """Map coefficients (batch, in_channels, *modes) to coefficients (batch, out_channels, *modes)."""
        outputs = self.change(inputs)
        if self.symbol is not None:
            amplitudes = torch.einsum("oi...,bi...->bo...", self.symbol, self._poisson.amplitudes(inputs))
            outputs = outputs + self._poisson.from_amplitudes(amplitudes)
        if self.initial_axes:
            outputs = outputs + inputs[:, : self.out_channels]
        if self.gauge != "none":
            outputs = outputs - self._constant(outputs)
        return outputs

    def change(self, inputs: Tensor) -> Tensor:
        """Return B N(â), the network's part, as coefficients that satisfy the homogeneous conditions."""
        outputs = self.free_coefficients(inputs)
        for d, recombined in enumerate(self._poisson.recombined):
            if recombined.conditions:
                outputs = apply_along(
                    on_device_of(_Recombination(recombined), "matrix", like=outputs), outputs, d - self.ndim
                )
        return outputs

    def position_functions(self) -> list[tuple[int, str]]:
        """Return the axis and the kind of each function of position that is appended to the input."""
        functions = []
        for d, axis in enumerate(self.basis.axes):
            if self.position == "waves" and axis.periodic:
                functions += [(d, "cosine"), (d, "sine")]
            elif self.position != "none" and not (self.position == "bounded" and axis.periodic):
                functions.append((d, "coordinate"))
        return functions

    def position_values(self, points: Sequence[int], like: Tensor) -> Tensor | None:
        """Evaluate the functions of position on `points` collocation points an axis, shape (*points, 1, functions)."""
        fields = []
        for d, kind in self.position_functions():
            values = on_device_of(_Position(self.basis.axes[d]), kind, points[d], like=like)
            shape = [1] * self.ndim
            shape[d] = points[d]
            fields.append(values.reshape(shape).expand(tuple(points)))
        return torch.stack(fields, dim=-1)[..., None, :] if fields else None

    def _constant(self, outputs: Tensor) -> Tensor:
        """Return the coefficients of the constant that the gauge subtracts."""
        if self.gauge == "mean":
            value = self.basis.integrate(outputs) / self.basis.volume
        else:
            value = outputs
            for axis in reversed(self.basis.axes):
                value = value @ on_device_of(_Position(axis), "low_values", like=outputs)
        constant = torch.zeros(self.basis.shape, dtype=outputs.dtype, device=outputs.device)
        constant[(0,) * self.ndim] = 1.0
        return value.reshape(*value.shape, *(1,) * self.ndim) * constant

    def _check_gauge(self) -> None:
        """Refuse constraints that a constant does not satisfy: subtracting it would break them."""
        for constraint in self.constraints:
            if any(condition.value != 0.0 for condition in _conditions(constraint)):
                raise InputError(
                    f"gauge={self.gauge!r} with the constraint {constraint!r}: taking a constant off the output would "
                    "break it; expected gauge='none' unless every axis is 'none' or 'neumann'"
                )

    def _one_an_axis(self, value: Any, what: str) -> list[Any]:
        values = [value] * self.ndim if isinstance(value, str) or not isinstance(value, Sequence) else list(value)
        if len(values) != self.ndim:
            raise InputError(f"{what}={value!r} names {len(values)} axes; expected one for all or {self.ndim} of them")
        return values

    def _read_constraints(self, value: Any) -> tuple[Any, ...]:
        pair = (
            not isinstance(value, str)
            and isinstance(value, Sequence)
            and all(isinstance(number, int | float) for number in value)
        )
        constraints: list[Any] = []
        for constraint in [value] * self.ndim if pair else self._one_an_axis(value, "constraints"):
            if isinstance(constraint, str):
                constraints.append(one_of(constraint, _CONDITIONS, "constraint"))
            elif isinstance(constraint, Sequence) and len(constraint) == 2:
                constraints.append((float(constraint[0]), float(constraint[1])))
            else:
                raise InputError(f"constraint {constraint!r}; expected {', '.join(_CONDITIONS)} or two numbers")
        return tuple(constraints)


def channel_maps(*channels: int) -> nn.ModuleList:
    """Return the maps from each number of channels to the next."""
    return nn.ModuleList(ChannelLinear(before, after) for before, after in pairwise(channels))


def _conditions(constraint: Any) -> tuple[Condition, ...]:
    return _CONDITIONS[constraint] if isinstance(constraint, str) else robin(*constraint)


class ChannelLinear(nn.Module):
    """Map x ↦ W x + b·s on the last axis; s is the function that carries the bias, 1 if none is given."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / math.sqrt(inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, values: Tensor, spike: Tensor | None = None) -> Tensor:
        if spike is None:
            return nn.functional.linear(values, self.weight, self.bias)
        return nn.functional.linear(values, self.weight) + self.bias * spike


@dataclass(frozen=True)
class _Recombination:
    """Map n coefficients, without those beyond the recombined basis, to the n coefficients of the parent basis."""

    recombined: RecombinedBasis

    def matrix(self) -> Any:
        S = self.recombined.matrix()
        return np.pad(S, ((0, 0), (0, S.shape[0] - S.shape[1])))


@dataclass(frozen=True)
class _Position:
    """Evaluate functions of the position on one axis."""

    axis: Basis

    def coordinate(self, m: int) -> Any:
        return self.axis.points(m)

    def cosine(self, m: int) -> Any:
        return self.axis.resized(3).synthesis_matrix(m)[:, 1]

    def sine(self, m: int) -> Any:
        return self.axis.resized(3).synthesis_matrix(m)[:, 2]

    def low_values(self) -> Any:
        return self.axis.evaluation_matrix(np.array([self.axis.low]))[0]
