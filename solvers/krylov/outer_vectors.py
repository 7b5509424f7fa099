"""Hold the vectors that augment the Krylov spaces of LGMRES, given by the user and handed back in the same list."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from ..iteration import Column
from ..operands import read_vectors


class OuterVectors:
    """Hold pairs (v, A v), the oldest first, as SciPy's `lgmres` keeps them in ``outer_v``.

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
