"""Carry a space of directions from one solve to the next: it is an explicit object, never hidden state.

A recycling solver takes ``space=`` (None at first) and hands the next one back as ``result.space``::

    space = None
    for A, b in systems:
        result = gcrodr(A, b, M=M, space=space)
        space = result.space

For a new matrix the images A U are computed anew and orthonormalised, A U = C with Cᴴ C = I; directions whose images
depend on the others are dropped. The first of these products is with a fixed random combination of the directions: if
it agrees with the stored image, A has not changed on the space, and no other product is needed. The result's ledger
counts all products and applications.

When a space is dropped: a solve without a space records its products per decade by which the residual fell. A later
solve from a space that descends from it has a strike if it takes more products per decade, set-up included. After two
strikes in a row the space is dropped: `result.space` is None, and the next solve starts without one.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..iteration import Column, Method, run
from ..operands import on_host, read_vectors
from ..result import SolveResult

_DEPENDENT = 1e-10
"""A direction is dropped if less than this share of its image is new."""

_UNCHANGED = 1e-12
"""‖A u − c‖, ‖c‖ = 1, up to which the stored image c is taken for that of the current matrix."""

_STRIKES = 2
_LEAST_DECADES = 0.5


@dataclass(frozen=True, eq=False, repr=False)
class RecycleSpace:
    """Hold directions for the next solve, with their images under the last matrix.

    It is immutable: arrays are read-only. `from_vectors` makes one from known directions.

    Attributes
    ----------
    directions, images : array, (k, n)
        U and C in rows: A U = C, Cᴴ C = I. `images` is None before the first solve.
    preimages : array, (k, n), or None
        T with M T = U, for the last preconditioner; None if T = U.
    products_per_decade : float or None
        Products per decade of the solve without a space from which this space descends.
    strikes : int
        Solves in a row to which the space was no help.
    """

    directions: Any
    images: Any = None
    preimages: Any = None
    products_per_decade: float | None = None
    strikes: int = 0

    def __post_init__(self) -> None:
        for name in ("directions", "images", "preimages"):
            array = getattr(self, name)
            if isinstance(array, np.ndarray):
                array = array.view()
                array.flags.writeable = False
                object.__setattr__(self, name, array)

    def __repr__(self) -> str:
        images = "" if self.images is None else ", with images"
        return f"RecycleSpace({self.k} directions of length {self.n}{images}, {self.strikes} strikes)"

    @classmethod
    def from_vectors(cls, vectors: Any) -> RecycleSpace:
        """Make a space from the columns of an (n, k) array, such as known slow modes, or from one vector (n,).

        Raises
        ------
        InputError
            If these are not finite vectors.
        """
        vectors = np.array(vectors) if isinstance(vectors, list | tuple) else vectors
        shape = getattr(vectors, "shape", None)
        if not shape or len(shape) > 2:
            raise InputError(f"from_vectors got an array of shape {shape}; expected (n, k), vectors in columns.")
        rows = read_vectors(vectors, int(shape[0]), "vectors")
        rows = rows[None, :] if rows.ndim == 1 else rows.T
        return cls(rows.copy())

    @property
    def k(self) -> int:
        """Return the dimension."""
        return int(self.directions.shape[0])

    @property
    def n(self) -> int:
        """Return the length of the vectors."""
        return int(self.directions.shape[1])

    @property
    def U(self) -> Any:
        """Return the directions in columns, (n, k)."""
        return self.directions.T

    @property
    def C(self) -> Any:
        """Return the images A U in columns, (n, k), orthonormal; None before the first solve."""
        return None if self.images is None else self.images.T


class Carrier:
    """Carry the space through one call: from the argument, through the recurrence, to the result.

    Attributes
    ----------
    U, C, T : array, (k, n), or None
        The space for the current matrix, after `prepare`. T is U itself without a preconditioner.
    k, most : int
        Dimension of the space to gather, and the largest one of a space to start from.
    """

    def __init__(self, solver: str, space: Any, A: Any, k: int, most: int | None = None) -> None:
        self.initial: RecycleSpace | None = _read_space(solver, space, A)
        self.k, self.most = k, most
        self.U: Any = None
        self.C: Any = None
        self.T: Any = None
        self.ready = self.scaled = False

    def prepare(self, column: Column) -> None:
        """Fit the initial space to the current matrix; later calls do nothing."""
        if self.ready:
            return
        self.ready = True
        self.scaled = column.A.exponent != 0
        if self.initial is None:
            return
        xp, n = column.xp, column.A.n
        U = _of_dtype(xp, self.initial.directions, column.dtype)
        C = self.initial.images
        T = U if self.initial.preimages is None else _of_dtype(xp, self.initial.preimages, column.dtype)
        if T.shape != U.shape or (C is not None and U.shape != C.shape):
            C, T = None, U  # a complex space for a real system was split
        C, U, T = _images(column, U, C, T)
        keep = min(C.shape[0], n - 1, self.most or n)
        if keep > 0:
            self.put(U[:keep], C[:keep], T[:keep] if column.preconditioned else None)

    def put(self, U: Any, C: Any, T: Any = None) -> None:
        """Take U, C (and T, if it differs from U) as the space for the current matrix; none if U is empty."""
        self.U, self.C, self.T = U, C, U if T is None else T
        if U.shape[0] == 0:
            self.clear()

    def clear(self) -> None:
        """Go on without a space."""
        self.U = self.C = self.T = None

    def refresh(self, column: Column) -> None:
        """Recompute the images after the recurrence has drifted away from A U = C."""
        if self.U is not None:
            T = None if self.T is self.U else self.T
            C, U, T = _images(column, self.U, None, self.U if T is None else T)
            self.put(U, C, T if column.preconditioned else None)

    def put_harvest(self, xp: Any, gathered: tuple[Any, Any] | None) -> None:
        """Take the directions and images that a `Harvest` has gathered, made orthonormal; None leaves all as it is."""
        if gathered is not None:
            directions, images = gathered
            images, directions, _ = orthonormal_images(xp, images, directions, directions)
            self.put(directions, images)

    def next_space(self, result: SolveResult) -> RecycleSpace | None:
        """Return the space for the next solve, or None if it is to be dropped (see the module's docstring)."""
        if not self.ready:
            return self.initial  # nothing was solved: b = 0, or x0 was good enough
        if self.U is None:
            return None
        columns = result.columns or (result,)
        if self.initial is None:
            columns = columns[:1]  # the others started from a space
        ends = [(float(c.residuals[0]), float(c.residual)) for c in columns]
        falls = [math.log10(a) - math.log10(b) for a, b in ends if 0.0 < b <= a < math.inf]
        decades, products = sum(falls), sum(c.matvecs for c in columns)
        rate = products / decades if decades >= _LEAST_DECADES else None
        reference, strikes = rate, 0
        if self.initial is not None:
            reference, strikes = self.initial.products_per_decade, self.initial.strikes
            if rate is not None:
                reference = reference if reference is not None else math.inf
                strikes = strikes + 1 if rate > reference else 0
                reference = reference if math.isfinite(reference) else None
        if strikes >= _STRIKES:
            return None
        images = None if self.scaled else self.C  # those of a scaled A are not those of A
        return RecycleSpace(self.U, images, None if self.T is self.U else self.T, reference, strikes)


def recycled(
    method: Method, A: Any, b: Any, x0: Any, space: Any, k: int, most: int | None = None, **options: Any
) -> SolveResult:
    """Solve by a method whose recurrence takes a `Carrier`; `space` of the result is for the next solve.

    Parameters
    ----------
    method : Method
    A, b, x0 : array
        The system and the initial guess.
    space, k, most
        The space to start from and the sizes of the `Carrier`.
    **options
        Those of `run`, and the other settings of the recurrence.
    """
    carrier = Carrier(method.name, space, A, k, most)
    result = run(method, A, b, x0, carrier=carrier, **options)
    result.space = carrier.next_space(result)
    return result


def project(xp: Any, test: Any, U: Any, C: Any, x: Any, r: Any) -> None:
    """Set x ← x + U Tᴴ r, r ← r − C Tᴴ r in place, T the test vectors in rows."""
    part = xp.conj(test @ xp.conj(r))
    x += part @ U
    r -= part @ C


def project_once(column: Column, test: Any, U: Any, C: Any, x: Any, r: Any) -> Generator[float, None, bool]:
    """Project the residual off the space, if there is one; return whether iterations are left.

    For each right-hand side the first projection is an iteration of its own.
    """
    if U is not None:
        project(column.xp, test, U, C, x, r)
        if "begun" not in column.memory:
            column.memory["begun"] = True
            column.budget -= 1
            yield column.norm(r)
    column.memory["begun"] = True
    return column.budget > 0


def _images(column: Column, U: Any, C: Any, T: Any) -> tuple[Any, Any, Any]:
    """Return (C, U, T) for the current matrix, A U = C, Cᴴ C = I; C is reused if one product shows it still holds."""
    xp, k = column.xp, U.shape[0]
    if C is not None:
        weights = np.random.default_rng(0).standard_normal(k)
        weights /= np.linalg.norm(weights)
        # The Householder reflection whose first row is ± the weights, so that the probe is one of the k products.
        reflector = weights.copy()
        reflector[0] += math.copysign(1.0, weights[0])
        reflector /= np.linalg.norm(reflector)
        v = xp.asarray(reflector, dtype=column.dtype)
        C = xp.asarray(C, dtype=column.dtype)
        U, C, T = (rows - 2.0 * v[:, None] * (v @ rows)[None, :] for rows in (U, C, T))
        probe = column.A(U[0])
        if column.norm(probe - C[0]) <= _UNCHANGED:
            return C, U, T
        rest = column.A.rows(U[1:]) if k > 1 else U[1:]
        C = xp.concat([xp.asarray(probe, dtype=column.dtype)[None, :], rest])
    else:
        C = column.A.rows(U)
    sizes = xp.sqrt(xp.sum(xp.abs(C) ** 2, axis=1))
    good = xp.asarray(np.flatnonzero(on_host(xp.isfinite(sizes) & (sizes > 0.0))))
    scale = 1.0 / sizes[good][:, None]
    return orthonormal_images(xp, xp.asarray(C[good], dtype=column.dtype) * scale, U[good] * scale, T[good] * scale)


def orthonormal_images(xp: Any, C: Any, U: Any, T: Any) -> tuple[Any, Any, Any]:
    """Return (C, U, T) with C orthonormal and the same relation to U and T, without dependent directions; empty ones
    if an image is not finite.

    Uses the QR factorisation of C and the singular values of R, which are computed on the host.
    """
    if C.shape[0] == 0:
        return C, U, T
    Q, R = xp.linalg.qr(C.T)
    if not np.isfinite(on_host(R)).all():
        return C[:0], U[:0], T[:0]
    W, sigma, Vh = np.linalg.svd(on_host(R), full_matrices=False)
    independent = sigma > _DEPENDENT * sigma[0]
    rotation, change = W[:, independent].T, (Vh[independent].conj() / sigma[independent][:, None])
    rotation, change = xp.asarray(rotation), xp.asarray(change)
    return rotation @ Q.T, change @ U, change @ T


def _of_dtype(xp: Any, rows: Any, dtype: Any) -> Any:
    """Return the rows in the dtype of the solve; for a real solve, real and imaginary parts of a complex space."""
    if rows.dtype.kind == "c" and np.dtype(dtype).kind != "c":
        rows = xp.concat([rows.real, rows.imag])
    return xp.asarray(rows, dtype=dtype)


def _read_space(solver: str, space: Any, A: Any) -> RecycleSpace | None:
    if space is None:
        return None
    if not isinstance(space, RecycleSpace):
        raise InputError(
            f"{solver}: space is a {type(space).__name__}; expected the RecycleSpace of an earlier result "
            f"(result.space), RecycleSpace.from_vectors(W), or None."
        )
    shape = (len(A),) * 2 if isinstance(A, list | tuple) else tuple(getattr(A, "shape", ()))
    arrays = [array for array in (space.directions, space.images, space.preimages) if array is not None]
    if space.directions.ndim != 2 or any(array.shape != space.directions.shape for array in arrays):
        shapes = ", ".join(str(tuple(array.shape)) for array in arrays)
        raise InputError(f"{solver}: space holds arrays of shapes {shapes}; expected equal ones, (k, n), k vectors.")
    if len(shape) == 2 and space.n != shape[0]:
        raise InputError(
            f"{solver}: space holds vectors of length {space.n}, but A has shape {tuple(shape)}; "
            f"expected the space of a system of the same size: pass space=None."
        )
    for array in arrays:
        if not np.isfinite(on_host(array)).all():
            raise InputError(f"{solver}: space holds NaN or infinite values; expected finite ones: pass space=None.")
    return dataclasses.replace(space) if space.k else None
