"""Generate datasets from problems: certified shards, made in parallel, that survive being killed at any instant."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from resolvent.solvers import InputError
from resolvent.solvers.arguments import nonnegative_integer, one_of, positive_integer
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.kernels import level as kernels_level
from resolvent.solvers.kernels import use_level

from ..certificates.allowance import LARGEST_SHARE
from ..dataset import Dataset
from ..format.atomic_files import storage_errors
from ..format.compression import OLD_KEYWORDS, Compression
from ..format.field import CONSTANT
from ..format.folder import DatasetFolder, ShardRecord, shard_size_there
from ..format.splits import Shard, automatic_shard_size, plan_shards, split_sizes
from ..html import html_table
from ..old_keywords import takes_old_keywords
from ..problems.problem import Problem
from ..seeding import root_seed, sample_generator
from ..statistics import SampleFigures, content_digest, write_statistics
from .chains import Chains, read_chains, sum_of_families
from .engines import Engine, opened_engine
from .shard import FinishedShard, ShardTask, make_shard
from .workers import make_shard_in_worker, release_broken, start_method, worker_pool


@dataclass(frozen=True)
class GenerationProgress:
    """Say where a generation stands.

    Parameters
    ----------
    done, total : int
        Samples made by this run; in all.
    skipped : int
        Samples of shards that were there and intact.
    seconds : float
    found : str
        What the analysis of the first chain has found and will do, once it is known; '' without chains.
    """

    done: int
    total: int
    skipped: int
    seconds: float
    found: str = ""

    @property
    def rate(self) -> float:
        """Return the samples that this run makes in a second."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float:
        """Return the seconds left at this rate; infinite before the first sample."""
        return (self.total - self.skipped - self.done) / self.rate if self.rate > 0 else float("inf")


