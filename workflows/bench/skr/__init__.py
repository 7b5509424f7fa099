"""Measure Krylov recycling for data generation (arXiv 2401.09516) on published and correct families, with baselines.

A cell holds the products with A per system (set-up of the space included) and the milliseconds of processor time per
system (preconditioner, ordering and analysis included); one thread, every residual recomputed. For the families see
`families.py`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from threadpoolctl import threadpool_limits

from resolvent.data import make_problem, sample_generator
from resolvent.solvers import (
    AMG,
    IC0,
    ILU0,
    ILUT,
    Direct,
    SequenceResult,
    SolveResult,
    cg,
    deflated_cg,
    gcrodr,
    gmres,
    is_hermitian,
    minres,
    order_features,
    recycled_minres,
    solve_sequence,
)

from ...console import say
from ..markdown import Section, write_results
from .families import SEED, Family, Systems, listed_families, matrix_of

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ...run_folder import RunFolder

RTOL = 1e-8
MAXITER = 600
DRAW = 1.1  # times that differ by less are noise
_FACTORED_TO_LOOK = 20_000  # unknowns up to which definiteness is read off pivots

RECYCLING = ("recycling, unsorted", "recycling, sorted", "recycling + warm start", "symmetric recycling")
METHODS = (
    "no recycling",
    "recycling, unsorted",
    "recycling, sorted",
    "warm start only",
    "deflated restart only",
    "recycling + warm start",
    "symmetric recycling",
    "CG + AMG, MINRES",
    "direct, reused",
)
ANALYSIS = "family analysis"


@dataclass
class Outcome:
    """Hold a method's products and ms per system, and the share that did not converge, or why it was not run."""

    products: float = 0.0
    milliseconds: float = 0.0
    failed: float = 0.0
    sorting: float = 0.0
    reason: str = ""

    def __str__(self) -> str:
        if self.reason:
            return self.reason
        mark = f" *{self.failed:.0%}" if self.failed else ""
        return f"{self.products:.0f} / {self.milliseconds:.1f}{mark}"


class NotApplicable(Exception):
    """Report that a method does not fit a family; the text goes into its cell."""


@dataclass
class Row:
    """Hold a family with its outcomes, and the plan of the analysis."""

    name: str
    published: bool
    systems: int
    unknowns: int
    outcomes: dict[str, Outcome]
    analysis: tuple[Any, ...]
    full_solves: int
    lowest: float | None


def measure(config: DictConfig, folder: RunFolder) -> int:
    """Measure and write the tables; return 0."""
    from .gcrotmk import compare_with_gcrotmk

    with threadpool_limits(1):
        warm_up()
        fills = measured_fills()
        rows = [measured(family) for family in listed_families()]
        beside = compare_with_gcrotmk()
    write(folder, rows, fills, beside)
    folder.finish(families=len(rows))
    return 0


def measured(family: Family) -> Row:
    """Run all methods on a family."""
    say(family.name)
    systems = family.build()
    first = systems.pairs[0][0]
    symmetric = is_hermitian(first)
    kind = "nonsymmetric" if not symmetric else "definite" if is_definite(first) else "indefinite"
    outcomes = {method: outcome_of(systems, method, kind, family.ilut, family.factored) for method in METHODS}
    outcomes[ANALYSIS], solved = _analysed(systems, family.ilut)
    lowest = lowest_real_part(first) if family.published else None
    size, analysis = first.shape[0], _analysis_row(family, solved)
    solves = solved.ledger.full_solves
    return Row(family.name, family.published, len(systems.pairs), size, outcomes, analysis, solves, lowest)


