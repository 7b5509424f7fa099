"""Making one shard: sample, solve, certify what will be stored, and write it beside its final place."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from resolvent.solvers import InputError, SolveResult

from .atomic_files import storage_errors, write_temporary
from .compression import Compression, EncodedField, encode_field, residual_floor
from .dataset_folder import ShardRecord
from .digests import combined_digest, sample_digest
from .layout import CONSTANT, ShardContents, encode_shard
from .moments import sample_moments
from .problem import Field, Problem
from .seeding import sample_entropy, sample_generator
from .solver_choice import SolverSpec
from .splits import Shard

__all__ = ["FinishedShard", "ShardTask", "certified_sample", "encode_to_temporary", "make_shard"]

_TIGHTENINGS = 3  # solves of a sample whose stored residual lies above the tolerance, each with a fifth of the last one


class Cancelled(Exception):
    """Another shard failed or the user interrupted: this one is given up, with nothing left behind."""


@dataclass(frozen=True)
class ShardTask:
    """Everything that makes one shard, for this process or another one.

    Parameters
    ----------
    problem : Problem
    solver : SolverSpec
    shard : Shard
    seed : int
    dtype : str
    compression : Compression
    folder : Path
    name : str
    config, config_hash
        Written into the file.
    """

    problem: Problem
    solver: SolverSpec
    shard: Shard
    seed: int
    dtype: str
    compression: Compression
    folder: Path
    name: str
    config: Mapping[str, Any]
    config_hash: str


@dataclass(frozen=True)
class FinishedShard:
    """A shard on the disk under a temporary name, and the manifest line it will get."""

    temporary: Path
    record: ShardRecord


def make_shard(
    task: ShardTask,
    on_sample: Callable[[], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> FinishedShard:
    """Make the shard of `task` and write it under a temporary name; the caller puts it in.

    Sampling and solving run on one thread (BLAS, OpenMP), so that the bits do not depend on the number of workers.

    Raises
    ------
    InputError
        If a sample cannot be solved to the tolerance, or the disk refuses the file.
    """
    rows: list[dict[str, Any]] = []
    stacks: dict[str, np.ndarray] = {}
    described: dict[str, Field] = {}
    ahead: list[SolvedSample] = []
    with threadpool_limits(1):
        for place, index in enumerate(range(task.shard.start, task.shard.stop)):
            if cancelled is not None and cancelled():
                raise Cancelled
            if task.problem.batch > 1 and not ahead:
                ahead = _solved_together(task, range(index, min(index + task.problem.batch, task.shard.stop)))
            fields, row = certified_sample(
                task.problem, task.solver, task.seed, index, task.dtype, ahead.pop(0) if ahead else None
            )
            if not stacks:
                described = fields
                stacks = {
                    name: np.empty(
                        f.values.shape if f.role in CONSTANT else (len(task.shard), *f.values.shape), f.values.dtype
                    )
                    for name, f in fields.items()
                }
            for name, item in fields.items():
                stacks[name][... if item.role in CONSTANT else place] = item.values
            rows.append(row)
            if on_sample is not None:
                on_sample()
    began = time.perf_counter()
    encoded = _compress_outputs(task, described, stacks, rows) if task.compression.lossy else {}
    provenance = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    contents = ShardContents(
        name=task.name,
        fields={name: replace(described[name], values=stacks[name]) for name in described},
        axes=task.problem.axes,
        boundary=task.problem.boundary,
        config=task.config,
        config_hash=task.config_hash,
        split=task.shard.split,
        start=task.shard.start,
        provenance=provenance,
        scalars=task.problem.scalars(),
        axis_names=task.problem.axis_names,
        masks=task.problem.boundary_masks,
        times=task.problem.times,
        encoded=encoded,
    )
    temporary, record = encode_to_temporary(contents, task.folder, task.shard, task.compression)
    record.seed = task.seed
    record.residual_max = float(provenance["residual"].max())
    record.iterations_mean = float(provenance["iterations"].mean())
    record.seconds = {
        "sampling": float(provenance["seconds_sampling"].sum()),
        "solving": float(provenance["seconds_solving"].sum()),
        "writing": float(time.perf_counter() - began + provenance["seconds_hashing"].sum()),
    }
    return FinishedShard(temporary, record)


def encode_to_temporary(
    contents: ShardContents, folder: Path, shard: Shard, compression: Compression
) -> tuple[Path, ShardRecord]:
    """Encode, hash and write a shard beside its final place; the record still lacks what only a solver knows."""
    content = encode_shard(contents, compression)
    target = folder / shard.path(contents.name)
    record = ShardRecord(
        file=shard.path(contents.name),
        split=shard.split,
        start=shard.start,
        stop=shard.stop,
        config=contents.config_hash,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        digest=combined_digest(bytes(d) for d in contents.provenance["digest"]),
    )
    with storage_errors(target):
        return write_temporary(content, target), record


class SolvedSample(NamedTuple):
    """A sample that was solved together with others: its parameters, its result, and its share of the seconds."""

    parameters: dict[str, Any]
    result: SolveResult
    sampling: float
    solving: float


def _solved_together(task: ShardTask, indices: range) -> list[SolvedSample]:
    began = time.perf_counter()
    drawn = [task.problem.sample(sample_generator(task.seed, task.problem.name, index)) for index in indices]
    sampled = time.perf_counter()
    try:
        results = task.problem.solve_many(drawn, task.solver)
    except InputError:
        return []  # each by itself: the error then names its sample
    solved = time.perf_counter()
    shares = (sampled - began) / len(drawn), (solved - sampled) / len(drawn)
    return [SolvedSample(parameters, result, *shares) for parameters, result in zip(drawn, results, strict=True)]


def certified_sample(
    problem: Problem, solver: SolverSpec, seed: int, index: int, dtype: str, ahead: SolvedSample | None = None
) -> tuple[dict[str, Field], dict[str, Any]]:
    """One sample: its fields as they will be stored, and its row of provenance.

    `ahead` holds the sample where it was solved together with others. The residual is recomputed from the arrays
    themselves, not taken from the solver. Where it lies above the tolerance although the solver was content, the sample
    is solved again with a tighter one.

    Returns
    -------
    fields : dict of Field
        Values in `dtype`.
    row : dict
        ``residual``: of the float64 fields; ``residual_stored``: of the fields as stored (the same number unless
        `dtype` is float32); ``rounding``: the bound on what rounding to `dtype` may have added.

    Raises
    ------
    InputError
        Naming the sample, the solver's status, and what to do.
    """
    began = time.perf_counter()
    parameters = ahead.parameters if ahead else problem.sample(sample_generator(seed, problem.name, index))
    sampled = time.perf_counter()
    tolerance, target, x0 = solver.rtol, solver.rtol, None
    iterations = matvecs = 0
    for attempt in range(_TIGHTENINGS):
        try:
            first = ahead.result if ahead and attempt == 0 else None
            result = first or problem.solve(parameters, solver, x0=x0, rtol=target)
        except InputError as error:
            raise InputError(f"sample {index} of {problem.name}: {error}") from None
        iterations += result.iterations
        matvecs += result.matvecs
        exact = problem.fields(parameters, result.x)
        residual = problem.residual({name: item.values for name, item in exact.items()})
        if residual <= tolerance or not result.converged:
            break
        x0, target = result.x, target / 5.0
    if not residual <= tolerance:
        raise InputError(
            f"sample {index} of {problem.name}: {solver.name} ended '{result.status.value}' after {iterations} "
            f"iterations with relative residual {residual:.2e}, above rtol={tolerance:.2e}. {result.message}"
        )
    stored = {name: replace(item, values=_stored(item, dtype)) for name, item in exact.items()}
    arrays = {name: item.values for name, item in stored.items()}
    residual_stored, rounding = residual, 0.0
    if dtype != "float64":
        residual_stored, rounding = problem.residual(arrays), problem.rounding(arrays, dtype)
        if not residual_stored <= residual + rounding:
            raise InputError(
                f"sample {index} of {problem.name}: rounding to {dtype} raised the residual to {residual_stored:.2e}, "
                f"above the bound {residual + rounding:.2e}: use dtype=float64"
            )
    certificate = problem.certificate(arrays)
    solved = time.perf_counter()
    row = {
        "index": index,
        "seed": np.array(sample_entropy(seed, problem.name, index), dtype=np.uint64),
        "status": np.bytes_(result.status.value),
        "iterations": iterations,
        "matvecs": matvecs,
        "residual": residual,
        "residual_stored": residual_stored,
        "rounding": rounding,
        **certificate,
        **_moments(arrays, stored),
        "digest": np.frombuffer(sample_digest(arrays), dtype=np.uint8),
        "seconds_sampling": sampled - began + (ahead.sampling if ahead else 0.0),
        "seconds_solving": solved - sampled + (ahead.solving if ahead else 0.0),
        "seconds_hashing": time.perf_counter() - solved,
    }
    return stored, row


def _compress_outputs(
    task: ShardTask, described: Mapping[str, Field], stacks: dict[str, np.ndarray], rows: list[dict[str, Any]]
) -> dict[str, EncodedField]:
    """Compress the outputs within the error bound, put what they decode to in `stacks`, and certify that anew.

    Raises
    ------
    InputError
        If a residual rises above the bound on what the error can add.
    """
    outputs = [name for name, item in described.items() if item.role == "output"]
    encoded = {name: encode_field(stacks[name], task.compression) for name in outputs}
    stacks.update({name: field.values for name, field in encoded.items()})
    for place, row in enumerate(rows):
        arrays = {n: stacks[n] if item.role in CONSTANT else stacks[n][place] for n, item in described.items()}
        rounding = 0.0 if task.dtype == "float64" else task.problem.rounding(arrays, task.dtype)
        row["rounding"] = rounding + residual_floor(task.problem, arrays, outputs, task.compression)
        row["residual_stored"] = task.problem.residual(arrays)
        row["digest"] = np.frombuffer(sample_digest(arrays), dtype=np.uint8)
        row |= _moments(arrays, described)
        if not row["residual_stored"] <= row["residual"] + row["rounding"]:
            raise InputError(
                f"sample {row['index']} of {task.problem.name}: compression raised the residual to "
                f"{row['residual_stored']:.2e}, above the bound {row['residual'] + row['rounding']:.2e}: use a smaller "
                "error_bound, or compression=gzip"
            )
    return encoded


def _moments(arrays: Mapping[str, np.ndarray], described: Mapping[str, Field]) -> dict[str, Any]:
    """What the statistics want of each sample; of trajectories they read the files, for their steps."""
    if any(item.time_varying for item in described.values()):
        return {}
    return {f"moments_{n}": sample_moments(values) for n, values in arrays.items() if described[n].role != "mesh"}


def _stored(item: Field, dtype: str) -> np.ndarray:
    if item.role == "mesh":
        return np.ascontiguousarray(item.values)
    with np.errstate(over="raise"):
        try:
            return np.ascontiguousarray(item.values, dtype=dtype)
        except FloatingPointError:
            raise InputError(f"a field is too large for {dtype}: use dtype=float64") from None
