"""Choose the grids of a hierarchy, and summarise it."""

from __future__ import annotations

import math

from ..matrices.box import Box
from ..preconditioners.hierarchy_summary import HierarchySummary

COARSEST_CELLS = 36
"""Grids of at most so many cells are solved by a dense inverse."""

_ISOTROPY = 1.9
"""An axis is coarsened when its spacing is at most this many times the smallest one. Point relaxation smooths only
along strong links, so stretched cells are first coarsened along their short sides."""


def grid_sizes(box: Box) -> list[tuple[int, ...]]:
    """Return the cells per axis of each level, finest first: n → ⌈n/2⌉ along the axes of nearly the smallest spacing.

    A periodic axis keeps at least two cells, so that no cell becomes its own neighbour.
    """
    sizes = [box.shape]
    spacings = list(box.spacings)
    while math.prod(sizes[-1]) > COARSEST_CELLS:
        shape = sizes[-1]
        open_axes = [d for d, n in enumerate(shape) if n > (3 if box.periodic[d] else 1)]
        if not open_axes:
            break
        smallest = min(spacings[d] for d in open_axes)
        chosen = [d for d in open_axes if spacings[d] <= _ISOTROPY * smallest]
        sizes.append(tuple((n + 1) // 2 if d in chosen else n for d, n in enumerate(shape)))
        for d in chosen:
            spacings[d] *= 2.0
    return sizes


def summary(
    sizes: list[tuple[int, ...]], steps: int, rediscretised: bool = False, steps_below: int = 0
) -> HierarchySummary:
    """Return a summary of the hierarchy.

    `rediscretised` says whether the operators of coarse levels have the stencil of the finest, and `steps_below` how
    many relaxation steps they then get.
    """
    unknowns = [math.prod(shape) for shape in sizes]
    entries = [
        (1 + 2 * len(shape) if level == 0 or rediscretised else 3 ** len(shape)) * n
        for level, (shape, n) in enumerate(zip(sizes, unknowns, strict=True))
    ]
    kind = "operator-dependent interpolation, Galerkin coarse stencils"
    smoother = f"{steps} steps of fourth-kind Chebyshev-Jacobi before and after"
    if rediscretised:
        kind = f"linear interpolation, rediscretised coarse stencils of {1 + 2 * len(sizes[0])} points"
        smoother += f", {steps_below} on coarse levels"
    return HierarchySummary(
        f"Multigrid for diffusion: {kind}, float32",
        unknowns,
        entries,
        {"Smoother": smoother, "Coarse Solver": f"dense inverse of {unknowns[-1]} unknowns"},
        ["x".join(map(str, shape)) for shape in sizes],
    )