def write(folder: RunFolder, rows: Sequence[Row], fills: Sequence[Fill], beside: Section) -> None:
    """Write the table, the notes that follow from it, the analysis and the comparison `beside`."""
    correct = [row for row in rows if not row.published]
    verdicts = [verdict(row) for row in correct]
    counts = {word: sum(f"recycling {word}" in text for text in verdicts) for word in ("wins", "draws", "loses")}
    lost = [row.name for row, text in zip(correct, verdicts, strict=True) if "recycling loses" in text]
    winning = [row.name for row, text in zip(correct, verdicts, strict=True) if "recycling loses" not in text]
    published = [row.name for row in correct if _best_of_published(row) in RECYCLING]
    sorting = max(row.outcomes["recycling, sorted"].sorting for row in rows)
    notes = [
        f"Of {len(verdicts)} correct families recycling wins on {counts['wins']}, draws (within {DRAW - 1:.0%}) on"
        f" {counts['draws']} and loses on {counts['loses']}, in processor time against all other columns. It does not"
        f" lose on: {'; '.join(winning) or 'none'}. It loses on: {'; '.join(lost) or 'none'}.",
        "Against the published comparison alone (GMRES, warm start, deflated restarts) recycling is fastest on: "
        f"{'; '.join(published) or 'none'}.",
        *verdicts,
        f"Sorting (greedy) took at most {sorting:.1%} of the time of the sorted column.",
        *fill_notes(fills),
        "Products are exact. Times are processor time of one thread on a machine shared with other work: no claims.",
    ]
    intro = (
        f"Products with A a system / ms a system, ‖b − Ax‖ ≤ {RTOL:g} ‖b‖. The first five columns are the published"
        " comparison: GMRES(40) and GCRO-DR(40, 20) with ILU(0) set up for each system (where it says ILUT: that of"
        " the first system, kept); warm starts go in the sorted order; a deflated restart is GCRO-DR without a space"
        " handed on; recycling + warm start goes in the sorted order. Products count everything: checks of the residual"
        f" and the set-up of the space. `*`: the share of systems that did not converge within {MAXITER} iterations."
        " Symmetric recycling: deflated CG with IC(0) where positive definite, recycling MINRES without a"
        " preconditioner where indefinite; there MINRES stands in for CG with AMG. Direct: SuperLU, factors kept while"
        " the matrix stays, its order while the pattern stays. Families with `skr` are the published ones."
    )
    analysis = Section(
        "The family analysis",
        "`solve_sequence(strategy='auto')` on the same systems. Full solves are right-hand sides solved from nothing:"
        " back-substitutions with a new right-hand side and Krylov solves that reuse no solution. Factorisations count"
        " set-ups and refreshes. Corrections took 1 to 3 iterations from a guess; reconstructed samples none.",
        ("family", "samples", "found", "full solves", "factorisations", "corrections", "reconstructed", "ms a system"),
        [(*row.analysis, f"{row.outcomes[ANALYSIS].milliseconds:.1f}") for row in rows],
        published_notes([row for row in rows if row.published]),
    )
    columns = ("family", "systems", "unknowns", *METHODS, ANALYSIS)
    table = [(row.name, row.systems, row.unknowns, *map(str, row.outcomes.values())) for row in rows]
    write_results(folder, "skr", intro, columns, table, notes, (analysis, beside))


def warm_up() -> None:
    """Compile and load what the cells use, on a small family."""
    for place, kind in ((4, "definite"), (11, "nonsymmetric"), (12, "indefinite")):
        systems = listed_families(3, 3)[place].build()
        for method in METHODS:
            outcome_of(systems, method, kind, (1e-2, 10.0) if place == 11 else None)
            outcome_of(systems, method, kind)


def outcome_of(
    systems: Systems, method: str, kind: str, ilut: tuple[float, float] | None = None, factored: bool = True
) -> Outcome:
    count = len(systems.pairs)
    began = time.process_time()
    try:
        if method == "direct, reused" and not factored:
            raise NotApplicable("not factored")
        order, sorting = _order(systems, method)
        results = _solve(systems.pairs, order, method, kind, ilut)
    except NotApplicable as reason:
        return Outcome(reason=str(reason))
    spent = time.process_time() - began
    _check([systems.pairs[i] for i in order], results)
    return Outcome(
        sum(result.matvecs for result in results) / count,
        1e3 * spent / count,
        sum(not result.converged for result in results) / count,
        sorting / spent,
    )


def _order(systems: Systems, method: str) -> tuple[np.ndarray, float]:
    """Return the order in which a method solves, and the seconds that sorting took."""
    unsorted = np.arange(len(systems.pairs))
    if method not in ("recycling, sorted", "recycling + warm start", "warm start only", "symmetric recycling"):
        return unsorted, 0.0
    if systems.features is None:
        if method == "recycling, sorted":
            raise NotApplicable("in its own order")
        return unsorted, 0.0
    began = time.process_time()
    return order_features(systems.features, "greedy"), time.process_time() - began


