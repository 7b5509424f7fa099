"""What the compiled kernels rely on in Numba and LLVM beyond their documented interfaces.

If a test fails, a new Numba has changed one of these properties: kernels may be slow, wrong, or not compile at all.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import numba
import numpy as np
import pytest

from resolvent.solvers.kernels import body_by_type, line_operation, load, no_inline, row_kernel, store
from resolvent.solvers.kernels.cache_lines import Lines, lane_count, lanes_of, pointers, transpose_tile
from resolvent.solvers.kernels.unaliased import load_written_slot, store_slot

CHECK = "vector.memcheck"  # LLVM's name of the block that compares arrays for overlap before a vectorised loop


def advice(file: str, what: str) -> str:
    return (
        f"numba {numba.__version__} with llvmlite {llvmlite.__version__}: {what}. Pin numba in constraints.txt to the "
        f"last version that passes this test, and mend solvers/kernels/{file} before you raise it."
    )


def llvm(function: Any, *arguments: Any) -> str:
    """Call a compiled function and return its LLVM code after optimisation."""
    function(*arguments)
    return str(next(iter(function.inspect_llvm().values())))


def vectors(count: int) -> list[np.ndarray]:
    return [np.arange(64.0) + k for k in range(count)]


def add(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
    for i in range(out.size):
        out[i] = x[i] + y[i]


@pytest.fixture(scope="module", autouse=True)
def plain_loops_are_guarded() -> None:
    """Without any promise LLVM guards the loop: else the absence of guards below would prove nothing."""
    code = llvm(numba.njit(error_model="numpy")(add), *vectors(3))
    assert CHECK in code, advice("../../tests/solvers/kernels/test_numba.py", "overlap checks have another name")


def test_no_other_folder_knows_numbas_internals() -> None:
    root = Path(__file__).parents[3]
    internals = re.compile(r"^\s*(?:from|import) (?:llvmlite|numba\.)", re.MULTILINE)
    for folder in ("solvers", "data", "operators", "workflows"):
        for path in (root / folder).rglob("*.py"):
            if path.parent != root / "solvers" / "kernels":
                assert not internals.search(path.read_text(encoding="utf-8")), f"{path}: move it to solvers/kernels"


def test_unaliased_loads_and_stores_need_no_overlap_check() -> None:
    @numba.njit(error_model="numpy")
    def update(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
        for i in range(out.size):
            store(out, i, load(x, i) + load(y, i))

    x, y, out = vectors(3)
    code = llvm(update, x, y, out)
    np.testing.assert_array_equal(out, x + y)
    assert "resolvent.multigrid" in code, advice("unaliased.py", "metadata on loads and stores is dropped")
    assert CHECK not in code, advice("unaliased.py", "the metadata alias.scope and noalias has no effect")


def test_slots_need_no_overlap_check() -> None:
    @numba.njit(error_model="numpy")
    def update(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
        for i in range(x.size):
            store_slot(x, i, load_written_slot(x, i, 0) + load(z, i), 0)
            store_slot(y, i, load_written_slot(y, i, 1) - load(z, i), 1)

    x, y, z = vectors(3)
    expected = x + z, y - z
    code = llvm(update, x, y, z)
    np.testing.assert_array_equal((x, y), expected)
    assert CHECK not in code, advice("unaliased.py", "the scopes of slots have no effect")


def test_row_kernels_need_no_overlap_check() -> None:
    x, y, out = vectors(3)
    kernel = row_kernel(add)
    code = llvm(kernel, x, y, out)
    np.testing.assert_array_equal(out, x + y)
    assert re.search(r"noalias[^,]* %arg\.out\.", code), advice("rows.py", "the flag noalias of the compiler is gone")
    assert CHECK not in code, advice("rows.py", "the flag noalias of the compiler has no effect")
    assert re.search(r"<\d+ x double>", code), advice("rows.py", "row kernels are no longer vectorised")


def test_the_option_nrt_turns_reference_counts_off() -> None:
    def exchange(x: np.ndarray, y: np.ndarray, count: int) -> float:
        total = 0.0
        for _ in range(count):
            x, y = y, x
            total += x[0]
        return total

    counted = llvm(numba.njit(exchange), *vectors(2), 3)
    assert "NRT_incref" in counted, advice("rows.py", "reference counts have another name, or are optimised away")
    uncounted = numba.njit(_nrt=False, forceinline=True, error_model="numpy")(exchange)
    assert "NRT_incref" not in llvm(uncounted, *vectors(2), 3), advice("rows.py", "the option _nrt has no effect")
    assert uncounted(*vectors(2), 3) == exchange(*vectors(2), 3)


def test_no_inline_reaches_the_function() -> None:
    @numba.njit
    def inner(x: float) -> float:
        no_inline()
        return 2.0 * x

    assert "noinline" in llvm(inner, 1.0), advice("unaliased.py", "attributes of functions are dropped")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_line_operations_are_vector_code(dtype: type) -> None:
    @line_operation((2, 1), (1,), (1,))
    def combine(pair: Lines, single: Lines, number: Lines) -> tuple[Lines]:
        return ([pair[0].times_plus(number[0], pair[1] * single[0])],)

    @numba.njit
    def run(x: np.ndarray, y: np.ndarray, numbers: np.ndarray, out: np.ndarray) -> int:
        lanes = lanes_of(x)
        combine((pointers(x), 0, lanes, y, 0, 0, numbers, 1, 0, out, 0, 0))
        return lanes

    L = lane_count(dtype)
    x, y, numbers = (np.arange(n, dtype=dtype) + 1 for n in (2 * L, L, 3))
    out = np.zeros(L, dtype)
    code = llvm(run, x, y, numbers, out)
    assert run(x, y, numbers, out) == L
    np.testing.assert_array_equal(out, x[:L] * numbers[1] + x[L:] * y)
    kind = "float" if dtype is np.float32 else "double"
    assert re.search(rf"<\d+ x {kind}>", code), advice("cache_lines.py", "line operations are no longer vector code")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_transpose_tile_transposes(dtype: type) -> None:
    @numba.njit
    def run(source: np.ndarray, target: np.ndarray, lanes: int) -> None:
        transpose_tile(source, 0, lanes, target, 0, lanes)

    L = lane_count(dtype)
    source, target = np.arange(L * L, dtype=dtype), np.zeros(L * L, dtype)
    run(source, target, L)
    np.testing.assert_array_equal(target.reshape(L, L), source.reshape(L, L).T)


class _First(NamedTuple):
    values: np.ndarray


class _Second(NamedTuple):
    values: np.ndarray


def test_body_by_type_chooses_when_the_caller_is_compiled() -> None:
    def total(data: Any, factor: Any) -> Any:
        return factor * data.values.sum()

    def largest(data: Any, factor: Any) -> Any:
        return factor * data.values.max()

    @body_by_type({_First: total, _Second: largest})
    def figure(data: Any, factor: Any) -> Any:
        raise TypeError("called by compiled code only")

    @numba.njit
    def run(data: Any) -> Any:
        return figure(data, 2.0)

    results = [run(_First(np.arange(4.0))), run(_Second(np.arange(4.0)))]
    assert results == [12.0, 6.0], advice("dispatch.py", "overloads by type choose another body")
