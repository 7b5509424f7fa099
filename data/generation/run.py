"""Datasets from problems: certified shards, made in parallel, that survive being killed at any instant."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from resolvent.solvers import InputError
from resolvent.solvers.arguments import nonnegative_integer, one_of, positive_integer
from resolvent.solvers.choice.spec import SolverSpec

from ..dataset import Dataset
from ..format.atomic_files import storage_errors
from ..format.compression import Compression
from ..format.field import CONSTANT
from ..format.folder import DatasetFolder, ShardRecord, shard_size_there
from ..format.splits import Shard, automatic_shard_size, plan_shards, split_sizes
from ..problems.problem import Problem
from ..seeding import root_seed, sample_generator
from ..statistics import SampleFigures, content_digest, write_statistics
from .chains import read_chains, sum_of_families
from .engines import Engine
from .shard import FinishedShard, ShardTask, make_shard
from .workers import make_shard_in_worker, own_pool, start_method

__all__ = ["GenerationProgress", "GenerationReport", "generate"]


@dataclass(frozen=True)
class GenerationProgress:
    """Where a generation stands: samples done now, of how many; samples found finished; seconds and rate."""

    done: int
    total: int
    skipped: int
    seconds: float

    @property
    def rate(self) -> float:
        """Samples a second made in this run."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float:
        """At this rate; infinite before the first sample."""
        return (self.total - self.skipped - self.done) / self.rate if self.rate > 0 else float("inf")


