"""A spectral problem by its name and settings."""

from __future__ import annotations

import inspect
from typing import Any

from resolvent.solvers.arguments import one_of

from .spectral_problems import SPECTRAL_PROBLEMS, SpectralProblem

__all__ = ["make_spectral_problem"]


def make_spectral_problem(name: str, **settings: Any) -> SpectralProblem:
    """Build a member of ``SPECTRAL_PROBLEMS``.

    Raises
    ------
    InputError
        For an unknown problem or setting (with the nearest known one), or a value out of range.
    """
    kind = SPECTRAL_PROBLEMS[one_of(name, SPECTRAL_PROBLEMS, "spectral problem")]
    known = inspect.signature(kind).parameters
    for key in settings:
        one_of(key, known, f"setting of {name}")
    return kind(**settings)
