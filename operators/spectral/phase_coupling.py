"""Build weights that mix the sine and the cosine of each frequency and commute with shifts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from resolvent.solvers import Fourier, TensorBasis


class PhaseCoupling:
    """Arrange modes in groups, which weights may mix: with coupling the sine and cosine of one frequency of an axis.

    With J the turn of a Fourier axis by a quarter wave, (cos, sin) ↦ (sin, −cos), the matrices of a group of M = 2^c
    modes, c axes coupled, are Σ_s A_s ⊗ J^s over s in {0, 1}^c, with M free matrices A_s of the channels: all linear
    maps of the group that commute with shifts along the coupled axes. They contain derivatives, Hilbert transforms and
    shifts; a matrix for each mode contains none of them.

    A frequency without a sine (0, and the Nyquist frequency) keeps an empty place for it: transforms to and from `axes`
    have zeros there. Without coupling a group has one mode, and everything here is the identity.

    Parameters
    ----------
    basis : TensorBasis
    coupled : tuple of bool
        For each axis.
    """

    def __init__(self, basis: TensorBasis, coupled: tuple[bool, ...]) -> None:
        self.ndim, self.coupled = basis.ndim, any(coupled)
        self.axes: tuple[Any, ...] = tuple(
            PhasedAxis(axis) if c and isinstance(axis, Fourier) else axis
            for axis, c in zip(basis.axes, coupled, strict=True)
        )
        #: Members and groups of each axis.
        self._split = [(2, axis.cosines + 1) if isinstance(axis, PhasedAxis) else (1, axis.n) for axis in self.axes]
        self.members = math.prod(m for m, _ in self._split)
        self.groups = math.prod(g for _, g in self._split)

    def gather(self, coefficients: Tensor) -> Tensor:
        """Order (*axes, batch, h) as (groups, members, batch, h)."""
        batch, h = coefficients.shape[-2:]
        if not self.coupled:
            return coefficients.reshape(self.groups, 1, batch, h)
        split = coefficients.reshape(*(n for pair in self._split for n in pair), batch, h)
        order = (*range(1, 2 * self.ndim, 2), *range(0, 2 * self.ndim, 2), 2 * self.ndim, 2 * self.ndim + 1)
        return split.permute(order).reshape(self.groups, self.members, batch, h)

    def scatter(self, gathered: Tensor) -> Tensor:
        """Invert `gather`."""
        shape = [m * g for m, g in self._split]
        batch, h = gathered.shape[-2:]
        if not self.coupled:
            return gathered.view(*shape, batch, h)
        split = gathered.view(*(g for _, g in self._split), *(m for m, _ in self._split), batch, h)
        order = [place for d in range(self.ndim) for place in (self.ndim + d, d)]
        return split.permute(*order, 2 * self.ndim, 2 * self.ndim + 1).reshape(*shape, batch, h)

    def mixed(self, gathered: Tensor, weight: Tensor, added: Tensor) -> Tensor:
        """Return `added` + Σ_s A_s J^s applied to gathered coefficients, A_s maps of the channels from the right.

        J turns the fields and not the matrices, which have many more numbers at usual batch sizes.
        """
        turned = [gathered]
        if self.coupled:
            inner = 1
            for m, _ in reversed(self._split):
                if m == 2:
                    turned += [_quarter_turn(values, inner) for values in turned]
                inner *= m
        fields = torch.cat(turned, dim=-1) if self.coupled else gathered
        rows, h = gathered.shape[1] * gathered.shape[2], gathered.shape[3]
        out = torch.baddbmm(
            added.reshape(self.groups, rows, h), fields.view(self.groups, rows, -1), weight.flatten(1, -2)
        )
        return out.view(gathered.shape)

    def constant(self, every_mode: bool, like: Tensor) -> Tensor:
        """Return the coefficients that a bias multiplies, (groups, members, 1, 1): 1 at the constant, or everywhere."""
        ones = like.new_zeros(self.groups, self.members, 1, 1)
        ones[0, 0] = 1.0
        if every_mode:
            ones[:] = 1.0  # in the empty places too, where it has no effect
        return ones


def _quarter_turn(values: Tensor, inner: int) -> Tensor:
    """Apply J of one axis, cos ↦ sin, sin ↦ −cos; `inner` members belong to the coupled axes after it."""
    split = values.unflatten(1, (-1, 2, inner))
    return torch.stack((-split[:, :, 1], split[:, :, 0]), dim=2).flatten(1, 3)


@dataclass(frozen=True)
class PhasedAxis:
    """Order a Fourier axis as cos 0 … cos K, sin 0 … sin K, with zeros where there is no sine."""

    axis: Fourier

    @property
    def cosines(self) -> int:
        return self.axis.cosines

    def synthesis_matrix(self, m: int) -> np.ndarray:
        return self.axis.synthesis_matrix(m) @ self._places().T

    def analysis_matrix(self, m: int) -> np.ndarray:
        return self._places() @ self.axis.analysis_matrix(m)

    def _places(self) -> np.ndarray:
        """Return the matrix (2K + 2, n) that says where each function of the axis goes."""
        places = np.zeros((2 * self.cosines + 2, self.axis.n))
        for k in range(self.axis.n):
            places[k if k <= self.cosines else k + 1, k] = 1.0
        return places
