"""Making one shard: sample, solve, certify what will be stored, and write it beside its final place."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from resolvent.solvers import InputError, SolveResult
from resolvent.solvers.choice.spec import SolverSpec

from ..format.chunks import deflated_chunk
from ..format.compression import Compression, EncodedField, encode_field
from ..format.digests import digest_of_fields, field_digest
from ..format.field import CONSTANT, Field
from ..format.folder import ShardRecord
from ..format.layout import ShardContents
from ..format.shard_file import encode_to_temporary
from ..format.splits import Shard
from ..moments import sample_moments
from ..problems.problem import Problem, residual_floor
from ..seeding import sample_entropy, sample_generator
from ..statistics import SampleFigures
from .chains import Cancelled, Chains, ProposedSample, SolvedChain, solve_chain

__all__ = [
    "FinishedShard",
    "ShardTask",
    "certified_sample",
    "make_shard",
]

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
    """A shard on the disk under a temporary name, the manifest line it will get, and figures of its samples."""

    temporary: Path
    record: ShardRecord
    figures: SampleFigures


def make_shard(
    task: ShardTask,
    on_sample: Callable[[], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    limited: bool = False,
) -> FinishedShard:
    """Make the shard of `task` and write it under a temporary name; the caller puts it in.

    Sampling and solving run on one thread (BLAS, OpenMP), so that the bits do not depend on the number of workers;
    `limited` says that the caller has seen to that.

    Raises
    ------
    InputError
        If a sample cannot be solved to the tolerance, or the disk refuses the file.
    """
    rows: list[dict[str, Any]] = []
    solved: list[SolvedChain] = []
    stored = _StoredFields(len(task.shard), task.compression.name == "gzip")
    encoding = 0.0
    with nullcontext() if limited else threadpool_limits(1):
        for place, (fields, row) in enumerate(_samples(task, solved, cancelled)):
            began = time.perf_counter()
            stored.add(place, fields)
            encoding += time.perf_counter() - began
            rows.append(row)
            if on_sample is not None:
                on_sample()
    began = time.perf_counter()
    described, stacks = stored.described, stored.stacks
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
        chunks=stored.chunks,
        nested_digests=True,
        chains={chain.number: json.dumps(chain.report()).encode("ascii") for chain in solved},
    )
    temporary, record = encode_to_temporary(contents, task.folder, task.shard, task.compression)
    record.seed = task.seed
    record.residual_max = float(provenance["residual"].max())
    record.iterations_mean = float(provenance["iterations"].mean())
    phases = ("sampling", "analysis", "ordering", "solving") if solved else ("sampling", "solving")
    record.seconds = {phase: float(provenance[f"seconds_{phase}"].sum()) for phase in phases}
    record.seconds["writing"] = float(time.perf_counter() - began + encoding + provenance["seconds_hashing"].sum())
    if solved:
        record.family = _family_summary(solved, provenance["strategy"])
    return FinishedShard(temporary, record, SampleFigures.of_provenance(provenance))


class _StoredFields:
    """The fields of a shard, as they come: arrays, or with `deflate` the chunks of what varies, which are smaller.

    A sample is encoded while its numbers are still in the cache.
    """

    def __init__(self, count: int, deflate: bool) -> None:
        self.count, self.deflate = count, deflate
        self.described: dict[str, Field] = {}
        self.stacks: dict[str, np.ndarray] = {}
        self.chunks: dict[str, list[bytearray]] = {}

    def add(self, place: int, fields: Mapping[str, Field]) -> None:
        """Take the fields of one sample in."""
        for name, item in fields.items():
            values = item.values
            if not self.described.get(name):
                self.described[name] = item
                self._make_room(name, item)
                if item.role in CONSTANT:
                    self.stacks[name][...] = values
            if name in self.chunks:
                self.chunks[name].append(deflated_chunk(values))
            elif item.role not in CONSTANT:
                self.stacks[name][place] = values

    def _make_room(self, name: str, item: Field) -> None:
        values = item.values
        if item.role in CONSTANT:
            self.stacks[name] = np.empty_like(values)
        elif self.deflate and values.size:
            self.chunks[name] = []
            self.stacks[name] = np.broadcast_to(np.zeros((), values.dtype), (self.count, *values.shape))
        else:
            self.stacks[name] = np.empty((self.count, *values.shape), values.dtype)


def _samples(
    task: ShardTask, solved: list[SolvedChain], cancelled: Callable[[], bool] | None
) -> Iterator[tuple[dict[str, Field], dict[str, Any]]]:
    """The samples of a shard in order, certified; the chains they are of, if any, are added to `solved`."""
    problem, solver, seed, shard = task.problem, task.solver, task.seed, task.shard
    constants: Constants = {}
    if task.chains is None:
        ahead: list[ProposedSample] = []
        for index in range(shard.start, shard.stop):
            if cancelled is not None and cancelled():
                raise Cancelled
            if problem.batch > 1 and not ahead:
                ahead = _solved_together(task, range(index, min(index + problem.batch, shard.stop)))
            proposed = ahead.pop(0) if ahead else None
            yield certified_sample(problem, solver, seed, index, task.dtype, constants, proposed)
        return
    for number in task.chains.numbers(shard.start, shard.stop):
        chain = solve_chain(problem, solver, seed, task.chains, number, cancelled)
        first, end = max(chain.start, shard.start), min(chain.start + task.chains.length, shard.stop)
        for index in range(first, end):
            if cancelled is not None and cancelled():
                raise Cancelled
            proposed = chain.proposal(index, end - first)
            yield certified_sample(problem, solver, seed, index, task.dtype, constants, proposed)
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


def _solved_together(task: ShardTask, indices: range) -> list[ProposedSample]:
    """Samples that the problem solves at once, with each one's share of the seconds; none where one cannot be solved:
    each by itself, the error then names its sample."""
    began = time.perf_counter()
    drawn = [task.problem.sample(sample_generator(task.seed, task.problem.name, index)) for index in indices]
    sampled = time.perf_counter()
    try:
        results = task.problem.solve_many(drawn, task.solver)
    except InputError:
        return []
    solved = time.perf_counter()
    seconds = {"sampling": (sampled - began) / len(drawn), "solving": (solved - sampled) / len(drawn)}
    return [
        ProposedSample(None, "independent", parameters, result, seconds)
        for parameters, result in zip(drawn, results, strict=True)
    ]


def certified_sample(
    problem: Problem,
    solver: SolverSpec,
    seed: int,
    index: int,
    dtype: str,
    constants: Constants | None = None,
    proposed: ProposedSample | None = None,
) -> tuple[dict[str, Field], dict[str, Any]]:
    """One sample: its fields as they will be stored, and its row of provenance.

    The residual is recomputed from the arrays themselves, not taken from the solver. Where it lies above the tolerance
    although the solver was content, the sample is solved again with a tighter one. `constants` keeps, from sample to
    sample, the figures of what does not vary. What was solved together with others is stored if it meets the tolerance;
    else the sample is solved by itself.

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
        **_figures(arrays, stored, {} if constants is None else constants),
        **{f"seconds_{phase}": value for phase, value in before.items()},
        "seconds_solving": before["solving"] + solved - sampled,
        "seconds_hashing": time.perf_counter() - solved,
    }
    if proposed is not None and proposed.chain is not None:
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
    constants: Constants = {}
    stacks.update({name: field.values for name, field in encoded.items()})
    for place, row in enumerate(rows):
        arrays = {n: stacks[n] if item.role in CONSTANT else stacks[n][place] for n, item in described.items()}
        rounding = 0.0 if task.dtype == "float64" else task.problem.rounding(arrays, task.dtype)
        row["rounding"] = rounding + residual_floor(task.problem, arrays, outputs, task.compression)
        row["residual_stored"] = task.problem.residual(arrays)
        row |= _figures(arrays, described, constants)
        if not row["residual_stored"] <= row["residual"] + row["rounding"]:
            raise InputError(
                f"sample {row['index']} of {task.problem.name}: compression raised the residual to "
                f"{row['residual_stored']:.2e}, above the bound {row['residual'] + row['rounding']:.2e}: use a smaller "
                "error_bound, or compression=gzip"
            )
    return encoded