@dataclass(repr=False)
class GenerationReport:
    """Say what a generation did.

    Parameters
    ----------
    folder : str
    splits : dict
        Samples by split.
    samples, computed, skipped : int
        All; made by this run; finished before.
    shards_computed, shards_skipped : int
    residual_max : float
        The largest relative residual, over all samples.
    iterations_mean : float
    seconds : dict
        ``sampling``, ``solving`` and ``writing`` summed over the workers, for the samples of this run; if samples were
        solved together also ``analysis`` and ``ordering``; ``total`` by the clock.
    samples_per_second : float
        The rate of this run, by the clock; 0 if nothing had to be made.
    content_digest : str
        SHA-256 over the stored numbers in order: the same for every sharding, worker count and compression.
    bytes : int
        The size of all shards.
    family : dict
        Sums over all shards if samples were solved together, else empty: ``chains`` solved, samples ``outside`` (in
        these chains, but not in the shard that solved them), ``full_solves``, ``corrections``, ``reconstructed``,
        ``set_ups``, ``refreshes``, ``iterations``, ``matvecs``, the ``plan`` (samples by strategy), and what was
        ``found`` in the first chain.
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

    def __repr__(self) -> str:
        there = f", {self.skipped} of them there" if self.skipped else ""
        return (
            f"GenerationReport({self.folder!r}: {self.samples} samples{there}, "
            f"largest residual {self.residual_max:.2e}, {self.samples_per_second:.4g} samples/s)"
        )

    def _repr_html_(self) -> str:
        rows = [
            ("folder", self.folder),
            ("samples", ", ".join(f"{split} {size}" for split, size in self.splits.items())),
            ("made now", f"{self.computed}, {self.samples_per_second:.4g} a second; {self.skipped} were there"),
            ("largest residual", f"{self.residual_max:.2e}"),
            ("iterations", f"{self.iterations_mean:.4g} in the mean"),
            ("seconds", ", ".join(f"{phase} {seconds:.3g}" for phase, seconds in self.seconds.items())),
            ("size", f"{self.bytes / 1e6:.3g} MB"),
            ("content digest", self.content_digest),
        ]
        if self.family:
            rows.append(("strategies", ", ".join(f"{name} {count}" for name, count in self.family["plan"].items())))
        return html_table("GenerationReport", rows)

    def to_dict(self) -> dict[str, Any]:
        """Return flat JSON values."""
        values = asdict(self)
        values.update({f"seconds_{k}": v for k, v in values.pop("seconds").items()})
        values.update({f"samples_{k}": v for k, v in values.pop("splits").items()})
        return values


def _exchange_chains(keywords: dict[str, Any]) -> None:
    chain, sort = keywords.pop("chain", 64), keywords.pop("sort", "none")
    keywords["strategy"] = Chains(keywords.get("strategy", "independent"), chain, sort)


def _exchange_executor(keywords: dict[str, Any]) -> None:
    executor = keywords.pop("executor")
    keywords["engine"] = keywords.get("engine") or executor or "local"


def _exchange_announce(keywords: dict[str, Any]) -> None:
    announce, progress, told = keywords.pop("announce"), keywords.get("progress"), False

    def tell(at: GenerationProgress) -> None:
        nonlocal told
        if at.found and not told and announce is not None:
            told = True
            announce(at.found)
        if callable(progress):
            progress(at)

    keywords["progress"] = tell


@takes_old_keywords(
    OLD_KEYWORDS,
    (("chain", "sort"), "strategy=Chains(strategy, length, sort)", _exchange_chains),
    (("executor",), "engine=", _exchange_executor),
    (("announce",), "GenerationProgress.found in progress=", _exchange_announce),
)
def generate(
    problem: Problem,
    out: str | os.PathLike[str],
    *,
    samples: int | None = None,
    splits: Mapping[str, int] | Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    start: int = 0,
    shard_size: int | None = None,
    solver: SolverSpec | None = None,
    dtype: str | None = None,
    compression: str | Compression = "gzip",
    level: str | None = None,
    strategy: str | Chains = "independent",
    workers: int = 1,
    engine: str | Engine | Executor = "local",
    progress: bool | Callable[[GenerationProgress], None] | None = True,
) -> GenerationReport:
    """Generate a certified dataset, or finish one.

    Sample i depends on (seed, problem, i) alone, so the numbers are the same for every `shard_size`, `workers` and
    `engine`, bit for bit where NumPy and SciPy compute the same bits. Every sample's residual is recomputed in float64
    from the arrays to be stored and lies below the solver's rtol. Run again on the same folder, finished shards whose
    SHA-256 still holds are skipped; missing and damaged ones are made again.

    Parameters
    ----------
    problem : Problem
        From :func:`~resolvent.data.make_problem`, or an instance of your own class (picklable).
    out : path
        The dataset's folder.
    samples : int
        Total number of samples; may be left out where `splits` gives sizes.
    splits : mapping of sizes, three counts or three fractions
        Consecutive ranges of sample indices: train, valid, test.
    seed : int
        Root seed, 0 ≤ seed < 2⁶⁴.
    start : int
        Index of the first sample. ``splits={'test': 60}, start=540`` at another resolution gives the same fields as the
        test split of 540 + 60 samples.
    shard_size : int or None
        Samples in a file. A shard is held in memory, compressed, while it is made. None: what the folder's dataset has,
        else 16 MiB of numbers in a file.
    solver : SolverSpec
        The problem's own choice if None.
    dtype : {'float64', 'float32'}
        The dtype of the stored fields; the problem's own choice if None: float64, for trajectories float32.
    compression : str or Compression
        'gzip', 'lzf', 'none', 'zstd' and 'blosc2' are lossless. ``Compression('sz3', 1e-6)``, or 'zfp', changes the
        outputs by at most that error bound, which the certificate counts.
    level : str, optional
        Instruction level of the compiled kernels in all workers, such as 'x86-64-v2'; None: the highest that this
        processor has. Numbers have the same bits on all machines that use one level.
    strategy : str or Chains
        'independent': each sample is solved by itself. Else the samples of a chain are solved together, see
        :class:`Chains`; what misses the tolerance is solved by itself. Sample i then also depends on the strategy, the
        chain's length and its order, but still not on sharding, workers or order (see :mod:`.chains`).
    workers : int
        Processes that make shards: this one and `workers` − 1 more. They are forked if this process has no other
        threads, else started afresh (so a script that calls this needs ``if __name__ == '__main__'``).
    engine : str, Engine or concurrent.futures.Executor
        Where the workers run: 'local', 'dask' or 'mpi', which is opened with `workers` and closed again; an engine from
        :func:`~resolvent.data.open_engine`; or an executor, for example ``dask.distributed.Client.get_executor()``. Its
        workers must see `out` under the same path; shards that a broken pool of processes loses are an error.
    progress : bool or callable
        Whether to show the progress: a bar on a terminal, else a plain line every few seconds. A function is called
        with a :class:`GenerationProgress` instead as samples finish, at most ten times a second.

    Returns
    -------
    GenerationReport

    Raises
    ------
    InputError
        For arguments out of range, a folder that holds another dataset, a disk that is full or refuses to be written, a
        sample that cannot be solved to the tolerance, or whose storage may change its residual by more than `verify`
        allows. Finished shards stay; nothing half-written does.
    """
    began = time.perf_counter()
    sizes = split_sizes(samples, splits)
    seed, start = root_seed(seed), nonnegative_integer(start, "start")
    workers = positive_integer(workers, "workers")
    dtype = problem.default_dtype if dtype is None else dtype
    one_of(dtype, ("float64", "float32"), "dtype")
    compression = Compression.read(compression)
    if compression.lossy and problem.exact_outputs:
        raise InputError(
            f"compression={compression.name} changes numbers that the certificate of {problem.name} wants exact (given "
            "values at a boundary, a first state): use a lossless one, such as gzip or zstd"
        )
    if level is not None:
        use_level(level)
    solver = solver or problem.default_solver
    if not solver.rtol <= LARGEST_SHARE:
        raise InputError(
            f"rtol={solver.rtol:g}: nothing is certified by a residual above {LARGEST_SHARE:g} of the right-hand side; "
            f"use rtol={LARGEST_SHARE:g} or less"
        )
    chains = read_chains(problem, strategy)
    bytes_per_sample = _bytes_per_sample(problem, dtype)
    shard_size = _shard_size(shard_size, chains, Path(out), bytes_per_sample)
    shards = plan_shards(sizes, shard_size, start)
    config = {
        "kind": "problem",
        "problem": {"name": problem.name, "settings": problem.settings()},
        "splits": sizes,
        "start": start,
        "seed": seed,
        "solver": solver.to_dict(),
        "dtype": dtype,
        **compression.settings(),
        "shard_size": shard_size,
    }
    if chains is not None:
        config["family"] = chains.settings()
    folder = DatasetFolder(Path(out), problem.name, config, shards)
    receiver = _Receiver(folder)
    with _shown(progress) as tell, opened_engine(engine, workers) as opened:
        method = start_method() if opened.executor is None and opened.workers > 1 else ""
        # The limit holds here too, for executors whose workers are threads of this process.
        with threadpool_limits(1), folder.writing(bytes_per_sample) as missing:
            tasks = [
                ShardTask(
                    problem=problem,
                    solver=solver,
                    shard=shard,
                    seed=seed,
                    dtype=dtype,
                    compression=compression,
                    folder=folder.folder.absolute(),
                    name=folder.name,
                    config=folder.config,
                    config_hash=folder.hash,
                    chains=chains,
                    level=kernels_level(),
                )
                for shard in missing
            ]
            counter = _Progress(tell, sum(sizes.values()), sum(sizes.values()) - sum(len(s) for s in missing))
            folder.on_accept = counter.accepted
            counter.advance(0)
            if opened.executor is not None:
                _run(tasks, opened.executor, receiver, counter, lambda: None, opened.in_flight)
            elif opened.workers > 1 and len(tasks) > 1:
                _run_in_worker_pools(tasks, opened.workers, method, receiver, counter)
            else:
                for task in tasks:
                    receiver.accept(make_shard(task, on_sample=counter.advance, limited=True))
            folder.finish()
            digest = _finish_statistics(receiver, refresh=bool(missing))
    return _report(folder, sizes, missing, digest, time.perf_counter() - began)


def _shard_size(asked: int | None, chains: Chains | None, out: Path, bytes_per_sample: int) -> int:
    """Return the samples in a file: as asked, else as in the folder, else as many as make 16 MiB of numbers."""
    asked = None if asked is None else positive_integer(asked, "shard_size")
    automatic = automatic_shard_size(bytes_per_sample)
    if chains is not None:
        return chains.shard_size(asked, shard_size_there(out), automatic)
    return asked or shard_size_there(out) or automatic


def _finish_statistics(receiver: _Receiver, refresh: bool) -> str:
    """Write ``stats.yaml`` of a finished dataset, and return its content digest."""
    folder = receiver.folder.folder
    with Dataset(folder, open_files=2) as dataset, storage_errors(folder / "stats.yaml"):
        try:
            write_statistics(dataset, refresh=refresh, known=receiver.figures)
            return content_digest(dataset, receiver.figures)
        except InputError as error:
            raise InputError(
                f"a finished shard has been damaged since ({error}): run resolvent verify data={folder}, and then this "
                "command again, which makes it anew"
            ) from None


@contextmanager
def _shown(
    progress: bool | Callable[[GenerationProgress], None] | None,
) -> Iterator[Callable[[GenerationProgress], None] | None]:
    """Give the function that is told of the progress: the caller's, or one that prints it."""
    if progress is not True:
        yield progress or None
        return
    from ..progress import ProgressLine  # rich, which takes a while to import

    with ProgressLine("generate") as line:
        yield shown_by(line)


