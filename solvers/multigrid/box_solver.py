"""Solve diffusion problems on one box, one after another, in memory that is reused."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError
from ..matrices.box import read_box
from ..matrices.coefficient import read_coefficient
from ..result import SolveResult
from ..stopping import check_tolerances
from .sample import check_sums, read_rhs, solve_sample, workspace_for


class BoxSolver:
    """Solve −∇·(a∇u) = f on one grid as `solve_batch` does, for samples that come one at a time.

    The results are those of `solve_batch`, bit for bit, whatever was solved before; only the memory is reused. Use an
    instance from one thread at a time.

    Parameters
    ----------
    shape : tuple of int
        Cells per axis, (ny, nx) or (nz, ny, nx).
    lengths, boundary, maxiter, fallback
        As in `solve_batch`.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        lengths: Any = None,
        boundary: Any = "dirichlet",
        maxiter: int = 500,
        fallback: bool = True,
    ) -> None:
        if len(shape) not in (2, 3) or min(shape) < 1:
            raise InputError(f"shape is {tuple(shape)}; expected two or three positive numbers of cells.")
        self.box = read_box(tuple(shape), lengths, boundary)
        _, _, self._maxiter = check_tolerances(0.5, 0.0, maxiter, 1)
        self._fallback = fallback
        self._workspace = workspace_for(self.box)

    def solve(self, coefficient: Any, rhs: Any = 1.0, *, rtol: float = 1e-10) -> SolveResult:
        """Solve one sample; `coefficient` has the box's shape, `rhs` too or is a number. The result's x has it too.

        Raises
        ------
        InputError
            If an argument does not fit.
        """
        shape = self.box.shape
        if np.shape(coefficient) != shape:
            raise InputError(f"coefficient has shape {np.shape(coefficient)}; the box has {shape} cells.")
        field = read_coefficient(coefficient, (len(shape),), f"{shape}")
        source = read_rhs(rhs, (1, *shape))
        rtol, _, _ = check_tolerances(rtol, 0.0, self._maxiter, 1)
        if self.box.singular:
            check_sums(source)
        x = np.empty(shape)
        return solve_sample(self._workspace, self.box, field, source[0], x, rtol, self._maxiter, self._fallback)[0]
