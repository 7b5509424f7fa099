"""The neural spectral operator: a map between the coefficients of functions, with boundary conditions built in."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from resolvent.data.arguments import nonnegative_integer, one_of, positive_integer, positive_number
from resolvent.solvers import (
    BASES,
    DIRICHLET,
    NEUMANN,
    Condition,
    HeatEquation,
    InputError,
    RecombinedBasis,
    SeparablePoisson,
    TensorBasis,
    robin,
)
from resolvent.solvers.bases import Basis, Fourier, placed
from resolvent.solvers.tensor_basis import along

from .fno import ACTIVATIONS
from .operator import Operator
from .phase_coupling import PhaseCoupling

__all__ = ["NeuralSpectral"]

_CONDITIONS = {"none": (), "dirichlet": DIRICHLET, "neumann": NEUMANN, "initial": (Condition("low"),)}


class NeuralSpectral(Operator):
    """Neural spectral operator on the unit box in one, two or three dimensions (2, 1+1 or 2+1 with time as an axis).

    With T the transform from values on collocation points to coefficients in a tensor basis of Fourier, Chebyshev or
    Legendre series,

    v⁰ = σ(P₂ σ(P₁ (a, x))),  v̂ˡ = T vˡ,  vˡ⁺¹ = σ(T⁻¹(Wˡ ⊙ v̂ˡ + Dˡ v̂ˡ) + bˡ),
    û = B T Q₃ σ(Q₂ σ(Q₁ vᴸ)) + V (Λ ⊙ V* â) + lift

    with P, D, Q pointwise maps of the channels and W one real matrix for each mode. The output is a series whose
    boundary conditions hold exactly: on an axis with a constraint its functions are recombined (the matrix B; see
    `RecombinedBasis`). Input and output are determined by `modes` coefficients an axis, so neither the cost nor the
    output depends on the grid that values are given on.

    The defaults mend what the published code does; ``oversampling=1, bias_every_mode=True, linear_path=False,
    activation='relu', position='coordinates', gauge='origin', output_scale=1e-3`` is the published network: it
    collocates on as many points as modes, so σ aliases, and adds each bias to every coefficient, which is a spike at
    the box's corner.

    Parameters
    ----------
    in_channels, out_channels : int
    ndim : int, default 2
    bases : {'fourier', 'chebyshev', 'legendre'} or one an axis, default 'fourier'
    modes : int or one an axis, default 17
        Functions of each axis. On cells, Fourier series see frequencies below the grid's Nyquist limit; for the other
        two keep modes² below about four times the cells.
    width : int, default 32
        h, channels of the hidden fields; P and Q pass through 4h.
    layers : int, default 4
    constraints : str, pair of numbers, or one of them an axis, default 'none'
        'dirichlet' and 'neumann': zero value or slope at both ends. 'initial': u = a + (a series that vanishes at the
        low end), for a time axis, with the initial value in the first input channels, constant in time. Two numbers
        (v, s): v·u + s·∂u/∂ν = 0 at both ends. Fourier axes are periodic and take 'none'.
    gauge : {'none', 'mean', 'origin'}, default 'none'
        Takes the mean, or the value at the low corner, off the output, where solutions are determined up to a constant.
    activation : {'relu', 'gelu', 'silu', 'tanh'}, default 'gelu'
    position : {'waves', 'coordinates', 'bounded', 'none'}, default 'none'
        Functions appended to the input: the coordinates of each axis; on a Fourier axis 'waves' puts sin and cos 2πx in
        their place (a coordinate jumps there), 'bounded' leaves it out. A time axis needs its coordinate. Without a
        function of position on a periodic axis all but W commutes with its shifts by collocation points, and W does
        where it is coupled.
    oversampling : float, default 1.5
        Collocation points of each axis over its modes. 1.5 removes the aliases of a product of two, more fewer of σ's.
    bias_every_mode : bool, default False
        Whether biases are added to every coefficient instead of the constant's.
    linear_path : bool, default True
        Whether Λ ⊙ â is added, one learned matrix for each eigenfunction of −Δ under the constraints: it contains the
        solution operator of every linear equation with constant coefficients whose modes these are.
    coupling : {'none', 'phase'} or one an axis, default 'none'
        'phase' lets W mix the sine and the cosine of each frequency of a Fourier axis, by matrices that commute with
        shifts (complex multiples, in effect): as many weights, all but those of frequency 0. Without it no W can shift
        or differentiate, which turn sines into cosines: transport has to come from the functions of `position`.
    diffusion : float, optional
        κ: what the network puts out is a source g, and u solves ∂u/∂τ = κΔu + g from the initial value, τ the axis of
        the constraint 'initial', κ in units of the box and its whole time (νT). The solution with g = 0 is a further
        input beside the initial value. The network then need not learn decay nor integration in time.
    gain : float, default 1
        The weights W start normal with standard deviation gain/width².
    output_scale : float, default 1
        Factor on the last layer's output.
    arrays : {'cells', 'coefficients'}, default 'cells'
        What `forward` takes and returns: values at the centres of a grid's cells, or coefficients of shape
        (batch, channel, *modes).

    Raises
    ------
    InputError
        For arguments out of range, and by `forward` for inputs of another shape.

    References
    ----------
    Du, Chalapathi and Krishnapriyan, Neural Spectral Methods: Self-supervised learning in the spectral domain, ICLR
    2024.
    """

    name = "neural_spectral"
    resolution_free = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        ndim: int = 2,
        bases: str | Sequence[str] = "fourier",
        modes: int | Sequence[int] = 17,
        width: int = 32,
        layers: int = 4,
        constraints: Any = "none",
        gauge: str = "none",
        activation: str = "gelu",
        position: str = "none",
        oversampling: float = 1.5,
        bias_every_mode: bool = False,
        linear_path: bool = True,
        gain: float = 1.0,
        output_scale: float = 1.0,
        arrays: str = "cells",
        coupling: str | Sequence[str] = "none",
        diffusion: float | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, ndim)
        names = [one_of(name, BASES, "basis") for name in self._one_an_axis(bases, "bases")]
        sizes = [positive_integer(n, "modes") for n in self._one_an_axis(modes, "modes")]
        self.basis = TensorBasis(*(BASES[name](n) for name, n in zip(names, sizes, strict=True)))
        self.constraints = self._read_constraints(constraints)
        conditions = [_conditions(c) for c in self.constraints]
        self._poisson = SeparablePoisson(
            self.basis, conditions
        )  # checks that they fit; its modes carry the linear path
        self.initial_axes = tuple(d for d, c in enumerate(self.constraints) if c == "initial")
        if self.initial_axes and self.in_channels < self.out_channels:
            raise InputError(
                f"constraint 'initial' with in_channels={in_channels} and out_channels={out_channels}: "
                "the first inputs are the initial values, expected as many at least"
            )
        self.width, self.layers = positive_integer(width, "width"), nonnegative_integer(layers, "layers")
        self.gauge = one_of(gauge, ("none", "mean", "origin"), "gauge")
        self.activation = one_of(activation, ACTIVATIONS, "activation")
        self.position = one_of(position, ("waves", "coordinates", "bounded", "none"), "position")
        self.oversampling = positive_number(oversampling, "oversampling")
        if self.oversampling < 1.0:
            raise InputError(f"oversampling={oversampling!r} leaves fewer points than modes; expected at least 1")
        self.bias_every_mode, self.linear_path = bool(bias_every_mode), bool(linear_path)
        self.gain, self.output_scale = positive_number(gain, "gain"), positive_number(output_scale, "output_scale")
        self.arrays = one_of(arrays, ("cells", "coefficients"), "arrays")
        self.points = tuple(math.ceil(self.oversampling * n - 1e-9) for n in self.basis.shape)
        self.coupling = [one_of(c, ("none", "phase"), "coupling") for c in self._one_an_axis(coupling, "coupling")]
        for axis, kind in zip(self.basis.axes, self.coupling, strict=True):
            if kind == "phase" and not isinstance(axis, Fourier):
                raise InputError(
                    f"coupling 'phase' on a {axis.name} axis; expected 'none' there: only waves have phases"
                )
        self._phases = PhaseCoupling(self.basis, tuple(c == "phase" for c in self.coupling))

        self.diffusion = None if diffusion is None else positive_number(diffusion, "diffusion")
        self._heat = self._read_heat()
        h, inputs = self.width, self._fields() + len(self._position_functions())
        self.lifting = nn.ModuleList(_Pointwise(a, b) for a, b in ((inputs, 4 * h), (4 * h, h)))
        self.skips = nn.ModuleList(_Pointwise(h, h) for _ in range(self.layers))
        shape = (self._phases.groups, *((self._phases.members,) if self._phases.coupled else ()), h, h)
        self.spectral = nn.ParameterList(
            nn.Parameter(torch.randn(shape) * (self.gain / h**2)) for _ in range(self.layers)
        )
        self.projection = nn.ModuleList(_Pointwise(a, b) for a, b in ((h, h), (h, 4 * h), (4 * h, self.out_channels)))
        free = tuple(recombined.n for recombined in self._poisson.recombined)
        self.symbol = nn.Parameter(torch.zeros(self.out_channels, self.in_channels, *free)) if linear_path else None

    def arguments(self) -> dict[str, Any]:
        return {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "ndim": self.ndim,
            "bases": [axis.name for axis in self.basis.axes],
            "modes": list(self.basis.shape),
            "width": self.width,
            "layers": self.layers,
            "constraints": [c if isinstance(c, str) else list(c) for c in self.constraints],
            "gauge": self.gauge,
            "activation": self.activation,
            "position": self.position,
            "oversampling": self.oversampling,
            "bias_every_mode": self.bias_every_mode,
            "linear_path": self.linear_path,
            "gain": self.gain,
            "output_scale": self.output_scale,
            "arrays": self.arrays,
            "coupling": list(self.coupling),
            "diffusion": self.diffusion,
        }

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, in_channels, *space) to (batch, out_channels, *space): values, or coefficients (see `arrays`)."""
        self.check_inputs(inputs)
        # Coefficients lose their digits in half precision: sums over a grid, and solutions to a part in 1e4 or better.
        with torch.autocast(device_type=inputs.device.type, enabled=False):
            inputs = inputs.to(self.parameter_dtype())
            if self.arrays == "coefficients":
                return self.solution_coefficients(inputs)
            outputs = self.solution_coefficients(self.basis.from_cells(inputs))
            values: Tensor = self.basis.to_cells(outputs, inputs.shape[2:])
            return values

    @torch.no_grad()
    def start_linear_path(self, solution: Callable[[Tensor], Tensor]) -> None:
        """Set the linear path to the map that `solution` is on inputs constant in time, where the path can hold it.

        Parameters
        ----------
        solution : callable
            From coefficients (batch, *modes) to coefficients, linear up to a constant and diagonal in the waves, such
            as `SpectralNavierStokes.linear_solution`; of one channel, on a basis with one axis of initial values.

        Raises
        ------
        InputError
            For a network of another kind.
        """
        periodic = all(axis.periodic for d, axis in enumerate(self.basis.axes) if d not in self.initial_axes)
        channels = (self.in_channels, self.out_channels)
        if self.symbol is None or len(self.initial_axes) != 1 or not periodic or channels != (1, 1):
            raise InputError(
                "a linear path is started for one channel, one axis with the constraint 'initial' and Fourier axes "
                f"beside it; this network has channels {channels}, constraints {self.constraints} and "
                f"linear_path={self.linear_path}"
            )
        # All waves at once, as they do not mix.
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

    def solution_coefficients(self, inputs: Tensor) -> Tensor:
        """Map coefficients (batch, in_channels, *modes) to coefficients (batch, out_channels, *modes)."""
        start = inputs[:, : self.out_channels]
        if self._heat is None:
            outputs = self._network(inputs)
            for d, recombined in enumerate(self._poisson.recombined):
                if recombined.conditions:
                    outputs = along(placed(_Recombination(recombined), "matrix", like=outputs), outputs, d - self.ndim)
        else:
            decay = self._heat.evolved(start) - start
            source = self._network(torch.cat((inputs, decay + start), dim=1))
            outputs = decay + self._heat.response(source)
        if self.symbol is not None:
            amplitudes = torch.einsum("oi...,bi...->bo...", self.symbol, self._poisson.amplitudes(inputs))
            outputs = outputs + self._poisson.from_amplitudes(amplitudes)
        if self.initial_axes:
            outputs = outputs + start
        if self.gauge != "none":
            outputs = outputs - self._constant(outputs)
        return outputs

    def _network(self, inputs: Tensor) -> Tensor:
        """Space comes first and channels last within: each map is then one matrix product without copies."""
        activate = ACTIVATIONS[self.activation]
        # What biases multiply, as coefficients and as a function: the constant, or the sum of all basis functions.
        constant = self._phases.constant(self.bias_every_mode, like=inputs)
        spike = self._spike(inputs) if self.bias_every_mode else None
        hidden = self._transform(inputs.permute(*range(2, self.ndim + 2), 0, 1), "synthesis_matrix", self.basis.axes)
        hidden = activate(self._lifted(hidden, self._position(inputs), spike))
        hidden = activate(self.lifting[1](hidden, spike))
        phases = self._phases
        for skip, weight in zip(self.skips, self.spectral, strict=True):
            assert isinstance(skip, _Pointwise)
            coefficients = phases.gather(self._transform(hidden, "analysis_matrix", phases.axes))
            pointwise = nn.functional.linear(coefficients, skip.weight)
            mixed = phases.mixed(coefficients, weight, torch.addcmul(pointwise, constant, skip.bias))
            hidden = activate(self._transform(phases.scatter(mixed), "synthesis_matrix", phases.axes))
        first, second, last = self.projection
        hidden = last(activate(second(activate(first(hidden, spike)), spike)), spike)
        coefficients = self._transform(hidden, "analysis_matrix", self.basis.axes).permute(-2, -1, *range(self.ndim))
        return self.output_scale * coefficients

    def _lifted(self, hidden: Tensor, functions: Tensor | None, spike: Tensor | None) -> Tensor:
        """The first layer; what functions of position do in it is the same for all samples, and computed once."""
        first = self.lifting[0]
        assert isinstance(first, _Pointwise)
        if functions is None:
            lifted: Tensor = first(hidden, spike)
            return lifted
        fixed = nn.functional.linear(functions, first.weight[:, self._fields() :])
        fixed = fixed + (first.bias if spike is None else first.bias * spike)
        return nn.functional.linear(hidden, first.weight[:, : self._fields()]) + fixed

    def _transform(self, values: Tensor, kind: str, axes: Sequence[Any]) -> Tensor:
        for d, (basis, m) in enumerate(zip(axes, self.points, strict=True)):
            values = along(placed(basis, kind, m, like=values), values, d - self.ndim - 2)
        return values

    def _spike(self, like: Tensor) -> Tensor:
        values: Tensor = self.basis.to_values(like.new_ones(self.basis.shape), self.points)
        return values[..., None, None]

    def _position_functions(self) -> list[tuple[int, str]]:
        functions = []
        for d, axis in enumerate(self.basis.axes):
            if self.position == "waves" and axis.periodic:
                functions += [(d, "cosine"), (d, "sine")]
            elif self.position != "none" and not (self.position == "bounded" and axis.periodic):
                functions.append((d, "coordinate"))
        return functions

    def _position(self, like: Tensor) -> Tensor | None:
        """The functions of position on the collocation points, shape (*points, 1, functions)."""
        fields = []
        for d, kind in self._position_functions():
            values = placed(_Position(self.basis.axes[d]), kind, self.points[d], like=like)
            shape = [1] * self.ndim
            shape[d] = self.points[d]
            fields.append(values.reshape(shape).expand(self.points))
        return torch.stack(fields, dim=-1)[..., None, :] if fields else None

    def _constant(self, outputs: Tensor) -> Tensor:
        """The coefficients of the constant that the gauge takes off."""
        if self.gauge == "mean":
            value = self.basis.integrate(outputs) / self.basis.volume
        else:
            value = outputs
            for axis in reversed(self.basis.axes):
                value = value @ placed(_Position(axis), "low_values", like=outputs)
        constant = torch.zeros(self.basis.shape, dtype=outputs.dtype, device=outputs.device)
        constant[(0,) * self.ndim] = 1.0
        return value.reshape(*value.shape, *(1,) * self.ndim) * constant

    def _fields(self) -> int:
        """Channels of the network's input that are functions of the sample."""
        return self.in_channels + (0 if self._heat is None else self.out_channels)

    def _read_heat(self) -> HeatEquation | None:
        if self.diffusion is None:
            return None
        if self.initial_axes != (0,) or not all(isinstance(axis, Fourier) for axis in self.basis.axes[1:]):
            raise InputError(
                f"diffusion={self.diffusion} with the constraints {self.constraints} on {self.basis}: expected "
                "'initial' on the first axis, polynomials in time, and Fourier axes after it"
            )
        return HeatEquation(self.basis, self.diffusion)

    def _one_an_axis(self, value: Any, what: str) -> list[Any]:
        given = [value] * self.ndim if isinstance(value, str) or not isinstance(value, Sequence) else list(value)
        if len(given) != self.ndim:
            raise InputError(f"{what}={value!r} names {len(given)} axes; expected one for all or {self.ndim} of them")
        return given

    def _read_constraints(self, given: Any) -> tuple[Any, ...]:
        pair = (
            not isinstance(given, str)
            and isinstance(given, Sequence)
            and all(isinstance(g, int | float) for g in given)
        )
        constraints: list[Any] = []
        for constraint in [given] * self.ndim if pair else self._one_an_axis(given, "constraints"):
            if isinstance(constraint, str):
                constraints.append(one_of(constraint, _CONDITIONS, "constraint"))
            elif isinstance(constraint, Sequence) and len(constraint) == 2:
                constraints.append((float(constraint[0]), float(constraint[1])))
            else:
                raise InputError(f"constraint {constraint!r}; expected {', '.join(_CONDITIONS)} or two numbers")
        return tuple(constraints)


def _conditions(constraint: Any) -> tuple[Condition, ...]:
    return _CONDITIONS[constraint] if isinstance(constraint, str) else robin(*constraint)


class _Pointwise(nn.Module):
    """x ↦ W x + b·s on the last axis; s is the function that carries the bias, 1 if none is given."""

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
    """From n coefficients, of which those beyond the recombined basis are dropped, to the parent's n."""

    recombined: RecombinedBasis

    def matrix(self) -> Any:
        S = self.recombined.matrix()
        return np.pad(S, ((0, 0), (0, S.shape[0] - S.shape[1])))


@dataclass(frozen=True)
class _Position:
    """Functions of the position on one axis."""

    axis: Basis

    def coordinate(self, m: int) -> Any:
        return self.axis.points(m)

    def cosine(self, m: int) -> Any:
        return self.axis.resized(3).synthesis_matrix(m)[:, 1]

    def sine(self, m: int) -> Any:
        return self.axis.resized(3).synthesis_matrix(m)[:, 2]

    def low_values(self) -> Any:
        return self.axis.evaluation_matrix(np.array([self.axis.low]))[0]
