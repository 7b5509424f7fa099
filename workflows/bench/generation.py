"""Cost of certified generation: Darcy binary, sampling and writing included, beside the naive pipeline.

The naive pipeline is what a script does: the same samples, CSR assembly and ``scipy.sparse.linalg.spsolve`` in one
process, written to one HDF5 file without certificates. Rounds are paired: naive, one worker, two workers, in turn.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import scipy.sparse.linalg
from omegaconf import DictConfig

from resolvent.data import GenerationReport, generate, make_problem, sample_generator

from ..console import say
from ..generate import phase_fractions
from ..run_folder import RunFolder
from .markdown import write_results

SIZES = ((64, 2000, 60), (128, 800, 20))  # resolution, samples generated, samples of the naive pipeline


def measure(config: DictConfig, folder: RunFolder) -> int:
    """Measure and write the table; return 0."""
    rows, notes = [], []
    with tempfile.TemporaryDirectory() as scratch:  # compiles the kernels
        generate(make_problem("darcy", resolution=16), Path(scratch) / "warm", samples=10)
    for resolution, samples, naive_samples in SIZES:
        problem = make_problem("darcy", resolution=resolution)
        naive: list[float] = []
        reports: dict[int, list[GenerationReport]] = {1: [], 2: []}
        for k in range(int(config.rounds)):
            say(f"{resolution}², round {k + 1} of {config.rounds}")
            with tempfile.TemporaryDirectory() as scratch:
                naive.append(_naive(problem, naive_samples, Path(scratch)))
                for workers in reports:
                    out = Path(scratch) / f"workers{workers}"
                    reports[workers].append(generate(problem, out, samples=samples, seed=k, workers=workers))
        slow = statistics.median(naive)
        for workers, done in reports.items():
            rates = [r.samples_per_second for r in done]
            shares = [phase_fractions(r) for r in done]
            parts = [statistics.median(s[phase] for s in shares) for phase in ("sampling", "solving", "writing")]
            ratio = statistics.median(rate / n for rate, n in zip(rates, naive, strict=True))
            rows.append(
                (
                    f"{resolution}²",
                    workers,
                    statistics.median(rates),
                    f"{min(rates):.0f} to {max(rates):.0f}",
                    slow,
                    ratio,
                    *tuple(f"{p:.0%}" for p in parts),
                    f"{max(r.residual_max for r in done):.1e}",
                )
            )
    notes.append(
        "Start-up of the workers and the recomputed certificates are inside the time; kernels were compiled before."
    )
    columns = (
        "cells",
        "workers",
        "samples/s",
        "range",
        "naive/s",
        "ratio",
        "sampling",
        "solving",
        "writing",
        "max residual",
    )
    intro = (
        "Darcy binary, float64, gzip, rtol 1e-10: samples a second, median over paired rounds,"
        " against CSR + `spsolve` in one process."
    )
    write_results(folder, "generation", intro, columns, rows, notes)
    folder.finish(rows={f"{r[0]}x{r[1]}": {"samples_per_second": r[2], "ratio": r[5]} for r in rows})
    return 0


def _naive(problem: object, samples: int, scratch: Path) -> float:
    """Return the samples a second of the naive pipeline."""
    start = time.perf_counter()
    inputs, outputs = [], []
    for i in range(samples):
        parameters = problem.sample(sample_generator(0, problem.name, i))  # type: ignore[attr-defined]
        system = problem.system(parameters)  # type: ignore[attr-defined]
        x = scipy.sparse.linalg.spsolve(system.operator.tocsr().tocsc(), system.rhs)
        inputs.append(system.operator.coefficient)
        outputs.append(x.reshape(system.shape))
    with h5py.File(scratch / "naive.h5", "w") as stream:
        stream.create_dataset("a", data=np.stack(inputs), compression="gzip", compression_opts=1)
        stream.create_dataset("u", data=np.stack(outputs), compression="gzip", compression_opts=1)
    return samples / (time.perf_counter() - start)
