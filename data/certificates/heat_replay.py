"""Advance heat conduction once more for its certificate: differences in plain NumPy, direct solves of its own.

It shares nothing with the assembly or the solvers that made the data.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg as spla


class HeatReplay:
    """Advance u_t = μ(t) ∇·(κ∇u) + f(t) by the scheme of the stored trajectory.

    Parameters
    ----------
    coefficient : ndarray, shape (nx, ny)
    spacing : (float, float)
    wall : float
        What a cell beside a wall exchanges with it, in units of κ/h²: 2, 1 or 0.
    theta : {0.5, 1.0}
        Crank–Nicolson with μ and f at the middle of a step, or backward Euler.
    modulation : callable
        μ(t).
    source : callable
        f(t), shape (nx, ny).
    """

    def __init__(
        self,
        coefficient: np.ndarray,
        spacing: tuple[float, float],
        wall: float,
        theta: float,
        modulation: Callable[[float], float],
        source: Callable[[float], np.ndarray],
    ) -> None:
        self.coefficient = np.asarray(coefficient, dtype=np.float64)
        self.spacing, self.wall, self.theta = spacing, wall, theta
        self.modulation, self.source = modulation, source
        self._conductances = []
        for a, h in zip((self.coefficient, self.coefficient.T), spacing, strict=True):
            inside = 2.0 * a[1:] * a[:-1] / (a[1:] + a[:-1])
            self._conductances.append((inside / h**2, wall * a[0] / h**2, wall * a[-1] / h**2))
        self._uniform = np.ptp(self.coefficient) == 0.0
        self._factors: tuple[float, Callable[[np.ndarray], np.ndarray]] | None = None
        self._matrix: sp.csc_array | None = None
        self._modes: list[tuple[np.ndarray, np.ndarray]] | None = None

    def apply(self, u: np.ndarray) -> np.ndarray:
        """Return −∇·(κ∇u): what leaves each cell through its four faces."""
        out = np.zeros_like(u)
        for v, total, (inside, first, last) in zip((u, u.T), (out, out.T), self._conductances, strict=True):
            flow = inside * (v[:-1] - v[1:])
            total[:-1] += flow
            total[1:] -= flow
            total[0] += first * v[0]
            total[-1] += last * v[-1]
        return out

    def loss(self, u: np.ndarray) -> float:
        """Return what leaves the domain through its walls, summed over the cells beside them."""
        ends = ((first * v[0], last * v[-1]) for v, (_, first, last) in zip((u, u.T), self._conductances, strict=True))
        return float(sum(a.sum() + b.sum() for a, b in ends))

    def energy(self, u: np.ndarray) -> float:
        """Return √(u·Au)."""
        return float(np.sqrt(max(float(np.vdot(u, self.apply(u))), 0.0)))

    def advance(self, u: np.ndarray, start: float, stop: float, steps: int) -> tuple[np.ndarray, float]:
        """Return the state at `stop`, and what entered meanwhile, summed over the cells."""
        length = (stop - start) / steps
        inflow = 0.0
        for i in range(steps):
            when = start + (i + self.theta) * length
            mu, source = self.modulation(when), self.source(when)
            rhs = u + length * source
            if self.theta < 1.0:
                rhs = rhs - (1.0 - self.theta) * length * mu * self.apply(u)
            after = self._solve(self.theta * length * mu, rhs)
            between = self.theta * after + (1.0 - self.theta) * u
            inflow += length * (float(source.sum()) - mu * self.loss(between))
            u = after
        return u, inflow

    def _solve(self, shift: float, rhs: np.ndarray) -> np.ndarray:
        """Return (I + shift A)⁻¹ rhs."""
        if self._uniform:
            return self._solve_by_modes(shift, rhs)
        # Equal steps differ in their last bits, which is no reason to factor again.
        if self._factors is None or abs(self._factors[0] - shift) > 1e-13 * abs(shift):
            if self._matrix is None:
                self._matrix = self._probed()
            identity = sp.eye_array(rhs.size, format="csc")
            self._factors = (shift, spla.splu(identity + shift * self._matrix, permc_spec="MMD_AT_PLUS_A").solve)
        return self._factors[1](rhs.ravel()).reshape(rhs.shape)

    def _solve_by_modes(self, shift: float, rhs: np.ndarray) -> np.ndarray:
        """Solve for a uniform κ, where A is the sum of two tridiagonal matrices, diagonalised once."""
        if self._modes is None:
            self._modes = []
            for n, h in zip(rhs.shape, self.spacing, strict=True):
                diagonal = np.full(n, 2.0)
                diagonal[[0, -1]] += self.wall - 1.0
                if n == 1:
                    diagonal[:] = 2.0 * self.wall
                scale = float(self.coefficient.flat[0]) / h**2
                values, vectors = scipy.linalg.eigh_tridiagonal(scale * diagonal, np.full(n - 1, -scale))
                self._modes.append((values, vectors))
        (along_x, X), (along_y, Y) = self._modes
        spectrum = X.T @ rhs @ Y
        spectrum /= 1.0 + shift * (along_x[:, None] + along_y[None, :])
        return X @ spectrum @ Y.T

    def _probed(self) -> sp.csc_array:
        """Return A from its action on five vectors: cells with the same i + 2j mod 5 have no neighbour in common."""
        shape = self.coefficient.shape
        i, j = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
        colour, number = (i + 2 * j) % 5, np.arange(i.size).reshape(shape)
        rows, columns, values = [], [], []
        for c in range(5):
            answer = self.apply((colour == c).astype(np.float64))
            for di, dj in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
                row_i, row_j = i + di, j + dj
                inside = (colour == c) & (row_i >= 0) & (row_i < shape[0]) & (row_j >= 0) & (row_j < shape[1])
                rows.append(number[row_i[inside], row_j[inside]])
                columns.append(number[inside])
                values.append(answer[row_i[inside], row_j[inside]])
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return sp.csc_array(sp.coo_array(entries, shape=(i.size, i.size)))
