"""Measure multigrid for diffusion beside what one would pick instead, on two-phase Darcy fields.

Numbers are for one thread and one sample, set-up included: from the coefficient field for ours and fast-Poisson cg,
from the assembled matrix for packaged solvers and for SciPy's cg with sines, which is fast-Poisson cg as one writes it
without a package. Rounds are paired: in each, every solver solves the same field, one after the other, and the ratio is
taken within the round. Residuals are recomputed here.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from resolvent.data.format.versions import versions
from resolvent.data.random_fields.gaussian import GaussianRandomField
from resolvent.solvers import AMG, IC0, Diffusion, FastPoisson, cg, solve_batch
from resolvent.solvers.kernels import Kernel
from resolvent.solvers.matrices.box import read_box
from resolvent.solvers.matrices.faces import faces
from resolvent.solvers.multigrid.fallback import assemble

from ..peers.direct import direct_peers
from ..peers.petsc import Peer, petsc_peers
from ..peers.scipy_sines import cg_with_sines
from .robustness import ROUGHNESS, robustness_notes, thresholded

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ...run_folder import RunFolder

RTOL = 1e-10
SIZES = (64, 128, 256, 512)
BATCH = 8
REPEATS = {64: 8, 128: 8, 256: 3}  # calls of a peer in a round, so that it too has the caches to itself; else 1
CUBE, CUBE_ROUNDS = 64, 3
OURS, SINES, SCIPY_SINES = "multigrid", "cg + fast_poisson", "scipy cg + sines"

# Bytes that one iteration moves, per fine cell, from the kernels' arrays, at this contrast: conjugate gradients in
# float32 but for x, which is read and written every other iteration (z, two directions, q, two faces; r read and
# written, q); a residual recomputed in float64 every third iteration, 52 bytes; the fine half cycles in float32
# (fields, faces, diagonal, weights); and a third of the cells again on coarse levels, 165 bytes each.
BYTES_PER_CELL = 34 + 12 + 17 + 29 + 33 + 55
# In three dimensions, at this contrast: float32 but for x, which is read and written every other iteration (z, two
# directions, q, three faces; r read and written, q), the half cycles without weights, and a seventh of the cells again
# on coarse levels, 196 bytes each.
BYTES_PER_CELL_OF_CUBES = 38 + 12 + 24 + 28 + 28


def thresholded_cube(n: int, low: float, high: float, seed: int, kind: str = "smooth") -> np.ndarray:
    """Return a two-phase field (n, n, n) with the Hölder regularity of the two-dimensional field of that kind."""
    alpha, tau = ROUGHNESS[kind]
    field = GaussianRandomField(ndim=3, alpha=alpha + 0.5, tau=tau, modes=min(n, 64))
    centres = (np.arange(n) + 0.5) / n
    values = field.evaluate(field.sample(np.random.default_rng(seed)), centres, centres, centres)
    return np.where(values >= 0.0, high, low)


def peers(dimensions: int = 2) -> dict[str, Peer]:
    """Return the packaged solvers that are installed, each from (CSR matrix, right-hand side) to a solution.

    In three dimensions direct solvers are left out: at 64³ they take more than ten seconds.
    """

    def amg(matrix: Any, rhs: np.ndarray) -> np.ndarray:
        return cg(matrix, rhs, rtol=RTOL, M=AMG.setup(matrix)).x

    solvers: dict[str, Peer] = {"pyamg": amg}
    if dimensions == 2:
        solvers |= direct_peers()
    return solvers | petsc_peers(RTOL, dimensions)


def installed_peers() -> str:
    """Return the sentence that names the packages of the peers with their versions."""
    packages = ("pyamg", "pypardiso", "mkl", "scikit-sparse", "petsc4py")
    found = versions(*packages)
    named = ", ".join(f"{package} {found[package]}" for package in packages)
    return f"Peers: {named}. Their settings: `workflows/bench/peers/direct.py`, `petsc.py`."


_triad = Kernel("triad", "int f64* f64* f64* int")


def triad_bandwidth(size: int, threads: int = 1) -> float:
    """Return bytes a second of a = b + s c, with three arrays of `size` bytes in all for each thread."""
    n = size // 24
    arrays = [(np.zeros(n), np.ones(n), np.ones(n)) for _ in range(threads)]
    repeats = max(1, 200_000_000 // size)
    rates = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(5):
            began = time.perf_counter()
            list(pool.map(lambda three: _triad(n, *three, repeats), arrays))
            rates.append(24.0 * n * repeats * threads / (time.perf_counter() - began))
    return max(rates)


def compare(n: int, rounds: int, chosen: dict[str, Peer]) -> list[tuple[Any, ...]]:
    """Return one row per solver: size, name, median ms, its spread, ratio to ours, worst true relative residual."""
    rhs = np.ones(n * n)
    seconds: dict[str, list[float]] = {name: [] for name in (OURS, SINES, SCIPY_SINES, *chosen)}
    worst = dict.fromkeys(seconds, 0.0)
    iterations: list[int] = []
    for k in range(-1, rounds):  # round −1 compiles and analyses
        a = thresholded(n, 3.0, 12.0, k + 1)
        A = Diffusion(a)
        matrix = A.tocsr()
        for name in seconds:
            calls = BATCH if name in (OURS, SINES) else REPEATS.get(n, 1)
            began = time.perf_counter()
            if name == OURS:  # batches are what it is for: one workspace for all samples
                batch = solve_batch(np.repeat(a[None], BATCH, axis=0), 1.0, rtol=RTOL, threads=1)
                x = batch.x[0].ravel()
            elif name == SINES:
                for _ in range(BATCH):
                    stencil = Diffusion(a)
                    x = cg(stencil, rhs, rtol=RTOL, M=FastPoisson.setup(stencil)).x
            else:
                for _ in range(calls):
                    x = (
                        cg_with_sines(matrix, rhs, a.shape, 6.0, RTOL)
                        if name == SCIPY_SINES
                        else chosen[name](matrix, rhs)
                    )
            elapsed = (time.perf_counter() - began) / calls
            if k >= 0:
                seconds[name].append(elapsed)
                worst[name] = max(worst[name], float(np.linalg.norm(rhs - matrix @ x) / n))
        if k >= 0:
            iterations.append(int(batch.iterations[0]))
    return [_row(f"{n}²", name, times, seconds[OURS], worst[name]) for name, times in seconds.items()]


def compare_cubes(n: int, rounds: int, chosen: dict[str, Peer]) -> list[tuple[Any, ...]]:
    """Return the rows of `compare` for three dimensions; peers start from the assembled matrix."""
    rhs = np.ones(n**3)
    preconditioners: dict[str, Callable[[Any], Any]] = {
        SINES: lambda matrix: FastPoisson.setup(matrix, shape=(n, n, n)),
        "cg + ic0": IC0.setup,
    }
    seconds: dict[str, list[float]] = {name: [] for name in (OURS, SCIPY_SINES, *preconditioners, *chosen)}
    worst = dict.fromkeys(seconds, 0.0)
    for k in range(-1, rounds):  # round −1 compiles
        a = thresholded_cube(n, 3.0, 12.0, k + 1)
        box = read_box(a.shape, None, "dirichlet")
        matrix = assemble(faces(a, box), box.periodic)
        batch = np.repeat(a[None], BATCH, axis=0)
        for name in seconds:
            began = time.perf_counter()
            if name == OURS:
                x = solve_batch(batch, 1.0, rtol=RTOL, threads=1).x[0].ravel()
            elif name == SCIPY_SINES:
                x = cg_with_sines(matrix, rhs, a.shape, 6.0, RTOL)
            elif name in chosen:
                x = chosen[name](matrix, rhs)
            else:
                x = cg(matrix, rhs, rtol=RTOL, M=preconditioners[name](matrix), maxiter=1000).x
            elapsed = (time.perf_counter() - began) / (BATCH if name == OURS else 1)
            if k >= 0:
                seconds[name].append(elapsed)
                worst[name] = max(worst[name], float(np.linalg.norm(rhs - matrix @ x) / np.linalg.norm(rhs)))
    return [_row(f"{n}³", name, times, seconds[OURS], worst[name]) for name, times in seconds.items()]


def _row(cells: str, name: str, times: list[float], ours: list[float], worst: float) -> tuple[Any, ...]:
    ratio = statistics.median(t / mine for t, mine in zip(times, ours, strict=True))
    spread = f"{min(times) * 1e3:.2f} to {max(times) * 1e3:.2f}"
    return (cells, name, f"{statistics.median(times) * 1e3:.2f}", spread, f"{ratio:.1f}", f"{worst:.1e}")


def bandwidth_and_threads(cells: str, fields: np.ndarray, bytes_per_cell: int, rounds: int) -> list[str]:
    """Return the fraction of the triad's bandwidth that a solve uses, and the gain by a second thread."""
    solve_batch(fields, 1.0, rtol=RTOL, threads=2)
    size = bytes_per_cell * fields[0].size
    rates, fractions, speedups, triads = [], [], [], []
    for _ in range(rounds):
        rates.append(triad_bandwidth(size))
        triads.append(triad_bandwidth(size, threads=2) / rates[-1])
        began = time.perf_counter()
        one = solve_batch(fields, 1.0, rtol=RTOL, threads=1)
        middle = time.perf_counter()
        solve_batch(fields, 1.0, rtol=RTOL, threads=2)
        end = time.perf_counter()
        setup = sum(result.setup_seconds for result in one.results)
        fractions.append(size * int(one.iterations.sum()) / (middle - began - setup) / rates[-1])
        speedups.append((middle - began) / (end - middle))
    return [
        f"{cells}: {bytes_per_cell} bytes a cell and iteration are moved at {statistics.median(fractions):.0%} of the "
        f"rate of a STREAM triad of {size / 1e6:.0f} MB ({statistics.median(rates) / 1e9:.0f} GB/s), set-up apart.",
        f"{cells}: two threads on eight samples are {statistics.median(speedups):.2f} × one "
        f"({min(speedups):.2f} to {max(speedups):.2f}); of that triad, {statistics.median(triads):.2f} × one.",
    ]