@dataclass
class GenerationReport:
    """What a generation did.

    Parameters
    ----------
    folder : str
    splits : dict
        Samples by split.
    samples, computed, skipped : int
        In all; made by this run; found finished.
    shards_computed, shards_skipped : int
    residual_max : float
        The largest relative residual, over all samples.
    iterations_mean : float
    seconds : dict
        ``sampling``, ``solving`` and ``writing`` summed over the workers, for the samples of this run, of samples
        solved together also ``analysis`` and ``ordering``; ``total`` by the clock.
    samples_per_second : float
        Of this run, by the clock; 0 if nothing had to be made.
    content_digest : str
        SHA-256 over the stored numbers in order: the same for every sharding, worker count and compression.
    bytes : int
        Of all shards.
    family : dict
        Of samples solved together, over all shards: ``chains`` solved, samples ``outside`` (of these chains, but not of
        the shard that solved them), ``full_solves``, ``corrections``, ``reconstructed``, ``set_ups``, ``refreshes``,
        ``iterations``, ``matvecs``, the ``plan`` (samples by strategy), and what was ``found`` in the first chain.
        Empty where each sample was solved by itself.
    """

    folder: str
    splits: dict[str, int]
    samples: int
    computed: int
    skipped: int
    shards_computed: int
    shards_skipped: int
    residual_max: float
    iterations_mean: float
    seconds: dict[str, float] = field(default_factory=dict)
    samples_per_second: float = 0.0
    content_digest: str = ""
    bytes: int = 0
    family: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Flat JSON values."""
        values = asdict(self)
        values.update({f"seconds_{k}": v for k, v in values.pop("seconds").items()})
        values.update({f"samples_{k}": v for k, v in values.pop("splits").items()})
        return values


def generate(
    problem: Problem,
    out: str | os.PathLike[str],
    *,
    samples: int | None = None,
    splits: Mapping[str, int] | Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    start: int = 0,
    shard_size: int | None = None,
    workers: int = 1,
    solver: SolverSpec | None = None,
    dtype: str | None = None,
    compression: str = "gzip",
    error_bound: float | None = None,
    error_bound_mode: str = "absolute",
    progress: Callable[[GenerationProgress], None] | None = None,
    executor: Executor | None = None,
    engine: Engine | None = None,
    strategy: str = "independent",
    chain: int = 64,
    sort: str = "none",
    announce: Callable[[str], None] | None = None,
) -> GenerationReport:
    """Generate a certified dataset, or finish one.

    Sample i depends on (seed, problem, i) alone, so the numbers are the same, bit for bit on one kind of machine, for
    every `shard_size`, `workers` and `executor`. Every sample's residual is recomputed in float64 from the arrays to be
    stored and lies below the solver's rtol. Run again on the same folder, finished shards whose SHA-256 still holds are
    skipped; missing and damaged ones are made again.

    Parameters
    ----------
    problem : Problem
        From :func:`~resolvent.data.make_problem`, or an instance of your own class (picklable).
    out : path
        The dataset's folder.
    samples : int
        Total number of samples; may be left out where `splits` gives sizes.
    splits : mapping of sizes, or three fractions
        Consecutive ranges of sample indices: train, valid, test.
    seed : int
        Root seed, 0 ≤ seed < 2⁶⁴.
    start : int
        Index of the first sample. ``splits={'test': 60}, start=540`` at another resolution gives the same fields as the
        test split of 540 + 60 samples.
    shard_size : int or None
        Samples a file. A shard is held in memory while it is made. None: what the folder's dataset has, else 16 MiB of
        numbers a file.
    workers : int
        Processes that make shards: this one and `workers` − 1 more, forked where this process has no other threads,
        else started afresh (so a script that calls this needs ``if __name__ == '__main__'``).
    solver : SolverSpec
        The problem's own choice if None.
    dtype : {'float64', 'float32'}
        Of the stored fields; the problem's own choice if None: float64, for trajectories float32.
    compression : {'gzip', 'lzf', 'none', 'zstd', 'blosc2', 'zfp', 'sz3'}
        The last two change the outputs by at most `error_bound`; all others are lossless.
    error_bound : float
        Of zfp and sz3; the certificate counts what it can add to the residual.
    error_bound_mode : {'absolute', 'relative'}
        Relative to the largest magnitude of each sample's field (sz3).
    progress : callable
        Called with a :class:`GenerationProgress` as samples finish, at most ten times a second.
    executor : concurrent.futures.Executor
        Runs the shards instead of own workers, for example ``dask.distributed.Client.get_executor()``. Its workers must
        see `out` under the same path. It is not shut down. Shards that a broken pool of processes loses are an error.
    engine : Engine
        From :func:`~resolvent.data.open_engine`, instead of `workers` and `executor`.
    strategy : str
        'independent': each sample is solved by itself. Else the samples of a chain are solved together
        (:func:`resolvent.solvers.solve_sequence`): 'auto' analyses each chain and chooses; 'constant_matrix',
        'scaling', 'superposition', 'reduced_basis', 'warm_start' and 'recycling' do as they say. What misses the
        tolerance is solved by itself. The bits of sample i then depend on `strategy`, `chain` and `sort` too, and
        still on no sharding, worker or order (see :mod:`.chains`).
    chain : int
        Chain c is samples c·chain … (c + 1)·chain − 1; its systems are held in memory. A chain that the end of a split
        cuts is solved by each of the shards that hold a part of it, whole, with the samples that none of them keeps.
    sort : {'none', 'greedy', 'hilbert', 'pca'}
        Order in a chain, for 'auto', 'warm_start' and 'recycling'.
    announce : callable
        Called once with what the analysis of a first chain has found and will do.

    Raises
    ------
    InputError
        For arguments out of range, a folder that holds another dataset, a disk that is full or refuses to be written, a
        sample that cannot be solved to the tolerance. Finished shards stay; nothing half-written does.
    """
    began = time.perf_counter()
    sizes = split_sizes(samples, splits)
    seed, start = root_seed(seed), nonnegative_integer(start, "start")
    workers = positive_integer(workers, "workers")
    dtype = problem.default_dtype if dtype is None else dtype
    one_of(dtype, ("float64", "float32"), "dtype")
    squeezed = Compression(compression, error_bound, error_bound_mode)
    if squeezed.lossy and problem.exact_outputs:
        raise InputError(
            f"compression={compression} changes numbers that the certificate of {problem.name} wants exact (given "
            "values at a boundary, a first state): use a lossless one, such as gzip or zstd"
        )
    solver = solver or problem.default_solver
    if engine is not None:
        workers, executor = engine.workers, engine.executor
    chains = read_chains(problem, strategy, chain, sort)
    room = _bytes_per_sample(problem, dtype)
    if chains is not None:
        asked = None if shard_size is None else positive_integer(shard_size, "shard_size")
        shard_size = chains.shard_size(asked, shard_size_there(Path(out)), automatic_shard_size(room))
    elif shard_size is None:
        shard_size = shard_size_there(Path(out)) or automatic_shard_size(room)
    shard_size = positive_integer(shard_size, "shard_size")
    shards = plan_shards(sizes, shard_size, start)
    config = {
        "kind": "problem",
        "problem": {"name": problem.name, "settings": problem.settings()},
        "splits": sizes,
        "start": start,
        "seed": seed,
        "solver": solver.to_dict(),
        "dtype": dtype,
        **squeezed.settings(),
        "shard_size": shard_size,
    }
    if chains is not None:
        config["family"] = chains.settings()
    folder = DatasetFolder(Path(out), problem.name, config, shards)
    made = _Made(folder)
    method = start_method() if executor is None and workers > 1 else ""
    # The limit holds here too, for executors whose workers are threads of this process.
    with threadpool_limits(1), folder.writing(room) as missing:
        place = folder.folder.absolute()
        tasks = [
            ShardTask(problem, solver, s, seed, dtype, squeezed, place, folder.name, folder.config, folder.hash, chains)
            for s in missing
        ]
        skipped = sum(sizes.values()) - sum(len(s) for s in missing)
        meter = _Meter(progress, sum(sizes.values()), skipped)
        folder.on_accept = _announcer(announce)
        meter.advance(0)
        if executor is not None:
            in_flight = engine.in_flight if engine is not None else 2 * _worker_count(executor)
            _run(tasks, executor, made, meter, lambda: None, in_flight)
        elif workers > 1 and len(tasks) > 1:
            _run_in_own_pools(tasks, workers, method, made, meter)
        else:
            for task in tasks:
                made.accept(make_shard(task, on_sample=meter.advance, limited=True))
        folder.finish()
        with Dataset(folder.folder, open_files=2) as dataset, storage_errors(folder.folder / "stats.yaml"):
            try:
                write_statistics(dataset, refresh=bool(missing), known=made.figures)
                digest = content_digest(dataset, made.figures)
            except InputError as error:
                raise InputError(
                    f"a finished shard has been damaged since ({error}): run resolvent verify data={folder.folder}, "
                    "and then this command again, which makes it anew"
                ) from None
    return _report(folder, sizes, missing, digest, time.perf_counter() - began)


class _Made:
    """Takes finished shards in: their files into the folder, and the figures of their samples."""

    def __init__(self, folder: DatasetFolder) -> None:
        self.folder = folder
        self.figures: dict[str, SampleFigures] = {}

    def accept(self, finished: FinishedShard) -> None:
        self.folder.accept(finished.temporary, finished.record)
        self.figures[finished.record.file] = finished.figures

    def lacks(self, task: ShardTask) -> bool:
        return task.shard.path(self.folder.name) not in self.folder.records


def _announcer(announce: Callable[[str], None] | None) -> Callable[[ShardRecord], None]:
    """Tell what was found, once: when the first shard is in."""
    told = False

    def tell(record: ShardRecord) -> None:
        nonlocal told
        found = (record.family or {}).get("found")
        if announce is not None and found and not told:
            told = True
            announce(str(found))

    return tell


class _Meter:
    """Counts samples and tells the caller's `progress`, at most ten times a second and always at the end."""

    def __init__(self, tell: Callable[[GenerationProgress], None] | None, total: int, skipped: int) -> None:
        self.tell, self.total, self.skipped = tell, total, skipped
        self.done = 0
        self.began = time.perf_counter()
        self.told = 0.0

    def restart(self, left: int) -> None:
        """Count anew what is left: samples of shards that a killed worker took with it are made again."""
        self.done = self.total - self.skipped - left

    def advance(self, count: int = 1) -> None:
        self.done += count
        now = time.perf_counter()
        finished = self.done + self.skipped >= self.total
        if self.tell is not None and (finished or now - self.told >= 0.1):
            self.told = now
            self.tell(GenerationProgress(self.done, self.total, self.skipped, now - self.began))


