"""Measure this version's kernels beside those of another version, both in one process, in turn.

``other=FOLDER`` names a folder that holds the other version as the package ``resolvent_before``: its installed files,
in which ``from resolvent`` and ``import resolvent`` are renamed. Without it, only this version is measured.
"""

from __future__ import annotations

import importlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig
from threadpoolctl import threadpool_limits

from ..console import say
from ..run_folder import RunFolder
from .markdown import write_results

Work = Callable[[], object]
NAMES = ("resolvent", "resolvent_before")
SECONDS = 0.01  # a round repeats shorter work


def measure(config: DictConfig, folder: RunFolder) -> int:
    """Measure and write the table; return 0."""
    names = NAMES if config.other else NAMES[:1]
    if config.other:
        sys.path.insert(0, str(config.other))
    rows: list[tuple[Any, ...]] = []
    with threadpool_limits(1):
        for name, make in cases():
            works = [make(package) for package in names]
            rows.append((name, *_row(works, int(config.rounds))))
            say(f"{name}: {', '.join(f'{figure:.3f}' for figure in rows[-1][1:])}")
    ratios = [row[3] for row in rows] if config.other else []
    notes = [f"Geometric mean of the ratios: {statistics.geometric_mean(ratios):.3f}."] if ratios else []
    columns = ("case", "ms", *(("before, ms", "ratio, median", "ratio of minima") if config.other else ()))
    intro = "One thread, all versions in one process and in turn; medians of the rounds."
    write_results(folder, "kernels", intro, columns, rows, notes)
    return 0


def _row(works: list[Work], rounds: int) -> list[float]:
    """Return milliseconds of each work; for two also the median of their ratios, and the ratio of their minima."""
    for work in works:
        work()
    began = time.perf_counter()
    works[0]()
    repeats = max(1, int(SECONDS / (time.perf_counter() - began)))
    seconds: list[list[float]] = [[] for _ in works]
    for k in range(rounds):
        for at in range(len(works))[:: 1 if k % 2 else -1]:
            began = time.perf_counter()
            for _ in range(repeats):
                works[at]()
            seconds[at].append((time.perf_counter() - began) / repeats)
    figures = [1e3 * statistics.median(each) for each in seconds]
    if len(works) == 2:
        figures += [statistics.median(a / b for a, b in zip(*seconds, strict=True)), min(seconds[0]) / min(seconds[1])]
    return figures


def cases() -> Iterator[tuple[str, Callable[[str], Work]]]:
    """Give names, and functions from the name of a package to what is measured."""
    for dimension, sizes in ((2, (64, 128, 256, 512)), (3, (32, 48, 64))):
        for n in sizes:
            for contrast in (10.0, 1e4):
                fields = _smooth(n, dimension, contrast, samples=max(1, 512 // n) if dimension == 2 else 1)
                yield f"multigrid {n}^{dimension}, contrast {contrast:.0e}", _solves(fields)
    stepped = (
        [("navier_stokes", n) for n in (64, 128, 256)] + [("square 2-D", n) for n in (64, 128)] + [("burgers", 1024)]
    )
    for equation, n in stepped:
        for dtype in ("complex128", "complex64"):
            yield f"steps {equation} {n} {dtype}", _steps(equation, n, dtype)
    for n, samples in ((64, 60), (128, 30), (256, 12)):
        yield f"generation {n}^2, {samples} samples", _generation(n, samples)
    for n in (64, 128, 256):
        yield from _sparse(np.exp(np.random.default_rng(0).normal(size=(n, n))))


def _smooth(n: int, dimension: int, contrast: float, samples: int) -> np.ndarray:
    """Return random fields with a spectrum of k⁻³, from 1 to `contrast`."""
    z = np.random.default_rng(n).normal(size=(samples, *(n,) * dimension))
    axes = tuple(range(1, dimension + 1))
    waves = np.meshgrid(*[np.fft.fftfreq(n, 1.0 / n)] * dimension, indexing="ij")
    z = np.fft.ifftn(np.fft.fftn(z, axes=axes) / (1.0 + np.sqrt(sum(k**2 for k in waves))) ** 3, axes=axes).real
    low, high = z.min(axis=axes, keepdims=True), z.max(axis=axes, keepdims=True)
    return np.ascontiguousarray(contrast ** ((z - low) / (high - low)))


def _solves(fields: np.ndarray) -> Callable[[str], Work]:
    def make(package: str) -> Work:
        solvers = importlib.import_module(f"{package}.solvers")
        return lambda: solvers.solve_batch(fields, 1.0, rtol=1e-10, threads=1)

    return make


def _steps(equation: str, n: int, dtype: str) -> Callable[[str], Work]:
    def make(package: str) -> Work:
        solvers: Any = importlib.import_module(f"{package}.solvers")
        line = equation == "burgers"
        grid = solvers.FourierGrid((n,) if line else (n, n))
        settings = {"square": -0.5, "derivative": 0} if line else {"square": -0.5}
        term = solvers.VorticityTerm(grid) if equation == "navier_stokes" else solvers.PolynomialTerm(grid, **settings)
        noise = np.random.default_rng(0).normal(size=(16 if line else 4, *grid.shape))
        modes = grid.to_modes(noise) * (1.0 - grid.laplacian() / 49.0) ** -1.25
        modes[(slice(None), *(0,) * grid.ndim)] = 0.0
        stepper = solvers.TimeStepper(1e-3 * grid.laplacian(), term)
        steps = {64: 20, 128: 8, 256: 3, 1024: 60}[n]
        return lambda: stepper.advance(modes.astype(dtype), 1e-4, steps)

    return make


def _generation(n: int, samples: int) -> Callable[[str], Work]:
    def make(package: str) -> Work:
        data = importlib.import_module(f"{package}.data")
        spec = importlib.import_module(f"{package}.solvers.choice").SolverSpec
        problem, solver = data.make_problem("darcy", resolution=n), spec("cg", {"rtol": 1e-10}, "multigrid", {})

        def work() -> None:
            with tempfile.TemporaryDirectory() as scratch:
                data.generate(problem, Path(scratch) / "set", samples=samples, solver=solver, progress=False)

        return work

    return make


def _sparse(coefficient: np.ndarray) -> Iterator[tuple[str, Callable[[str], Work]]]:
    n, u = len(coefficient), np.random.default_rng(1).normal(size=coefficient.size)

    def product(package: str) -> Work:
        A = importlib.import_module(f"{package}.solvers").Diffusion(coefficient)
        return lambda: A @ u

    yield f"stencil {n}^2", product
    for name in ("IC0", "ILU0", "ICT", "FSAI", "SSOR"):

        def set_up(package: str, name: str = name) -> Work:
            solvers = importlib.import_module(f"{package}.solvers")
            matrix = solvers.Diffusion(coefficient).tocsr()
            return lambda: getattr(solvers, name).setup(matrix)

        def apply(package: str, name: str = name) -> Work:
            solvers = importlib.import_module(f"{package}.solvers")
            M = getattr(solvers, name).setup(solvers.Diffusion(coefficient).tocsr())
            return lambda: M @ u

        yield f"{name} set-up {n}^2", set_up
        yield f"{name} product {n}^2", apply
