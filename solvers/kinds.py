"""Which solver takes which kind of preconditioner."""

from __future__ import annotations

from typing import Any, Literal

from .errors import InputError

Kind = Literal["spd", "linear", "nonlinear"]

#: The kinds of preconditioner that each solver takes; a solver that takes none has an empty tuple.
ACCEPTED_KINDS: dict[str, tuple[Kind, ...]] = {
    "cg": ("spd",),
    "fcg": ("spd", "linear", "nonlinear"),
    "block_cg": ("spd",),
    "deflated_cg": ("spd",),
    "minres": ("spd",),
    "recycled_minres": ("spd",),
    "gmres": ("spd", "linear"),
    "fgmres": ("spd", "linear", "nonlinear"),
    "lgmres": ("spd", "linear"),
    "gcrodr": ("spd", "linear"),
    "fgcrodr": ("spd", "linear", "nonlinear"),
    "bicgstab": ("spd", "linear"),
    "idrs": ("spd", "linear"),
    "chebyshev": ("spd",),
    "richardson": ("spd", "linear"),
    "jacobi": (),
    "gauss_seidel": (),
    "sor": (),
    "ssor": (),
}


def check_kind(solver: str, M: Any) -> None:
    """Refuse a preconditioner whose `kind` the solver's theory does not cover.

    An object without `kind` (a plain LinearOperator, an array, a callable) is taken on trust.

    Raises
    ------
    InputError
        Naming the kind that came, those that the solver takes and the solvers that take this one.
    """
    accepted = ACCEPTED_KINDS[solver]
    if not accepted:
        raise InputError(
            f"{solver} takes no preconditioner, but M was given: leave M out, or use {_takers('spd')} with M."
        )
    kind = getattr(M, "kind", None)
    if kind is None or kind in accepted:
        return
    takers = _takers(kind)
    fix = f"use {takers}" if takers else f"no solver here takes that kind; give one of kind {_either(accepted)}"
    raise InputError(
        f"{solver} takes a preconditioner of kind {_either(accepted)}, but M ({type(M).__name__}) is {kind!r}: {fix}."
    )


def _takers(kind: str) -> str:
    names = [name for name, kinds in ACCEPTED_KINDS.items() if kind in kinds]
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _either(kinds: tuple[Kind, ...]) -> str:
    return " or ".join(repr(kind) for kind in kinds)
