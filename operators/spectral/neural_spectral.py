"""Implement the neural spectral operator: it maps coefficients of functions, with boundary conditions built in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from resolvent.solvers import HeatEquation, InputError
from resolvent.solvers.arguments import nonnegative_integer, one_of, positive_integer, positive_number
from resolvent.solvers.spectral.bases import Fourier, on_device_of
from resolvent.solvers.spectral.tensor_basis import apply_along

from ..activations import ACTIVATIONS
from .phase_coupling import PhaseCoupling
from .spectral_operator import ChannelLinear, SpectralOperator, channel_maps


class NeuralSpectral(SpectralOperator):
    """Apply a neural spectral operator on the unit box in 1, 2 or 3 dimensions (2, 1+1 or 2+1 with time as an axis).

    With T the transform from values on collocation points to coefficients in a tensor basis of Fourier, Chebyshev or
    Legendre series,

    v⁰ = σ(P₂ σ(P₁ (a, x))),  v̂ˡ = T vˡ,  vˡ⁺¹ = σ(T⁻¹(Wˡ ⊙ v̂ˡ + Dˡ v̂ˡ) + bˡ),
    û = B T Q₃ σ(Q₂ σ(Q₁ vᴸ)) + V (Λ ⊙ V* â) + lift

    with P, D, Q pointwise maps of the channels and W one real matrix for each mode. The output is a series that
    satisfies the boundary conditions exactly: on an axis with a constraint its functions are recombined (the matrix B;
    see `RecombinedBasis`). `modes` coefficients an axis determine input and output, so neither the cost nor the output
    depends on the grid of the input values.

    The published network is ``oversampling=1, bias_every_mode=True, linear_path=False, activation='relu',
    position='coordinates', gauge='origin', output_scale=1e-3``. It collocates on as many points as modes, so σ aliases,
    and adds each bias to every coefficient, which is a spike at a corner of the box; the defaults here do neither.

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
        Subtracts the mean, or the value at the low corner, from the output: for solutions that are determined up to a
        constant.
    activation : {'relu', 'gelu', 'silu', 'tanh'}, default 'gelu'
    position : {'waves', 'coordinates', 'bounded', 'none'}, default 'none'
        Functions appended to the input: the coordinates of each axis. On a Fourier axis, where a coordinate jumps,
        'waves' appends sin and cos 2πx instead and 'bounded' nothing. A time axis needs its coordinate. Without a
        function of position on a periodic axis, everything except W commutes with shifts by collocation points, and
        so does W with `coupling`.
    oversampling : float, default 1.5
        Collocation points of each axis divided by its modes. 1.5 removes the aliases of a product of two factors; more
        points reduce those of σ.
    bias_every_mode : bool, default False
        Whether biases are added to every coefficient instead of that of the constant alone.
    linear_path : bool, default True
        Whether Λ ⊙ â is added, one learned matrix for each eigenfunction of −Δ under the constraints: it contains the
        solution operator of every linear equation with constant coefficients that has these modes.
    coupling : {'none', 'phase'} or one an axis, default 'none'
        'phase' lets W mix the sine and the cosine of each frequency of a Fourier axis, by matrices that commute with
        shifts (in effect, complex multiples), with as many weights (except at frequency 0). Without it W cannot shift
        or differentiate, which turn sines into cosines, so that transport needs the functions of `position`.
    diffusion : float, optional
        κ: the network's output is then a source g, and u solves ∂u/∂τ = κΔu + g from the initial value, where τ is the
        axis with the constraint 'initial' and κ is in units of the box and the whole time (νT). The solution with
        g = 0 is a further input. So the network need not learn decay and integration in time.
    gain : float, default 1
        The weights W start normal with standard deviation gain/width².
    output_scale : float, default 1
        Factor on the last layer's output.
    arrays : {'cells', 'nodes', 'coefficients'}, default 'cells'
        What `forward` takes and returns. 'cells': values at the centres of a grid's cells. 'nodes': at the points i/n
        of Fourier axes, as time-dependent periodic problems store them (at centres on other axes); reading them as
        cells would shift them by half a cell, which depends on the grid. 'coefficients': of shape (batch, channel,
        *modes).

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
        shape = in_channels, out_channels, ndim
        super().__init__(*shape, bases, modes, constraints, gauge, position, linear_path, output_scale, arrays)
        self.width, self.layers = positive_integer(width, "width"), nonnegative_integer(layers, "layers")
        self.activation = one_of(activation, ACTIVATIONS, "activation")
        self.oversampling = positive_number(oversampling, "oversampling")
        if self.oversampling < 1.0:
            raise InputError(f"oversampling={oversampling!r} leaves fewer points than modes; expected at least 1")
        self.bias_every_mode, self.gain = bool(bias_every_mode), positive_number(gain, "gain")
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
        h, inputs = self.width, self._fields() + len(self.position_functions())
        self.lifting = channel_maps(inputs, 4 * h, h)
        self.skips = nn.ModuleList(ChannelLinear(h, h) for _ in range(self.layers))
        shape = (self._phases.groups, *((self._phases.members,) if self._phases.coupled else ()), h, h)
        self.spectral = nn.ParameterList(
            nn.Parameter(torch.randn(shape) * (self.gain / h**2)) for _ in range(self.layers)
        )
        self.projection = channel_maps(h, h, 4 * h, self.out_channels)
        self.symbol = self.new_symbol()

    def change(self, inputs: Tensor) -> Tensor:
        if self._heat is None:
            return super().change(inputs)
        start = inputs[:, : self.out_channels]
        decayed = self._heat.evolved(start)
        source = self.free_coefficients(torch.cat((inputs, decayed), dim=1))
        return decayed - start + self._heat.response(source)

    def free_coefficients(self, inputs: Tensor) -> Tensor:
        """Compute N(â) with space first and channels last: each map is then one matrix product without copies."""
        activate = ACTIVATIONS[self.activation]
        # What biases multiply, as coefficients and as a function: the constant, or the sum of all basis functions.
        constant = self._phases.constant(self.bias_every_mode, like=inputs)
        spike = self._spike(inputs) if self.bias_every_mode else None
        hidden = self._transform(inputs.permute(*range(2, self.ndim + 2), 0, 1), "synthesis_matrix", self.basis.axes)
        hidden = activate(self._lifted(hidden, self.position_values(self.points, inputs), spike))
        hidden = activate(self.lifting[1](hidden, spike))
        phases = self._phases
        for skip, weight in zip(self.skips, self.spectral, strict=True):
            assert isinstance(skip, ChannelLinear)
            coefficients = phases.gather(self._transform(hidden, "analysis_matrix", phases.axes))
            pointwise = nn.functional.linear(coefficients, skip.weight)
            mixed = phases.mixed(coefficients, weight, torch.addcmul(pointwise, constant, skip.bias))
            hidden = activate(self._transform(phases.scatter(mixed), "synthesis_matrix", phases.axes))
        first, second, last = self.projection
        hidden = last(activate(second(activate(first(hidden, spike)), spike)), spike)
        coefficients = self._transform(hidden, "analysis_matrix", self.basis.axes).permute(-2, -1, *range(self.ndim))
        return self.output_scale * coefficients

    def _lifted(self, hidden: Tensor, functions: Tensor | None, spike: Tensor | None) -> Tensor:
        """Apply the first layer; the part of the functions of position is computed once for all samples."""
        first = self.lifting[0]
        assert isinstance(first, ChannelLinear)
        if functions is None:
            lifted: Tensor = first(hidden, spike)
            return lifted
        fixed = nn.functional.linear(functions, first.weight[:, self._fields() :])
        fixed = fixed + (first.bias if spike is None else first.bias * spike)
        return nn.functional.linear(hidden, first.weight[:, : self._fields()]) + fixed

    def _transform(self, values: Tensor, kind: str, axes: Sequence[Any]) -> Tensor:
        for d, (basis, m) in enumerate(zip(axes, self.points, strict=True)):
            values = apply_along(on_device_of(basis, kind, m, like=values), values, d - self.ndim - 2)
        return values

    def _spike(self, like: Tensor) -> Tensor:
        values: Tensor = self.basis.to_values(like.new_ones(self.basis.shape), self.points)
        return values[..., None, None]

    def _fields(self) -> int:
        """Return the number of channels of the network's input that depend on the sample."""
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
