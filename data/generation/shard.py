"""Make one shard: sample, solve, certify what will be stored, and write it beside its final place."""

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
from resolvent.solvers.kernels import use_level

from ..certificates.allowance import STORED_SHARE, storable
from ..format.compression import Compression
from ..format.digests import digest_of_fields, field_digest
from ..format.field import CONSTANT, Field
from ..format.folder import ShardRecord
from ..format.layout import ShardContents, StoredGrid
from ..format.shard_file import encode_to_temporary
from ..format.splits import Shard
from ..format.stored_field import FieldEncoder
from ..moments import sample_moments
from ..problems.problem import Problem, residual_floor
from ..seeding import sample_entropy, sample_generator
from ..statistics import SampleFigures
from .chains import Cancelled, Chains, ProposedSample, SolvedChain, solve_chain

# Where float64 could change the residual by a hundredth, it shows in the residual itself: below this one is safe.
_EXACT = 1e-6
_TIGHTENINGS = 3  # solves of a sample whose residual stays above the tolerance, each with a fifth of the last target


@dataclass(frozen=True)
class ShardTask:
    """Hold everything that makes one shard, for this process or another one.

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
    level : str or None
        The instruction level of the kernels, the same for all shards; None: what this process has.
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
    level: str | None = None


@dataclass(frozen=True)
class FinishedShard:
    """Hold a shard that is on the disk under a temporary name, its manifest line, and figures of its samples."""

    temporary: Path
    record: ShardRecord
    figures: SampleFigures


def make_shard(
    task: ShardTask,
    on_sample: Callable[[], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    limited: bool = False,
) -> FinishedShard:
    """Make the shard of `task` and write it under a temporary name; the caller moves it to its place.

    Sampling and solving run on one thread (BLAS, OpenMP), so that the bits do not depend on the number of workers;
    `limited` says that the caller has already limited the threads.

    Raises
    ------
    InputError
        If a sample cannot be solved to the tolerance, or the disk refuses the file.
    """
    if task.level is not None:
        use_level(task.level)
    problem, compression = task.problem, task.compression
    rows: list[dict[str, Any]] = []
    solved: list[SolvedChain] = []
    encoders: dict[str, FieldEncoder] = {}
    unchanging: Unchanging = {}
    encoding = 0.0
    with nullcontext() if limited else threadpool_limits(1):
        for index, proposal in _proposals(task, solved, cancelled):
            sample = propose(task, index, proposal)
            began = time.perf_counter()
            arrays = {}
            for name, item in sample.fields.items():
                if name not in encoders:
                    encoders[name] = FieldEncoder(item, compression)
                arrays[name] = encoders[name].add(item.values)
            certifying = time.perf_counter()
            certificate = certify(task, sample, arrays)
            hashing = time.perf_counter()
            figures = _figures(arrays, sample.fields, unchanging)
            ended = time.perf_counter()
            encoding += certifying - began
            sample.seconds["solving"] += hashing - certifying
            rows.append(provenance_row(task, sample, certificate, figures, ended - hashing))
            if on_sample is not None:
                on_sample()
    began = time.perf_counter()
    provenance = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    contents = ShardContents(
        name=task.name,
        config=task.config,
        config_hash=task.config_hash,
        split=task.shard.split,
        start=task.shard.start,
        grid=StoredGrid(problem.axes, problem.boundary, problem.axis_names, problem.boundary_masks, problem.times),
        fields={name: encoder.finish() for name, encoder in encoders.items()},
        provenance=provenance,
        scalars=problem.scalars(),
        nested_digests=True,
        chains={chain.number: json.dumps(chain.report()).encode("ascii") for chain in solved},
    )
    temporary, record = encode_to_temporary(contents, task.folder, task.shard)
    record.seed = task.seed
    record.residual_max = float(provenance["residual"].max())
    record.iterations_mean = float(provenance["iterations"].mean())
    phases = ("sampling", "analysis", "ordering", "solving") if solved else ("sampling", "solving")
    record.seconds = {phase: float(provenance[f"seconds_{phase}"].sum()) for phase in phases}
    record.seconds["writing"] = float(time.perf_counter() - began + encoding + provenance["seconds_hashing"].sum())
    if solved:
        record.family = _family_summary(solved, provenance["strategy"])
    return FinishedShard(temporary, record, SampleFigures.of_provenance(provenance))


def _proposals(
    task: ShardTask, solved: list[SolvedChain], cancelled: Callable[[], bool] | None
) -> Iterator[tuple[int, ProposedSample | None]]:
    """Yield the index of each sample of a shard, with its solution where it was solved together with others.

    The chains that it is in, if any, are added to `solved`.
    """
    shard = task.shard
    if task.chains is None:
        ahead: list[ProposedSample] = []
        for index in range(shard.start, shard.stop):
            if cancelled is not None and cancelled():
                raise Cancelled
            if task.problem.batch > 1 and not ahead:
                ahead = _solved_together(task, range(index, min(index + task.problem.batch, shard.stop)))
            yield index, ahead.pop(0) if ahead else None
        return
    for number in task.chains.numbers(shard.start, shard.stop):
        chain = solve_chain(task.problem, task.solver, task.seed, task.chains, number, cancelled)
        first, end = max(chain.start, shard.start), min(chain.start + task.chains.length, shard.stop)
        for index in range(first, end):
            if cancelled is not None and cancelled():
                raise Cancelled
            yield index, chain.proposal(index, end - first)
        chain.samples.clear()  # frees the fields of samples that are encoded already
        solved.append(chain)


def _family_summary(solved: list[SolvedChain], strategies: np.ndarray) -> dict[str, Any]:
    """Return what the manifest says of a shard's chains: their number and cost, and how the samples were solved."""
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
    """Solve samples at once, if the problem can, and divide the seconds among them.

    Return nothing if one cannot be solved: each is then solved by itself, and the error names its sample.
    """
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


