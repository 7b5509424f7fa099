"""Solve samples together: fixed blocks of indices, whose systems are analysed and solved as one family.

Chain c holds the samples c·length … (c + 1)·length − 1, counted over all indices whatever the splits, the shards and
the number of samples. A chain is drawn, analysed and solved as a whole, from (seed, problem, c) and the settings alone;
so sample i depends only on these and i. A shard that stores part of a chain solves the whole chain and discards the
rest: split sizes that are multiples of the length waste nothing.

What the family gives is a proposal. The certificate of each sample decides: a sample that does not meet the tolerance
is solved by itself, as it would have been without a family.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from resolvent.solvers import ORDERINGS, STRATEGIES, FamilyReport, InputError, SolveResult, solve_sequence
from resolvent.solvers.arguments import one_of, positive_integer
from resolvent.solvers.choice.spec import SolverSpec
from resolvent.solvers.linear_system import LinearSystem

from ..problems.evolution import EvolutionProblem
from ..problems.problem import Problem
from ..seeding import sample_generator

_ORDERED = ("auto", "warm_start", "recycling")  # strategies that go from one sample to the next, or may choose to
_ON_GRIDS = ("fast_poisson", "multigrid")  # preconditioners that need the operator of a box, not a matrix
_TIGHTER = 0.5  # times the tolerance: fields are certified by other arithmetic than the solver's


class Cancelled(Exception):
    """Give this shard up, with nothing left behind: another shard failed, or the user interrupted."""


@dataclass(frozen=True)
class Chains:
    """Say how samples are solved together.

    Parameters
    ----------
    strategy : str
        Of :func:`resolvent.solvers.solve_sequence`: 'auto' analyses each chain and chooses; 'constant_matrix',
        'scaling', 'superposition', 'reduced_basis', 'warm_start' and 'recycling' do as they say. With 'independent'
        each sample is solved by itself.
    length : int
        Chain c is samples c·length … (c + 1)·length − 1; its systems are held in memory. If a split ends inside a
        chain, every shard that stores part of it solves the whole chain and discards the rest.
    sort : {'none', 'greedy', 'hilbert', 'pca'}
        The order within a chain, for 'auto', 'warm_start' and 'recycling'.

    Raises
    ------
    InputError
        For unknown names, a chain of no samples, or an order where nothing is ordered.
    """

    strategy: str = "auto"
    length: int = 64
    sort: str = "none"

    def __post_init__(self) -> None:
        one_of(self.strategy, STRATEGIES, "strategy")
        object.__setattr__(self, "length", positive_integer(self.length, "chain"))
        one_of(self.sort, ORDERINGS, "sort")
        if self.sort != "none" and self.strategy not in _ORDERED:
            raise InputError(
                f"sort={self.sort} orders the samples of a chain, which strategy={self.strategy} does not have: use "
                "sort=none, or strategy=warm_start, recycling or auto"
            )

    def settings(self) -> dict[str, Any]:
        """Return them as the configuration of a dataset holds them."""
        return {"strategy": self.strategy, "chain": self.length, "sort": self.sort}

    def numbers(self, start: int, stop: int) -> range:
        """Return the numbers of the chains that samples `start` to `stop` − 1 are in."""
        return range(start // self.length, (stop - 1) // self.length + 1)

    def shard_size(self, asked: int | None, there: int | None, automatic: int) -> int:
        """Return the samples in a file: as `asked`, as in the folder, or `automatic` rounded up to whole chains.

        Raises
        ------
        InputError
            If what is asked for would cut chains.
        """
        whole = max(-(-(asked or automatic) // self.length), 1) * self.length
        if asked is not None and asked != whole:
            raise InputError(
                f"shard_size is {asked}, no multiple of chain={self.length}: use shard_size={whole}, or leave it out"
            )
        return there if asked is None and there is not None and there % self.length == 0 else whole


def read_chains(problem: Problem, strategy: str | Chains) -> Chains | None:
    """Return the chains in which samples of `problem` are solved; None if each is solved by itself.

    Raises
    ------
    InputError
        For an unknown strategy, and for problems that depend on time or are singular.
    """
    chains = strategy if isinstance(strategy, Chains) else Chains(strategy)
    if chains.strategy == "independent":
        return None
    if isinstance(problem, EvolutionProblem):
        raise InputError(
            f"strategy={chains.strategy} is for steady problems, and {problem.name} is not: use strategy=independent"
        )
    if problem.system(problem.sample(sample_generator(0, problem.name, 0))).nullspace is not None:
        raise InputError(
            f"strategy={chains.strategy} is for regular systems, and these of {problem.name} are singular: use "
            "strategy=independent, or a dirichlet side"
        )
    return chains


@dataclass(frozen=True)
class ProposedSample:
    """Hold a sample that was solved together with others, not yet certified, and its share of the seconds."""

    chain: int | None  # its number; None where the problem solves several samples at once, each as if alone
    strategy: str
    parameters: Mapping[str, Any]
    result: SolveResult
    seconds: Mapping[str, float]  # sampling, analysis, ordering, solving


@dataclass(frozen=True)
class SolvedChain:
    """Hold a chain that is solved.

    Parameters
    ----------
    number, start : int
        The chain's number; the index of its first sample.
    samples : list of ProposedSample
        Each with the seconds of the whole chain, which :meth:`proposal` divides.
    found : FamilyReport or None
        What the analysis found, if there was one.
    ledger : dict
        What it cost, see :class:`resolvent.solvers.SequenceResult`.
    plan : dict
        Samples by strategy.
    """

    number: int
    start: int
    samples: list[ProposedSample]
    found: FamilyReport | None
    ledger: dict[str, Any]
    plan: dict[str, int]

    def proposal(self, index: int, stored: int) -> ProposedSample:
        """Return sample `index`; `stored` of the chain's samples are stored and share its seconds."""
        sample = self.samples[index - self.start]
        shared = {phase: value / stored for phase, value in sample.seconds.items() if phase != "sampling"}
        return ProposedSample(
            sample.chain, sample.strategy, sample.parameters, sample.result, {**sample.seconds, **shared}
        )

    def report(self) -> dict[str, Any]:
        """Return plain JSON values: what was found, the plan, and the ledger."""
        return {"chain": self.number, "found": _plain(self.found), "plan": self.plan, "ledger": self.ledger}


