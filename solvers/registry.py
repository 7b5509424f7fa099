"""Solvers and preconditioners by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import TypeVar

from .errors import InputError
from .krylov.bicgstab import bicgstab
from .krylov.block_cg import block_cg
from .krylov.cg import cg
from .krylov.chebyshev import chebyshev
from .krylov.deflated_cg import deflated_cg
from .krylov.fcg import fcg
from .krylov.fgmres import fgmres
from .krylov.gcrodr import fgcrodr, gcrodr
from .krylov.gmres import gmres
from .krylov.idrs import idrs
from .krylov.lgmres import lgmres
from .krylov.minres import minres
from .krylov.recycled_minres import recycled_minres
from .multigrid import Multigrid
from .preconditioner import Preconditioner
from .preconditioners import (
    AMG,
    FSAI,
    IC0,
    ICT,
    ILU0,
    ILUT,
    SSOR,
    BlockJacobi,
    ChebyshevPolynomial,
    Circulant,
    Direct,
    FastPoisson,
    Jacobi,
    SymmetricPolynomial,
    Tau,
)
from .result import SolveResult
from .stationary.richardson import richardson
from .stationary.splitting import gauss_seidel, jacobi, sor, ssor

SOLVERS: dict[str, Callable[..., SolveResult]] = {
    "cg": cg,
    "fcg": fcg,
    "block_cg": block_cg,
    "deflated_cg": deflated_cg,
    "minres": minres,
    "recycled_minres": recycled_minres,
    "gmres": gmres,
    "fgmres": fgmres,
    "lgmres": lgmres,
    "gcrodr": gcrodr,
    "fgcrodr": fgcrodr,
    "bicgstab": bicgstab,
    "idrs": idrs,
    "chebyshev": chebyshev,
    "richardson": richardson,
    "jacobi": jacobi,
    "gauss_seidel": gauss_seidel,
    "sor": sor,
    "ssor": ssor,
}

PRECONDITIONERS: dict[str, type[Preconditioner]] = {
    cls.name: cls
    for cls in (
        Jacobi,
        BlockJacobi,
        SSOR,
        IC0,
        ICT,
        ILU0,
        ILUT,
        FSAI,
        ChebyshevPolynomial,
        SymmetricPolynomial,
        AMG,
        FastPoisson,
        Multigrid,
        Tau,
        Circulant,
        Direct,
    )
}

T = TypeVar("T")


def get_solver(name: str) -> Callable[..., SolveResult]:
    """Return the solver of that name; InputError with the nearest name otherwise."""
    return _find("solver", name, SOLVERS)


def get_preconditioner(name: str) -> type[Preconditioner]:
    """Return the preconditioner class of that name; InputError with the nearest name otherwise."""
    return _find("preconditioner", name, PRECONDITIONERS)


def _find(what: str, name: str, registry: Mapping[str, T]) -> T:
    if name in registry:
        return registry[name]
    close = difflib.get_close_matches(str(name), registry, 1)
    fix = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(registry)}."
    raise InputError(f"no {what} is called {name!r}; {fix}")