_POOLS = 4  # own pools in a row that may break without a shard having been finished
_KILLED = (
    "a worker process was killed, most likely for lack of memory, or its cluster is gone: run the same command again "
    "with fewer workers or a smaller shard_size (finished shards are kept)"
)


def _run_in_own_pools(tasks: Sequence[ShardTask], workers: int, method: str, made: _Made, meter: _Meter) -> None:
    """Run the tasks on processes of our own; when one is killed, what it and its fellows had is made by a new pool."""
    left, broken = list(tasks), 0
    while left:
        helpers = min(workers, len(left)) - 1
        try:
            with own_pool(max(helpers, 1), method) as (pool, stop):
                _run(left, pool, made, meter, stop.set, 2 * max(helpers, 1), helpers=max(helpers, 1))
        except BrokenProcessPool as error:
            remaining = [task for task in left if made.lacks(task)]
            broken = 1 if len(remaining) < len(left) else broken + 1
            if broken >= _POOLS:
                raise InputError(_KILLED) from error
            left, method = remaining, "spawn"
            meter.restart(sum(len(task.shard) for task in left))
        else:
            return


def _worker_count(executor: Executor) -> int:
    """Workers of a pool, where it tells; else as many as this machine has processors."""
    count = getattr(executor, "_max_workers", None)
    return count if isinstance(count, int) and count > 0 else os.cpu_count() or 1


