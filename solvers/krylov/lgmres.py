"""Solve by LGMRES: restarted GMRES that also minimises over the corrections of its last cycles."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

from ..arguments import check_count
from ..errors import InputError
from ..iteration import Breakdown, Column, Method, run
from ..operands import read_operator, read_vectors
from ..result import SolveResult, Status
from .arnoldi import minimal_residual_cycle


def lgmres(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[Any], Any] | None = None,
    inner_m: int = 30,
    outer_k: int = 3,
    outer_v: list[Any] | None = None,
    store_outer_Av: bool = True,
    prepend_outer_v: bool = False,
    iterations: int | None = None,
) -> SolveResult:
    """Solve A x = b by LGMRES(inner_m, outer_k), for any nonsingular A.

    A cycle minimises ‖b − A x‖₂ over M K_m(A M, r) and the last outer_k corrections x_i − x_{i−1}, which approximate
    the error that a restart forgets. The residuals of restarted GMRES often alternate between two directions; these do
    not. It costs only memory.

    Parameters
    ----------
    A : sparse or dense matrix or LinearOperator, (n, n)
        Nonsingular; real or complex. CuPy matrices work too.
    b, x0, rtol, atol
        As in `gmres`.
    maxiter : int, optional
        Cycles per column, 1000 by default. As in SciPy, the residual is looked at where a cycle begins: `info` is 0 if
        the solve converged before its last cycle, while `converged` and `status` know the last one's outcome too.
    M : preconditioner of kind 'spd' or 'linear', optional
        Approximates A⁻¹.
    callback : callable, optional
        Called as ``callback(xk)`` after each cycle.
    inner_m : int
        Krylov vectors in a cycle.
    outer_k : int
        Corrections stored; 0 is `gmres`.
    outer_v : list of (v, A v), optional
        Vectors that join the Krylov space of each cycle, such as those of an earlier, similar system; A v may be None.
        The list is changed in place: it takes the new corrections and keeps the last `outer_k`.
    store_outer_Av : bool
        Whether the new pairs of `outer_v` hold A v; for another matrix they must not.
    prepend_outer_v : bool
        Whether the vectors stand before the Krylov space instead of behind it.
    iterations : int, optional
        Directions per column, counted over all cycles: a finer limit than `maxiter`. Configurations mean these by their
        ``maxiter``.

    Returns
    -------
    SolveResult
        `stagnated`: cycles no longer lower the residual; increase `inner_m`.

    Raises
    ------
    InputError
        If an argument does not fit.

    References
    ----------
    Baker, Jessup and Manteuffel, SIAM J. Matrix Anal. Appl. 26 (2005) 962.
    """
    inner_m = check_count("lgmres", "inner_m", inner_m)
    outer_k = check_count("lgmres", "outer_k", outer_k, least=0, example=3)
    options = {"rtol": rtol, "atol": atol, "maxiter": iterations, "cycles": maxiter, "M": M, "callback": callback}
    if outer_v is None and not prepend_outer_v:
        return run(METHOD, A, b, x0, inner_m=inner_m, outer_k=outer_k, **options)
    outer = _OuterVectors([] if outer_v is None else outer_v, outer_k, store_outer_Av, read_operator(A).n)
    return run(_AUGMENTED, A, b, x0, inner_m=inner_m, outer=outer, first=prepend_outer_v, **options)


def _cycle(column: Column, x: Any, r: Any, *, inner_m: int, outer_k: int) -> Generator[float, None, None]:
    corrections: list[Any] = column.memory.setdefault("corrections", [])
    size = min(inner_m + len(corrections), column.A.n, column.budget)
    directions = column.xp.empty((size, column.A.n), dtype=column.dtype)
    before = column.xp.array(x)

    def direction(j: int, v: Any) -> Any:
        directions[j] = column.M(v) if j < inner_m else corrections[j - inner_m]
        return directions[j]

    try:
        yield from minimal_residual_cycle(column, x, r, size, direction, lambda y, basis: y @ directions[: len(basis)])
    finally:
        correction = x - before
        length = column.norm(correction)
        if outer_k and length > 0.0:
            corrections.insert(0, correction / length)
            del corrections[outer_k:]


def _augmented_cycle(
    column: Column, x: Any, r: Any, *, inner_m: int, outer: _OuterVectors, first: bool
) -> Generator[float, None, None]:
    """Run a cycle with the user's vectors and their images, before the Krylov space or behind it."""
    pairs = [] if "alone" in column.memory else outer.current(column)
    begin = 0 if first else inner_m
    size = min(inner_m + len(pairs), column.A.n, column.budget)
    size_of_r = column.norm(r)
    directions, images = column.xp.empty((2, size, column.A.n), dtype=column.dtype)

    def pair(j: int) -> tuple[Any, Any] | None:
        return pairs[j - begin] if 0 <= j - begin < len(pairs) else None

    def direction(j: int, v: Any) -> Any:
        known = pair(j)
        if known is not None:
            directions[j] = known[0]
        elif first and j == len(pairs):
            directions[j] = column.M(r / size_of_r)  # behind the vectors the Krylov space begins
        else:
            directions[j] = column.M(v)
        return directions[j]

    def product(j: int, z: Any) -> Any:
        known = pair(j)
        images[j] = column.A(z) if known is None else known[1]
        return images[j]

    def combination(y: Any, basis: Any) -> Any:
        correction = y @ directions[: len(basis)]
        length = column.norm(correction)
        if length > 0.0:
            outer.add(correction, y @ images[: len(basis)], length)
        return correction

    try:
        yield from minimal_residual_cycle(column, x, r, size, direction, combination, product)
    except Breakdown as failure:
        if failure.status is not Status.BREAKDOWN or not pairs:
            raise
        column.memory["alone"] = True  # the vectors depend on each other or on the Krylov space: go on without them


