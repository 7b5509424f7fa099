"""Compute losses on coefficients: the residual of the equation, the error against a solution, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from resolvent.solvers import NORMS, CoefficientNorm, InputError
from resolvent.solvers.arguments import nonnegative_number, one_of

if TYPE_CHECKING:
    from resolvent.data import SpectralProblem


class SpectralLoss:
    """Compute w_r · mean ‖R(a, û)‖² + w_d · mean ‖û − u‖², with norms of functions from their coefficients.

    The residual R is complete (products without aliases) and each norm is exact (by quadrature weights), so the loss
    needs no grid. It may be physics-only (w_d = 0: targets are ignored), supervised (w_r = 0) or mixed.

    The choice of the norm decides what training finds. For −Δu = s the residual is Δ of the error: in 'L2' (and nearly
    in the 'coefficient' norm of the published code) mode k weighs |2πk|⁴ times as much as in the error of u; in 'H-1'
    the loss is the energy of the error, in 'H-2' its L² norm. For parabolic equations, 'response' is what 'H-2' is for
    elliptic ones: the L² norm of the change of the solution that the residual causes while the nonlinear term is fixed.

    Parameters
    ----------
    problem : SpectralProblem
    norm : str, default 'L2'
        Norm of the residual: one of `NORMS`, or 'response' if the problem has one. For elliptic problems, dual norms
        belong to the space with the problem's boundary conditions.
    data_norm : str, default 'L2'
    physics, data : float, default 1, 0
        The weights w_r and w_d, not both zero.

    Raises
    ------
    InputError
        If a norm is unknown or a weight is out of range.
    """

    def __init__(
        self, problem: SpectralProblem, norm: str = "L2", data_norm: str = "L2", physics: float = 1.0, data: float = 0.0
    ) -> None:
        response = getattr(problem, "response_basis", None)
        one_of(norm, NORMS if response is None else (*NORMS, "response"), "norm")
        one_of(data_norm, NORMS, "norm")
        self.problem = problem
        self.physics, self.data = nonnegative_number(physics, "physics"), nonnegative_number(data, "data")
        if self.physics == 0.0 and self.data == 0.0:
            raise InputError("physics=0 and data=0 leave no loss; give one of them a positive weight")
        same = problem.residual_basis == problem.basis
        conditions = problem.conditions if same else None
        # Without boundary conditions in every direction, only the dual of the full H¹ norm sees every function.
        shift = 0.0 if same else 1.0
        self._response = getattr(problem, "response", None) if norm == "response" else None
        if response is not None and norm == "response":
            self._residual_norm = CoefficientNorm(response, "L2", mean=True)
        else:
            self._residual_norm = CoefficientNorm(problem.residual_basis, norm, conditions, shift, mean=True)
        self._data_norm = CoefficientNorm(problem.basis, data_norm, mean=True)
        #: Two runs with the same config are the same run.
        self.config: dict[str, Any] = {
            "problem": {"name": problem.name, **problem.settings()},
            "norm": norm,
            "data_norm": data_norm,
            "physics": self.physics,
            "data": self.data,
        }

    def __call__(self, inputs: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of a batch of coefficients (batch, 1, *modes), a scalar."""
        outputs = outputs[:, 0]
        with torch.autocast(device_type=inputs.device.type, enabled=False):
            loss = torch.zeros((), dtype=outputs.dtype, device=outputs.device)
            if self.physics:
                residual = self.problem.residual(inputs[:, 0], outputs)
                if self._response is not None:
                    residual = self._response(residual)
                loss = loss + self.physics * self._residual_norm.squared(residual).mean()
            if self.data:
                loss = loss + self.data * self._data_norm.squared(outputs - targets[:, 0]).mean()
        return loss
