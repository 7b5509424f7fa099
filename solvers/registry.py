"""List the solvers and preconditioners by name: what is listed here, the command line and the contract tests find."""

from __future__ import annotations

from collections.abc import Callable

from .arguments import one_of
from .iteration import Method
from .krylov import (
    bicgstab,
    block_cg,
    cg,
    chebyshev,
    deflated_cg,
    fcg,
    fgmres,
    gcrodr,
    gmres,
    idrs,
    lgmres,
    lsmr,
    minres,
    recycled_minres,
)
from .multigrid import Multigrid
from .preconditioner import Kind, Preconditioner
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
    RegularizedLU,
    SymmetricPolynomial,
    Tau,
)
from .result import SolveResult
from .stationary import gauss_seidel, jacobi, richardson, sor, ssor

_MEMBERS: tuple[tuple[Method, Callable[..., SolveResult]], ...] = (
    (cg.METHOD, cg.cg),
    (fcg.METHOD, fcg.fcg),
    (block_cg.METHOD, block_cg.block_cg),
    (deflated_cg.METHOD, deflated_cg.deflated_cg),
    (minres.METHOD, minres.minres),
    (recycled_minres.METHOD, recycled_minres.recycled_minres),
    (gmres.METHOD, gmres.gmres),
    (fgmres.METHOD, fgmres.fgmres),
    (lgmres.METHOD, lgmres.lgmres),
    (gcrodr.METHOD, gcrodr.gcrodr),
    (gcrodr.FLEXIBLE_METHOD, gcrodr.fgcrodr),
    (bicgstab.METHOD, bicgstab.bicgstab),
    (idrs.METHOD, idrs.idrs),
    (lsmr.METHOD, lsmr.lsmr),
    (chebyshev.METHOD, chebyshev.chebyshev),
    (richardson.METHOD, richardson.richardson),
    (jacobi.METHOD, jacobi.jacobi),
    (gauss_seidel.METHOD, gauss_seidel.gauss_seidel),
    (sor.METHOD, sor.sor),
    (ssor.METHOD, ssor.ssor),
)

SOLVERS: dict[str, Callable[..., SolveResult]] = {method.name: solver for method, solver in _MEMBERS}

METHODS: dict[str, Method] = {method.name: method for method, _ in _MEMBERS}
"""What each solver requires of A and M, by its name."""

ACCEPTED_KINDS: dict[str, tuple[Kind, ...]] = {name: method.accepts for name, method in METHODS.items()}
"""The kinds of preconditioner that each solver takes; a solver that takes none has an empty tuple."""

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
        RegularizedLU,
    )
}


def get_solver(name: str) -> Callable[..., SolveResult]:
    """Return the solver of that name; InputError with the nearest name otherwise."""
    return SOLVERS[one_of(name, SOLVERS, "solver")]


def get_preconditioner(name: str) -> type[Preconditioner]:
    """Return the preconditioner class of that name; InputError with the nearest name otherwise."""
    return PRECONDITIONERS[one_of(name, PRECONDITIONERS, "preconditioner")]
