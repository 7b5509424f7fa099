"""All kernels run under the address and undefined-behaviour sanitizers, with every index checked, and find nothing.

`RESOLVENT_KERNELS=debug` with libasan preloaded runs any other test so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from resolvent.solvers.kernels.building import compiling

ROOT = Path(__file__).parents[3]
KERNEL_TESTS = sorted(path for path in (ROOT / "tests").rglob("test_*kernels.py"))


def address_sanitizer() -> str | None:
    """Return the library that a process must load first, where the compiler has one."""
    command = compiling.compiler()
    if command is None or sys.platform != "linux":
        return None
    found = subprocess.run(
        [*command, "-print-file-name=libasan.so"], capture_output=True, text=True, timeout=60
    ).stdout.strip()
    return found if Path(found).is_absolute() else None


SANITIZER = address_sanitizer()
pytestmark = pytest.mark.skipif(SANITIZER is None, reason="the compiler has no address sanitizer")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    checked = {"LD_PRELOAD": str(SANITIZER), "ASAN_OPTIONS": "detect_leaks=0", "RESOLVENT_KERNELS": "debug"}
    return subprocess.run(
        [sys.executable, *command], env={**os.environ, **checked}, capture_output=True, text=True, timeout=1800
    )


def test_the_kernels_of_every_family_pass_under_the_sanitizers() -> None:
    assert len(KERNEL_TESTS) >= 5
    done = run("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *map(str, KERNEL_TESTS))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_an_index_outside_is_found() -> None:
    done = run(
        "-c",
        "import numpy as np\n"
        "from resolvent.solvers.kernels import Kernel\n"
        "Kernel('forward_sweep', 'int I* I* T* T* T* T*')(\n"
        "    8, np.arange(9), np.arange(8), np.ones(8), np.ones(8), np.ones(8), np.ones(4))",
    )
    assert done.returncode != 0
    assert "AddressSanitizer" in done.stderr or "outside a view" in done.stderr
