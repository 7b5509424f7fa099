"""Compiled loops over bytes and samples, at random sizes, against plain Python and NumPy."""

from __future__ import annotations

import zlib

import numpy as np

from resolvent.data.certificates.face_fluxes import rectangle_balance
from resolvent.data.format.chunks import deflated_chunk, fletcher32
from resolvent.data.moments import sample_moments
from resolvent.solvers.kernels import level

CASES = 100 if level() == "debug" else 2000


def fletcher(data: bytes) -> int:
    """Return Fletcher-32 by its definition, with ends-around carry after each word."""
    total = weighted = 0
    for begin in range(0, len(data), 2):
        total += int.from_bytes(data[begin : begin + 2].ljust(2, b"\0"), "big")
        total = total % 65535 or (65535 if total else 0)
        weighted += total
        weighted = weighted % 65535 or (65535 if weighted else 0)
    return weighted << 16 | total


def test_fletcher32() -> None:
    for case in range(CASES):
        rng = np.random.default_rng(case)
        data = rng.integers(0, 256, size=int(rng.integers(0, 400)), dtype=np.uint8).tobytes()
        data = (data, b"\xff" * len(data), b"\0" * len(data))[case % 3] if case % 5 == 0 else data
        assert fletcher32(data) == fletcher(data)
    long = np.random.default_rng(0).integers(0, 256, size=10_001, dtype=np.uint8).tobytes()
    assert fletcher32(long) == fletcher(long)
    assert fletcher32(b"\xff" * 10_000) == fletcher(b"\xff" * 10_000)


def test_chunks_hold_the_bytes_by_significance() -> None:
    for case in range(CASES // 2):
        rng = np.random.default_rng(case)
        shape = tuple(rng.integers(1, 12, size=int(rng.integers(1, 4))))
        values = rng.normal(size=shape).astype((np.float64, np.float32, np.int64, np.int16)[case % 4])
        values = np.moveaxis(values, 0, -1) if case % 7 == 0 else values
        chunk = bytes(deflated_chunk(values))
        assert int.from_bytes(chunk[-4:], "little") == fletcher(chunk[:-4])
        shuffled = np.frombuffer(zlib.decompress(chunk[:-4]), np.uint8).reshape(values.itemsize, -1)
        np.testing.assert_array_equal(shuffled.T.reshape(-1), np.ascontiguousarray(values).view(np.uint8).reshape(-1))


def test_moments() -> None:
    for case in range(CASES):
        rng = np.random.default_rng(case)
        values = 10.0 ** rng.uniform(-5, 5) * (rng.normal(size=int(rng.integers(0, 3000))) + rng.uniform(-3, 3))
        mean, spread, size = sample_moments(values)
        assert size == values.size
        if values.size:
            np.testing.assert_allclose(mean, values.mean(), rtol=0, atol=1e-15 * abs(values).max() * 10)
            np.testing.assert_allclose(spread, ((values - values.mean()) ** 2).sum(), rtol=1e-12)


def test_balances() -> None:
    for case in range(CASES // 2):
        rng = np.random.default_rng(case)
        n, m = rng.integers(1, 14, size=2)
        a, u, out = np.exp(rng.normal(size=(n, m))), rng.normal(size=(n, m)), np.empty((n, m))
        periodic = bool(case & 1), bool(case & 2)
        walls = tuple(bool(case & bit) and not periodic[k // 2] for k, bit in enumerate((4, 8, 16, 32)))
        rectangle_balance(a, u, periodic, walls, out)
        np.testing.assert_allclose(out, balance(a, u, periodic, walls), rtol=0, atol=1e-12 * max(1.0, abs(out).max()))


def balance(a: np.ndarray, u: np.ndarray, periodic: tuple[bool, bool], walls: tuple[bool, ...]) -> np.ndarray:
    """Return −∇·(a∇u) cell by cell: the fluxes 2 a b/(a + b) (u − v) n² to the neighbours, 2 a u n² to walls."""
    total = np.zeros_like(u)
    for place in np.ndindex(u.shape):
        for axis in (0, 1):
            n = u.shape[axis]
            for side, step in enumerate((-1, 1)):
                other = list(place)
                other[axis] += step
                inside = 0 <= other[axis] < n
                if inside or (periodic[axis] and n > 1):
                    other[axis] %= n
                    v = tuple(other)
                    total[place] += 2 * n**2 * a[place] * a[v] / (a[place] + a[v]) * (u[place] - u[v])
                elif walls[2 * axis + side]:
                    total[place] += 2 * n**2 * a[place] * u[place]
    return total
