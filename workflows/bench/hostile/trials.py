"""Try one hostile system: draw the solver, solve, and judge what came of it in long double."""

from __future__ import annotations

import os
import signal
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np

from resolvent.solvers import PRECONDITIONERS, SOLVERS, InputError, SolveResult, Status, solve
from resolvent.solvers.registry import ACCEPTED_KINDS, METHODS

from .systems import EPSILON, MISBEHAVIOUR, Random, System, draw_system

DEADLINE = 20
"""Seconds that a trial may take; one of thirty unknowns takes milliseconds."""

RECYCLING = ("deflated_cg", "recycled_minres", "gcrodr", "fgcrodr")
FAULTS = ("traceback", "false convergence", "hang", "warning", "damaged result")


@dataclass(frozen=True)
class Outcome:
    """Hold what came of a trial.

    Attributes
    ----------
    seed : int
        Draws the trial again.
    end : str
        The status, 'refused', or one of `FAULTS`.
    detail : str
        The trial in words, and the fault.
    """

    seed: int
    end: str
    detail: str = ""


class DeadlineError(BaseException):
    """Raised when a trial takes too long; no `except Exception` of a solver stops it."""


def try_system(seed: int) -> Outcome:
    """Draw the trial of that seed, run it and judge it."""
    rng = np.random.default_rng(seed)
    system = draw_system(rng)
    name, settings, M_name, make = _draw_solver(rng, system)
    label = f"{name} with M = {M_name}, {settings}: {system.label}"
    with warnings.catch_warnings(record=True) as caught, _standard_error() as printed:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # of the matrices that our own trials return
        try:
            with _deadline():
                outcome = _run(seed, label, system, name, settings, make)
        except DeadlineError:
            outcome = Outcome(seed, "hang", label)
        except Exception:
            lines = traceback.format_exc().strip().splitlines()
            places = [line.strip() for line in lines if line.lstrip().startswith("File")]
            outcome = Outcome(
                seed, "traceback", f"{label}: {lines[-1]} ({places[-1]}; {places[min(2, len(places) - 1)]})"
            )
    if caught and outcome.end not in FAULTS:
        first = caught[0]
        return Outcome(seed, "warning", f"{label}: {first.message} ({first.filename}:{first.lineno})")
    if printed and outcome.end not in FAULTS:
        return Outcome(seed, "warning", f"{label}: printed {printed[0]!r}")
    return outcome


def _run(seed: int, label: str, system: System, name: str, settings: dict[str, Any], make: Any) -> Outcome:
    try:
        M = make()
        chosen = {**settings, **({} if M is None else {"M": M})}
        if name == "auto":
            result = solve(system.operand, system.rhs, x0=system.guess, **chosen)
        else:
            result = SOLVERS[name](system.operand, system.rhs, system.guess, **chosen)
        if name in RECYCLING:
            fault = judge(system, result, settings)
            if fault is not None:
                return Outcome(seed, fault[0], f"{label}: {fault[1]}")
            result = SOLVERS[name](system.operand, system.rhs, None, **chosen, space=result.space)
    except InputError as error:
        if "\n" in str(error):
            return Outcome(seed, "traceback", f"{label}: a refusal of several lines, {error}")
        return Outcome(seed, "refused")
    fault = judge(system, result, settings)
    return Outcome(seed, str(result.status)) if fault is None else Outcome(seed, fault[0], f"{label}: {fault[1]}")


def judge(system: System, result: SolveResult, settings: dict[str, Any]) -> tuple[str, str] | None:
    """Return the fault of a result with the numbers that show it, from a residual in long double; None without one."""
    if result.x.shape != system.rhs.shape or not isinstance(result.status, Status):
        return "damaged result", f"x of shape {result.x.shape}, status {result.status!r}"
    repr(result), result.to_dict()
    rhs = system.rhs if system.rhs.ndim == 2 else system.rhs[:, None]
    x = result.x if result.x.ndim == 2 else result.x[:, None]
    for j, column in enumerate(result.columns or (result,)):
        if not column.converged:
            continue
        if not np.isfinite(x[:, j]).all():
            return "false convergence", f"column {j} has x that is not finite"
        if not np.isfinite(system.unit):
            continue
        residual, size, rounding = long_residual(system.entries, x[:, j], rhs[:, j], system.unit)
        allowed = max(settings["rtol"] * size, settings.get("atol", 0.0)) * (1.0 + 1e-6)
        if not residual <= allowed + rounding:
            return (
                "false convergence",
                f"column {j}: ‖b − Ax‖ = {residual:.3g} > {allowed:.3g} ({rounding:.2g} rounding)",
            )
    return None