Constants = dict[str, tuple[np.ndarray, bytes, tuple[float, float, float]]]
"""By name a field that does not vary, as last seen, its digest and its moments."""


def _figures(arrays: Mapping[str, np.ndarray], described: Mapping[str, Field], constants: Constants) -> dict[str, Any]:
    """The sample's digest, and what the statistics want of it; of trajectories they read the files, for their steps."""
    digests: dict[str, bytes] = {}
    row: dict[str, Any] = {}
    steady = not any(item.time_varying for item in described.values())
    for name, values in arrays.items():
        seen = constants.get(name)
        if seen is not None and seen[0].dtype == values.dtype and np.array_equal(seen[0], values):
            _, digests[name], moments = seen
        else:
            wanted = steady and described[name].role != "mesh"
            digests[name] = field_digest(name, values)
            moments = sample_moments(values) if wanted else (0.0, 0.0, 0.0)
            if described[name].role in CONSTANT:
                constants[name] = values.copy(), digests[name], moments
        if steady and described[name].role != "mesh":
            row[f"moments_{name}"] = moments
    return {**row, "digest": np.frombuffer(digest_of_fields(digests), dtype=np.uint8)}


def _stored(item: Field, dtype: str) -> np.ndarray:
    if item.role == "mesh":
        return np.ascontiguousarray(item.values)
    with np.errstate(over="raise"):
        try:
            return np.ascontiguousarray(item.values, dtype=dtype)
        except FloatingPointError:
            raise InputError(f"a field is too large for {dtype}: use dtype=float64") from None
