"""Weights for each frequency that may mix its sine and cosine, and commute with shifts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from resolvent.solvers import Fourier, TensorBasis
from resolvent.solvers.bases import placed

__all__ = ["PhaseCoupling"]


class PhaseCoupling:
    """Modes in groups: one of each axis without coupling, the sine and cosine of one frequency of an axis with it.

    With J the turn of a Fourier axis by a quarter wave, (cos, sin) ↦ (sin, −cos), the matrices of a group of M = 2^c
    modes, c axes coupled, are Σ_s A_s ⊗ J^s over s in {0, 1}^c, with M free matrices A_s of the channels: all linear maps
    of the group that commute with shifts along the coupled axes and treat (k, l) and (k, −l) alone. They contain
    derivatives, Hilbert transforms and shifts; matrices for each mode, A_0 alone, do not.

    A frequency without a sine (0, and that of Nyquist) has a place for it that stays empty: transforms to and from
    `axes` have zeros there. Without any coupling everything here is the identity.

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
        """Order (*axes, batch, h) as (groups, batch, members·h)."""
        if not self.coupled:
            return coefficients.flatten(0, self.ndim - 1)
        batch, h = coefficients.shape[-2:]
        split = coefficients.reshape(*(n for pair in self._split for n in pair), batch, h)
        members, groups = range(0, 2 * self.ndim, 2), range(1, 2 * self.ndim, 2)
        ordered = split.permute(*groups, 2 * self.ndim, *members, 2 * self.ndim + 1)
        return ordered.reshape(self.groups, batch, self.members * h)

    def scatter(self, gathered: Tensor) -> Tensor:
        """The inverse of `gather`."""
        shape = [m * g for m, g in self._split]
        batch = gathered.shape[1]
        if not self.coupled:
            return gathered.view(*shape, *gathered.shape[1:])
        split = gathered.view(*(g for _, g in self._split), batch, *(m for m, _ in self._split), -1)
        order = [place for d in range(self.ndim) for place in (self.ndim + 1 + d, d)]
        return split.permute(*order, self.ndim, 2 * self.ndim + 1).reshape(*shape, batch, -1)

    def matrices(self, weight: Tensor, every: Tensor) -> Tensor:
        """Return the matrices (groups, members·h, members·h), from channels in to channels out; `every` adds to A_0."""
        if not self.coupled:
            return weight + every
        h = every.shape[0]
        weight = torch.cat((weight[:, :1] + every, weight[:, 1:]), dim=1)
        turns = placed(self._turns(), "tensor", like=weight)
        return torch.einsum("spq,gsio->gpiqo", turns, weight).reshape(self.groups, self.members * h, self.members * h)

    def constant(self, every_mode: bool, like: Tensor) -> Tensor:
        """Return the coefficients that a bias multiplies, (groups, members): 1 of the constant, or of all modes."""
        found = like.new_zeros(self.groups, self.members)
        found[0, 0] = 1.0
        if every_mode:
            found[:] = 1.0  # in the empty places too, where it is not seen
        return found

    def spread(self, constant: Tensor, bias: Tensor) -> Tensor:
        """Return the bias of the gathered coefficients, (groups, 1, members·h)."""
        return (constant[:, :, None] * bias).flatten(1)[:, None]

    def _turns(self) -> _Turns:
        return _Turns(tuple(m == 2 for m, _ in self._split))


@dataclass(frozen=True)
class PhasedAxis:
    """A Fourier axis ordered as cos 0 … cos K, sin 0 … sin K, with zeros where there is no sine."""

    axis: Fourier

    @property
    def cosines(self) -> int:
        return self.axis.cosines

    def synthesis_matrix(self, m: int) -> np.ndarray:
        return self.axis.synthesis_matrix(m) @ self._places().T

    def analysis_matrix(self, m: int) -> np.ndarray:
        return self._places() @ self.axis.analysis_matrix(m)

    def _places(self) -> np.ndarray:
        """(2K + 2, n): where each function of the axis goes."""
        places = np.zeros((2 * self.cosines + 2, self.axis.n))
        for k in range(self.axis.n):
            places[k if k <= self.cosines else k + 1, k] = 1.0
        return places


@dataclass(frozen=True)
class _Turns:
    """J^s for each s, as a tensor (s, member in, member out)."""

    coupled: tuple[bool, ...]

    def tensor(self) -> np.ndarray:
        total = np.ones((1, 1, 1))
        # Columns are what a member becomes: cos ↦ sin, sin ↦ −cos; rows are members in, as products act from the right.
        turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
        for axis in self.coupled:
            own = np.stack((np.eye(2), turn)) if axis else np.ones((1, 1, 1))
            total = np.einsum("spq,tuv->stpuqv", total, own).reshape(
                len(total) * len(own), total.shape[1] * own.shape[1], total.shape[2] * own.shape[2]
            )
        return total