def solve_chain(
    problem: Problem,
    solver: SolverSpec,
    seed: int,
    chains: Chains,
    number: int,
    cancelled: Callable[[], bool] | None = None,
) -> SolvedChain:
    """Draw and solve chain `number`.

    A strategy that solves a system in full uses `solver` and its preconditioner. Preconditioners that need the grid
    (``fast_poisson``, ``multigrid``) are replaced by the family's own choice: a factorisation if it is cheap, else
    algebraic multigrid or an incomplete factorisation. Samples that are solved by themselves use `solver` as it is, and
    have the bits that they would have without a chain.

    Raises
    ------
    InputError
        Naming the sample if one is at fault.
    """
    began = time.perf_counter()
    start = number * chains.length
    parameters: list[Mapping[str, Any]] = []
    systems: list[LinearSystem] = []
    sampling: list[float] = []
    for index in range(start, start + chains.length):
        if cancelled is not None and cancelled():
            raise Cancelled
        drawing = time.perf_counter()
        parameters.append(problem.sample(sample_generator(seed, problem.name, index)))
        sampling.append(time.perf_counter() - drawing)
        with _named(problem, index):
            systems.append(problem.system(parameters[-1]))
    alone: set[int] = set()

    def solve_alone(place: int) -> SolveResult:
        if cancelled is not None and cancelled():
            raise Cancelled
        alone.add(place)
        with _named(problem, start + place):
            return problem.solve(parameters[place], solver, rtol=solver.rtol)

    solved = solve_sequence(
        [(system.operator, system.rhs) for system in systems],
        rtol=_TIGHTER * solver.rtol,
        strategy=chains.strategy,
        chain=chains.length,
        sort=chains.sort,
        alone=solve_alone,
        **_family_solver(solver, systems[0]),
    )
    strategies = _strategies(chains.strategy, solved.report, chains.length, alone)
    ledger = solved.ledger
    seconds = {"analysis": ledger.analysis_seconds, "ordering": ledger.ordering_seconds}
    seconds["solving"] = time.perf_counter() - began - sum(sampling) - sum(seconds.values())
    samples = [
        ProposedSample(number, strategies[k], parameters[k], solved.results[k], {**seconds, "sampling": sampling[k]})
        for k in range(chains.length)
    ]
    found = None if solved.report is None else replace(solved.report, interpolations=None)
    return SolvedChain(number, start, samples, found, asdict(ledger), dict(Counter(strategies)))


class _named:
    """Put the sample's name before what goes wrong with it."""

    def __init__(self, problem: Problem, index: int) -> None:
        self.what = f"sample {index} of {problem.name}"

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, InputError):
            raise InputError(f"{self.what}: {error}") from None


def _family_solver(spec: SolverSpec, system: LinearSystem) -> dict[str, Any]:
    """Return `spec` as :func:`solve_sequence` takes it."""
    if spec.preconditioner in _ON_GRIDS:
        return {"maxiter": spec.settings.get("maxiter")}
    settings = {key: value for key, value in spec.settings.items() if key not in ("rtol", "atol", "maxiter")}
    return {
        "maxiter": spec.settings.get("maxiter"),
        "solver": spec.name,
        "solver_settings": settings,
        "preconditioner": spec.preconditioner,
        "preconditioner_settings": spec.setup_settings(system.near_nullspace),
    }


def _strategies(asked: str, report: FamilyReport | None, count: int, alone: set[int]) -> list[str]:
    """Return by what strategy each sample was solved."""
    names = [asked] * count
    if report is not None:
        for j, group in enumerate(report.groups):
            for place in group.members:
                names[place] = report.plan[f"group {j}"]
        for place in report.rest:
            names[place] = report.plan["rest"]
    return ["independent" if place in alone else name for place, name in enumerate(names)]


def _plain(found: FamilyReport | None) -> dict[str, Any] | None:
    """Return an analysis as plain JSON values."""
    if found is None:
        return None
    groups = [
        {"samples": len(group.members), "matrices": group.kind, "rank": group.rank, "plan": found.plan[f"group {j}"]}
        for j, group in enumerate(found.groups)
    ]
    rest = {
        "samples": len(found.rest),
        "matrix_terms": found.matrix_terms,
        "rhs_terms": found.rhs_terms,
        "variation": None if found.variation is None or not np.isfinite(found.variation) else found.variation,
        "plan": found.plan.get("rest"),
    }
    return {
        "unknowns": found.n,
        "shared_pattern": found.shared_pattern,
        "hermitian": found.hermitian,
        "groups": groups,
        "rest": rest if found.rest else None,
    }


def sum_of_families(families: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Add up what the shards say of their chains; what was found is that of the first. Empty without chains."""
    if not families:
        return {}
    plan: Counter[str] = Counter()
    for family in families:
        plan.update(family["plan"])
    sums = {key: sum(family[key] for family in families) for key, value in families[0].items() if type(value) is int}
    return {**sums, "plan": dict(plan), "found": families[0]["found"]}
