"""Compare what a file declares with the memory that is free, before it is allocated."""

from __future__ import annotations

import os

from resolvent.solvers import InputError


def free_memory() -> float:
    """Return the bytes of memory that are free now: of the machine, or of the control group if that has fewer."""
    free = float("inf")
    for limit, usage in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            with open(limit, encoding="ascii") as most, open(usage, encoding="ascii") as used:
                free = min(free, float(int(most.read()) - int(used.read())))
        except (OSError, ValueError):  # no such control group, or no limit ("max")
            continue
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            available = next(line for line in file if line.startswith("MemAvailable:"))
        return min(free, 1024.0 * float(available.split()[1]))
    except (OSError, StopIteration):  # not Linux
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else float("inf")
        return min(free, pages / 2.0)


def check_fits(declared: int, what: str) -> None:
    """Refuse data that would fill more than half of the free memory.

    Raises
    ------
    InputError
    """
    free = free_memory()
    if declared > free / 2:
        raise InputError(
            f"{what} declares {declared / 1e9:.3g} GB of numbers and {free / 1e9:.3g} GB of memory are free: split it, "
            "or store it as HDF5, which is read piece by piece"
        )
