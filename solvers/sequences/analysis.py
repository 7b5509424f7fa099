"""Find what the systems of a family have in common, before any of them is solved.

Everything is read from the assembled systems: equal matrices, diagonal scalings of one matrix (exact or near),
right-hand sides that span few dimensions, matrices that are combinations of a few (empirical interpolation), a shared
pattern, neighbours that differ little. The result decides how `solve_sequence` starts; the true residual of each
sample shows whether that was right.
"""

from __future__ import annotations

import html
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import InputError
from ..matrices.symmetry import is_hermitian
from ..operands import read_operator, read_vectors
from .empirical_interpolation import Interpolation, interpolation_of_many, spanning_columns
from .scaling import EXACT, Scaling, ScalingDetector

STRATEGIES = (
    "auto",
    "independent",
    "constant_matrix",
    "scaling",
    "superposition",
    "reduced_basis",
    "warm_start",
    "recycling",
)

NEAR = 0.02
"""Mismatch of a scaling up to which a factorisation of the reference is tried as the preconditioner."""

SLOW = 0.2
"""Median relative change of neighbouring matrices up to which a sequence varies slowly."""

_DIRECT_WORK = 5e9
"""n w², w the bandwidth after reverse Cuthill–McKee, up to which a factorisation is the preconditioner of choice: about
70 000 unknowns of a grid in the plane, 14 000 of one in space."""

_MOST_REFERENCES = 4
_LEAST_GROUP = 3
_AFFINE_TOLERANCE = 1e-12
_MOST_TERMS = 20
_MOST_SPAN = 128


@dataclass(frozen=True)
class Batch:
    """Hold the systems of a family, checked: CSR matrices of doubles (or operators), right-hand sides (n,)."""

    matrices: list[Any]
    rhs: list[np.ndarray]
    n: int
    explicit: bool
    shared_pattern: bool
    hermitian: bool

    def __len__(self) -> int:
        return len(self.matrices)

    @cached_property
    def factorable(self) -> bool:
        """Return whether factoring the first matrix is cheap: recycling cannot improve on a factorisation."""
        if not self.explicit:
            return False
        from scipy.sparse.csgraph import reverse_cuthill_mckee

        A = self.matrices[0]
        order = reverse_cuthill_mckee(sp.csr_array((np.ones(A.nnz), A.indices, A.indptr), shape=A.shape))
        place = np.empty(self.n, dtype=np.int64)
        place[order] = np.arange(self.n)
        rows = np.repeat(place, np.diff(A.indptr))
        bandwidth = float(np.abs(rows - place[A.indices]).max(initial=0))
        return self.n * bandwidth**2 <= _DIRECT_WORK

    def positive_diagonal(self) -> bool:
        """Return whether all diagonals are known and positive."""
        return self.explicit and all(bool(np.all(A.diagonal().real > 0.0)) for A in self.matrices)


@dataclass(frozen=True)
class Group:
    """Group samples whose matrices are scalings of that of one of them.

    Attributes
    ----------
    reference : int
    members : list of int
        Samples, including the reference.
    scalings : dict
        The scaling of each member.
    rank : int or None
        Dimension of the span of the transformed right-hand sides, None if it is not below the number of members.
    """

    reference: int
    members: list[int]
    scalings: dict[int, Scaling]
    rank: int | None

    @property
    def exact(self) -> bool:
        """Return whether all scalings are exact to rounding."""
        return all(scaling.exact for scaling in self.scalings.values())

    @property
    def kind(self) -> str:
        """Return 'constant', or which sides are scaled; 'near …' if the scalings are not exact."""
        kinds = {scaling.kind for scaling in self.scalings.values()} - {"constant"}
        kind = "constant" if not kinds else kinds.pop() if len(kinds) == 1 else "mixed"
        return kind if self.exact else f"near {kind}"


