"""Order the systems of a sequence so that neighbours are alike.

Each order takes features (N, p), one row a sample (parameters, or fields flattened or reduced), and returns a
permutation of 0 … N − 1. Its quality is the path length Σ ‖f_{i+1} − f_i‖₂; its cost is in the ledger of the sequence
that uses it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import InputError

_EXACT_SVD = 512
_SKETCH = 8
_HILBERT_BITS = {1: 48, 2: 24, 3: 16}


def order_features(features: Any, sort: str = "greedy") -> np.ndarray:
    """Return the permutation of `sort`, one of `ORDERINGS`.

    Raises
    ------
    InputError
        If there is no such order, or the features are not finite numbers with one row a sample.
    """
    if sort not in ORDERINGS:
        raise InputError(f"sort is {sort!r}; expected one of {', '.join(ORDERINGS)}.")
    return ORDERINGS[sort](features)


def path_length(features: Any, order: Any) -> float:
    """Return Σ ‖f_{i+1} − f_i‖₂ along an order."""
    rows = _rows(features)[np.asarray(order, dtype=int)]
    return float(np.linalg.norm(np.diff(rows, axis=0), axis=1).sum()) if len(rows) > 1 else 0.0


def none(features: Any) -> np.ndarray:
    """Return the order of the samples as they are."""
    return np.arange(len(_rows(features)))


def greedy(features: Any, group: int = 2000) -> np.ndarray:
    """Start at the first sample, and go on to the nearest one not yet visited.

    O(N² p) by one matrix product a group of at most `group` samples, and `group`² numbers of memory. Larger sets are
    cut along their first principal coordinate into groups, each of which is entered at the sample nearest to the last
    one of the group before.

    References
    ----------
    Wang et al., *Accelerating Data Generation for Neural Operators via Krylov Subspace Recycling*, ICLR 2024
    (arXiv 2401.09516), algorithm 1.
    """
    rows = _rows(features)
    count = len(rows)
    if count <= group:
        return _nearest_neighbours(rows, np.arange(count), None)
    pieces = np.array_split(pca(rows), -(-count // group))
    visited: list[np.ndarray] = []
    for piece in pieces:
        last = None if not visited else rows[visited[-1][-1]]
        visited.append(_nearest_neighbours(rows, np.sort(piece), last))
    return np.concatenate(visited)


def pca(features: Any) -> np.ndarray:
    """Sort by the first principal coordinate, ascending; O(N p)."""
    rows = _rows(features)
    if len(rows) < 2 or rows.shape[1] == 0:
        return np.arange(len(rows))
    return np.argsort(principal_coordinates(rows, 1)[:, 0], kind="stable")


def hilbert(features: Any, dimensions: int = 3) -> np.ndarray:
    """Sort along the Hilbert curve through the leading principal coordinates, three at most; O(N p + N log N).

    The curve visits the cells of a grid so that successive cells touch, at every scale; coordinates share one scale, so
    that cells are cubes.

    References
    ----------
    Skilling, AIP Conf. Proc. 707 (2004) 381.
    """
    if dimensions not in _HILBERT_BITS:
        raise InputError(f"hilbert: dimensions is {dimensions!r}; expected 1, 2 or 3.")
    rows = _rows(features)
    count, p = rows.shape
    if count < 2 or p == 0:
        return np.arange(count)
    coordinates = principal_coordinates(rows, min(dimensions, p))
    coordinates = coordinates - coordinates.min(axis=0)
    extent = coordinates.max()
    if not extent > 0.0:
        return np.arange(count)
    bits = _HILBERT_BITS[coordinates.shape[1]]
    cells = np.minimum(coordinates / extent * 2.0**bits, 2.0**bits - 1.0).astype(np.uint64)
    return np.argsort(_hilbert_index(cells, bits), kind="stable")


ORDERINGS: dict[str, Callable[[Any], np.ndarray]] = {"greedy": greedy, "hilbert": hilbert, "pca": pca, "none": none}
"""The orders by name."""


def principal_coordinates(rows: np.ndarray, dimensions: int) -> np.ndarray:
    """Return the leading principal coordinates (N, d) of the rows; signs are fixed, so the result is deterministic.

    They come from the singular value decomposition of the centred rows. For large ones a randomised range finder with a
    fixed seed and two power iterations (Halko, Martinsson and Tropp, SIAM Rev. 53 (2011) 217) is exact enough to sort.
    """
    centred = rows - rows.mean(axis=0)
    d = min(dimensions, *centred.shape)
    if min(centred.shape) > _EXACT_SVD:
        sketch = centred @ np.random.default_rng(0).standard_normal((centred.shape[1], d + _SKETCH))
        for _ in range(2):
            sketch = centred @ (centred.T @ np.linalg.qr(sketch)[0])
        basis = np.linalg.qr(sketch)[0]
        left, sigma, _ = np.linalg.svd(basis.T @ centred, full_matrices=False)
        coordinates = basis @ (left[:, :d] * sigma[:d])
    else:
        left, sigma, _ = np.linalg.svd(centred, full_matrices=False)
        coordinates = left[:, :d] * sigma[:d]
    largest = np.argmax(np.abs(coordinates), axis=0)
    return coordinates * np.where(coordinates[largest, np.arange(d)] < 0.0, -1.0, 1.0)


def _nearest_neighbours(rows: np.ndarray, members: np.ndarray, last: np.ndarray | None) -> np.ndarray:
    """Return the greedy path through some of the rows, from the first, or from the one nearest to `last`."""
    count = len(members)
    if count < 2:
        return members
    group = rows[members] - rows[members].mean(axis=0)  # centred, so that differences keep their digits
    squares = np.einsum("ij,ij->i", group, group)
    half = 0.5 * squares - group @ group.T  # ‖f_i − f_j‖²/2 less a constant of each row i
    here = 0
    if last is not None:
        here = int(np.argmin(np.linalg.norm(rows[members] - last, axis=1)))
    path = np.empty(count, dtype=int)
    for step in range(count):
        path[step] = here
        half[:, here] = np.inf
        if step + 1 < count:
            here = int(np.argmin(half[here]))
    return members[path]


def _hilbert_index(cells: np.ndarray, bits: int) -> np.ndarray:
    """Return the position along the Hilbert curve of cells (N, d), each coordinate of that many bits."""
    X = [column.copy() for column in cells.T]
    d = len(X)
    for level in range(bits - 1, 0, -1):
        q = np.uint64(1 << level)
        p = np.uint64((1 << level) - 1)
        for i in range(d):
            inverted = (X[i] & q) != 0
            swap = np.where(inverted, np.uint64(0), (X[0] ^ X[i]) & p)
            X[0] ^= np.where(inverted, p, swap)
            X[i] ^= swap
    for i in range(1, d):
        X[i] ^= X[i - 1]
    t = np.zeros_like(X[0])
    for level in range(bits - 1, 0, -1):
        q = np.uint64(1 << level)
        t ^= np.where((X[d - 1] & q) != 0, np.uint64((1 << level) - 1), np.uint64(0))
    index = np.zeros_like(X[0])
    for level in range(bits - 1, -1, -1):
        for i in range(d):
            index = (index << np.uint64(1)) | (((X[i] ^ t) >> np.uint64(level)) & np.uint64(1))
    return index


def _rows(features: Any) -> np.ndarray:
    """Return features as finite real rows (N, p); further axes are flattened, complex numbers split."""
    try:
        array = np.asarray(features)
    except (TypeError, ValueError) as error:
        raise InputError(f"features are not an array ({error}); expected numbers, one row a sample.") from error
    if array.ndim == 0 or array.dtype.kind not in "iufc":
        raise InputError(f"features have shape {array.shape}, dtype {array.dtype}; expected numbers of shape (N, p).")
    array = array.reshape(array.shape[0], -1) if array.size else np.zeros((array.shape[0], 0))
    if array.dtype.kind == "c":
        array = np.concatenate([array.real, array.imag], axis=1)
    if not np.isfinite(array).all():
        raise InputError("features hold values that are NaN or infinite; expected finite numbers: clean them first.")
    return array.astype(float)
