"""Implement the factorised Fourier neural operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from resolvent.solvers.arguments import positive_integer

from ..activations import ACTIVATIONS
from .lifted_operator import LiftedOperator
from .pointwise import PointwiseLinear
from .spectral_convolution import SpectralConvolution


class AxialConvolution(nn.Module):
    """Sum spectral convolutions, each along one axis alone: v(x) = Σ_d (K_d u)(x).

    Along axis d, K_d is a one-dimensional `SpectralConvolution` on every line of the grid: the weights grow with the
    sum of the modes of the axes, not with their product.
    """

    def __init__(self, channels: int, modes: Sequence[int], *, padding: float, gain: float) -> None:
        super().__init__()
        # A sum over d axes of independent terms has d times the variance of one.
        gain = gain / len(modes) ** 0.5
        self.axes = nn.ModuleList(
            SpectralConvolution(channels, channels, (m,), padding=padding, gain=gain) for m in modes
        )

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, channels, *space) to the same shape, in float32 or float64."""
        first, *others = (cast(SpectralConvolution, convolution) for convolution in self.axes)
        total = first.along(values, 2)
        for axis, convolution in enumerate(others, start=3):
            total = total + convolution.along(values, axis)
        return total


class FFNO(LiftedOperator):
    """Apply a factorised Fourier neural operator in 1, 2 or 3 dimensions, on cell-centred grids of any resolution.

    v⁰ = P(a, x),  vˡ⁺¹ = vˡ + Bˡ σ(Aˡ Kˡ vˡ),  u = Q₂ σ(Q₁ v)

    with Kˡ an `AxialConvolution` and A, B, P, Q pointwise affine maps of the channels, A to `expansion` times as many.
    It differs from the FNO by separate transforms along each axis and by a residual connection around each layer, which
    allows deep networks (the paper's have 24 layers). It depends on the grid as little as the `FNO` does.

    Parameters
    ----------
    in_channels, out_channels : int
    ndim : int, default 2
    modes : int or sequence of int, default 16
        Frequencies |k| < modes along each axis.
    width : int, default 32
        Channels of the hidden fields.
    layers : int, default 6
    expansion : int, default 4
    shared : bool, default False
        Whether all layers have the same spectral weights.
    projection, position, activation, padding, nodes
        As in `FNO`.
    gain : float, default 1
        Scale of the initial spectral weights; with 1 a layer keeps the energy of the retained frequencies on average.

    Notes
    -----
    Weights: about layers·width²·(2·Σ modes + 2·expansion). Few weights do not mean little work: A and B act at every
    point. At equal width, modes and layers (16, 12, 4; 64², one CPU thread) a training step has 2.7 times the FNO's
    arithmetic and 2.8 times its activations, and takes 2.4 times as long, with a tenth of the weights.

    Raises
    ------
    InputError
        For arguments out of range, and by `forward` for inputs of another shape.

    References
    ----------
    Tran, Mathews, Xie, Ong, "Factorized Fourier Neural Operators", ICLR 2023.
    """

    name = "ffno"
    resolution_free = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        ndim: int = 2,
        modes: int | Sequence[int] = 16,
        width: int = 32,
        layers: int = 6,
        expansion: int = 4,
        shared: bool = False,
        projection: int = 128,
        position: bool = True,
        activation: str = "gelu",
        padding: float = 0.0,
        gain: float = 1.0,
        nodes: bool = False,
    ) -> None:
        shape = in_channels, out_channels, ndim
        super().__init__(*shape, modes, width, layers, projection, position, activation, padding, gain, nodes)
        self.expansion, self.shared = positive_integer(expansion, "expansion"), bool(shared)
        width = self.width
        self.convolutions = nn.ModuleList(
            AxialConvolution(width, self.modes, padding=self.padding, gain=self.gain)
            for _ in range(1 if self.shared else self.layers)
        )
        self.expanding = nn.ModuleList(PointwiseLinear(width, self.expansion * width) for _ in range(self.layers))
        self.contracting = nn.ModuleList(PointwiseLinear(self.expansion * width, width) for _ in range(self.layers))
        self._add_projection()

    def _hidden(self, values: Tensor) -> Tensor:
        activate = ACTIVATIONS[self.activation]
        for layer, (expand, contract) in enumerate(zip(self.expanding, self.contracting, strict=True)):
            convolution = self.convolutions[0 if self.shared else layer]
            values = values + contract(activate(expand(convolution(values))))
        return values
