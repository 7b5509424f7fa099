"""Try `auto` on a folder of other people's matrices, and judge it by SciPy's readers and a recomputed residual.

Every square matrix below the folder is read by SciPy, never by our own readers, and solved with b = A·1, so that a
solution exists. A solve is *false* if it says `converged` and the residual, recomputed here, is above the tolerance.

The table is made of Debian's sources of suitesparse, trilinos, petsc, mumps, rmatrix, octave and spooles, unpacked
(`apt-get source`); what was found is listed by name and SHA-256.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from omegaconf import DictConfig
from threadpoolctl import threadpool_limits

from resolvent.solvers import InputError, solve

from ..console import say
from ..run_folder import RunFolder
from .markdown import RESULTS, Section, write_results

RTOL = 1e-8
ROUNDING = 1.0 + 1e-6
"""A residual is recomputed in another order than the solver's, and so may differ in its last digits."""

DENSE = 2_500
"""Unknowns up to which least squares by singular values judge what SuperLU cannot factor."""

LARGE, TIMED_ROUNDS = 500, 3
SECONDS = 60.0
HARWELL_BOEING = {f".{a}{b}{c}" for a in "rcp" for b in "usrhz" for c in "ae"} | {".rb", ".hb"}
CLOCK = time.perf_counter


@dataclass
class Stranger:
    """Hold a matrix of somebody else's: where it was found, what its bytes are, and its entries."""

    name: str
    digest: str
    matrix: sp.csr_array


@dataclass
class Outcome:
    """Hold what came of one solve: its status, the residual recomputed here, and the message."""

    status: str
    residual: float
    seconds: float
    message: str

    @property
    def solved(self) -> bool:
        """Return whether the solver says so and is right."""
        return self.status == "converged" and self.residual <= RTOL * ROUNDING

    @property
    def false(self) -> bool:
        """Return whether the solver says `converged` and is wrong."""
        return self.status == "converged" and not self.solved


def measure(config: DictConfig, folder: RunFolder) -> int:
    """Measure and write the tables; return 0, or 2 if a solve was false or ended in a traceback."""
    if not config.matrices or not Path(str(config.matrices)).is_dir():
        raise InputError(f"matrices={config.matrices}: expected a folder that holds matrices, such as unpacked sources")
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", spla.MatrixRankWarning)
        return _measure(Path(str(config.matrices)), folder)


def _measure(root: Path, folder: RunFolder) -> int:
    listed, unsolved, times = [], [], []
    false = tracebacks = solved = 0
    for stranger in strangers(root):
        A = stranger.matrix
        b = A @ np.ones(A.shape[0])
        judge = judged_by(A, b)
        outcome = tried(A, b)
        false += outcome.false
        tracebacks += outcome.status == "traceback"
        solved += outcome.solved and judge != "none"
        listed.append((stranger.name, stranger.digest, A.shape[0], A.nnz, judge, outcome.status))
        if not outcome.solved:
            unsolved.append((stranger.name, A.shape[0], judge, outcome.status, outcome.message))
        if A.shape[0] >= LARGE and outcome.solved:
            times.append((stranger.name, A.shape[0], *timed(A, b)))
        mark = "" if outcome.solved else f", {outcome.message}"
        say(f"{stranger.name} ({A.shape[0]}, {judge}): {outcome.status} in {outcome.seconds:.3g} s{mark}")
    if not listed:
        raise InputError(f"matrices={root}: holds no square matrix that SciPy reads; expected .mtx, .mat, .rua, …")
    solvable = sum(row[4] != "none" for row in listed)
    ratios = [row[4] for row in times if row[4] is not None]
    notes = [
        f"{solved} of {solvable} solvable matrices solved ({100.0 * solved / max(solvable, 1):.1f} %), "
        f"{len(listed)} square ones in all; {false} false, {tracebacks} tracebacks.",
    ]
    if ratios:
        notes.append(
            f"n ≥ {LARGE}: `auto` takes {statistics.median(ratios):.2f} × the time of `splu` (median of {len(ratios)}; "
            f"largest {max(ratios):.2f})."
        )
    for path in (folder.file("strangers.csv"), *([RESULTS / "strangers.csv"] if RESULTS.is_dir() else [])):
        write_list(listed, path)
    write_results(
        folder,
        "strangers",
        f"`auto` on other people's matrices with b = A·1, rtol = {RTOL:g}; what is not solved, with the reason.",
        ("file", "n", "solvable by", "status", "message"),
        unsolved,
        notes,
        [
            Section(
                f"Seconds of matrices of n ≥ {LARGE}",
                f"Minima of {TIMED_ROUNDS} alternating rounds on one thread, set-up included.",
                ("file", "n", "auto, s", "splu, s", "auto / splu", "Pardiso, s"),
                times,
            )
        ],
    )
    return 2 if false or tracebacks else 0


def strangers(root: Path) -> Iterator[Stranger]:
    """Yield the square matrices below a folder that SciPy reads, each file's bytes once, by name."""
    seen = set()
    for path in sorted(root.rglob("*")):
        reader = reader_of(path)
        if reader is None:
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest in seen:
            continue
        try:
            matrix = reader(path)
        except Exception:  # damaged and exotic files are part of the sources' own tests
            continue
        if matrix is None or len(matrix.shape) != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.shape[0]:
            continue
        matrix = sp.csr_array(matrix)
        matrix = matrix.astype(np.complex128 if matrix.dtype.kind == "c" else np.float64)
        matrix.sum_duplicates()
        if not np.isfinite(matrix.data).all():
            continue
        seen.add(digest)
        yield Stranger(str(path.relative_to(root)), digest, matrix)


