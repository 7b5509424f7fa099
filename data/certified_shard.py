"""Making one shard: sample, solve, certify what will be stored, and write it beside its final place."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from resolvent.solvers import InputError, SolveResult

from .atomic_files import storage_errors, write_temporary
from .chains import Cancelled, Chains, ProposedSample, SolvedChain, solve_chain
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
    chains : Chains or None
        How samples are solved together; None: each by itself.
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
    chains: Chains | None = None


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
    solved: list[SolvedChain] = []
    with threadpool_limits(1):
        for place, (fields, row) in enumerate(_samples(task, solved, cancelled)):
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
        chains={chain.number: json.dumps(chain.report()).encode("ascii") for chain in solved},
    )
    temporary, record = encode_to_temporary(contents, task.folder, task.shard, task.compression)
    record.seed = task.seed
    record.residual_max = float(provenance["residual"].max())
    record.iterations_mean = float(provenance["iterations"].mean())
    phases = ("sampling", "analysis", "ordering", "solving") if solved else ("sampling", "solving")
    record.seconds = {phase: float(provenance[f"seconds_{phase}"].sum()) for phase in phases}
    record.seconds["writing"] = float(time.perf_counter() - began + provenance["seconds_hashing"].sum())
    if solved:
        record.family = _family_summary(solved, provenance["strategy"])
    return FinishedShard(temporary, record)


def _samples(
    task: ShardTask, solved: list[SolvedChain], cancelled: Callable[[], bool] | None
) -> Iterator[tuple[dict[str, Field], dict[str, Any]]]:
    """The samples of a shard in order, certified; the chains they are of, if any, are added to `solved`."""
    problem, solver, seed, shard = task.problem, task.solver, task.seed, task.shard
    if task.chains is None:
        for index in range(shard.start, shard.stop):
            if cancelled is not None and cancelled():
                raise Cancelled
            yield certified_sample(problem, solver, seed, index, task.dtype)
        return
    for number in task.chains.numbers(shard.start, shard.stop):
        chain = solve_chain(problem, solver, seed, task.chains, number, cancelled)
        first, end = max(chain.start, shard.start), min(chain.start + task.chains.length, shard.stop)
        for index in range(first, end):
            if cancelled is not None and cancelled():
                raise Cancelled
            yield certified_sample(problem, solver, seed, index, task.dtype, chain.proposal(index, end - first))
        chain.samples.clear()  # fields of samples that are written already
        solved.append(chain)


def _family_summary(solved: list[SolvedChain], strategies: np.ndarray) -> dict[str, Any]:
    """What the manifest says of a shard's chains: how many, what they cost, and how each stored sample was solved."""
    names, counts = np.unique(strategies, return_counts=True)
    sums = ("full_solves", "corrections", "reconstructed", "set_ups", "refreshes", "iterations", "matvecs")
    return {
        "chains": len(solved),
        "outside": sum(sum(chain.plan.values()) for chain in solved) - len(strategies),
        **{key: sum(int(chain.ledger[key]) for chain in solved) for key in sums},
        "plan": {str(n, "ascii"): int(c) for n, c in zip(names, counts, strict=True)},
        "found": None if solved[0].found is None else f"chain {solved[0].number}: {solved[0].found}",
    }


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


def certified_sample(
    problem: Problem,
    solver: SolverSpec,
    seed: int,
    index: int,
    dtype: str,
    proposed: ProposedSample | None = None,
) -> tuple[dict[str, Field], dict[str, Any]]:
    """One sample: its fields as they will be stored, and its row of provenance.

    The residual is recomputed from the arrays themselves, not taken from the solver. Where it lies above the tolerance
    although the solver was content, the sample is solved again with a tighter one. What a chain proposes is stored if
    it meets the tolerance; else the sample is solved by itself.

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
    parameters = (
        problem.sample(sample_generator(seed, problem.name, index)) if proposed is None else proposed.parameters
    )
    sampled = time.perf_counter()
    before = {"sampling": sampled - began, "solving": 0.0} if proposed is None else dict(proposed.seconds)
    iterations = matvecs = 0
    solution: _Solution | None = None
    if proposed is not None:
        iterations, matvecs = proposed.result.iterations, proposed.result.matvecs
        exact, residual = _with_residual(problem, parameters, proposed.result)
        if proposed.result.converged and residual <= solver.rtol:
            solution = _Solution(proposed.result, exact, residual, 0, 0)
    kept = solution is not None
    if solution is None:
        solution = _solve_alone(problem, solver, parameters, index)
    result, exact, residual = solution.result, solution.fields, solution.residual
    iterations, matvecs = iterations + solution.iterations, matvecs + solution.matvecs
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
        **{f"seconds_{phase}": value for phase, value in before.items()},
        "seconds_solving": before["solving"] + solved - sampled,
        "seconds_hashing": time.perf_counter() - solved,
    }
    if proposed is not None:
        row |= {"chain": proposed.chain, "strategy": np.bytes_(proposed.strategy if kept else "independent")}
    return stored, row


@dataclass(frozen=True)
class _Solution:
    """A solution, the fields it makes, their residual, and the iterations and products of all tries."""

    result: SolveResult
    fields: dict[str, Field]
    residual: float
    iterations: int
    matvecs: int


def _solve_alone(problem: Problem, solver: SolverSpec, parameters: Mapping[str, Any], index: int) -> _Solution:
    """Solve until the fields meet the tolerance.

    Raises
    ------
    InputError
        If they do not, naming the sample.
    """
    tolerance, target, x0 = solver.rtol, solver.rtol, None
    iterations = matvecs = 0
    for _ in range(_TIGHTENINGS):
        try:
            result = problem.solve(parameters, solver, x0=x0, rtol=target)
        except InputError as error:
            raise InputError(f"sample {index} of {problem.name}: {error}") from None
        iterations += result.iterations
        matvecs += result.matvecs
        exact, residual = _with_residual(problem, parameters, result)
        if residual <= tolerance or not result.converged:
            break
        x0, target = result.x, target / 5.0
    if not residual <= tolerance:
        raise InputError(
            f"sample {index} of {problem.name}: {solver.name} ended '{result.status.value}' after {iterations} "
            f"iterations with relative residual {residual:.2e}, above rtol={tolerance:.2e}. {result.message}"
        )
    return _Solution(result, exact, residual, iterations, matvecs)


def _with_residual(
    problem: Problem, parameters: Mapping[str, Any], result: SolveResult
) -> tuple[dict[str, Field], float]:
    fields = problem.fields(parameters, result.x)
    return fields, problem.residual({name: item.values for name, item in fields.items()})


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