class _OuterVectors:
    """Hold pairs (v, A v) that augment the Krylov spaces, the oldest first, as SciPy keeps them in ``outer_v``.

    Parameters
    ----------
    pairs : list of (array, array or None)
        The user's list, changed in place. An image that is None is computed, once a right-hand side.
    most : int
        Pairs to keep.
    store : bool
        Whether to keep the images of new vectors.
    n : int
        Length of the vectors.

    Raises
    ------
    InputError
        If `pairs` is not a list of pairs of finite vectors of that length.
    """

    def __init__(self, pairs: Any, most: int, store: bool, n: int) -> None:
        if not isinstance(pairs, list):
            raise InputError(f"outer_v is a {type(pairs).__name__}; expected a list of pairs (v, A v or None).")
        for pair in pairs:
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise InputError(f"outer_v holds a {type(pair).__name__}; expected pairs (v, A v), or (v, None).")
        self.pairs, self.most, self.store = pairs, most, store
        self._read = [
            (read_vectors(v, n, "v of outer_v"), None if image is None else read_vectors(image, n, "A v of outer_v"))
            for v, image in pairs
        ]

    def current(self, column: Column) -> list[tuple[Any, Any]]:
        """Return the vectors with their images, in the dtype of the solve, without those that A annihilates."""
        xp, dtype = column.xp, column.dtype
        if column.A.exponent:  # the products of a scaled A are others
            self._read, self.store = [(v, None) for v, _ in self._read], False
        self._read = [(v, column.A(xp.asarray(v, dtype=dtype)) if image is None else image) for v, image in self._read]
        images = [(xp.asarray(v, dtype=dtype), xp.asarray(image, dtype=dtype)) for v, image in self._read]
        return [(v, image) for v, image in images if column.norm(image) > 0.0]

    def add(self, correction: Any, image: Any, length: float) -> None:
        """Take a correction of x, of this length, with its image as the newest pair."""
        pair = (correction / length, image / length)
        self._read.append(pair)
        self.pairs.append(pair if self.store else (pair[0], None))
        for pairs in (self._read, self.pairs):
            del pairs[: max(0, len(pairs) - self.most)]


METHOD = Method("lgmres", _cycle, accepts=("spd", "linear"), explicit=False, callback="cycle", maxiter="checked cycles")
_AUGMENTED = replace(METHOD, recurrence=_augmented_cycle)
