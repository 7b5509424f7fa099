"""Solvers and preconditioners by name."""

from __future__ import annotations

from collections.abc import Callable

from .arguments import one_of
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


def get_solver(name: str) -> Callable[..., SolveResult]:
    """Return the solver of that name; InputError with the nearest name otherwise."""
    return SOLVERS[one_of(name, SOLVERS, "solver")]


def get_preconditioner(name: str) -> type[Preconditioner]:
    """Return the preconditioner class of that name; InputError with the nearest name otherwise."""
    return PRECONDITIONERS[one_of(name, PRECONDITIONERS, "preconditioner")]
