"""Measure what it costs a new process to get to its first result: imports, a solve, a certified sample of each kind.

Each command runs in a process of its own, on one thread, with an empty cache for compilers that work at run time; its
processor time is that of the process and its children. Beside this version another one can be measured, in turn with it
in each round: ``other=PYTHON`` names the interpreter of an environment that holds it.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import scipy.io
import scipy.sparse as sp
from omegaconf import DictConfig

from resolvent.solvers import InputError

from ..console import say
from ..run_folder import RunFolder
from .markdown import write_results

GENERATE = "-m resolvent generate samples=1 workers=1 out={scratch}/data "
MULTIGRID = "solver=cg preconditioner=multigrid"
COMMANDS = {
    "import resolvent": "-c; import resolvent",
    "import resolvent.solvers, cg": "-c; from resolvent.solvers import cg",
    "resolvent --help": "-m resolvent --help",
    "resolvent solve, 900 unknowns": "-m resolvent solve matrix={scratch}/A.mtx out={scratch}/solve",
    "Darcy 64²": GENERATE + "problem=darcy problem.resolution=64",
    "Darcy 64², multigrid": GENERATE + "problem=darcy problem.resolution=64 " + MULTIGRID,
    "Darcy 256²": GENERATE + "problem=darcy problem.resolution=256",
    "Darcy 32³": GENERATE + "problem=darcy problem.resolution=32 problem.dimension=3 " + MULTIGRID,
    "heat 64²": GENERATE + "problem=heat",
    "Burgers 1024": GENERATE + "problem=burgers",
    "Navier–Stokes 64²": GENERATE + "problem=navier_stokes",
}


def measure(config: DictConfig, folder: RunFolder) -> int:
    """Measure and write the table; return 0."""
    interpreters = {"this version": sys.executable, **({"other": str(config.other)} if config.other else {})}
    rows = []
    for name, command in COMMANDS.items():
        seconds: dict[str, list[float]] = {each: [] for each in interpreters}
        for _ in range(int(config.rounds)):
            for each, interpreter in interpreters.items():
                seconds[each].append(processor_seconds(interpreter, command))
        medians = [statistics.median(values) for values in seconds.values()]
        rows.append((name, *medians, *([medians[0] / medians[1]] if len(medians) > 1 else [])))
        say(f"{name}: {', '.join(f'{value:.2f} s' for value in medians)}")
    columns = ("command", *(f"{each}, s" for each in interpreters), *(["ratio"] if config.other else []))
    write_results(
        folder,
        "startup",
        "Processor seconds of a new process up to the end of the command, medians of the rounds: start of Python, "
        "imports, compilation where there is any (its cache is empty), solving and certifying one sample, writing it.",
        columns,
        rows,
    )
    return 0


def processor_seconds(interpreter: str, command: str) -> float:
    """Return the processor time of a command, that of its children included."""
    with tempfile.TemporaryDirectory() as scratch:
        if "A.mtx" in command:
            line = sp.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(30, 30))
            scipy.io.mmwrite(Path(scratch) / "A.mtx", sp.kron(line, sp.eye_array(30)) + sp.kron(sp.eye_array(30), line))
        words = command.split("; ") if ";" in command else command.split()
        single = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
        environment = {**os.environ, **single, "NUMBA_CACHE_DIR": str(Path(scratch) / "compiled")}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [interpreter, *(word.replace("{scratch}", scratch) for word in words)],
            env=environment,
            cwd=scratch,
            capture_output=True,
            text=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise InputError(f"{interpreter} {command} failed: {done.stderr.strip().splitlines()[-1]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
