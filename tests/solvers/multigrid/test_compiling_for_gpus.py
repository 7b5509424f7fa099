"""The CUDA program compiles for every generation of GPUs that CUDA 12 knows, without one at hand.

It needs NVIDIA's run-time compiler alone, which is a wheel: pip install nvidia-cuda-nvrtc-cu12.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
from pathlib import Path

import pytest

from resolvent.solvers.multigrid.device.launcher import BLOCK, program

REGISTERS = 65536
"""Of a multiprocessor, on all these GPUs."""

MOST = 114
"""The registers a thread may take, so that two blocks of 256 threads fit on a multiprocessor, with some to spare."""


class Compiler:
    """Call NVRTC."""

    def __init__(self, path: Path) -> None:
        self.library = ctypes.CDLL(str(path))
        self.library.nvrtcGetErrorString.restype = ctypes.c_char_p

    def call(self, name: str, *arguments: object) -> None:
        code = getattr(self.library, name)(*arguments)
        assert code == 0, f"{name}: {self.library.nvrtcGetErrorString(code).decode()}"

    def compile(self, source: str, *options: str) -> tuple[bytes, str]:
        """Return the machine code and the log; fail with the log if there are errors."""
        handle = ctypes.c_void_p()
        self.call("nvrtcCreateProgram", ctypes.byref(handle), source.encode(), b"program.cu", 0, None, None)
        try:
            given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
            code = self.library.nvrtcCompileProgram(handle, len(options), given)
            log = self.text(handle, "nvrtcGetProgramLog").decode()
            assert code == 0, log
            return self.text(handle, "nvrtcGetCUBIN"), log
        finally:
            self.call("nvrtcDestroyProgram", ctypes.byref(handle))

    def text(self, handle: ctypes.c_void_p, name: str) -> bytes:
        size = ctypes.c_size_t()
        self.call(f"{name}Size", handle, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self.call(name, handle, buffer)
        return buffer.raw[: size.value].rstrip(b"\0") if name.endswith("Log") else buffer.raw


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    parent = importlib.util.find_spec("nvidia")
    folders = [Path(folder) for folder in (parent.submodule_search_locations or ())] if parent else []
    found = [path for folder in folders for path in folder.glob("cuda_nvrtc/lib/libnvrtc.so.12")]
    if not found:
        pytest.skip("no NVRTC to compile the CUDA program with: pip install nvidia-cuda-nvrtc-cu12")
    return Compiler(found[0])


@pytest.mark.parametrize("capability", ["70", "80", "90"])
def test_the_program_compiles_without_spills(compiler: Compiler, capability: str) -> None:
    options = ("--std=c++17", f"--gpu-architecture=sm_{capability}", "--ptxas-options=-v")
    code, log = compiler.compile(program(), *options)
    assert code.startswith(b"\x7fELF")
    kernels = program().count("\nKERNEL ")
    assert kernels > 10
    warnings = [line for line in log.splitlines() if "warning" in line.lower()]
    assert all("Architectures prior to" in line for line in warnings)  # 7.0 is old, which is no fault of the program
    registers = [int(number) for number in re.findall(r"Used (\d+) registers", log)]
    spills = re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", log)
    assert len(registers) == len(spills) == kernels
    assert set(spills) == {("0", "0")}
    assert max(registers) <= MOST
    assert 2 * BLOCK * MOST <= REGISTERS


def test_an_error_is_seen(compiler: Compiler) -> None:
    with pytest.raises(AssertionError, match="undefined"):
        compiler.compile(program() + "\nKERNEL broken() { missing(); }\n", "--gpu-architecture=sm_80")
