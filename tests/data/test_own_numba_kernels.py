"""A problem and a preconditioner whose author compiles kernels with Numba work as others do, with Numba installed."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.data import Dataset, generate
from resolvent.data.problems import Poisson
from resolvent.solvers import Preconditioner, cg

numba = pytest.importorskip("numba")


@numba.njit
def scaled(diagonal: np.ndarray, r: np.ndarray) -> np.ndarray:
    out = np.empty_like(r)
    for i in range(r.size):
        out[i] = r[i] / diagonal[i]
    return out


@numba.njit
def bumps(places: np.ndarray, n: int) -> np.ndarray:
    out = np.zeros((n, n))
    for k in range(len(places)):
        for j in range(n):
            for i in range(n):
                y, x = (j + 0.5) / n - places[k, 0], (i + 0.5) / n - places[k, 1]
                out[j, i] += 1.0 / (0.05 + x * x + y * y)
    return out


class Scaling(Preconditioner):
    """Divide by the diagonal, compiled by Numba."""

    name = "scaling"

    def __init__(self) -> None:
        """Take no settings."""

    def _build(self, A: Any, again: bool) -> None:
        self.diagonal, self.kind = A.diagonal().astype(np.float64), "spd"

    def _apply(self, r: np.ndarray) -> np.ndarray:
        return scaled(self.diagonal, r)


class Bumps(Poisson):
    """Poisson's equation with sources that Numba sums up."""

    name = "bumps"

    def sample(self, rng: np.random.Generator) -> Mapping[str, Any]:
        return {"source": bumps(rng.random((3, 2)), self.shape[0])}


def test_a_preconditioner() -> None:
    A = sp.diags_array([-1.0, 4.0, -1.0], offsets=[-1, 0, 1], shape=(50, 50)).tocsr()
    M = Scaling.setup(A)
    result = cg(A, np.ones(50), rtol=1e-8, M=pickle.loads(pickle.dumps(M)))
    assert result.converged
    np.testing.assert_allclose(A @ result.x, 1.0, rtol=1e-6)


def test_a_problem(tmp_path: Path) -> None:
    generate(Bumps(resolution=12), tmp_path / "set", samples=4, splits={"train": 4}, progress=False)
    data = Dataset(tmp_path / "set")
    assert len(data) == 4