@dataclass(frozen=True, repr=False)
class FamilyReport:
    """Report what the systems of a family have in common, and the plan to solve them.

    It prints as a table of plain text.

    Attributes
    ----------
    samples, n : int
    shared_pattern, hermitian : bool
    groups : list of Group
        Matrices that are scalings of one another.
    rest : list of int
        The samples in no group.
    matrix_terms, rhs_terms : int or None
        Terms of an affine expansion of the matrices and right-hand sides in `rest`, None if there is no short one.
    variation : float or None
        Median of ‖A_{i+1} − A_i‖/‖A_i‖ (Frobenius) in `rest`, in the order of the samples.
    plan : dict
        The strategy of each group (keys 'group 0', …) and of the rest ('rest').
    seconds : float
        Time of the analysis.
    """

    samples: int
    n: int
    shared_pattern: bool
    hermitian: bool
    groups: list[Group]
    rest: list[int]
    matrix_terms: int | None
    rhs_terms: int | None
    variation: float | None
    plan: dict[str, str]
    seconds: float
    interpolations: tuple[Interpolation, Interpolation] | None = None

    @property
    def strategy(self) -> str:
        """Return the strategy of most samples."""
        sizes: dict[str, int] = {}
        for j, group in enumerate(self.groups):
            name = self.plan[f"group {j}"]
            sizes[name] = sizes.get(name, 0) + len(group.members)
        if self.rest:
            sizes[self.plan["rest"]] = sizes.get(self.plan["rest"], 0) + len(self.rest)
        return max(sizes, key=lambda name: sizes[name])

    def __repr__(self) -> str:
        return f"FamilyReport({self.samples} systems of {self.n} unknowns, most of them by {self.strategy})"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def __str__(self) -> str:
        pattern = "one pattern" if self.shared_pattern else "several patterns, or no entries"
        lines = [
            f"{self.samples} systems of {self.n} unknowns, {pattern}, {'' if self.hermitian else 'not '}Hermitian",
            f"{'samples':>8}  {'matrices':<16}  {'right-hand sides':<18}  plan",
        ]
        for j, group in enumerate(self.groups):
            rank = f"rank {group.rank}" if group.rank is not None else "full rank"
            plan = self.plan[f"group {j}"]
            lines.append(f"{len(group.members):>8}  {group.kind:<16}  {rank:<18}  {plan}: {_PLANS[plan]}")
        if self.rest:
            terms = "varying" if self.matrix_terms is None else f"affine, {self.matrix_terms} terms"
            rank = "varying" if self.rhs_terms is None else f"{self.rhs_terms} terms"
            plan = self.plan["rest"]
            lines.append(f"{len(self.rest):>8}  {terms:<16}  {rank:<18}  {plan}: {_PLANS[plan]}")
            if self.variation is not None:
                lines.append(f"{'':>8}  neighbours differ by {self.variation:.2g} of the matrix")
        lines.append(f"analysed in {self.seconds:.2g} s; each sample's true residual decides")
        return "\n".join(lines)


_PLANS = {
    "independent": "each by itself",
    "constant_matrix": "one factorisation, all right-hand sides at once",
    "scaling": "one factorisation, rescaled, corrected by Krylov steps where the scaling is near",
    "superposition": "one factorisation, one solve for each dimension of the right-hand sides",
    "reduced_basis": "solve the worst represented until the basis represents all",
    "warm_start": "in chains: last solution as the guess, preconditioner kept until iterations grow",
    "recycling": "in chains: recycled Krylov space, last solution as the guess, preconditioner kept",
}


def analyse(systems: Iterable[tuple[Any, Any]], *, rtol: float = 1e-8) -> FamilyReport:
    """Find what the systems of a family have in common.

    Parameters
    ----------
    systems : iterable of (A, b)
        Square sparse matrices (or dense ones, or operators) of one size, right-hand sides (n,).
    rtol : float
        The tolerance of the solves: below it right-hand sides count as dependent.

    Raises
    ------
    InputError
        If there are no systems; if one does not fit, it is named.
    """
    return analyse_batch(read_batch(systems), rtol)


def read_batch(systems: Iterable[tuple[Any, Any]]) -> Batch:
    """Check the systems and convert them to double precision; matrices that are one object stay one."""
    matrices: list[Any] = []
    rhs: list[np.ndarray] = []
    converted: dict[int, tuple[Any, Any]] = {}  # the object is kept, so that its id stays its own
    try:
        pairs = list(systems)
    except TypeError as error:
        raise InputError(f"systems is a {type(systems).__name__}; expected pairs (A, b), in a list say.") from error
    for i, pair in enumerate(pairs):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InputError(f"system {i} is a {type(pair).__name__}; expected a pair (A, b).")
        A, b = pair
        try:
            if id(A) not in converted:
                converted[id(A)] = (A, _matrix(A))
            matrix = converted[id(A)][1]
            n = int(matrix.shape[0])
            vector = read_vectors(b, n, "b")
        except InputError as error:
            raise InputError(f"system {i}: {error}") from error
        if vector.ndim != 1:
            raise InputError(f"system {i}: b has shape {vector.shape}; expected ({n},): one system for each column.")
        if matrices and n != matrices[0].shape[0]:
            raise InputError(
                f"system {i} has {n} unknowns, but system 0 has {matrices[0].shape[0]}; expected one size: "
                f"make one sequence of each."
            )
        matrices.append(matrix)
        rhs.append(np.ascontiguousarray(vector))
    if not matrices:
        raise InputError("there are no systems; expected at least one pair (A, b).")
    explicit = all(sp.issparse(A) for A in matrices)
    distinct = list({id(A): A for A in matrices}.values())
    shared = explicit and all(_same_pattern(distinct[0], A) for A in distinct[1:])
    hermitian = explicit and all(is_hermitian(A) for A in distinct)
    return Batch(matrices, rhs, int(matrices[0].shape[0]), explicit, shared, hermitian)


