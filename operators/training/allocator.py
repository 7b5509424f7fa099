"""Keep the memory of one training step for the next."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Ask glibc's allocator to keep freed arrays for re-use; return whether it agreed.

    A training step frees and allocates the same tens of megabytes of activations again and again. By default glibc
    returns large blocks to the kernel, which must then map and clear every page anew: a quarter of a CPU training step
    of the FNO at 64² was spent in these page faults. In return the process keeps its peak memory. Without glibc this
    does nothing.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST)) and bool(mallopt(_TRIM_THRESHOLD, _LARGEST))
