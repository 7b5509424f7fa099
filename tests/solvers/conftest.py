"""A CUDA device on the host: the device's program compiled with a C++ compiler, its arrays NumPy's.

Blocks and threads run one after the other, so that a kernel in which one thread reads what another writes gives
something else when they run in reverse. Only `block_sum`, which waits for its neighbours, has a serial twin here; built
with a host thread for each CUDA thread, the program runs as it is.
"""

import ctypes
import re
import shutil
import subprocess

import numpy as np
import pytest

from resolvent.solvers.multigrid.device.launcher import CupyLauncher, program

PRELUDE = """
#include <cmath>
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
struct Index { int x, y, z; };
static Index blockIdx, blockDim, gridDim;
static bool reversed;
static inline int atomicAdd(int* p, int v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
"""

SERIAL = """
#define SERIAL_BLOCKS
static Index threadIdx;
static inline bool block_sum(double value, double* slot) {
    if (slot == 0) return false;
    const int lanes = blockDim.x * blockDim.y, lane = threadIdx.y * blockDim.x + threadIdx.x;
    const int first = reversed ? lanes - 1 : 0;
    *slot = lane == first ? value : *slot + value;
    return lane == lanes - 1 - first;
}
"""

THREADED = """
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>
#define __shared__ static
static thread_local Index threadIdx;
static std::mutex mutex;
static std::condition_variable woken;
static int arrived, turn;
static void __syncthreads() {
    std::unique_lock<std::mutex> lock(mutex);
    const int mine = turn;
    if (++arrived == blockDim.x * blockDim.y * blockDim.z) {
        arrived = 0;
        turn++;
        woken.notify_all();
    } else {
        woken.wait(lock, [mine] { return turn != mine; });
    }
}
"""

LOOPS = """
template <class Kernel> static void run_blocks(const int* shape, int backwards, Kernel kernel) {
    gridDim = {shape[0], shape[1], shape[2]};
    blockDim = {shape[3], shape[4], shape[5]};
    reversed = backwards != 0;
    const int blocks = gridDim.x * gridDim.y * gridDim.z, threads = blockDim.x * blockDim.y * blockDim.z;
    for (int b = 0; b < blocks; b++) {
        const int block = backwards ? blocks - 1 - b : b;
        blockIdx = {block % gridDim.x, block / gridDim.x % gridDim.y, block / gridDim.x / gridDim.y};
        run_block(threads, backwards, kernel);
    }
}
"""

RUN_SERIAL = """
template <class Kernel> static void run_block(int threads, int backwards, Kernel kernel) {
    for (int t = 0; t < threads; t++) {
        const int thread = backwards ? threads - 1 - t : t;
        threadIdx = {thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / blockDim.x / blockDim.y};
        kernel();
    }
}
"""

RUN_THREADED = """
static void run_block(int threads, int, const std::function<void()>& kernel) {
    std::vector<std::thread> running;
    for (int t = 0; t < threads; t++)
        running.emplace_back([t, &kernel] {
            threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y};
            kernel();
        });
    for (auto& thread : running) thread.join();
}
"""

SCALARS = {"int": np.int32, "float": np.float32, "double": np.float64}


def signatures():
    """The kernels of the program and the types of their parameters."""
    found = {}
    for name, text in re.findall(r"^KERNEL (\w+)\(([^)]*)\)", program(), re.MULTILINE):
        parameters = [" ".join(entry.split()) for entry in text.split(",")]
        found[name] = [tuple(re.fullmatch(r"(?:const )?(\w+)(\*?) (\w+)", entry).groups()) for entry in parameters]
    return found


class EmulatedLauncher:
    """A launcher that runs kernels on NumPy arrays, and holds each call to the types of the kernel's parameters."""

    xp = np

    def __init__(self, library, backwards=False, memory=1 << 40):
        self.library = ctypes.CDLL(str(library))
        self.backwards = backwards
        self.memory = memory
        self.launches = []
        self.signatures = signatures()

    def empty(self, shape, dtype):
        # Whoever reads what nobody wrote shall notice.
        return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else -(2**20), dtype=dtype)

    def launch(self, kernel, grid, block, arguments):
        assert min(*grid, *block) >= 1
        assert max(grid[1:]) < 2**16
        assert block[2] <= 64
        assert np.prod(block) <= 256
        parameters = self.signatures[kernel]
        assert len(arguments) == len(parameters), kernel
        converted = []
        for (kind, pointer, name), argument in zip(parameters, arguments, strict=True):
            assert argument.dtype == SCALARS[kind], (kernel, name)
            assert isinstance(argument, np.ndarray) == bool(pointer), (kernel, name)
            if pointer:
                assert argument.flags.c_contiguous, (kernel, name)
                converted.append(ctypes.c_void_p(argument.ctypes.data))
            else:
                converted.append(np.ctypeslib.as_ctypes_type(argument.dtype)(argument))
        shape = (ctypes.c_int * 6)(*grid, *block)
        getattr(self.library, f"run_{kernel}")(shape, int(self.backwards), *converted)
        self.launches.append(kernel)

    def free_bytes(self):
        return self.memory

    def synchronize(self):
        pass


def build(folder, threaded):
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler (c++, g++, clang++) to run the CUDA program with")
    runs = []
    for name, parameters in signatures().items():
        declared = ", ".join(f"{kind}{pointer} {word}" for kind, pointer, word in parameters)
        given = ", ".join(word for _, _, word in parameters)
        runs.append(
            f'extern "C" void run_{name}(const int* shape_, int backwards_, {declared})'
            f" {{ run_blocks(shape_, backwards_, [=] {{ {name}({given}); }}); }}"
        )
    parts = [PRELUDE, THREADED if threaded else SERIAL, program(), RUN_THREADED if threaded else RUN_SERIAL, LOOPS]
    source, library = folder / "program.cpp", folder / "program.so"
    source.write_text("\n".join([*parts, *runs]), encoding="utf-8")
    options = ["-O0" if threaded else "-O1", "-std=c++17", "-shared", "-fPIC", "-w", "-pthread"]
    subprocess.run([compiler, *options, "-o", str(library), str(source)], check=True, timeout=600)
    return library


@pytest.fixture(scope="session")
def serial_library(tmp_path_factory):
    return build(tmp_path_factory.mktemp("serial"), threaded=False)


@pytest.fixture
def emulator(serial_library):
    """A device without a GPU."""
    return EmulatedLauncher(serial_library)


@pytest.fixture
def backwards(serial_library):
    """The same device, its blocks and threads in reverse."""
    return EmulatedLauncher(serial_library, backwards=True)


@pytest.fixture
def threaded(tmp_path_factory):
    """The same device with a host thread for each CUDA thread of a block: slow, and the program as it is."""
    return EmulatedLauncher(build(tmp_path_factory.mktemp("threaded"), threaded=True))


@pytest.fixture(params=["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    """A launcher: of the emulated device, and of a GPU where there is one."""
    if request.param == "emulated":
        return request.getfixturevalue("emulator")
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.is_available():
        pytest.skip("no CUDA device")
    return CupyLauncher()
