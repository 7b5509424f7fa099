"""Open engines, which make shards: each opens a ``concurrent.futures.Executor``.

::

    with open_engine("dask", workers=4, settings={"address": "tcp://head:8786"}) as engine:
        generate(problem, out, samples=10_000, engine=engine)

========  ==================================================================  ==================================
engine    workers                                                             a worker that dies
========  ==================================================================  ==================================
`local`   processes of this machine; this process makes shards too            the others go on, its shard is made again
`dask`    a cluster of this machine, of SLURM jobs, or one that runs          the scheduler gives its shard to another
`mpi`     ranks of ``mpiexec -n N … -m mpi4py.futures``, or spawned      MPI ends the run; the same command resumes
========  ==================================================================  ==================================

The bits of a dataset do not depend on the engine: a shard depends only on the configuration, workers write it under a
temporary name, and only the process that called generate renames it and writes its manifest line. At most `in_flight`
shards are with the workers at any time, so that memory stays bounded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from resolvent.solvers import InputError
from resolvent.solvers.arguments import nonnegative_integer, one_of, positive_integer

from ..format.atomic_files import one_line


@dataclass(frozen=True)
class Engine:
    """Hold workers that are ready.

    Parameters
    ----------
    name : str
    workers : int
        How many there are, or were asked for if jobs still wait in a queue.
    executor : concurrent.futures.Executor or None
        None: generate starts `workers` processes of its own.
    """

    name: str
    workers: int
    executor: Executor | None = None

    @property
    def in_flight(self) -> int:
        """Return the shards handed out at most: for each worker one that it makes and one that waits."""
        return 2 * self.workers


def open_engine(
    name: str, workers: int = 1, settings: Mapping[str, Any] | None = None
) -> AbstractContextManager[Engine]:
    """Open an engine for the length of a ``with``.

    Parameters
    ----------
    name : {'local', 'dask', 'mpi'}
    workers : int
        Processes, SLURM jobs or ranks.
    settings : mapping
        For dask: ``address`` (of a running scheduler; then `workers` is what it has), ``cluster`` ('local' or 'slurm'),
        ``retries`` (of a shard that raised), and for SLURM ``queue, account, walltime, memory, job_extra``.

    Raises
    ------
    InputError
        For an unknown engine or setting, a package that is not installed, a scheduler that does not answer.
    """
    given = dict(settings or {})
    for key in given:
        one_of(key, _SETTINGS[one_of(name, ENGINES, "engine")] or ("nothing",), f"setting of engine {name}")
    return ENGINES[one_of(name, ENGINES, "engine")](positive_integer(workers, "workers"), given)


@contextmanager
def opened_engine(engine: str | Engine | Executor, workers: int = 1) -> Iterator[Engine]:
    """Give an engine: the one that came, one that is opened by its name, or one around an executor.

    Only what is opened here is closed.
    """
    if isinstance(engine, Engine):
        yield engine
    elif isinstance(engine, str):
        with open_engine(engine, workers) as opened:
            yield opened
    else:
        count = getattr(engine, "_max_workers", None)
        if not isinstance(count, int) or count <= 0:  # the pool does not tell
            count = os.cpu_count() or 1
        yield Engine("executor", count, engine)


@contextmanager
def _local(workers: int, settings: Mapping[str, Any]) -> Iterator[Engine]:
    yield Engine("local", workers)


@contextmanager
def _dask(workers: int, settings: Mapping[str, Any]) -> Iterator[Engine]:
    try:
        from distributed import Client
    except ImportError:
        raise InputError("engine=dask needs dask: pip install 'resolvent[dask]', or use engine=local") from None
    retries = nonnegative_integer(settings.get("retries", 2), "engine.retries")
    kind = one_of(settings.get("cluster") or "local", ("local", "slurm"), "engine.cluster")
    with ExitStack() as stack:
        address = settings.get("address")
        if address is None:
            cluster = _local_cluster(workers) if kind == "local" else _slurm_cluster(workers, settings)
            stack.enter_context(cluster)
            client = stack.enter_context(Client(cluster))
        else:
            try:
                client = stack.enter_context(Client(str(address), timeout=20))
                client.wait_for_workers(1, timeout=120)
            except (OSError, ValueError, TimeoutError) as error:
                raise InputError(
                    f"engine.address={address}: no Dask scheduler with workers answers there "
                    f"({one_line(error, 80)}): start one with 'dask scheduler', "
                    "or leave address out"
                ) from None
            workers = sum(client.nthreads().values())
        # Not pure by name: two runs on one scheduler must not share results, which are files of one folder.
        yield Engine("dask", workers, client.get_executor(pure=False, retries=retries))


def _local_cluster(workers: int) -> Any:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    )


def _slurm_cluster(workers: int, settings: Mapping[str, Any]) -> Any:
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError:
        raise InputError(
            "engine.cluster=slurm needs dask-jobqueue: pip install 'resolvent[dask]', or use engine.cluster=local"
        ) from None
    try:
        cluster = SLURMCluster(
            queue=settings.get("queue"),
            account=settings.get("account"),
            walltime=str(settings.get("walltime") or "01:00:00"),
            memory=str(settings.get("memory") or "4GB"),
            cores=1,
            processes=1,
            job_extra_directives=[str(line) for line in settings.get("job_extra") or ()],
        )
    except (OSError, ValueError) as error:
        raise InputError(f"engine.cluster=slurm: {one_line(error, 150)}; check the settings") from None
    cluster.scale(jobs=workers)
    return cluster


@contextmanager
def _mpi(workers: int, settings: Mapping[str, Any]) -> Iterator[Engine]:
    try:
        from mpi4py import MPI
        from mpi4py.futures import MPIPoolExecutor
    except (ImportError, RuntimeError):  # RuntimeError: mpi4py is there, the MPI library is not
        raise InputError(
            "engine=mpi needs mpi4py and an MPI library: pip install 'resolvent[mpi]', or use engine=local"
        ) from None
    # Under 'python -m mpi4py.futures' the other ranks are the workers already; else ranks are spawned.
    ranks = MPI.COMM_WORLD.Get_size()
    with MPIPoolExecutor(max_workers=workers if ranks == 1 else None) as executor:
        yield Engine("mpi", workers if ranks == 1 else ranks - 1, executor)


ENGINES: dict[str, Callable[[int, Mapping[str, Any]], AbstractContextManager[Engine]]] = {
    "local": _local,
    "dask": _dask,
    "mpi": _mpi,
}
"""Engines by name."""

_SETTINGS: dict[str, tuple[str, ...]] = {
    "local": (),
    "dask": ("address", "cluster", "retries", "queue", "account", "walltime", "memory", "job_extra"),
    "mpi": (),
}
