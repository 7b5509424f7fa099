"""Kernels are called with what they take, and refuse everything else before it reaches compiled code."""

from __future__ import annotations

import pickle
import threading
import time

import numpy as np
import pytest

from resolvent.solvers import Diffusion, InputError
from resolvent.solvers.kernels import Kernel, Structure

forward = Kernel("forward_sweep", "int I* I* T* T* T* T*")


def diagonal_system(dtype: type, index: type) -> tuple[np.ndarray, ...]:
    n = 5
    return np.arange(n + 1, dtype=index), np.arange(n, dtype=index), np.ones(n, dtype), np.full(n, 4, dtype)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_the_function_is_chosen_by_the_types(dtype: type, index: type) -> None:
    r, out = np.arange(5).astype(dtype), np.zeros(5, dtype)
    forward(5, *diagonal_system(dtype, index), r, out)
    np.testing.assert_allclose(out, np.arange(5) / 4)


def test_arrays_that_are_read_only_or_not_writeable_buffers_are_read() -> None:
    indptr, indices, data, diagonal = diagonal_system(np.float64, np.int32)
    r, out = np.arange(5.0), np.zeros(5)
    r.setflags(write=False)
    forward(5, indptr, indices, data, diagonal, r, out)
    np.testing.assert_array_equal(out, r / 4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [(np.arange(5, dtype=np.float32), "float64 here, not float32"), (np.arange(10.0)[::2], r"strides \(16,\)")],
    ids=["type", "strides"],
)
def test_other_arrays_are_refused(wrong: np.ndarray, message: str) -> None:
    system = diagonal_system(np.float64, np.int64)
    with pytest.raises(TypeError, match=message):
        forward(5, *system, wrong, np.zeros(5))
    with pytest.raises(TypeError, match=message):
        forward.bind(5, *system)(wrong, np.zeros(5))


def test_a_type_without_compiled_form_is_refused() -> None:
    indptr, indices, data, diagonal = diagonal_system(np.float64, np.int64)
    with pytest.raises(TypeError, match="no compiled form for arrays of float16"):
        forward(5, indptr, indices, *(v.astype(np.float16) for v in (data, diagonal, data, data)))


def test_a_kernel_that_the_library_lacks_is_one_line() -> None:
    with pytest.raises(InputError, match=r"have no no_such_kernel, so they are of another version: install") as raised:
        Kernel("no_such_kernel", "int")(1)
    assert "\n" not in str(raised.value)


def test_bound_kernels_keep_their_arrays_alive_and_can_be_pickled() -> None:
    bound = forward.bind(5, *diagonal_system(np.float64, np.int32))
    junk = [np.random.default_rng(0).normal(size=5) for _ in range(200)]  # would fill freed memory
    for solve in (bound, pickle.loads(pickle.dumps(bound))):
        out = np.zeros(5)
        solve(np.arange(5.0), out)
        np.testing.assert_array_equal(out, np.arange(5) / 4)
    assert len(junk) == 200


def faces(**changed: object) -> Structure:
    members = {"ny": 2, "nx": 3, "horizontal": np.ones((2, 4)), "vertical": np.ones((3, 3)), "outside": np.zeros(3)}
    return Structure("DiffusionFaces", **(members | changed))


def test_structures_give_back_what_they_hold() -> None:
    made = faces()
    made.nx = 7
    array = made.vertical
    copy = pickle.loads(pickle.dumps(made))
    assert (copy.ny, copy.nx) == (2, 7)
    np.testing.assert_array_equal(copy.vertical, array)
    assert copy.vertical is not array


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Structure("DiffusionFaces", nx=3, ny=2), "has the members ny, nx, horizontal, vertical, outside"),
        (lambda: faces(outside=0), "outside is c_void_p, not int"),
        (lambda: faces(nx=np.zeros(1)), "nx is c_long, not ndarray"),
    ],
    ids=["order", "pointer", "number"],
)
def test_structures_must_agree_with_the_compiled_ones(make: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()  # type: ignore[operator]


def test_a_call_lets_other_threads_run() -> None:
    A = Diffusion(np.ones((1500, 1500)))
    u = np.ones(1500 * 1500)
    A @ u
    running, ticks = True, 0

    def count() -> None:
        nonlocal ticks
        while running:
            ticks += 1
            time.sleep(0)

    thread = threading.Thread(target=count)
    thread.start()
    before = ticks
    for _ in range(20):
        A @ u
    during = ticks - before
    running = False
    thread.join(timeout=60)
    assert during > 20
