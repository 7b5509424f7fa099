"""Say in plain words why a matrix is singular."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ...errors import InputError
from ...kernels import Kernel
from .portrait import Compressed, Portrait

_find_unmatched_row = Kernel("find_unmatched_row", "int i32* i32* T* i32*", "int")


def has_transversal(rows: Compressed) -> bool:
    """Return whether each row has an entry other than zero in a column of its own: else A is singular, whatever its
    entries.

    SuperLU must not be given a matrix without: it may write outside its arrays, and end the process.
    """
    return int(_find_unmatched_row(rows.n, *rows, np.empty(7 * rows.n, dtype=np.int32))) < 0


def refuse_empty(facts: Portrait) -> None:
    """Refuse a matrix with a row or column of zeros.

    Raises
    ------
    InputError
        Naming the first.
    """
    for what, index in (("row", facts.empty_row), ("column", facts.empty_column)):
        if index >= 0:
            raise InputError(_refusal("singular", f"{what} {index} holds no entry other than zero"))


def exactly_singular(matrix: sp.csr_array) -> InputError:
    """Return what to raise when a pivot is exactly zero: it tells the structural rank if that explains it."""
    from scipy.sparse.csgraph import maximum_bipartite_matching

    pattern = matrix.copy()
    pattern.eliminate_zeros()
    matched = maximum_bipartite_matching(pattern, perm_type="column")
    missing = int((matched < 0).sum())
    if missing:
        row = int((matched < 0).argmax())
        rank = f"structural rank {matrix.shape[0] - missing} of {matrix.shape[0]}: no pivot is left for row {row}"
        return InputError(_refusal("singular", rank))
    return InputError(_refusal("singular to working precision", "a pivot is exactly zero"))


def unstable(backward_error: float) -> InputError:
    """Return what to raise when the factors solve no system near the given one."""
    return InputError(
        _refusal("singular to working precision", f"a solve leaves a backward error of {backward_error:.2g}")
    )


def _refusal(what: str, sign: str) -> str:
    return (
        f"direct: A is {what} ({sign}); fix the null space (pin an unknown, or add a small multiple of I), or use an "
        f"iteration without direct: minres or gmres."
    )