def measure(config: DictConfig, folder: RunFolder) -> int:
    """Measure and write the table; return 0."""
    from ...console import say
    from ..markdown import write_results

    rounds = int(config.rounds)
    rows, notes = [], []
    with threadpool_limits(1):
        chosen = peers()
        for n in SIZES:
            say(f"{n}²")
            rows += compare(n, rounds, chosen)
        say(f"{CUBE}³")
        rows += compare_cubes(CUBE, min(rounds, CUBE_ROUNDS), peers(dimensions=3))
        say("robustness, bandwidth, threads")
        notes += robustness_notes()
        for n in (256, 512):
            fields = np.stack([thresholded(n, 3.0, 12.0, seed) for seed in range(BATCH)])
            notes += bandwidth_and_threads(f"{n}²", fields, BYTES_PER_CELL, rounds)
        fields = np.stack([thresholded_cube(CUBE, 3.0, 12.0, seed) for seed in range(BATCH)])
        notes += bandwidth_and_threads(f"{CUBE}³", fields, BYTES_PER_CELL_OF_CUBES, rounds)
    notes.append(installed_peers())
    columns = ("cells", "solver", "ms", "range", "ratio to ours", "max residual")
    intro = (
        "Darcy, coefficient 3 or 12 (thresholded Gaussian field), rtol 1e-10, one thread, set-up included: "
        "median over paired rounds."
    )
    write_results(folder, "solvers", intro, columns, rows, notes)
    folder.finish(rows={f"{r[0]} {r[1]}": {"ms": float(r[2]), "ratio": float(r[4])} for r in rows})
    return 0
