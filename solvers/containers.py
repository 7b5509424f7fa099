"""Refuse containers of numbers whose entries are not what they show: masked arrays, tables, damaged sparse matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from .errors import InputError


def refuse_masked(values: Any, name: str) -> None:
    """Refuse a masked array: what lies behind its mask is an arbitrary number.

    Raises
    ------
    InputError
        Naming the operand and the fix.
    """
    if isinstance(values, list | tuple):
        masked = any(value is np.ma.masked or np.ma.isMaskedArray(value) for value in values)
    else:
        masked = np.ma.isMaskedArray(values.data if sp.issparse(values) and hasattr(values, "data") else values)
    if masked:
        raise InputError(
            f"{name} is a masked array; expected one without a mask: pass {name}.filled(value), with the value that "
            f"stands for what is masked."
        )


def advice_for(values: Any, name: str) -> str:
    """Return what to pass instead of a table of data, such as pandas', or an empty string for anything else."""
    return f": pass {name}.to_numpy()" if hasattr(values, "to_numpy") else ""


def check_sparse(A: Any, name: str) -> None:
    """Check that the index arrays of a sparse matrix of SciPy fit its shape; compiled products do not look.

    Raises
    ------
    InputError
        If an index lies outside, or the arrays do not fit together.
    """
    if not sp.issparse(A):
        return
    if A.format in ("csr", "csc", "bsr"):
        _check_compressed(A, name)
    elif A.format == "coo":
        for axis, index in enumerate(A.coords):
            if len(index) != len(A.data):
                _refuse(name, A, f"{len(index)} indices of axis {axis} for {len(A.data)} entries")
            _check_range(name, A, index, A.shape[axis])


def _check_compressed(A: Any, name: str) -> None:
    lines, width = (A.shape[1], A.shape[0]) if A.format == "csc" else A.shape
    if A.format == "bsr":
        height, breadth = A.blocksize
        lines, width = lines // height, width // breadth
    pointers, indices = A.indptr, A.indices
    if pointers.ndim != 1 or pointers.size != lines + 1:
        _refuse(name, A, f"an indptr of {pointers.size} numbers; expected {lines + 1}")
    count = int(pointers[-1])
    if int(pointers[0]) != 0 or not 0 <= count <= min(len(indices), len(A.data)):
        stored = min(len(indices), len(A.data))
        _refuse(name, A, f"an indptr from {int(pointers[0])} to {count} for {stored} entries")
    if not bool((pointers[1:] >= pointers[:-1]).all()):
        _refuse(name, A, "an indptr that falls")
    _check_range(name, A, indices[:count], width)


def _check_range(name: str, A: Any, index: np.ndarray, size: int) -> None:
    if index.dtype.kind not in "iu":
        _refuse(name, A, f"indices of dtype {index.dtype}")
    if index.size and not (int(index.min()) >= 0 and int(index.max()) < size):
        _refuse(name, A, f"indices from {int(index.min())} to {int(index.max())}; expected 0 to {size - 1}")


def _refuse(name: str, A: Any, what: str) -> None:
    raise InputError(
        f"{name} is a damaged sparse matrix: {A.format} of shape {tuple(A.shape)} with {what}: build it anew from its "
        f"entries."
    )
