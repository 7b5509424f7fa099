"""Compile loops over rows on the promise that the arrays they write overlap no array that they read.

Without the promise the compiler guards every loop by comparisons of all its arrays, which cost as much as a row of 64
cells, and does not vectorise loops over too many arrays. Numba has the promise as the flag `noalias` of its compiler,
which a `pipeline_class` sets.

The promise holds for arguments that are arrays, not for arrays inside tuples. So a row kernel takes every array as an
argument by itself, and has up to 21 of them (`multigrid/plane/galerkin.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.core.compiler import Compiler

FAST = {"reassoc", "contract", "arcp", "nsz"}
"""Floating-point operations may be reordered and contracted; NaN and infinity keep their meaning."""


class _Disjoint(Compiler):
    """Run Numba's compiler with the C keyword `restrict` on all array arguments."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()


def row_kernel(function: Callable[..., Any]) -> Any:
    """Compile a loop whose written arrays overlap no other argument; arguments only read may overlap each other."""
    options = {
        "nogil": True,
        "cache": True,
        "fastmath": FAST,
        "error_model": "numpy",
        "_nrt": False,
        "forceinline": True,
    }
    return numba.njit(**options, pipeline_class=_Disjoint)(function)
