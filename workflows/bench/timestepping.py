"""Time the steps of periodic flows: ours, exponax and plain SciPy, against the time of the transforms alone.

ETDRK4 by all three, equal step, precision and batch, two threads; rounds in turn. The limit is the time of the step's
own transforms, measured twice. "own transforms": as many one-dimensional ones of whole length as the columns and rows
that a step transforms, over and over on the same block in the first- or second-level cache: no sample is read, nothing
crosses from columns to rows, nothing is stored elsewhere. "own, of samples" (two dimensions): the same transforms of a
sample's modes to the points and back to modes, which a step cannot do without. Beside them stands the time of MKL's
transforms (torch), as many and as long. Last, the scheme of the FNO data against ETDRK4 at equal error, both ours.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft

from resolvent.data.problems.evolving.navier_stokes import NavierStokes
from resolvent.solvers import FourierGrid, PolynomialTerm, TimeStepper, VorticityTerm
from resolvent.solvers.kernels import Kernel
from resolvent.solvers.kernels.alignment import aligned, lane_count
from resolvent.solvers.timestepping.compiled.fourier import lane_plan
from resolvent.solvers.timestepping.compiled.terms import CompiledTerm
from resolvent.solvers.timestepping.schemes import etdrk4

from .peers.exponax import ExponaxPeer

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ..run_folder import RunFolder

THREADS, BATCH = 2, 16
REPEATS = 3  # runs in a round of what takes milliseconds
CASES = (  # equation, points, nu, step, steps a round
    ("navier_stokes", 128, 1e-4, 5e-3, 20),
    ("navier_stokes", 256, 1e-4, 2.5e-3, 8),
    ("burgers", 1024, 0.02, 2e-4, 200),
)
PRECISIONS = ("float32", "float64")
MKL = "MKL's transforms"
_transforms = Kernel("repeat_transforms", "int int int i64* T* T* T* T* T* T*")
_real_transforms = Kernel("repeat_real_transforms", "int int int int i64* T* T* T* T* i64* T* T* T* T* T* T*")
_sample_transforms = {
    "float32": Kernel("repeat_sample_transforms_f32", "struct struct int"),
    "float64": Kernel("repeat_sample_transforms_f64", "struct struct int"),
}
COLUMNS = (
    "case",
    "precision",
    "code",
    "µs a step and trajectory",
    "range",
    "ratio to ours",
    "processor µs",
    "its ratio",
    "error",
)


WHAT_TRANSFORMS = (
    "own transforms: butterflies of the columns and rows that a step transforms, at full length, on blocks that stay "
    "in cache; nothing is read from a sample, crosses or is stored. A step leaves zero rows of first passes out. own, "
    "of samples: the same with modes read, crossed to rows and back, and written, its zero rows left out as well.",
    "A stage takes two complex transforms in two dimensions for Navier–Stokes (as many as four real ones) and two real "
    "ones for Burgers: modes to points and back. Fewer is not to be had: ω alone must give both components of u at the "
    "points, and of the products uv and u² − v² each is differentiated differently. Products in between need the "
    "points of every stage, so no transform can be carried from one stage to the next.",
    "Burgers in float32: 16 samples are the 16 lanes of one block, so that one thread has all the work.",
)


def measure(config: DictConfig, folder: RunFolder) -> int:
    """Measure and write the table; return 0."""
    from ..console import say
    from .markdown import write_results

    rounds = int(config.rounds)
    rows: list[tuple[Any, ...]] = []
    notes: list[str] = []
    for dtype in PRECISIONS:
        peer = ExponaxPeer(dtype)
        if not peer.available:
            notes.append("exponax is not installed (extra `bench`): its rows are missing.")
        for case in CASES:
            say(f"{case[0]} {case[1]}, {dtype}")
            more, said = compare(*case, dtype, peer, rounds)
            rows += more
            notes += said
        if peer.available:
            notes.append(f"exponax {peer.version}: jax.jit over all steps, vmap over samples, a process a precision.")
            notes.append(
                "exponax masks one mode more of the products (|k| ≤ 41 where we keep 42 at 128²): on rough flows "
                "that is its error."
            )
            peer.close()
    for nu in (1e-3, 1e-5):
        notes.append(against_published_scheme(nu, rounds))
    notes += WHAT_TRANSFORMS
    intro = (
        f"ETDRK4, batch {BATCH}, {THREADS} threads: median over paired rounds. Error: relative L2 of the fields after "
        "the steps, against steps a quarter as long in float64. Processor time is that of all threads; other work on "
        "the machine changes it less."
    )
    write_results(folder, "timestepping", intro, COLUMNS, rows, sorted(set(notes), key=notes.index))
    folder.finish(rows={f"{row[0]} {row[1]} {row[2]}": {"us": row[3], "ratio": row[5]} for row in rows})
    return 0


def compare(
    equation: str, n: int, nu: float, dt: float, steps: int, dtype: str, peer: ExponaxPeer, rounds: int
) -> tuple[list[tuple[Any, ...]], list[str]]:
    """Return rows of the codes for one case, and the time of the transforms alone."""
    stepper, fields = problem(equation, n, nu)
    grid = stepper.grid
    modes = grid.to_modes(fields)
    exact = grid.to_fields(stepper.advance(modes, dt / 4.0, 4 * steps).modes)
    cast = modes.astype(np.complex64 if dtype == "float32" else np.complex128)
    runs: dict[str, Callable[[], tuple[float, float, np.ndarray]]] = {
        "ours": lambda: timed(lambda: repeated(lambda: stepper.advance(cast, dt, steps).modes), 1.0 / REPEATS)
    }
    if peer.available:
        peer.prepare(equation, n, nu, dt, steps, fields)
        runs["exponax"] = peer.run
    plain = plain_scipy(equation, n, nu, dt, dtype)
    few = max(1, steps // 4)  # it is slow, and its time per step does not depend on their number
    runs["plain SciPy"] = lambda: timed(lambda: plain(fields, few), steps / few)
    runs["own transforms"] = lambda: timed(lambda: own_transforms(grid, REPEATS * steps, dtype), 1.0 / REPEATS)
    if grid.ndim == 2:
        runs["own, of samples"] = lambda: timed(
            lambda: sample_transforms(stepper.term, REPEATS * steps, dtype), 1.0 / REPEATS
        )
    runs[MKL] = lambda: timed(lambda: mkl_transforms(grid, few, dtype), steps / few)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    busy: dict[str, list[float]] = {name: [] for name in runs}
    results: dict[str, np.ndarray] = {}
    for k in range(-1, rounds):  # round −1 compiles
        for name, run in runs.items():
            spent, used, results[name] = run()
            time.sleep(0.1)  # the threads of MKL's transforms go on spinning for a while
            if k >= 0:
                seconds[name].append(spent / steps / BATCH)
                busy[name].append(used / steps / BATCH)
    results["plain SciPy"] = plain(fields, steps)
    results["ours"] = grid.to_fields(results["ours"])
    case = f"{equation} {n}" + ("²" if grid.ndim == 2 else "")
    rows, scale = [], np.linalg.norm(exact)
    for name, times in seconds.items():
        ratio = statistics.median(t / mine for t, mine in zip(times, seconds["ours"], strict=True))
        alone = name.endswith(("transforms", "samples"))
        rows.append(
            (
                case,
                dtype,
                name,
                f"{statistics.median(times) * 1e6:.1f}",
                f"{min(times) * 1e6:.1f} to {max(times) * 1e6:.1f}",
                f"{ratio:.2f}",
                f"{statistics.median(busy[name]) * 1e6:.1f}",
                f"{statistics.median(t / mine for t, mine in zip(busy[name], busy['ours'], strict=True)):.2f}",
                "" if alone else f"{np.linalg.norm(results[name] - exact) / scale:.1e}",
            )
        )

    def against(name: str) -> str:
        pairs = zip(busy["ours"], busy[name], strict=True)
        return f"{statistics.median(mine / other for mine, other in pairs):.2f}"

    text = f"{against('own transforms')} × the processor time of its transforms alone"
    if "own, of samples" in busy:
        text += f", {against('own, of samples')} × that of them from a sample's modes to the points and back"
    return rows, [f"{case}, {dtype}: a step takes {text}, {against(MKL)} × MKL's."]


def problem(equation: str, n: int, nu: float) -> tuple[TimeStepper, np.ndarray]:
    """Return a stepper on two threads and a batch of fields, the same at every precision."""
    rng = np.random.default_rng(0)
    if equation == "navier_stokes":
        grid = FourierGrid((n, n))
        term: Any = VorticityTerm(grid)
        amplitude = 40.0 * (1.0 - grid.laplacian() / 49.0) ** -1.25
    else:
        grid = FourierGrid((n,))
        term = PolynomialTerm(grid, square=-0.5, derivative=0)
        amplitude = 30.0 * (1.0 - grid.laplacian() / 25.0) ** -1.0
    modes = grid.to_modes(rng.normal(size=(BATCH, *grid.shape))) * amplitude
    modes[(slice(None), *(0,) * grid.ndim)] = 0.0
    fields = grid.to_fields(modes)
    fields /= fields.std(axis=tuple(range(1, fields.ndim)), keepdims=True)
    return TimeStepper(nu * grid.laplacian(), term, workers=THREADS), fields


def timed(run: Callable[[], np.ndarray], factor: float = 1.0) -> tuple[float, float, np.ndarray]:
    """Return seconds, processor seconds (both times `factor`), and the result of a call."""
    began, busy = time.perf_counter(), time.process_time()
    result = run()
    return factor * (time.perf_counter() - began), factor * (time.process_time() - busy), result


def repeated(run: Callable[[], np.ndarray]) -> np.ndarray:
    """Run `REPEATS` times; return the last result."""
    for _ in range(REPEATS - 1):
        run()
    return run()


def plain_scipy(equation: str, n: int, nu: float, dt: float, dtype: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """Step as one writes it with scipy.fft: full spectra, a mask, the nonlinear term as in the equation."""
    dims = 2 if equation == "navier_stokes" else 1
    axes, shape = tuple(range(-dims, 0)), (n,) * dims
    k = np.fft.fftfreq(n, 1.0 / n)
    half = np.arange(n // 2 + 1.0)
    waves = (k[:, None], half[None, :]) if dims == 2 else (half,)
    mask = np.ones([len(k), len(half)] if dims == 2 else [len(half)], dtype=dtype)
    for each in waves:
        mask = mask * (np.abs(each) <= (n - 1) // 3)
    squared = sum((2.0 * np.pi * each) ** 2 for each in waves) + 0.0 * mask
    coefficients = [[c.astype(dtype) for _, c in stage.terms] for stage in etdrk4(-nu * squared, dt).stages]
    number = np.complex64 if dtype == "float32" else np.complex128
    derivatives = [(2j * np.pi * each * mask).astype(number) for each in waves]
    inverse = np.divide(1.0, squared, out=np.zeros_like(squared), where=squared > 0.0).astype(dtype)
    mask = mask.astype(dtype)

    def forward(values: np.ndarray) -> np.ndarray:
        return scipy.fft.rfftn(values, axes=axes, workers=THREADS)

    def back(spectrum: np.ndarray) -> np.ndarray:
        return scipy.fft.irfftn(spectrum, s=shape, axes=axes, workers=THREADS)

    def N(w: np.ndarray) -> np.ndarray:
        if dims == 1:
            return derivatives[0] * forward(dtype_half * back(w) ** 2)
        dx, dy = derivatives
        stream = inverse * w
        return -mask * forward(back(dy * stream) * back(dx * w) - back(dx * stream) * back(dy * w))

    dtype_half = np.dtype(dtype).type(-0.5)

    def run(fields: np.ndarray, steps: int) -> np.ndarray:
        w = mask * forward(fields.astype(dtype))
        (e2, q), _, (e3, q2, minus), (e, f1, f2, f22, f3) = coefficients
        for _ in range(steps):
            n1 = N(w)
            a = e2 * w + q * n1
            n2 = N(a)
            n3 = N(e2 * w + q * n2)
            n4 = N(e3 * a + q2 * n3 + minus * n1)
            w = e * w + f1 * n1 + f2 * n2 + f22 * n3 + f3 * n4
        return back(w)

    return run


def own_transforms(grid: FourierGrid, steps: int, dtype: str) -> np.ndarray:
    """Compute the transforms of `steps` steps of a batch, on blocks that stay in cache, and nothing else."""
    lanes = lane_count(dtype)
    columns = -(-(grid.cutoff[-1] + 1) // lanes)
    if grid.ndim == 2:  # forward and back; k_y ≥ 0 and k_y ≤ 0; four stages
        work, samples = [(grid.shape[0], 16 * columns), (grid.shape[1], 8 * (grid.shape[0] // lanes))], BATCH
    else:
        work, samples = [(grid.shape[0] // 2, 8)], BATCH // lanes

    def part(share: int) -> None:
        for n, count in work:
            plan = lane_plan(n, dtype)
            assert plan is not None
            arrays = aligned(6, (n + 1) * lanes, dtype)
            passes = (len(plan.radices), *plan[1:])
            if grid.ndim == 2:
                _transforms(count * steps * share, n, *passes, *arrays[:4])
            else:
                roots, places = (np.ones(n, dtype), np.ones(n, dtype)), np.arange(n + 1) * lanes
                _real_transforms(count * steps * share, n, grid.cutoff[0], *passes, *roots, places, *arrays)

    shares = [samples // THREADS + (i < samples % THREADS) for i in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(part, shares))
    return np.zeros(0)


def sample_transforms(term: VorticityTerm, steps: int, dtype: str) -> np.ndarray:
    """Compute the transforms of `steps` steps of a batch from modes to points and back, without work on the points."""
    compiled = CompiledTerm(term, dtype)

    def part(share: int) -> None:
        _sample_transforms[dtype](compiled.tables, compiled.memory(2), 4 * steps * share)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(part, [BATCH // THREADS + (i < BATCH % THREADS) for i in range(THREADS)]))
    return np.zeros(0)


def mkl_transforms(grid: FourierGrid, steps: int, dtype: str) -> np.ndarray:
    """Compute as many transforms by torch: per stage two complex ones in two dimensions, two real ones in one."""
    import torch

    torch.set_num_threads(THREADS)
    values = torch.zeros((BATCH, *grid.shape), dtype=torch.float32 if dtype == "float32" else torch.float64)
    if grid.ndim == 2:
        values = values.to(torch.complex64 if dtype == "float32" else torch.complex128)
    for _ in range(4 * steps):
        if grid.ndim == 2:
            torch.fft.fft2(torch.fft.ifft2(values))
        else:
            torch.fft.irfft(torch.fft.rfft(values))
    return np.zeros(0)


def against_published_scheme(nu: float, rounds: int) -> str:
    """Compare ETDRK4 with Crank–Nicolson and Euler, Δt = 1e-4, on the FNO flow at 64², t from 2 to 3, in a line."""
    flow = NavierStokes(resolution=64, nu=nu)
    grid = flow.grid
    initial = np.stack([flow.sample(np.random.default_rng(i))["initial"] for i in range(BATCH)])
    equation = flow.equation()
    exponential = TimeStepper(equation[0], equation[1], workers=THREADS)
    published = TimeStepper(equation[0], equation[1], "cn_euler", workers=THREADS)
    modes = exponential.advance(grid.to_modes(initial), 0.02, 100).modes
    exact = exponential.advance(modes, 1e-3, 1000).modes

    def error(fields: np.ndarray) -> float:
        return float(np.linalg.norm(fields - exact) / np.linalg.norm(exact))

    reached = error(published.advance(modes, 1e-4, 10000).modes)
    counts = (2, 3, 4, 5, 8, 10, 20, 40, 80)
    steps = next(s for s in counts if error(exponential.advance(modes, 1.0 / s, s).modes) <= reached)
    better = error(exponential.advance(modes, 1.0 / steps, steps).modes)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(timed(lambda: exponential.advance(modes, 1.0 / steps, steps).modes)[0])
        theirs.append(timed(lambda: published.advance(modes, 1e-4, 10000).modes)[0])
    ratio = statistics.median(t / o for t, o in zip(theirs, ours, strict=True))
    return (
        f"FNO's scheme (Crank–Nicolson, Euler, Δt = 1e-4) on its flow, 64², ν = {nu:g}, t from 2 to 3: error "
        f"{reached:.1e}; ETDRK4 with Δt = {1.0 / steps:g} has {better:.1e} in 1/{ratio:.0f} of the time. Both ours, in "
        "float64."
    )
