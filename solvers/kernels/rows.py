"""The decorator of loops over rows: compiled on the promise that what they write overlaps nothing that they read.

Without the promise the compiler guards every loop by comparisons of all its arrays, which cost as much as a row of 64
cells, and gives vector instructions up where there are too many arrays. Numba has the promise as a flag of its
compiler, reached through its `pipeline_class`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.core.compiler import Compiler

#: Rounding may be rearranged and contracted; NaN and infinity keep their meaning.
FAST = {"reassoc", "contract", "arcp", "nsz"}


class _Disjoint(Compiler):
    """Numba's compiler, with the C keyword `restrict` on all array arguments."""

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
