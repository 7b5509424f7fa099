"""Measure the cost of certified generation (binary Darcy, sampling and writing included) beside what scripts do.

A script draws the same samples, assembles a CSR matrix, solves by SciPy's `spsolve`, by pyamg, by Pardiso (analysed
once) or by PETSc with BoomerAMG, where installed, and writes one HDF5 file without certificates, in one process, by the
faster of h5py's gzips (with the shuffle). Rounds are paired: scripts, one worker, two workers, in turn. Generation
solves by multigrid, with the kernels compiled before.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.sparse.linalg
from omegaconf import DictConfig
from threadpoolctl import threadpool_limits

from resolvent.data import GenerationReport, generate, make_problem, sample_generator
from resolvent.data.generation.workers import start_method, worker_pool
from resolvent.solvers import SolverSpec

from ..console import say
from ..run_folder import RunFolder
from ..verbs.generate import phase_fractions
from .markdown import write_results
from .solvers import peers

SIZES = ((64, 2000, 60), (128, 1000, 20), (256, 1000, 8))  # resolution, samples generated, samples of a script
SOLVER = SolverSpec("cg", {"rtol": 1e-10}, "multigrid", {})
Solve = Callable[[Any, np.ndarray], np.ndarray]


def scripts() -> dict[str, Solve]:
    """Return the solvers that scripts use, each from (CSR matrix, right-hand side) to a solution."""
    solvers: dict[str, Solve] = {"spsolve": lambda matrix, rhs: scipy.sparse.linalg.spsolve(matrix.tocsc(), rhs)}
    packaged = peers()
    chosen = ("pyamg", "pardiso", "pardiso two-level", "petsc cg + boomeramg")
    return solvers | {name: packaged[name] for name in chosen if name in packaged}


def measure(config: DictConfig, folder: RunFolder) -> int:
    """Measure and write the table; return 0."""
    rows: list[tuple[Any, ...]] = []
    solvers = scripts()
    with tempfile.TemporaryDirectory() as scratch:  # compiles the kernels
        generate(
            make_problem("darcy", resolution=16), Path(scratch) / "warm", samples=10, solver=SOLVER, progress=False
        )
    for resolution, samples, by_script in SIZES:
        problem = make_problem("darcy", resolution=resolution)
        rates: dict[str, list[float]] = {name: [] for name in solvers}
        reports: dict[int, list[GenerationReport]] = {1: [], 2: []}
        for k in range(int(config.rounds)):
            say(f"{resolution}², round {k + 1} of {config.rounds}")
            with tempfile.TemporaryDirectory() as scratch:
                for name, solve in solvers.items():
                    with threadpool_limits(1):
                        rates[name].append(_script(problem, by_script, Path(scratch), solve))
                for workers in reports:
                    out = Path(scratch) / f"workers{workers}"
                    reports[workers].append(
                        generate(problem, out, samples=samples, seed=k, workers=workers, solver=SOLVER, progress=False)
                    )
        for workers, done in reports.items():
            ours = [r.samples_per_second for r in done]
            shares = [phase_fractions(r) for r in done]
            parts = [statistics.median(s[phase] for s in shares) for phase in ("sampling", "solving", "writing")]
            ratios = {
                name: statistics.median(rate / other for rate, other in zip(ours, theirs, strict=True))
                for name, theirs in rates.items()
            }
            rows.append(
                (
                    f"{resolution}²",
                    samples,
                    workers,
                    statistics.median(ours),
                    f"{min(ours):.0f} to {max(ours):.0f}",
                    *(f"{ratio:.1f}" for ratio in ratios.values()),
                    *(f"{p:.0%}" for p in parts),
                    f"{max(r.residual_max for r in done):.1e}",
                )
            )
    method = start_method()
    columns = ("cells", "samples", "workers", "samples/s", "range", *(f"× {name}" for name in solvers))
    columns += ("sampling", "solving", "writing", "max residual")
    intro = (
        "Darcy binary, float64, gzip, rtol 1e-10: samples a second, median over paired rounds, and the ratio to scripts"
        " in one process with one thread."
    )
    gains = [f"{two[3] / one[3]:.2f} at {one[0]}" for one, two in zip(rows[::2], rows[1::2], strict=True)]
    notes = [
        f"Two workers over one: {', '.join(gains)}.",
        f"The start of the second worker ({method}, {_start_seconds(method):.2f} s until it answers) and the recomputed"
        " certificates are inside the time; kernels were compiled before.",
        "Certificates count as solving; digests, checksums, encoding and files as writing.",
    ]
    write_results(folder, "generation", intro, columns, rows, notes)
    folder.finish(rows={f"{r[0]}x{r[2]}": {"samples_per_second": r[3], "ratio": float(r[5])} for r in rows})
    return 0


def _start_seconds(method: str) -> float:
    start = time.perf_counter()
    with worker_pool(1, method) as (pool, _):
        pool.submit(os.getpid).result()
        return time.perf_counter() - start


def _script(problem: Any, samples: int, scratch: Path, solve: Solve) -> float:
    """Return the samples a second of a script; its first sample, which analyses, is not counted."""
    inputs, outputs = [], []
    start = 0.0
    for i in range(samples + 1):
        if i == 1:
            start = time.perf_counter()
        parameters = problem.sample(sample_generator(0, problem.name, i))
        system = problem.system(parameters)
        x = solve(system.operator.tocsr(), system.rhs)
        if i > 0:
            inputs.append(system.operator.coefficient)
            outputs.append(x.reshape(system.shape))
    with h5py.File(scratch / "script.h5", "w") as stream:
        for field, values in (("a", inputs), ("u", outputs)):
            stream.create_dataset(field, data=np.stack(values), compression="gzip", compression_opts=1, shuffle=True)
    return samples / (time.perf_counter() - start)