def long_residual(entries: np.ndarray, x: np.ndarray, b: np.ndarray, unit: float = EPSILON) -> tuple[Any, Any, Any]:
    """Return ‖b − A x‖₂, ‖b‖₂, and what rounding of a relative size `unit` may add to the first, in long double."""
    wide = np.clongdouble if "c" in (entries.dtype.kind + x.dtype.kind + b.dtype.kind) else np.longdouble
    A, v, side = entries.astype(wide), x.astype(wide), b.astype(wide)
    residual = side - (A * v).sum(axis=1)
    terms = (np.abs(A) * np.abs(v)).sum(axis=1) + np.abs(side)
    return _length(residual), _length(side), np.longdouble(unit) * len(b) * _length(terms)


def _length(v: np.ndarray) -> Any:
    return np.sqrt((np.abs(v) ** 2).sum())


@contextmanager
def _deadline() -> Iterator[None]:
    """Raise `DeadlineError` in the body after `DEADLINE` seconds, where the platform has alarms."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise DeadlineError

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(DEADLINE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _standard_error() -> Iterator[list[str]]:
    """Yield a list that holds, after the body, the lines which compiled code wrote to the standard error."""
    lines: list[str] = []
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            lines += file.read().decode(errors="replace").splitlines()


def _draw_solver(rng: Random, system: System) -> tuple[str, dict[str, Any], str, Any]:
    """Return a solver's name, its settings, the preconditioner's name, and a function that makes the preconditioner."""
    name = str(rng.choice([*SOLVERS, "auto"]))
    settings: dict[str, Any] = {"rtol": float(rng.choice([1e-2, 1e-5, 1e-8, 1e-12, 0.0], p=[0.1, 0.4, 0.3, 0.1, 0.1]))}
    if rng.random() < 0.15:
        settings["atol"] = float(rng.choice([1e-320, 1e-10, 1.0, 1e300]))
    if rng.random() < 0.2:
        settings["maxiter"] = int(rng.choice([0, 1, 2, 7, 200]))
    if name == "auto":
        return name, settings, "none", lambda: None
    if rng.random() < 0.3:
        settings.update(_draw_settings(rng, name))
    if METHODS[name].nullspace and "Laplacian" in system.label and rng.random() < 0.5:
        settings["nullspace"] = np.ones(len(system.entries))
    kind = rng.random()
    if not ACCEPTED_KINDS[name] or kind < 0.4:
        return name, settings, "none", lambda: None
    if kind < 0.8:
        preconditioner = str(rng.choice(list(PRECONDITIONERS)))
        return name, settings, preconditioner, lambda: PRECONDITIONERS[preconditioner].setup(system.operand)
    how = str(rng.choice(list(MISBEHAVIOUR)))
    size = float(rng.choice([1.0, 1e-300, 1e300, 1e-3, -1.0, 0.0]))

    def make() -> Any:
        return MISBEHAVIOUR[how](rng, lambda r: size * r)

    return name, settings, f"{size:g} r, {how}", make


def _draw_settings(rng: Random, name: str) -> dict[str, Any]:
    if name in ("gmres", "fgmres"):
        return {"restart": int(rng.integers(1, 8))}
    if name == "lgmres":
        return {"inner_m": int(rng.integers(1, 6)), "outer_k": int(rng.integers(0, 4))}
    if name in ("gcrodr", "fgcrodr"):
        k = int(rng.integers(1, 5))
        return {"k": k, "restart": k + int(rng.integers(1, 8))}
    if name in ("deflated_cg", "recycled_minres"):
        return {"k": int(rng.integers(1, 5)), "window": int(rng.integers(1, 8))}
    if name == "chebyshev":
        return {"bounds": (10.0 ** rng.uniform(-310.0, 0.0), 10.0 ** rng.uniform(0.0, 300.0))}
    if name == "richardson":
        return {"omega": 10.0 ** rng.uniform(-300.0, 300.0)}
    if name in ("sor", "ssor"):
        return {"omega": float(rng.uniform(0.1, 1.9))}
    return {}
