"""Start worker processes of our own, which end with their parent.

A process that is started afresh imports the numerical libraries and loads the compiled kernels anew: more than two
seconds of processor time, more than 600 samples at 64² take. A forked one has all that at once. But a fork copies the
locks that other threads hold at that instant, and these threads do not exist in the child. So workers are forked only
if this process has no other threads. Those of OpenBLAS do not count: it ends them before a fork and starts them again
on demand.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait as wait_for_handles
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info, threadpool_limits

from ..format.folder import forget_locks
from .shard import FinishedShard, ShardTask, make_shard


def start_method() -> str:
    """Return 'fork' if that is safe (see above), else 'spawn'. Not to be called under a limit of threads."""
    if not sys.platform.startswith("linux") or threading.active_count() > 1:
        return "spawn"
    blas = sum(int(pool["num_threads"]) - 1 for pool in threadpool_info() if pool["internal_api"] == "openblas")
    try:
        native = len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return "spawn"
    return "fork" if native <= 1 + blas else "spawn"


@contextmanager
def worker_pool(workers: int, method: str) -> Iterator[tuple[Executor, Any]]:
    """Give a pool of `workers` processes, and the event by which they are told to give up."""
    context = multiprocessing.get_context(method)
    stop = context.Event()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(stop,))
    try:
        yield pool, stop
    finally:
        release_broken(pool)
        pool.shutdown(wait=True, cancel_futures=True)


def release_broken(pool: Executor) -> None:
    """Close the reading end of a broken pool's queue.

    A thread of the pool may be writing a task into the pipe that its killed worker was to read. Until Python 3.11.5
    this process keeps the other end open, so that the thread waits for ever, and the pool for the thread (CPython's
    issue 94777).
    """
    if getattr(pool, "_broken", False):
        reader = getattr(getattr(pool, "_call_queue", None), "_reader", None)
        with suppress(OSError, AttributeError):
            reader.close()  # type: ignore[union-attr]


_parent_gave_up: Callable[[], bool] | None = None  # set in own workers


def make_shard_in_worker(task: ShardTask) -> FinishedShard:
    """Make a shard as :func:`~.shard.make_shard` does, but give up between two samples when the parent says so."""
    return make_shard(task, cancelled=_parent_gave_up, limited=_parent_gave_up is not None)


def _start_worker(stop: Any) -> None:
    """Set a worker up: it leaves Ctrl-C to its parent, and ends with its parent, even if that is killed."""
    global _parent_gave_up
    _parent_gave_up = stop.is_set
    threadpool_limits(1)  # for good: this process makes shards and nothing else
    forget_locks()
    with suppress(ValueError):  # not the main thread: nothing to set up
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a forked worker has its parent's handler
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait_for_handles([sentinel])
    os._exit(1)