def reader_of(path: Path) -> Callable[[Path], Any] | None:
    """Return SciPy's reader of a file, judged by its first bytes and its suffix; None where there is none."""
    if path.is_symlink() or not path.is_file():
        return None
    with path.open("rb") as stream:
        head = stream.read(64)
    if head.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(path) as unpacked:
                head = unpacked.read(64)
        except OSError:
            return None
        return scipy.io.mmread if head.lower().startswith(b"%%matrixmarket") and path.suffix == ".gz" else None
    if head.lower().startswith(b"%%matrixmarket"):
        return scipy.io.mmread
    if head.startswith(b"MATLAB"):
        return _only_sparse
    return scipy.io.hb_read if path.suffix.lower() in HARWELL_BOEING else None


def _only_sparse(path: Path) -> Any:
    found = [value for value in scipy.io.loadmat(path).values() if sp.issparse(value)]
    return found[0] if found else None


def judged_by(A: sp.csr_array, b: np.ndarray) -> str:
    """Return what solves A x = b to the tolerance without us: 'splu', 'lstsq', 'lsmr' or 'none'."""
    if np.linalg.norm(b) == 0.0:
        return "zero"
    for name, method in (("splu", _by_splu), ("lstsq", _by_lstsq), ("lsmr", _by_lsmr)):
        try:
            x = method(A, b)
        except (RuntimeError, ValueError, MemoryError, np.linalg.LinAlgError):
            continue
        if x is not None and relative_residual(A, b, x) <= RTOL:
            return name
    return "none"


def _by_splu(A: sp.csr_array, b: np.ndarray) -> np.ndarray:
    lu = spla.splu(A.tocsc())
    x = lu.solve(b)
    return x + lu.solve(b - A @ x)


def _by_lstsq(A: sp.csr_array, b: np.ndarray) -> np.ndarray | None:
    return scipy.linalg.lstsq(A.toarray(), b)[0] if A.shape[0] <= DENSE else None


def _by_lsmr(A: sp.csr_array, b: np.ndarray) -> np.ndarray:
    return spla.lsmr(A, b, atol=1e-14, btol=1e-10, maxiter=2_000)[0]


def relative_residual(A: sp.csr_array, b: np.ndarray, x: np.ndarray) -> float:
    """Return ‖b − A x‖₂/‖b‖₂ in long double; for b = 0 it is 0 if A x = 0, else inf."""
    wide = np.clongdouble if np.iscomplexobj(A.data) or np.iscomplexobj(x) else np.longdouble
    products = A.data.astype(wide) * x.astype(wide)[A.indices]
    r = b.astype(wide) - _row_sums(products, A.indptr)
    size, rhs = (float(np.sqrt(np.sum(np.abs(v) ** 2))) for v in (r, b.astype(wide)))
    return size / rhs if rhs > 0.0 else (0.0 if size == 0.0 else float("inf"))


def _row_sums(products: np.ndarray, indptr: np.ndarray) -> np.ndarray:
    sums = np.zeros(indptr.size - 1, dtype=products.dtype)
    filled = np.flatnonzero(np.diff(indptr))
    if filled.size:
        sums[filled] = np.add.reduceat(products, indptr[filled])
    return sums


def tried(A: sp.csr_array, b: np.ndarray) -> Outcome:
    """Solve by `auto`; what it raises other than `InputError` counts as a traceback."""
    began = CLOCK()
    try:
        result = solve(A, b, rtol=RTOL, seconds=SECONDS)
    except InputError as error:
        return Outcome("refused", float("inf"), CLOCK() - began, str(error))
    except Exception as error:
        return Outcome("traceback", float("inf"), CLOCK() - began, f"{type(error).__name__}: {error}")
    seconds = CLOCK() - began
    return Outcome(result.status.value, relative_residual(A, b, result.x), seconds, result.message)


def timed(A: sp.csr_array, b: np.ndarray) -> tuple[float, float | None, float | None, float | None]:
    """Return the seconds of `auto`, of `splu`, their ratio, and the seconds of Pardiso where it is installed."""
    columns = A.tocsc()
    ours: list[float] = []
    theirs: list[float] = []
    pardiso: list[float] = []
    for _ in range(TIMED_ROUNDS):
        ours.append(_seconds(lambda: solve(A, b, rtol=RTOL)))
        theirs.append(_seconds(lambda: spla.splu(columns).solve(b)))
        pardiso.append(_seconds(lambda: _by_pardiso(A, b)))
    splu, package = min(theirs), min(pardiso)
    known = np.isfinite(splu)
    return min(ours), splu if known else None, min(ours) / splu if known else None, _or_none(package)


def _seconds(call: Callable[[], Any]) -> float:
    began = CLOCK()
    try:
        call()
    except (RuntimeError, ValueError, TypeError, ImportError):  # Pardiso's interface refuses complex matrices
        return float("inf")
    return CLOCK() - began


def _by_pardiso(A: sp.csr_array, b: np.ndarray) -> Any:
    from pypardiso import PyPardisoSolver

    solver = PyPardisoSolver()
    solver.set_iparm(3, 1)
    return solver.solve(sp.csr_matrix(A), b)


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def write_list(rows: Sequence[tuple[object, ...]], path: Path) -> None:
    """Write name, SHA-256, order, entries, judge and status of each file."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("name", "sha256", "n", "entries", "solvable_by", "auto"))
        writer.writerows(rows)
