"""Find out whether one matrix is a diagonal scaling of another, exactly or nearly: A ≈ diag(l) A_0 diag(c)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

EXACT = 1e-12
"""Mismatch, relative to the largest entry, that the rounding of assembly explains."""


_PROBES = 64


@dataclass(frozen=True)
class Scaling:
    """Hold A ≈ diag(rows) A_0 diag(columns), up to `mismatch` = max |A − …| / max |A|.

    `kind` is one of 'constant', 'columns', 'rows', 'both'; factors that are one are None.
    """

    kind: str
    rows: np.ndarray | None
    columns: np.ndarray | None
    mismatch: float

    @property
    def exact(self) -> bool:
        """Return whether the mismatch is no more than rounding."""
        return self.mismatch <= EXACT

    def scaled_rhs(self, b: np.ndarray) -> np.ndarray:
        """Return diag(1/l) b, the right-hand side of A_0 y = diag(1/l) b."""
        return b if self.rows is None else b / self.rows

    def unscaled_solution(self, y: np.ndarray) -> np.ndarray:
        """Return x = diag(1/c) y."""
        return y if self.columns is None else y / self.columns


class ScalingDetector:
    """Compare matrices of one pattern with a reference, A_0.

    Most matrices that are not a scaling are rejected by a few dozen rows and columns. One-sided factors are medians of
    the ratios of entries in a column (or row): exact if the scaling is, and if a minority of the entries differ, such
    as a shifted diagonal, those of the others. Factors on both sides, if exact, follow from the ratios along a spanning
    tree of the bipartite graph of rows and columns.
    """

    def __init__(self, reference: sp.csr_array) -> None:
        self.data = reference.data
        n = reference.shape[0]
        self.n = n
        self.row = np.repeat(np.arange(n), np.diff(reference.indptr))
        self.column = reference.indices.astype(np.int64)
        self.used = np.flatnonzero(self.data)
        self._probes = {name: self._probe(owner) for name, owner in (("columns", self.column), ("rows", self.row))}
        self._pairs = self._cross_ratio_pairs(reference)
        self._forest: list[tuple[np.ndarray, np.ndarray, np.ndarray]] | None = None

    def fit(self, data: np.ndarray, near: float) -> Scaling | None:
        """Return the best scaling for the entries of another matrix; None if all mismatches exceed `near`.

        Exact ones are tried first: no scaling, one side, both.
        """
        best = Scaling("constant", None, None, self._mismatch(data, None, None))
        if not best.exact and np.array_equal(np.flatnonzero(data), self.used):
            ratio = data[self.used] / self.data[self.used]
            for candidate in self._scalings(data, ratio, near):
                best = min(best, candidate, key=lambda scaling: scaling.mismatch)
                if best.exact:
                    break
        return best if best.mismatch <= near else None

    def _scalings(self, data: np.ndarray, ratio: np.ndarray, near: float) -> Iterator[Scaling]:
        for side, owner in (("columns", self.column), ("rows", self.row)):  # exact ones, at once
            factors = np.ones(self.n, dtype=ratio.dtype)
            factors[owner[self.used]] = ratio
            rows, columns = (None, factors) if side == "columns" else (factors, None)
            candidate = Scaling(side, rows, columns, self._mismatch(data, rows, columns))
            if candidate.exact:
                yield candidate
        if self._cross_ratios_agree(data):
            both = self._along_tree(ratio)
            yield Scaling("both", *both, self._mismatch(data, *both))
        if self._may_fit("columns", data, ratio, near):
            columns = _medians(ratio, self.column[self.used], self.n)
            mismatch = self._mismatch(data, None, columns)
            yield Scaling("columns", None, columns, mismatch)
            if mismatch <= near:
                return
        if self._may_fit("rows", data, ratio, near):
            rows = _medians(ratio, self.row[self.used], self.n)
            yield Scaling("rows", rows, None, self._mismatch(data, rows, None))

    def _probe(self, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the nonzero entries of a few rows (or columns), as positions in `used`, and their owners, from 0."""
        chosen = np.unique(np.linspace(0, self.n - 1, _PROBES).astype(int))
        label = np.full(self.n, -1)
        label[chosen] = np.arange(len(chosen))
        owned = label[owner[self.used]]
        position = np.flatnonzero(owned >= 0)
        return position, owned[position]

    def _may_fit(self, side: str, data: np.ndarray, ratio: np.ndarray, near: float) -> bool:
        """Return whether the mismatch on the probed rows (or columns), a lower bound, is at most `near`."""
        position, owner = self._probes[side]
        factor = _medians(ratio[position], owner, int(owner.max(initial=0)) + 1)[owner]
        remainder = np.abs(data[self.used[position]] - self.data[self.used[position]] * factor)
        return bool(remainder.max(initial=0.0) <= near * np.abs(data).max(initial=0.0))

    def _cross_ratio_pairs(self, reference: sp.csr_array) -> np.ndarray:
        """Return positions (4, m) of a_ij, a_ji, a_ii, a_jj in the data, for some i ≠ j with all four nonzero."""
        numbered = sp.csr_array(
            (np.arange(1, len(self.data) + 1), reference.indices, reference.indptr), shape=reference.shape
        )
        chosen = self.used[np.linspace(0, len(self.used) - 1, 4 * _PROBES).astype(int)] if len(self.used) else self.used
        chosen = np.unique(chosen[self.row[chosen] != self.column[chosen]])
        i, j = self.row[chosen], self.column[chosen]
        if not len(chosen):
            return np.zeros((4, 0), dtype=int)
        places = np.stack([chosen, *(np.asarray(numbered[a, b]).ravel() - 1 for a, b in ((j, i), (i, i), (j, j)))])
        places = places[:, (places >= 0).all(axis=0)]
        return places[:, (self.data[places] != 0).all(axis=0)]

    def _cross_ratios_agree(self, data: np.ndarray) -> bool:
        """Return whether a_ij a_ji / (a_ii a_jj), which scaling does not change, agrees with the reference."""
        (a, b, c, d), (p, q, r, s) = data[self._pairs], self.data[self._pairs]
        return bool(np.all(np.abs(a * b * r * s - p * q * c * d) <= 1e-10 * np.abs(p * q * c * d)))

    def _mismatch(self, data: np.ndarray, rows: np.ndarray | None, columns: np.ndarray | None) -> float:
        scaled = self.data
        if rows is not None:
            if not (np.isfinite(rows).all() and np.all(rows != 0)):
                return np.inf
            scaled = scaled * rows[self.row]
        if columns is not None:
            if not (np.isfinite(columns).all() and np.all(columns != 0)):
                return np.inf
            scaled = scaled * columns[self.column]
        largest = np.abs(data).max(initial=0.0)
        return float(np.abs(data - scaled).max(initial=0.0) / largest) if largest > 0.0 else np.inf

    def _along_tree(self, ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return factors l, c with l_i c_j = ratio_ij on a spanning forest; each root has the factor one."""
        factors = np.ones(2 * self.n, dtype=ratio.dtype)
        for nodes, parents, entries in self._levels():
            factors[nodes] = ratio[entries] / factors[parents]
        return factors[: self.n], factors[self.n :]

    def _levels(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return the forest level by level: nodes, parents, positions of the entries between; rows before columns."""
        if self._forest is None:
            from scipy.sparse.csgraph import breadth_first_order

            row, column = self.row[self.used], self.column[self.used] + self.n
            position = np.arange(1, len(row) + 1)
            graph = sp.csr_array((position, (row, column)), shape=(2 * self.n, 2 * self.n))
            graph = sp.csr_array(graph + graph.T)
            depth = np.full(2 * self.n, -1)
            parent = np.full(2 * self.n, -1)
            for root in range(self.n):
                if depth[root] >= 0:
                    continue
                order, before = breadth_first_order(graph, root, directed=False)
                depth[root] = 0
                for node in order[1:]:
                    parent[node], depth[node] = before[node], depth[before[node]] + 1
            self._forest = []
            for level in range(1, int(depth.max()) + 1):
                nodes = np.flatnonzero(depth == level)
                entries = np.asarray(graph[nodes, parent[nodes]]).ravel() - 1
                self._forest.append((nodes, parent[nodes], entries))
        return self._forest


def _medians(ratio: np.ndarray, owner: np.ndarray, n: int) -> np.ndarray:
    """Return the median (the upper one of an even number) of each owner's ratios; NaN for an owner without any."""
    order = np.lexsort((ratio.real, owner))
    counts = np.bincount(owner, minlength=n)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    middle = np.where(counts > 0, starts + counts // 2, 0)
    medians = ratio[order][middle]
    return np.where(counts > 0, medians, np.nan)
