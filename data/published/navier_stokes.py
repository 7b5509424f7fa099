"""Give the time steps of the published Navier–Stokes data."""

from __future__ import annotations

from resolvent.solvers import InputError

PUBLISHED_SCHEMES = {"fno": ("cn_euler", 1e-4), "nsm": ("cn_heun", 1e-3)}
"""Scheme and step of each setting `legacy`: Crank–Nicolson for the viscosity, forward Euler or Heun for the rest."""

_FORCED_NSM_STEP = 5e-3


def published_steps(legacy: str, forced: bool, final_time: float, snapshots: int) -> tuple[str, int]:
    """Return the scheme, and its steps between two stored times.

    Raises
    ------
    InputError
        If the stored times do not lie on an even number of steps.
    """
    scheme, length = PUBLISHED_SCHEMES[legacy]
    if legacy == "nsm" and forced:
        length = _FORCED_NSM_STEP
    exact = final_time / snapshots / length
    if abs(exact - round(exact)) > 1e-6 * exact or round(exact) % 2:
        raise InputError(
            f"final_time={final_time:g} with {snapshots} snapshots is {exact:.6g} steps of {length:g} each: with "
            f"legacy={legacy}, expected an even number, for example snapshots={max(1, round(final_time))}"
        )
    return scheme, round(exact)
