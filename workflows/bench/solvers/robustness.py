"""Measure how multigrid copes with contrast, roughness and size: iterations, true residuals, time beside AMG-CG."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import scipy.sparse.linalg as spla

from resolvent.data.random_fields.gaussian import GaussianRandomField
from resolvent.solvers import AMG, Diffusion, cg, solve_batch

RTOL = 1e-10
SEEDS = {"smooth": 10, "rough": 3}
CONTRASTS = (10.0, 1e2, 1e4, 1e6)
ROUGHNESS = {"smooth": (2.0, 3.0), "rough": (1.2, 15.0)}
GROWTH = (64, 128, 256, 512, 1024)
REFINEMENTS = 3


def gaussian(n: int, seed: int, kind: str = "smooth") -> np.ndarray:
    """Return a Gaussian field of covariance (−Δ + τ²)^−α at the centres of n² cells."""
    alpha, tau = ROUGHNESS[kind]
    field = GaussianRandomField(alpha=alpha, tau=tau, modes=min(n, 256))
    centres = (np.arange(n) + 0.5) / n
    return field.evaluate(field.sample(np.random.default_rng(seed)), centres, centres)


def thresholded(n: int, low: float, high: float, seed: int, kind: str = "smooth") -> np.ndarray:
    """Return a two-phase field, (n, n): where the Gaussian field is positive, and elsewhere."""
    return np.where(gaussian(n, seed, kind) >= 0.0, high, low)


def direct_with_refinement(matrix: Any, rhs: np.ndarray) -> float:
    """Return the relative residual that a sparse factorisation attains after refinement: the floor of float64."""
    factor = spla.splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    x = factor.solve(rhs)
    best = np.inf
    for _ in range(REFINEMENTS + 1):
        residual = rhs - matrix @ x
        best = min(best, float(np.linalg.norm(residual) / np.linalg.norm(rhs)))
        x += factor.solve(residual)
    return best


def contrasts(n: int = 256) -> list[str]:
    """Return a line for each kind of two-phase field and contrast."""
    rhs = np.ones(n * n)
    lines = []
    for kind, seeds in SEEDS.items():
        for contrast in CONTRASTS:
            iterations, residuals, times, ratios, floors, methods = [], [], [], [], [], set()
            for seed in range(seeds):
                a = thresholded(n, 1.0, contrast, seed, kind)
                began = time.perf_counter()
                result = solve_batch(a[None], 1.0, rtol=RTOL, threads=1)
                elapsed = time.perf_counter() - began
                matrix = Diffusion(a).tocsr()
                iterations.append(int(result.iterations[0]))
                residuals.append(float(np.linalg.norm(rhs - matrix @ result.x.ravel()) / n))
                methods.add(f"{result.methods[0]} {result.statuses[0]}")
                times.append(elapsed)
                if seed < 3:
                    began = time.perf_counter()
                    other = cg(matrix, rhs, rtol=RTOL, M=AMG.setup(matrix), maxiter=300)
                    ratios.append(elapsed / (time.perf_counter() - began))
                    floors.append(residuals[-1] / direct_with_refinement(matrix, rhs))
            lines.append(
                f"{n}², {kind}, contrast {contrast:g}, {seeds} fields: iterations {min(iterations)} to "
                f"{max(iterations)}, median {statistics.median(iterations):g}; {', '.join(sorted(methods))}; largest "
                f"true relative residual {max(residuals):.1e}, at most {max(max(floors), 0.0):.2g} × that of a direct "
                f"solve with refinement; {statistics.median(ratios):.2f} × the time of AMG-CG (three fields; the last: "
                f"{other.iterations} iterations, {other.status}, {other.relative_residual:.1e})."
            )
    return lines


def lognormal(n: int = 256) -> list[str]:
    """Return a line on lognormal fields of standard deviation 1 to 3."""
    counts = []
    for sigma in (1.0, 2.0, 3.0):
        fields = [gaussian(n, seed) for seed in range(5)]
        batch = solve_batch(np.stack([np.exp(sigma * z / z.std()) for z in fields]), 1.0, rtol=RTOL, threads=1)
        worst = float(batch.relative_residuals.max())
        counts.append(f"sigma {sigma:g}: at most {int(batch.iterations.max())} iterations, residual {worst:.1e}")
    return [f"{n}², lognormal, 5 fields each: {'; '.join(counts)}."]


def growth() -> list[str]:
    """Return lines on how iterations grow with the grid, the same five fields on all of them."""
    lines = []
    for contrast in (4.0, 1e2):
        counts = []
        for n in GROWTH:
            its = [
                int(solve_batch(thresholded(n, 1.0, contrast, k)[None], 1.0, rtol=RTOL, threads=1).iterations[0])
                for k in range(1, 6)
            ]
            counts.append(f"{n}²: {min(its)} to {max(its)}")
        lines.append(f"smooth, contrast {contrast:g}, iterations on five fields: {', '.join(counts)}.")
    return lines


def robustness_notes() -> list[str]:
    """Return all lines."""
    return contrasts() + lognormal() + growth()
