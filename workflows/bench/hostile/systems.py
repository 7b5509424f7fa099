"""Draw hostile systems: entries near the ends of float64, singular and graded matrices, operands that misbehave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

Random = np.random.Generator

LARGEST = 1.7e308

EPSILON = float(np.finfo(np.float64).eps)

LIARS = ("NaN later", "infinite later", "zero later", "complex later")
"""Misbehaviour that makes an operator another one, whose solution no entries can judge."""


@dataclass
class System:
    """Hold a system as a solver is given it, beside its entries as numbers.

    Attributes
    ----------
    entries : ndarray, (n, n)
        A; float64 or complex128.
    operand, rhs, guess : Any
        What the solver gets for A, b and x0.
    label : str
        How it was drawn, in words.
    unit : float
        The relative error of products with the operand; infinite for one that belongs to no matrix.
    """

    entries: np.ndarray
    operand: Any
    rhs: np.ndarray
    guess: Any
    label: str
    unit: float = EPSILON


def draw_system(rng: Random) -> System:
    """Draw a system."""
    n = int(rng.integers(1, 4) if rng.random() < 0.3 else rng.integers(4, 31))
    kind = str(rng.choice(list(MATRICES)))
    entries = MATRICES[kind](rng, n)
    if rng.random() < 0.25:
        entries = _made_complex(rng, entries)
    size = 0.0
    if rng.random() < 0.6:
        size = float(rng.choice([rng.uniform(-323.0, 308.0), -320.0, -310.0, -300.0, -160.0, 160.0, 300.0, 308.0]))
    entries = _times(entries, size)
    wrapping = str(rng.choice([*OPERANDS, "misbehaving operator"]))
    how, unit = "", EPSILON
    if wrapping == "misbehaving operator":
        how = str(rng.choice(list(MISBEHAVIOUR)))
        unit = np.inf if how in LIARS else float(np.finfo(np.float32).eps) if how == "float32" else EPSILON
        operand = _misbehaving(rng, entries, how)
    else:
        operand = OPERANDS[wrapping](rng, entries)
    if wrapping == "float32":
        entries = operand.astype(np.complex128 if operand.dtype.kind == "c" else np.float64)
    rhs, side = _draw_rhs(rng, entries)
    guess = _draw_guess(rng, rhs)
    field = " complex" if entries.dtype.kind == "c" else ""
    label = f"{n} × {n} {kind}{field}, 1e{size:.0f}, as {' '.join(filter(None, (wrapping, how)))}, b {side}"
    return System(entries, operand, rhs, guess, label, unit)


def _times(values: np.ndarray, decades: float) -> np.ndarray:
    """Return values·10^decades, held to the finite numbers."""
    if values.dtype.kind == "c":
        return _times(values.real, decades) + 1j * _times(values.imag, decades)
    with np.errstate(all="ignore"):
        half = 10.0 ** (decades / 2.0)
        return np.clip(values * half * half, -LARGEST, LARGEST)


def _made_complex(rng: Random, entries: np.ndarray) -> np.ndarray:
    """Return D A D⁻¹ with random phases D: Hermitian if A is symmetric."""
    phases = np.exp(2j * np.pi * rng.random(len(entries)))
    return phases[:, None] * entries * phases.conj()


def _definite(rng: Random, n: int) -> np.ndarray:
    G = rng.standard_normal((n, n))
    return G @ G.T + 0.1 * np.eye(n)


def _laplacian(rng: Random, n: int) -> np.ndarray:
    links = np.triu(rng.random((n, n)) < 0.4, 1) * rng.random((n, n))
    links = links + links.T
    return np.diag(links.sum(axis=1)) - links


def _low_rank(rng: Random, n: int) -> np.ndarray:
    G = rng.standard_normal((n, max(1, n // 2)))
    return G @ G.T if rng.random() < 0.5 else G @ rng.standard_normal((max(1, n // 2), n))


def _with_zero_rows(rng: Random, n: int) -> np.ndarray:
    A = rng.standard_normal((n, n))
    A[rng.random(n) < 0.3] = 0.0
    return A


def _graded(rng: Random, n: int) -> np.ndarray:
    sizes = 10.0 ** rng.uniform(-150.0, 150.0, n)
    return _definite(rng, n) * (sizes[:, None] if rng.random() < 0.5 else np.sqrt(np.outer(sizes, sizes)))


def _penalised(rng: Random, n: int) -> np.ndarray:
    A = _definite(rng, n)
    rows = rng.random(n) < 0.3
    A[rows, rows] += 10.0 ** rng.uniform(5.0, 30.0)
    return A


def _nearly_singular(rng: Random, n: int) -> np.ndarray:
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    return (Q * np.geomspace(1.0, 10.0 ** rng.uniform(-18.0, -8.0), n)) @ Q.T


MATRICES: dict[str, Callable[[Random, int], np.ndarray]] = {
    "definite": _definite,
    "diagonal": lambda rng, n: np.diag(10.0 ** rng.uniform(-3.0, 3.0, n)),
    "diagonal of all sizes": lambda rng, n: np.diag(10.0 ** rng.uniform(-300.0, 300.0, n)),
    "identity": lambda rng, n: np.eye(n),
    "zero": lambda rng, n: np.zeros((n, n)),
    "indefinite": lambda rng, n: (lambda G: G + G.T)(rng.standard_normal((n, n))),
    "negative definite": lambda rng, n: -_definite(rng, n),
    "general": lambda rng, n: rng.standard_normal((n, n)) + n**0.5 * np.eye(n),
    "skew": lambda rng, n: (lambda G: G - G.T)(rng.standard_normal((n, n))),
    "triangular": lambda rng, n: np.triu(rng.standard_normal((n, n))),
    "Jordan block": lambda rng, n: np.eye(n) * rng.uniform(-1.0, 1.0) + 10.0 ** rng.uniform(0.0, 8.0) * np.eye(n, k=1),
    "shift": lambda rng, n: np.roll(np.eye(n), 1, axis=0),
    "Laplacian of a graph": _laplacian,
    "low rank": _low_rank,
    "zero rows": _with_zero_rows,
    "graded": _graded,
    "penalised": _penalised,
    "nearly singular": _nearly_singular,
    "Hilbert": lambda rng, n: 1.0 / (np.arange(n)[:, None] + np.arange(n) + 1.0),
    "sparse": lambda rng, n: rng.standard_normal((n, n)) * (rng.random((n, n)) < 0.2) + np.eye(n),
    "tridiagonal": lambda rng, n: 2.0 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1),
    "wild": lambda rng, n: rng.standard_normal((n, n)) * 10.0 ** rng.uniform(-290.0, 290.0, (n, n)),
}


def _stored_backwards(rng: Random, entries: np.ndarray) -> np.ndarray:
    return np.array(entries[::-1, ::-1])[::-1, ::-1]


def _read_only(rng: Random, entries: np.ndarray) -> np.ndarray:
    copy = entries.copy()
    copy.flags.writeable = False
    return copy


def _float32(rng: Random, entries: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        single = entries.astype(np.complex64 if entries.dtype.kind == "c" else np.float32)
    return single if np.isfinite(single).all() else np.eye(len(single), dtype=single.dtype)


def _operator(rng: Random, entries: np.ndarray) -> LinearOperator:
    return LinearOperator(
        entries.shape,
        matvec=lambda x: entries @ x.ravel(),
        rmatvec=lambda y: entries.conj().T @ y.ravel(),
        dtype=entries.dtype,
    )


def _misbehaving(rng: Random, entries: np.ndarray, how: str) -> LinearOperator:
    make = MISBEHAVIOUR[how]
    return LinearOperator(
        entries.shape,
        matvec=make(rng, lambda x: entries @ x.ravel()),
        rmatvec=make(rng, lambda y: entries.conj().T @ y.ravel()),
        dtype=entries.dtype,
    )


OPERANDS: dict[str, Callable[[Random, np.ndarray], Any]] = {
    "array": lambda rng, A: A,
    "Fortran's order": lambda rng, A: np.asfortranarray(A),
    "negative strides": _stored_backwards,
    "read-only array": _read_only,
    "float32": _float32,
    "list": lambda rng, A: A.tolist(),
    "csr": lambda rng, A: sp.csr_array(A),
    "csr matrix": lambda rng, A: sp.csr_matrix(A),
    "csr with zeros stored": lambda rng, A: sp.csr_array(
        (A.ravel(), np.tile(np.arange(len(A)), len(A)), np.arange(len(A) + 1) * len(A)), shape=A.shape
    ),
    "csc": lambda rng, A: sp.csc_array(A),
    "coo": lambda rng, A: sp.coo_array(A),
    "dia": lambda rng, A: sp.dia_array(A),
    "lil": lambda rng, A: sp.lil_array(A),
    "bsr": lambda rng, A: sp.bsr_array(A, blocksize=(1, 1)),
    "operator": _operator,
}


def _draw_rhs(rng: Random, entries: np.ndarray) -> tuple[np.ndarray, str]:
    """Return b, (n,) or (n, k), and how it was drawn."""
    n = len(entries)
    columns = int(rng.integers(1, 4)) if rng.random() < 0.2 else 0
    drawn = [_draw_column(rng, entries) for _ in range(max(1, columns))]
    names = ", ".join(name for _, name in drawn)
    rhs = np.stack([column for column, _ in drawn], axis=1) if columns else drawn[0][0]
    if rhs.dtype.kind != "c" and rng.random() < 0.1:
        rhs = rhs + 1j * np.roll(rhs, 1, axis=0)
    assert rhs.shape[0] == n
    return rhs, names


def _draw_column(rng: Random, entries: np.ndarray) -> tuple[np.ndarray, str]:
    n = len(entries)
    how = str(
        rng.choice(["normal", "A x", "zero", "unit", "of one size", "of all sizes", "of the size of A", "largest"])
    )
    if how == "A x":
        with np.errstate(all="ignore"):
            b = entries @ rng.standard_normal(n)
        return (b, how) if np.isfinite(b).all() else (np.ones(n), "ones")
    if how == "zero":
        return np.zeros(n), how
    if how == "unit":
        return _times(np.eye(n)[int(rng.integers(n))], float(rng.uniform(-320.0, 308.0))), how
    if how == "of all sizes":
        return rng.choice([-1.0, 1.0], n) * 10.0 ** rng.uniform(-320.0, 308.0, n), how
    if how == "of one size":
        return _times(rng.standard_normal(n), float(rng.uniform(-323.0, 308.0))), how
    if how == "of the size of A":
        largest = float(np.abs(entries).max())
        return _times(rng.standard_normal(n), float(np.log10(largest)) if largest > 0.0 else 0.0), how
    if how == "largest":
        return rng.choice([-1.0, 1.0], n) * LARGEST, how
    return rng.standard_normal(n), how


def _draw_guess(rng: Random, rhs: np.ndarray) -> Any:
    if rng.random() < 0.8:
        return None
    size = float(rng.choice([0.0, -300.0, 150.0, 300.0, 308.0]))
    return _times(rng.standard_normal(rhs.shape), size)


def _later(rng: Random, wrong: Callable[[np.ndarray], Any], apply: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that behaves for a few calls, and then returns what `wrong` makes of the result."""
    patience = int(rng.integers(0, 6))
    calls = [0]

    def function(x: Any) -> Any:
        calls[0] += 1
        y = apply(x)
        with np.errstate(all="ignore"):
            return y if calls[0] <= patience else wrong(y)

    return function