def _run(
    tasks: Sequence[ShardTask],
    executor: Executor,
    made: _Made,
    meter: _Meter,
    give_up: Callable[[], None],
    in_flight: int,
    helpers: int | None = None,
) -> None:
    """Run the tasks on `executor`, at most `in_flight` at a time; with `helpers` this process makes shards too.

    It does not wait for the helpers to start.

    Finished shards are put in by this process, which alone renames and writes the manifest: so a worker that outlives
    its parent cannot put a shard in behind the back of the next run.
    """
    queue, waiting = deque(tasks), dict[Future[FinishedShard], Shard]()
    helped = False

    def submit() -> None:
        # A helper that has started gets one shard ahead, so that it need not wait for this process to notice; but none
        # of the last ones, which this process could begin at once.
        limit = in_flight if helpers is None or (helped and len(queue) > helpers) else helpers
        while queue and len(waiting) < limit:
            task = queue.popleft() if helpers is None else queue.pop()
            waiting[executor.submit(make_shard_in_worker, task)] = task.shard

    def collect(timeout: float) -> None:
        nonlocal helped
        for future in wait(waiting, timeout=timeout, return_when=FIRST_COMPLETED).done:
            finished = future.result()
            del waiting[future]
            made.accept(finished)
            meter.advance(finished.record.stop - finished.record.start)
            helped = True
        submit()

    def on_sample() -> None:
        meter.advance()
        collect(0.0)

    try:
        submit()
        while queue or waiting:
            if queue and helpers is not None:
                made.accept(make_shard(queue.popleft(), on_sample=on_sample, limited=True))
            else:
                collect(1.0)
    except BaseException as error:
        give_up()
        for future in waiting:
            future.cancel()
        _salvage(waiting, made)
        lost = isinstance(error, (BrokenExecutor, CancelledError)) or type(error).__name__ == "KilledWorker"  # Dask's
        if lost and helpers is None:
            raise InputError(_KILLED) from error
        raise


def _salvage(waiting: Mapping[Future[FinishedShard], Shard], made: _Made) -> None:
    """Put in what the other workers have finished meanwhile; a shard given up or failed leaves nothing behind."""
    wait([future for future in waiting if not future.cancelled()], timeout=60.0)
    for future in waiting:
        if future.done() and not future.cancelled() and future.exception() is None:
            finished = future.result()
            if finished.temporary.exists():
                made.accept(finished)


def _bytes_per_sample(problem: Problem, dtype: str) -> int:
    """Room a sample takes without compression, from one that is drawn but not solved."""
    parameters = problem.sample(sample_generator(0, problem.name, 0))
    fields = problem.fields(parameters, np.zeros(problem.solution_size(parameters)))
    numbers = sum(f.values.size for f in fields.values() if f.role not in CONSTANT)
    return numbers * np.dtype(dtype).itemsize + 1024  # and its provenance


def _report(
    folder: DatasetFolder, sizes: Mapping[str, int], missing: Sequence[Shard], digest: str, seconds: float
) -> GenerationReport:
    records = list(folder.records.values())
    made = {s.path(folder.name) for s in missing}
    computed = sum(len(s) for s in missing)
    total = sum(sizes.values())
    family = sum_of_families([record.family for record in records if record.family])
    names = ("sampling", "analysis", "ordering", "solving", "writing") if family else ("sampling", "solving", "writing")
    phases = {phase: sum(r.seconds[phase] for r in records if r.file in made) for phase in names}
    iterations = sum((r.iterations_mean or 0.0) * (r.stop - r.start) for r in records)
    return GenerationReport(
        folder=str(folder.folder),
        splits={split: size for split, size in sizes.items() if size},
        samples=total,
        computed=computed,
        skipped=total - computed,
        shards_computed=len(missing),
        shards_skipped=len(records) - len(missing),
        residual_max=max(r.residual_max or 0.0 for r in records),
        iterations_mean=iterations / total,
        seconds={**phases, "total": seconds},
        samples_per_second=computed / seconds if computed else 0.0,
        content_digest=digest,
        bytes=sum(r.size for r in records),
        family=family,
    )