@dataclass(frozen=True)
class SolvedSample:
    """Hold a sample whose fields meet the tolerance in float64.

    Parameters
    ----------
    index : int
    status : str
    fields : dict of Field
        Values in the dtype that is stored.
    residual : float
        Before rounding to that dtype.
    iterations, matvecs : int
        Of all tries.
    seconds : dict of float
        By phase; certification is added to ``solving``.
    chain : int or None
        Its chain, if it was solved in one.
    strategy : str
    """

    index: int
    status: str
    fields: dict[str, Field]
    residual: float
    iterations: int
    matvecs: int
    seconds: dict[str, float]
    chain: int | None
    strategy: str


def propose(task: ShardTask, index: int, proposal: ProposedSample | None = None) -> SolvedSample:
    """Draw and solve a sample until the residual, recomputed from its float64 fields, meets the tolerance.

    A `proposal`, solved together with others, is taken if it does; else the sample is solved by itself.

    Raises
    ------
    InputError
        Naming the sample, the solver's status, and what to do.
    """
    problem, solver = task.problem, task.solver
    began = time.perf_counter()
    if proposal is None:
        parameters: Mapping[str, Any] = problem.sample(sample_generator(task.seed, problem.name, index))
        seconds = {"sampling": time.perf_counter() - began, "solving": 0.0}
    else:
        parameters, seconds = proposal.parameters, dict(proposal.seconds)
    sampled = time.perf_counter()
    iterations = matvecs = 0
    chain, strategy = (None, "independent") if proposal is None else (proposal.chain, proposal.strategy)
    solution: _Solution | None = None
    if proposal is not None:
        iterations, matvecs = proposal.result.iterations, proposal.result.matvecs
        fields, residual = _with_residual(problem, parameters, proposal.result)
        if proposal.result.converged and residual <= solver.rtol:
            solution = _Solution(proposal.result, fields, residual, 0, 0)
    if solution is None:
        solution, strategy = _solve_alone(problem, solver, parameters, index), "independent"
    stored = {name: replace(item, values=_stored(item, task.dtype)) for name, item in solution.fields.items()}
    seconds["solving"] += time.perf_counter() - sampled
    return SolvedSample(
        index=index,
        status=solution.result.status.value,
        fields=stored,
        residual=solution.residual,
        iterations=iterations + solution.iterations,
        matvecs=matvecs + solution.matvecs,
        seconds=seconds,
        chain=chain,
        strategy=strategy,
    )