def shown_by(line: Any, on_found: Callable[[str], None] = lambda found: None) -> Callable[[GenerationProgress], None]:
    """Return a listener that moves a progress line and says there what is found, which it also hands to `on_found`."""
    found = ""

    def tell(at: GenerationProgress) -> None:
        nonlocal found
        if at.found != found:
            found = at.found
            line.say(found)
            on_found(found)
        line(at.done + at.skipped, at.total)

    return tell


class _Receiver:
    """Take finished shards in: their files into the folder, and the figures of their samples."""

    def __init__(self, folder: DatasetFolder) -> None:
        self.folder = folder
        self.figures: dict[str, SampleFigures] = {}

    def accept(self, finished: FinishedShard) -> None:
        self.folder.accept(finished.temporary, finished.record)
        self.figures[finished.record.file] = finished.figures

    def lacks(self, task: ShardTask) -> bool:
        return task.shard.path(self.folder.name) not in self.folder.records


class _Progress:
    """Count samples and tell it, at most ten times a second and always at the end."""

    def __init__(self, tell: Callable[[GenerationProgress], None] | None, total: int, skipped: int) -> None:
        self.tell, self.total, self.skipped = tell, total, skipped
        self.done, self.found = 0, ""
        self.began = time.perf_counter()
        self.told = 0.0

    def restart(self, left: int) -> None:
        """Count anew what is left: samples of shards that a killed worker took with it are made again."""
        self.done = self.total - self.skipped - left

    def accepted(self, record: ShardRecord) -> None:
        """Tell what the analysis of the first chain has found, as soon as a shard is in."""
        found = (record.family or {}).get("found")
        if found and not self.found:
            self.found = str(found)
            self._tell()

    def advance(self, count: int = 1) -> None:
        self.done += count
        if self.done + self.skipped >= self.total or time.perf_counter() - self.told >= 0.1:
            self._tell()

    def _tell(self) -> None:
        if self.tell is not None:
            self.told = time.perf_counter()
            seconds = self.told - self.began
            self.tell(GenerationProgress(self.done, self.total, self.skipped, seconds, self.found))


