"""Measure the batched multigrid on a CUDA device: time per sample, and its share of the copy bandwidth.

The batches are two-phase Darcy fields on the device; the time includes set-up. In each round the bandwidth of
a plain copy is measured first. Without a device the rows say that they are not measured.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from resolvent.solvers import Diffusion, solve_batch
from resolvent.solvers.multigrid.device.hierarchy import BYTES_PER_ITERATION

from .solvers import RTOL
from .solvers.robustness import thresholded

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ..run_folder import RunFolder

BATCHES = ((64, 1024), (128, 1024), (256, 256), (512, 64))  # cells per axis, samples
FIELDS = 16
COPIED = 1 << 30
NOT_MEASURED = "not measured yet"
COLUMNS = ("cells", "samples", "ms a sample", "range", "iterations", "of copy bandwidth", "max residual")


def device() -> Any:
    """Return CuPy where it is installed and finds a CUDA device, else None."""
    try:
        import cupy
    except ImportError:
        return None
    return cupy if cupy.cuda.is_available() else None


def copy_bandwidth(cupy: Any) -> float:
    """Return the bytes a second, read and written, of copying an array on the device."""
    source = cupy.zeros(COPIED // 8)
    target = cupy.empty_like(source)
    rates = []
    for _ in range(5):
        cupy.cuda.get_current_stream().synchronize()
        began = time.perf_counter()
        for _ in range(8):
            cupy.copyto(target, source)
        cupy.cuda.get_current_stream().synchronize()
        rates.append(8 * 2 * COPIED / (time.perf_counter() - began))
    return max(rates)


def compare(cupy: Any, n: int, samples: int, rounds: int) -> tuple[Any, ...]:
    """Return the row of a batch; the residuals are recomputed on the host."""
    fields = np.stack([thresholded(n, 3.0, 12.0, seed) for seed in range(FIELDS)])
    batch = cupy.asarray(np.tile(fields, (samples // FIELDS, 1, 1)))
    seconds, fractions = [], []
    for k in range(-1, rounds):  # round −1 compiles
        bandwidth = copy_bandwidth(cupy)
        began = time.perf_counter()
        result = solve_batch(batch, 1.0, rtol=RTOL)
        elapsed = time.perf_counter() - began
        if k >= 0:
            seconds.append(elapsed / samples)
            moved = BYTES_PER_ITERATION * n * n * int(result.iterations.sum())
            fractions.append(moved / elapsed / bandwidth)
    worst = 0.0
    for field, x in zip(fields, result.x[:FIELDS].get(), strict=True):
        worst = max(worst, float(np.linalg.norm(1.0 - Diffusion(field) @ x.ravel()) / n))
    return (
        f"{n}²",
        samples,
        f"{statistics.median(seconds) * 1e3:.4f}",
        f"{min(seconds) * 1e3:.4f} to {max(seconds) * 1e3:.4f}",
        f"{result.iterations.min()} to {result.iterations.max()}",
        f"{statistics.median(fractions):.0%}",
        f"{worst:.1e}",
    )


def measure(config: DictConfig, folder: RunFolder) -> int:
    """Measure and write the table; return 0."""
    from ..console import say
    from .markdown import RESULTS, write_results

    cupy = device()
    notes = [
        f"{BYTES_PER_ITERATION} bytes a cell and iteration, from the arrays that the kernels name; set-up is in the "
        "time and not in the bytes.",
    ]
    if cupy is None:
        table = RESULTS / "multigrid_gpu.md"
        if table.is_file() and NOT_MEASURED not in table.read_text(encoding="utf-8"):
            say(f"no CUDA device with CuPy: {table} is left as it was measured")
            folder.finish(rows={})
            return 0
        rows: list[tuple[Any, ...]] = [(f"{n}²", k, *[NOT_MEASURED] * (len(COLUMNS) - 2)) for n, k in BATCHES]
        notes.append("No CUDA device with CuPy was at hand.")
    else:
        rows = []
        for n, samples in BATCHES:
            say(f"{n}², {samples} samples")
            rows.append(compare(cupy, n, samples, int(config.rounds)))
        name = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
        notes.append(f"{name}, CuPy {cupy.__version__}; a copy moves {copy_bandwidth(cupy) / 1e9:.0f} GB/s.")
    intro = (
        "Darcy, coefficient 3 or 12 (thresholded Gaussian field), rtol 1e-10, a batch of fields on a CUDA device, "
        "set-up included: median over rounds."
    )
    write_results(folder, "multigrid_gpu", intro, COLUMNS, rows, notes)
    folder.finish(rows={f"{row[0]}": {"ms": row[2], "of copy bandwidth": row[5]} for row in rows})
    return 0