def analyse_batch(batch: Batch, rtol: float) -> FamilyReport:
    """Analyse systems that have been read."""
    began = time.perf_counter()
    count = len(batch)
    tolerance = max(0.3 * rtol, 1e-14)
    groups, rest = _groups(batch, tolerance)
    interpolations, variation = None, None
    if len(rest) > 1 and batch.shared_pattern:
        interpolations = affine_terms(batch, rest, min(_AFFINE_TOLERANCE, 1e-2 * rtol))
        if interpolations is not None and sum(terms.rank for terms in interpolations) > len(rest) // 2:
            interpolations = None
    if interpolations is None and len(rest) >= _LEAST_GROUP and batch.shared_pattern and batch.factorable:
        group = group_of(batch, rest[0], rest, tolerance, NEAR)
        if len(group.members) > max(_LEAST_GROUP, len(rest) // 2):
            groups.append(group)
            rest = [i for i in rest if i not in set(group.members)]
    if len(rest) > 1 and batch.shared_pattern:
        variation = _variation(batch, rest)
    plan = {}
    for j, group in enumerate(groups):
        if group.rank is not None:
            plan[f"group {j}"] = "superposition"
        else:
            plan[f"group {j}"] = "constant_matrix" if group.kind == "constant" else "scaling"
    if rest:
        if interpolations is not None:
            plan["rest"] = "reduced_basis"
        elif variation is not None and variation <= SLOW and len(rest) > 1:
            definite = batch.hermitian and batch.positive_diagonal()
            plan["rest"] = "warm_start" if definite or batch.factorable else "recycling"
        else:
            plan["rest"] = "independent"
    return FamilyReport(
        samples=count,
        n=batch.n,
        shared_pattern=batch.shared_pattern,
        hermitian=batch.hermitian,
        groups=groups,
        rest=rest,
        matrix_terms=None if interpolations is None else interpolations[0].rank,
        rhs_terms=None if interpolations is None else interpolations[1].rank,
        variation=variation,
        plan=plan,
        seconds=time.perf_counter() - began,
        interpolations=interpolations,
    )


def affine_terms(batch: Batch, samples: list[int], tolerance: float) -> tuple[Interpolation, Interpolation] | None:
    """Return affine expansions of the matrices and of the right-hand sides; None unless both are short."""
    most = min(_MOST_TERMS, max(1, len(samples) // 2))
    rhs = interpolation_of_many([batch.rhs[i] for i in samples], tolerance, most)
    if rhs is None:
        return None
    terms = interpolation_of_many([batch.matrices[i].data for i in samples], tolerance, most)
    return None if terms is None else (terms, rhs)


def rank_of(rhs: list[np.ndarray], tolerance: float) -> int | None:
    """Return the dimension of the span of the right-hand sides, to a relative error; None if it is their number."""
    most = min(_MOST_SPAN, len(rhs) - 1)
    span = spanning_columns(np.stack(rhs, axis=1), tolerance, most) if most > 0 else None
    return None if span is None else span[0].shape[1]


def group_of(batch: Batch, reference: int, samples: list[int], tolerance: float, near: float) -> Group:
    """Group the samples whose matrices are scalings of the reference's, to a mismatch of `near`."""
    A = batch.matrices[reference]
    scalings: dict[int, Scaling] = {}
    if batch.shared_pattern:
        detector = ScalingDetector(A)
        known: dict[int, Scaling | None] = {}
        for i in samples:
            key = id(batch.matrices[i])
            if key not in known:
                known[key] = detector.fit(batch.matrices[i].data, near)
            scaling = known[key]
            if scaling is not None:
                scalings[i] = scaling
    else:
        scalings = {i: Scaling("constant", None, None, 0.0) for i in samples if batch.matrices[i] is A}
    members = list(scalings)
    rank = rank_of([scalings[i].scaled_rhs(batch.rhs[i]) for i in members], tolerance)
    return Group(reference, members, scalings, rank)


def _groups(batch: Batch, tolerance: float) -> tuple[list[Group], list[int]]:
    """Group exact scalings: of the first sample, of the first that is not among them, …; small groups join the rest."""
    groups: list[Group] = []
    rest, remaining = [], list(range(len(batch)))
    for _ in range(_MOST_REFERENCES):
        if not remaining:
            break
        group = group_of(batch, remaining[0], remaining, tolerance, EXACT)
        members = set(group.members)
        if len(members) >= _LEAST_GROUP:
            groups.append(group)
        else:
            rest += group.members
        remaining = [i for i in remaining if i not in members]
    return groups, sorted(rest + remaining)


def _variation(batch: Batch, samples: list[int]) -> float:
    changes = []
    for i, j in pairwise(samples):
        before, after = batch.matrices[i].data, batch.matrices[j].data
        changes.append(float(np.linalg.norm(after - before)) / max(float(np.linalg.norm(before)), 1e-300))
    return float(np.median(changes))


def _matrix(A: Any) -> Any:
    """Return A in CSR form with sorted indices, of doubles; an operator as it is."""
    if hasattr(A, "tocsr") and not sp.issparse(A):
        A = A.tocsr()
    matrix = read_operator(A).matrix
    if matrix is None:
        return A
    matrix = sp.csr_array(matrix)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return matrix


def _same_pattern(A: Any, B: Any) -> bool:
    return np.array_equal(A.indptr, B.indptr) and np.array_equal(A.indices, B.indices)
