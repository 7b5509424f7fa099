"""Compare GCRO-DR of this project with SciPy's GCROT(m, k): products on single systems and on sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from resolvent.solvers import ILU0, gcrodr

from ..markdown import Section
from .families import frequency_sweep, sampled

RTOL = 1e-8
ARNOLDI, KEPT = 20, 20  # both keep 20 vectors and take 20 new ones a cycle
CYCLES = 100
Pairs = Sequence[tuple[sp.csr_array, np.ndarray]]


def compare_with_gcrotmk() -> Section:
    """Count the products of both, with the same right preconditioner, spaces and stopping rule."""
    count = 6
    cases: list[tuple[str, Pairs]] = [
        ("convection_diffusion 50²", sampled("convection_diffusion", count, resolution=50).pairs),
        ("darcy lognormal 50²", sampled("darcy", count, resolution=50, medium="lognormal", log_std=1.0).pairs),
        ("helmholtz 40², k0 = 12, absorbing", sampled("helmholtz", count, resolution=40, k0=12.0).pairs),
        (
            "helmholtz 24³, cavity",
            sampled("helmholtz", count, resolution=24, dimension=3, k0=10.0, boundary="dirichlet").pairs,
        ),
        (
            "helmholtz 24³, frequency sweep",
            frequency_sweep(count, 0.005, resolution=24, dimension=3, k0=10.0, boundary="dirichlet").pairs,
        ),
    ]
    rows = []
    for name, pairs in cases:
        A, b = pairs[0]
        again = [(A, b), (A, np.random.default_rng(0).standard_normal(b.size).astype(b.dtype))]
        for what, systems in (("one system, then the same matrix", again), ("sequence", pairs)):
            mine, theirs = ours(systems), scipys(systems)
            rows.append((name, what, _cell(mine), _cell(theirs), f"{_later(mine) / _later(theirs):.2f}"))
    return Section(
        "gcrodr beside scipy.sparse.linalg.gcrotmk",
        f"Products with A: of the first system / mean of the later ones, ‖b − Ax‖ ≤ {RTOL:g} ‖b‖, ILU(0) from the"
        f" right. GCRO-DR({ARNOLDI + KEPT}, {KEPT}) and GCROT({ARNOLDI}, {KEPT}): both keep {KEPT} vectors and take"
        f" {ARNOLDI} new ones a cycle. Counted by the operator itself, set-up of the space and checks included."
        f" `*`: the share not converged in {CYCLES} cycles.",
        ("systems", "what", "gcrodr", "gcrotmk", "ratio of the later ones"),
        rows,
    )


Counts = list[tuple[int, bool]]


def ours(systems: Pairs) -> Counts:
    """Return (products, converged) of each system, by our GCRO-DR."""
    space: Any = None
    counts = []
    for A, b in systems:
        counted = Counted(A)
        result = gcrodr(
            counted,
            b,
            rtol=RTOL,
            iterations=CYCLES * ARNOLDI,
            M=ILU0.setup(A),
            restart=ARNOLDI + KEPT,
            k=KEPT,
            space=space,
        )
        space = result.space
        counts.append((counted.products, bool(np.linalg.norm(b - A @ result.x) <= 1.001 * RTOL * np.linalg.norm(b))))
    return counts


def scipys(systems: Pairs) -> Counts:
    """Return (products, converged) of each system, by SciPy's GCROT; C is discarded if the matrix changes."""
    space: list[Any] = []
    counts = []
    for A, b in systems:
        counted = Counted(A)
        if space and A is not systems[0][0]:
            space = [(None, u) for _, u in space]
        x, _ = spla.gcrotmk(counted, b, rtol=RTOL, maxiter=CYCLES, M=ILU0.setup(A), m=ARNOLDI, k=KEPT, CU=space)
        counts.append((counted.products, bool(np.linalg.norm(b - A @ x) <= 1.001 * RTOL * np.linalg.norm(b))))
    return counts


class Counted(spla.LinearOperator):
    """Count the products with a matrix."""

    def __init__(self, A: sp.csr_array) -> None:
        super().__init__(A.dtype, A.shape)
        self.A, self.products = A, 0

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        self.products += 1
        return np.asarray(self.A @ x)

    def _matmat(self, X: np.ndarray) -> np.ndarray:
        self.products += X.shape[1]
        return np.asarray(self.A @ X)


def _later(counts: Counts) -> float:
    return float(np.mean([products for products, _ in counts[1:]]))


def _cell(counts: Counts) -> str:
    failed = sum(not converged for _, converged in counts) / len(counts)
    return f"{counts[0][0]} / {_later(counts):.0f}" + (f" *{failed:.0%}" if failed else "")
