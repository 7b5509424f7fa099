"""Measure Krylov recycling where it should win: a 3-D sequence whose matrices cannot be factored in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from ...console import say
from ..markdown import write_results
from . import METHODS, RTOL, fill_notes, measured_fills, outcome_of
from .families import large_family

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ...run_folder import RunFolder


def measure(config: DictConfig, folder: RunFolder) -> int:
    """Measure and write the table; return 0."""
    family = large_family()
    with threadpool_limits(1):
        say(f"{family.name}: drawing")
        systems = family.build()
        rows = []
        for method in METHODS:
            say(method)
            outcome = outcome_of(systems, method, "nonsymmetric", family.ilut, family.factored)
            if not outcome.reason:
                seconds = outcome.milliseconds / 1e3
                rows.append((method, f"{outcome.products:.0f}", f"{seconds:.1f}", f"{outcome.failed:.0%}"))
        fills = measured_fills()
    size = systems.pairs[0][0].shape[0]
    intro = (
        f"{family.name}: {len(systems.pairs)} complex systems of {size} unknowns, ‖b − Ax‖ ≤ {RTOL:g} ‖b‖, GMRES(40)"
        " and GCRO-DR(40, 20) with the ILUT of the first system, kept. Products and processor seconds a system,"
        " everything included; one thread of a machine shared with other work."
    )
    columns = ("method", "products a system", "seconds a system", "not converged")
    write_results(folder, "skr_large", intro, columns, rows, fill_notes(fills))
    folder.finish(systems=len(systems.pairs))
    return 0