def certify(task: ShardTask, sample: SolvedSample, arrays: dict[str, np.ndarray]) -> dict[str, float]:
    """Certify the numbers that a reader will see, `arrays`: they may be rounded to float32, or compressed with a loss.

    Returns
    -------
    dict of float
        ``residual``: in float64, before either; ``residual_stored``: of `arrays` (the same number if they are exact);
        ``rounding``: the bound on what rounding and compression may have added; and what else the problem certifies.

    Raises
    ------
    InputError
        If the residual rises above that bound, or the bound is so large that `verify` would refuse the sample.
    """
    problem, dtype, compression = task.problem, task.dtype, task.compression
    residual_stored, rounding = sample.residual, 0.0
    exact = dtype == "float64" and not compression.lossy
    if not exact or sample.residual > _EXACT:
        outputs = [name for name, item in sample.fields.items() if item.role == "output"]
        of_dtype = 0.0 if dtype == "float64" and not exact else problem.rounding(arrays, dtype)
        of_compression = residual_floor(problem, arrays, outputs, compression)
        cause, fix = f"rounding to {dtype}", "use dtype=float64"
        if exact:
            fix = "use coefficients of less contrast, or a coarser grid"
        elif not of_compression <= of_dtype:
            cause, fix = f"compression={compression.name}", "use a smaller error_bound, or compression=gzip"
        if not storable(of_dtype + of_compression):
            raise InputError(
                f"sample {sample.index} of {problem.name}: {cause} may change the residual by "
                f"{of_dtype + of_compression:.1e} of the right-hand side, more than the {STORED_SHARE:g} "
                f"that a certificate may forgive: {fix}"
            )
    if not exact:
        rounding = of_dtype + of_compression
        residual_stored = problem.residual(arrays)
        bound = sample.residual + rounding
        if not residual_stored <= bound:
            raise InputError(
                f"sample {sample.index} of {problem.name}: {cause} raised the residual to {residual_stored:.2e}, "
                f"above the bound {bound:.2e}: {fix}"
            )
    return {
        "residual": sample.residual,
        "residual_stored": residual_stored,
        "rounding": rounding,
        **problem.certificate(arrays),
    }


def provenance_row(
    task: ShardTask,
    sample: SolvedSample,
    certificate: Mapping[str, float],
    figures: Mapping[str, Any],
    hashing: float,
) -> dict[str, Any]:
    """Return the row of a sample in the group ``provenance``; its `figures` took `hashing` seconds."""
    row = {
        "index": sample.index,
        "seed": np.array(sample_entropy(task.seed, task.problem.name, sample.index), dtype=np.uint64),
        "status": np.bytes_(sample.status),
        "iterations": sample.iterations,
        "matvecs": sample.matvecs,
        **certificate,
        **figures,
        **{f"seconds_{phase}": value for phase, value in sample.seconds.items()},
        "seconds_hashing": hashing,
    }
    if sample.chain is not None:
        row |= {"chain": sample.chain, "strategy": np.bytes_(sample.strategy)}
    return row


@dataclass(frozen=True)
class _Solution:
    """Hold a solution, its fields, their residual, and the iterations and products of all tries."""

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


Unchanging = dict[str, tuple[np.ndarray, bytes, tuple[float, float, float]]]
"""Fields that are the same in every sample, by name: the values, their digest and their moments."""


def _figures(
    arrays: Mapping[str, np.ndarray], described: Mapping[str, Field], unchanging: Unchanging
) -> dict[str, Any]:
    """Return digest and moments of one sample. (For trajectories `statistics` reads the files instead.)"""
    digests: dict[str, bytes] = {}
    row: dict[str, Any] = {}
    steady = not any(item.time_varying for item in described.values())
    for name, values in arrays.items():
        seen = unchanging.get(name)
        if seen is not None and seen[0].dtype == values.dtype and np.array_equal(seen[0], values):
            _, digests[name], moments = seen
        else:
            digests[name] = field_digest(name, values)
            moments = sample_moments(values) if steady and described[name].role != "mesh" else (0.0, 0.0, 0.0)
            if described[name].role in CONSTANT:
                unchanging[name] = values.copy(), digests[name], moments
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