def _solve(
    pairs: Sequence[tuple[sp.csr_array, np.ndarray]],
    order: np.ndarray,
    method: str,
    kind: str,
    ilut: tuple[float, float] | None,
) -> list[SolveResult]:
    """Solve the systems in `order` by a method."""
    definite = kind == "definite"
    if method in ("CG + AMG, MINRES", "symmetric recycling") and kind == "nonsymmetric":
        raise NotApplicable("not symmetric")
    results: list[SolveResult] = []
    space: Any = None
    M: Any = None
    previous: Any = None
    factored: Any = None
    for i in order:
        A, b = pairs[i]
        if method == "CG + AMG, MINRES":
            result = (
                cg(A, b, rtol=RTOL, maxiter=MAXITER, M=AMG.setup(A))
                if definite
                else minres(A, b, rtol=RTOL, maxiter=MAXITER)
            )
        elif method == "direct, reused":
            if M is None:
                M = Direct.setup(A)
            elif not np.array_equal(A.data, factored.data):
                M = M.update(A)
            factored = A
            result = gmres(A, b, rtol=RTOL, M=M, restart=30)
        elif method == "symmetric recycling" and definite:
            result = deflated_cg(A, b, rtol=RTOL, maxiter=MAXITER, M=IC0.setup(A), space=space)
        elif method == "symmetric recycling":
            result = recycled_minres(A, b, rtol=RTOL, maxiter=MAXITER, space=space)
        else:
            if ilut is None:
                M = ILU0.setup(A)
            elif M is None:
                M = ILUT.setup(A, drop_tolerance=ilut[0], fill=ilut[1])
            guess = previous if "warm start" in method else None
            if method in ("no recycling", "warm start only"):
                result = gmres(A, b, guess, rtol=RTOL, iterations=MAXITER, M=M, restart=40)
            else:
                recycled = None if method == "deflated restart only" else space
                result = gcrodr(A, b, guess, rtol=RTOL, iterations=MAXITER, M=M, space=recycled)
        space, previous = result.space, result.x
        results.append(result)
    return results


def _analysed(systems: Systems, ilut: tuple[float, float] | None) -> tuple[Outcome, SequenceResult]:
    settings: dict[str, Any] = {"features": systems.features, "sort": "none" if systems.features is None else "greedy"}
    if ilut is not None:
        settings |= {"preconditioner": "ilut", "preconditioner_settings": {"drop_tolerance": ilut[0], "fill": ilut[1]}}
    began = time.process_time()
    solved = solve_sequence(systems.pairs, rtol=RTOL, maxiter=MAXITER, **settings)
    spent = time.process_time() - began
    _check(systems.pairs, solved.results)
    count = len(systems.pairs)
    failed = sum(not result.converged for result in solved.results) / count
    return Outcome(solved.ledger.matvecs / count, 1e3 * spent / count, failed), solved


def _check(pairs: Sequence[tuple[Any, np.ndarray]], results: Sequence[SolveResult]) -> None:
    """Compute the residuals once more, by a product of this file."""
    for (A, b), result in zip(pairs, results, strict=True):
        true = float(np.linalg.norm(b - A @ result.x))
        if result.converged and true > 1.001 * RTOL * np.linalg.norm(b):
            raise AssertionError(f"a solve said to have converged left a residual of {true:.3g}")


def is_definite(A: sp.csr_array) -> bool:
    """Return whether a symmetric matrix is positive definite, by pivots or, if large, by Gershgorin's circles."""
    if A.shape[0] <= _FACTORED_TO_LOOK:
        return Direct.setup(A).kind == "spd"
    diagonal = A.diagonal().real
    return float((2.0 * diagonal - np.asarray(abs(A).sum(axis=1)).ravel()).min()) >= -1e-12 * float(diagonal.max())


def lowest_real_part(A: sp.csr_array) -> float:
    """Return the lowest real part among the eight eigenvalues nearest to zero, relative to the largest entry."""
    values = spla.eigs(A.tocsc(), k=8, sigma=0.0, return_eigenvectors=False, v0=np.ones(A.shape[0]))
    return float(values.real.min() / abs(A).max())


def verdict(row: Row) -> str:
    """Say whether recycling wins in time on a family, against what, and how many products reusing the space saves."""
    outcomes = row.outcomes
    recycling = [*RECYCLING, *([ANALYSIS] if "recycling" in row.analysis[2] else [])]
    usable = {name: o for name, o in outcomes.items() if not o.reason and not o.failed}
    ours = {name: o for name, o in usable.items() if name in recycling}
    rivals = {name: o for name, o in usable.items() if name not in recycling}
    if not ours or not rivals:
        return f"{row.name}: no comparison, as {'recycling' if not ours else 'everything else'} failed."
    mine = min(ours, key=lambda name: ours[name].milliseconds)
    best = min(rivals, key=lambda name: rivals[name].milliseconds)
    a, b = ours[mine].milliseconds, rivals[best].milliseconds
    word = "draws" if max(a, b) < DRAW * min(a, b) else "wins" if a < b else "loses"
    text = f"{row.name}: recycling {word}: {a:.1f} ms ({mine}) against {b:.1f} ms ({best})"
    plain, carried = outcomes["deflated restart only"], outcomes["recycling, unsorted"]
    if not (plain.failed or carried.failed):
        text += f"; handing the space on takes {plain.products:.0f} products to {carried.products:.0f}"
    if best != "direct, reused":
        direct = outcomes["direct, reused"]
        text += f"; direct: {direct.reason}" if direct.reason else f"; direct {direct.milliseconds:.1f} ms"
    failing = ", ".join(f"{name} {o.failed:.0%}" for name, o in outcomes.items() if o.failed)
    return text + (f"; unconverged: {failing}." if failing else ".")


