"""Bound what a certificate may forgive: an allowance without limit would certify any numbers at all.

A stored sample meets its equations to the solver's tolerance plus an allowance, the bound on what rounding to the
stored dtype and an error bound of the compression can add. Both come from the file: they grow with the stored numbers
(noise of 10²⁰⁰ has an infinite allowance), or stand in its configuration.
"""

from __future__ import annotations

import math

LARGEST_SHARE = 1e-2
"""The largest tolerance, and the largest allowance, as shares of the right-hand side (for trajectories, of the
largest state)."""

STORED_SHARE = 0.9 * LARGEST_SHARE
"""The largest allowance of what is stored: another machine, which adds in another order, must find less than
`LARGEST_SHARE`."""


def forgiven_too_much(residual: float, tolerance: float, allowance: float) -> str:
    """Say why a residual certifies nothing, whatever the tolerance says; '' if it does certify its sample."""
    if not math.isfinite(residual):
        return "residual is not a finite number"
    if not 0.0 <= tolerance <= LARGEST_SHARE:
        return f"rtol {tolerance:.1e} of the file certifies nothing: expected at most {LARGEST_SHARE:g}"
    if not 0.0 <= allowance <= LARGEST_SHARE:
        return f"allowance {allowance:.1e} for storage certifies nothing: expected at most {LARGEST_SHARE:g}"
    return ""


def storable(allowance: float) -> bool:
    """Return whether a sample with this allowance may be stored: it will pass on other machines too."""
    return 0.0 <= allowance <= STORED_SHARE