_POOLS = 4  # pools that may break, one after the other, without a shard having been finished
_KILLED = (
    "a worker process was killed, most likely for lack of memory, or its cluster is gone: run the same command again "
    "with fewer workers or a smaller shard_size (finished shards are kept)"
)


def _run_in_worker_pools(
    tasks: Sequence[ShardTask], workers: int, method: str, receiver: _Receiver, counter: _Progress
) -> None:
    """Run the tasks on processes of our own; if one is killed, a new pool makes what the old one had not finished."""
    left, broken = list(tasks), 0
    while left:
        helpers = min(workers, len(left)) - 1
        try:
            with worker_pool(max(helpers, 1), method) as (pool, stop):
                _run(left, pool, receiver, counter, stop.set, 2 * max(helpers, 1), helpers=max(helpers, 1))
        except BrokenProcessPool as error:
            remaining = [task for task in left if receiver.lacks(task)]
            broken = 1 if len(remaining) < len(left) else broken + 1
            if broken >= _POOLS:
                raise InputError(_KILLED) from error
            left, method = remaining, "spawn"
            counter.restart(sum(len(task.shard) for task in left))
        else:
            return


def _run(
    tasks: Sequence[ShardTask],
    executor: Executor,
    receiver: _Receiver,
    counter: _Progress,
    give_up: Callable[[], None],
    in_flight: int,
    helpers: int | None = None,
) -> None:
    """Run the tasks on `executor`, at most `in_flight` at a time; with `helpers` this process makes shards too.

    It does not wait for the helpers to start. Only this process renames finished shards and writes the manifest: so a
    worker that outlives its parent cannot add a shard while the next run is at work.
    """
    queue, waiting = deque(tasks), dict[Future[FinishedShard], Shard]()
    helped = False

    def submit() -> None:
        # A helper that has started gets one more shard in advance, so that it need not wait for this process; but none
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
            receiver.accept(finished)
            counter.advance(finished.record.stop - finished.record.start)
            helped = True
        submit()

    def on_sample() -> None:
        counter.advance()
        collect(0.0)

    try:
        submit()
        while queue or waiting:
            if queue and helpers is not None:
                receiver.accept(make_shard(queue.popleft(), on_sample=on_sample, limited=True))
            else:
                collect(1.0)
    except BaseException as error:
        give_up()
        for future in waiting:
            future.cancel()
        _salvage(waiting, receiver)
        lost = isinstance(error, (BrokenExecutor, CancelledError)) or type(error).__name__ == "KilledWorker"  # Dask's
        if lost and helpers is None:
            release_broken(executor)
            raise InputError(_KILLED) from error
        raise


def _salvage(waiting: Mapping[Future[FinishedShard], Shard], receiver: _Receiver) -> None:
    """Accept what the other workers have finished meanwhile; a shard that was given up leaves nothing behind."""
    wait([future for future in waiting if not future.cancelled()], timeout=60.0)
    for future in waiting:
        if future.done() and not future.cancelled() and future.exception() is None:
            finished = future.result()
            if finished.temporary.exists():
                receiver.accept(finished)


def _bytes_per_sample(problem: Problem, dtype: str) -> int:
    """Return the bytes of a sample without compression, from one that is drawn but not solved."""
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
