"""Try thousands of hostile systems on all solvers and preconditioners: none may raise, hang, warn, or lie.

A trial ends well with any status, or refused in one line. It is a fault if anything but an InputError is raised, if the
residual of a solution said to be converged, recomputed in long double, does not meet the tolerance, if it takes longer
than the deadline, or if a warning is issued. ``resolvent bench hostile seed=N count=1`` repeats trial N.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from omegaconf import DictConfig

from resolvent.solvers import InputError

from ...console import say
from ...run_folder import RunFolder
from ..markdown import write_results
from .trials import FAULTS, Outcome, try_system

PORTION = 200


def measure(config: DictConfig, folder: RunFolder) -> int:
    """Try the systems, write the table; return 2 if any trial is at fault."""
    count, first = int(config.count), int(config.seed)
    if count < 1 or first < 0:
        raise InputError(f"count={count} seed={first}: expected count ≥ 1 and seed ≥ 0")
    ends: Counter[str] = Counter()
    bad = 0
    for outcome in _outcomes(first, count):
        ends[outcome.end] += 1
        if outcome.end in (*FAULTS, "crash"):
            bad += 1
            say(f"seed={outcome.seed} {outcome.end}: {outcome.detail}")
    rows = [(end, ends[end]) for end in (*FAULTS, "crash")]
    rows += sorted(
        ((end, number) for end, number in ends.items() if end not in (*FAULTS, "crash")), key=lambda r: -r[1]
    )
    write_results(
        folder,
        "hostile",
        f"{count} random systems from seed {first} on, each for a random solver and preconditioner: sizes of 1 to 30, "
        "entries and right-hand sides from 1e-323 to 1.7e308, singular, graded, non-normal and complex matrices, "
        "operators and preconditioners that misbehave. A solution said to be converged is judged by its residual in "
        "long double. The first lines are faults; the others say how the trials ended.",
        ("end", "trials"),
        rows,
    )
    return 2 if bad else 0


def _outcomes(first: int, count: int) -> Iterator[Outcome]:
    """Yield the outcomes of all trials, each portion in another process, which a crash may end."""
    for begin in range(first, first + count, PORTION):
        seeds = range(begin, min(begin + PORTION, first + count))
        try:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                yield from list(pool.map(try_system, seeds))
        except BrokenProcessPool:
            yield Outcome(begin, "crash", f"the process that tried seeds {begin} to {seeds[-1]} was killed")
