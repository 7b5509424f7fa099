"""Turn Runge–Kutta stages into operations on few arrays: evaluations of N are used at once and never stored.

If a combination needs an evaluation from an earlier stage, the combination is begun at that stage, in a separate array,
and finished when its last term becomes known. ETDRK4 then runs on four arrays of the size of a state (its formulas as
written take eight), and a stage touches each of them once, while the evaluation of N is still in cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from .schemes import Scheme

__all__ = ["EVALUATED", "StageProgram", "stage_program"]

EVALUATED = -1
"""The slot that stands for the last evaluation of N."""
_SCALE, _SUM, _ADD = 1, 2, 3


class StageProgram(NamedTuple):
    """Hold the operations of the stages of one step; V[0] is the state before and after it.

    Attributes
    ----------
    slots : int
        Arrays V.
    sources : ndarray of int
        The slot at which stage i evaluates N.
    first : ndarray of int
        Operations first[i] … first[i + 1] − 1 follow it, in this order.
    operations : ndarray of int, shape (count, 6)
        (1, o, a, c, ·, ·): V[o] = C[c] V[a]; (2, o, a, c, b, d): V[o] = C[c] V[a] + C[d] V[b]; (3, o, a, c, b, ·):
        V[o] = C[c] V[a] + V[b].
    coefficients : list of ndarray
        The distinct C.
    """

    slots: int
    sources: np.ndarray
    first: np.ndarray
    operations: np.ndarray
    coefficients: list[np.ndarray]


class _Value(NamedTuple):
    """Name the state before the step (number −1) or after a stage, or the evaluation of N of a stage."""

    evaluated: bool
    stage: int


def stage_program(scheme: Scheme) -> StageProgram:
    """Return the operations of a scheme, with as few arrays as this order of work allows."""
    stages, last = scheme.stages, len(scheme.stages) - 1
    holds = {0: _Value(False, -1)}
    sources: list[_Value] = []
    pending: list[list[tuple[_Value, np.ndarray]]] = []
    for i, stage in enumerate(stages):
        sources.append(holds[stage.source])
        holds[stage.target] = _Value(True, i)
        pending.append([(holds[slot], c) for slot, c in stage.terms])
        holds[stage.out] = _Value(False, i)
    coefficients: list[np.ndarray] = []
    operations: list[tuple[int, ...]] = []
    place = {_Value(False, -1): 0}  # where states lie, finished or begun
    where: list[int] = []
    first = [0]

    def alive(value: _Value, stage: int) -> bool:
        """Return whether a value is still to be finished, evaluated or combined after `stage`."""
        return value.stage >= stage or value in sources[stage + 1 :] or any(value == v for w in pending for v, _ in w)

    def number(c: np.ndarray) -> int:
        for k, each in enumerate(coefficients):
            if np.array_equal(each, c):
                return k
        coefficients.append(c)
        return len(coefficients) - 1

    def slot_of(value: _Value) -> int:
        return EVALUATED if value.evaluated else place[value]

    def emit(i: int, k: int) -> None:
        """Emit, in stage i, the terms known so far of the state after stage k."""
        ready = [v for v, _ in pending[k] if v == _Value(True, i) or (v in place and v.stage <= i)]
        terms = [(v, c) for v, c in pending[k] if v in ready]
        pending[k] = [(v, c) for v, c in pending[k] if v not in ready]
        state = _Value(False, k)
        partial = place.get(state)
        taken = {place[v] for v in place if v != state and alive(v, i)}
        if k == last and 0 not in taken:
            target = 0
        elif partial is not None:
            target = partial
        else:
            target = next(s for s in range(1, 2 * len(stages) + 2) if s not in taken)
        terms.sort(key=lambda term: slot_of(term[0]) != target)  # the array to be overwritten is read first
        rows = [(slot_of(v), number(c)) for v, c in terms]
        if partial is None and len(rows) > 1:
            operations.append((_SUM, target, *rows[0], *rows[1]))
            rows = rows[2:]
        elif partial is None:
            operations.append((_SCALE, target, *rows[0], 0, 0))
            rows = []
        for row in rows:
            operations.append((_ADD, target, *row, target if partial is None else partial, 0))
            partial = target
        for value in [v for v in place if v != state and place[v] == target]:
            del place[value]
        place[state] = target

    for i in range(len(stages)):
        where.append(place[sources[i]])
        for k in range(i, len(stages)):
            if k == i or any(v == _Value(True, i) for v, _ in pending[k]):
                emit(i, k)
        first.append(len(operations))
    if place[_Value(False, last)] != 0:
        raise AssertionError("the state after the step must lie in slot 0")
    return StageProgram(
        1 + max(row[1] for row in operations),
        np.array(where),
        np.array(first),
        np.array(operations),
        coefficients,
    )