def _in_one_buffer(rng: Random, apply: Callable[[Any], Any]) -> Callable[[Any], Any]:
    buffers: dict[Any, np.ndarray] = {}

    def function(x: Any) -> Any:
        y = apply(x)
        buffer = buffers.setdefault((y.shape, y.dtype), np.empty_like(y))
        buffer[...] = y
        return buffer

    return function


def _overwriting(rng: Random, apply: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        y = apply(x).astype(x.dtype) if x.dtype.kind == "c" else apply(x)
        if y.dtype == x.dtype:
            x[...] = y.reshape(x.shape)
            return x
        x[...] = 0.0
        return y

    return function


def _spoiling(rng: Random, apply: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        y = np.array(apply(x))
        x *= 3.0
        return y

    return function


def _with_nan(y: np.ndarray) -> np.ndarray:
    y = np.array(y)
    y[0] = np.nan
    return y


MISBEHAVIOUR: dict[str, Callable[[Random, Callable[[Any], Any]], Callable[[Any], Any]]] = {
    "one buffer": _in_one_buffer,
    "its argument overwritten": _overwriting,
    "its argument spoilt": _spoiling,
    "NaN later": lambda rng, f: _later(rng, _with_nan, f),
    "infinite later": lambda rng, f: _later(rng, lambda y: y * np.inf, f),
    "zero later": lambda rng, f: _later(rng, lambda y: y * 0.0, f),
    "complex later": lambda rng, f: _later(rng, lambda y: y * (1.0 + 1.0j), f),
    "float32": lambda rng, f: _later(rng, lambda y: y.astype(np.complex64 if y.dtype.kind == "c" else np.float32), f),
    "long double": lambda rng, f: _later(
        rng, lambda y: y.astype(np.clongdouble if y.dtype.kind == "c" else np.longdouble), f
    ),
    "objects": lambda rng, f: _later(rng, lambda y: y.astype(object), f),
    "too short": lambda rng, f: _later(rng, lambda y: y[:-1], f),
    "a column": lambda rng, f: _later(rng, lambda y: y.reshape(-1, 1), f),
    "a list": lambda rng, f: _later(rng, lambda y: y.tolist(), f),
    "a matrix": lambda rng, f: _later(rng, lambda y: np.asmatrix(y), f),
    "masked": lambda rng, f: _later(rng, lambda y: np.ma.masked_array(y), f),
    "None": lambda rng, f: _later(rng, lambda y: None, f),
}
