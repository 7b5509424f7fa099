"""The neural spectral operator: a map between the coefficients of functions, with boundary conditions built in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from resolvent.data.arguments import nonnegative_integer, one_of, positive_integer, positive_number
from resolvent.solvers import InputError
from resolvent.solvers.bases import placed
from resolvent.solvers.tensor_basis import along

from .fno import ACTIVATIONS
from .spectral_operator import ChannelLinear, SpectralOperator

__all__ = ["NeuralSpectral"]


class NeuralSpectral(SpectralOperator):
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
    position : {'waves', 'coordinates', 'none'}, default 'none'
        Functions appended to the input: the coordinates of each axis, on a Fourier axis 'waves' puts sin and cos 2πx in
        their place (a coordinate jumps there). 'none' on periodic axes makes the map one that commutes with shifts by
        collocation points.
    oversampling : float, default 1.5
        Collocation points of each axis over its modes. 1.5 removes the aliases of a product of two, more fewer of σ's.
    bias_every_mode : bool, default False
        Whether biases are added to every coefficient instead of the constant's.
    linear_path : bool, default True
        Whether Λ ⊙ â is added, one learned matrix for each eigenfunction of −Δ under the constraints: it contains the
        solution operator of every linear equation with constant coefficients whose modes these are.
    gain : float, default 1
        The weights W start normal with standard deviation gain/width².
    output_scale : float, default 1
        Factor on the last layer's output.
    arrays : {'cells', 'nodes', 'coefficients'}, default 'cells'
        What `forward` takes and returns: values at the centres of a grid's cells; 'nodes': at the points i/n of Fourier
        axes, as the periodic problems in time store them (centres on the others); or coefficients of shape (batch,
        channel, *modes). Taken for cells, nodes are shifted by half a cell, on each grid by another.

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
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            ndim,
            bases,
            modes,
            constraints,
            gauge,
            position,
            linear_path,
            output_scale,
            arrays,
        )
        self.width, self.layers = positive_integer(width, "width"), nonnegative_integer(layers, "layers")
        self.activation = one_of(activation, ACTIVATIONS, "activation")
        self.oversampling = positive_number(oversampling, "oversampling")
        if self.oversampling < 1.0:
            raise InputError(f"oversampling={oversampling!r} leaves fewer points than modes; expected at least 1")
        self.bias_every_mode, self.gain = bool(bias_every_mode), positive_number(gain, "gain")
        self.points = tuple(math.ceil(self.oversampling * n - 1e-9) for n in self.basis.shape)

        h, inputs = self.width, self.in_channels + len(self.position_functions())
        self.lifting = nn.ModuleList(ChannelLinear(a, b) for a, b in ((inputs, 4 * h), (4 * h, h)))
        self.skips = nn.ModuleList(ChannelLinear(h, h) for _ in range(self.layers))
        shape = (math.prod(self.basis.shape), h, h)
        self.spectral = nn.ParameterList(
            nn.Parameter(torch.randn(shape) * (self.gain / h**2)) for _ in range(self.layers)
        )
        self.projection = nn.ModuleList(
            ChannelLinear(a, b) for a, b in ((h, h), (h, 4 * h), (4 * h, self.out_channels))
        )
        self.symbol = self.new_symbol()

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {
            "width": self.width,
            "layers": self.layers,
            "activation": self.activation,
            "oversampling": self.oversampling,
            "bias_every_mode": self.bias_every_mode,
            "gain": self.gain,
        }

    def free_coefficients(self, inputs: Tensor) -> Tensor:
        """Space comes first and channels last within: each map is then one matrix product without copies."""
        activate = ACTIVATIONS[self.activation]
        # What biases multiply, as coefficients and as a function: the constant, or the sum of all basis functions.
        constant = inputs.new_zeros(math.prod(self.basis.shape), 1, 1)
        constant[slice(None) if self.bias_every_mode else 0] = 1.0
        spike = self._spike(inputs) if self.bias_every_mode else None
        hidden = self._transform(inputs.permute(*range(2, self.ndim + 2), 0, 1), "synthesis_matrix")
        functions = self.position_values(self.points, inputs)
        if functions is not None:
            hidden = torch.cat((hidden, functions.expand(*self.points, inputs.shape[0], -1)), dim=-1)
        for pointwise in self.lifting:
            hidden = activate(pointwise(hidden, spike))
        for skip, weight in zip(self.skips, self.spectral, strict=True):
            assert isinstance(skip, ChannelLinear)
            coefficients = self._transform(hidden, "analysis_matrix").flatten(0, self.ndim - 1)
            mixed = torch.baddbmm(constant * skip.bias, coefficients, weight + skip.weight.T)
            hidden = activate(self._transform(mixed.view(*self.basis.shape, *mixed.shape[1:]), "synthesis_matrix"))
        first, second, last = self.projection
        hidden = last(activate(second(activate(first(hidden, spike)), spike)), spike)
        coefficients = self._transform(hidden, "analysis_matrix").permute(-2, -1, *range(self.ndim))
        return self.output_scale * coefficients

    def _transform(self, values: Tensor, kind: str) -> Tensor:
        for d, (basis, m) in enumerate(zip(self.basis.axes, self.points, strict=True)):
            values = along(placed(basis, kind, m, like=values), values, d - self.ndim - 2)
        return values

    def _spike(self, like: Tensor) -> Tensor:
        values: Tensor = self.basis.to_values(like.new_ones(self.basis.shape), self.points)
        return values[..., None, None]