def _analysis_row(family: Family, solved: SequenceResult) -> tuple[Any, ...]:
    report, ledger = solved.report, solved.ledger
    assert report is not None
    parts = [
        f"{len(group.members)} {group.kind}{'' if group.rank is None else f', rank {group.rank}'}: "
        + report.plan[f"group {j}"]
        for j, group in enumerate(report.groups)
    ]
    if report.rest:
        terms = (
            "varying" if report.matrix_terms is None else f"affine, {report.matrix_terms} + {report.rhs_terms} terms"
        )
        parts.append(f"{len(report.rest)} {terms}: {report.plan['rest']}")
    factored = ledger.set_ups + ledger.refreshes
    return (
        family.name, report.samples, "; ".join(parts), ledger.full_solves, factored, ledger.corrections,
        ledger.reconstructed,
    )  # fmt: skip


def published_notes(rows: Sequence[Row]) -> list[str]:
    """Say which published families take at most 25 solves, and why others cannot."""
    notes = [
        f"{row.name}: {row.full_solves} full solves for {row.systems} samples, "
        + ("within 25." if row.full_solves <= 25 else "not within 25.")
        + f" Lowest real part of an eigenvalue of the first matrix: {row.lowest:.1e} of its largest entry."
        for row in rows
    ]
    notes.append(
        "The published Darcy and Helmholtz matrices (skr) hold a band that starts two places early. That makes them"
        " indefinite (see the eigenvalues above) and no scalings of one matrix, so that no analysis of structure can"
        " serve them by a few solves; with the band in its place (skr_aligned) the scaling is there, and few do."
    )
    return notes


@dataclass(frozen=True)
class Fill:
    """Hold entries, bytes and seconds of a factorisation at a few sizes, and the power laws through the last two."""

    what: str
    sizes: tuple[int, ...]
    entries: tuple[int, ...]
    seconds: tuple[float, ...]
    bytes_an_entry: int

    def at(self, n: int) -> tuple[float, float]:
        """Return gigabytes and seconds at n³ unknowns, extrapolated."""
        step = np.log(self.sizes[-1] / self.sizes[-2])
        grown = [
            last * (n / self.sizes[-1]) ** (np.log(last / before) / step)
            for before, last in (self.entries[-2:], self.seconds[-2:])
        ]
        return float(grown[0]) * self.bytes_an_entry / 1e9, float(grown[1])


def measured_fills(sizes: tuple[int, ...] = (16, 20, 24, 28)) -> list[Fill]:
    """Factor the three-dimensional families where that is cheap."""
    fills = []
    for what, name, settings in (
        ("Helmholtz, cavity", "helmholtz", {"k0": 6.0, "boundary": "dirichlet"}),
        ("Helmholtz, absorbing", "helmholtz", {"k0": 6.0, "boundary": "absorbing"}),
        ("convection–diffusion", "convection_diffusion", {"scheme": "upwind"}),
    ):
        entries, seconds = [], []
        for n in sizes:
            problem = make_problem(name, resolution=n, dimension=3, **settings)
            system = problem.system(problem.sample(sample_generator(SEED, problem.name, 0)))
            A = matrix_of(system.operator)
            began = time.process_time()
            fill = Direct.setup(A).fill
            seconds.append(time.process_time() - began)
            assert fill is not None
            entries.append(fill)
        fills.append(Fill(what, sizes, tuple(entries), tuple(seconds), A.dtype.itemsize + 4))
    return fills


def _best_of_published(row: Row) -> str:
    """Return the fastest of the published comparison's columns in which all systems converged."""
    columns = {name: row.outcomes[name] for name in METHODS[:5]}
    usable = {name: o for name, o in columns.items() if not o.reason and not o.failed}
    return min(usable, key=lambda name: usable[name].milliseconds, default="")


def fill_notes(fills: Sequence[Fill]) -> list[str]:
    """Say what a factorisation of the large families would take."""
    notes = []
    for fill in fills:
        measured = ", ".join(f"{n}³ {e / 1e6:.2f}" for n, e in zip(fill.sizes, fill.entries, strict=True))
        grown = ", ".join(f"{n}³ {fill.at(n)[0]:.2g} GB and {fill.at(n)[1]:.2g} s" for n in (32, 64, 96, 128))
        notes.append(
            f"{fill.what} in three dimensions, SuperLU: million entries of L + U measured at {measured}; a power law"
            f" through the last two gives for one factorisation {grown} ({fill.bytes_an_entry} bytes an entry; working"
            " memory not counted)."
        )
    notes.append(
        "So at 32³ a factorisation fits in memory; it stops fitting where these figures pass what a worker has, such as"
        " 4 GB: `resolvent bench skr_large`."
    )
    return notes
