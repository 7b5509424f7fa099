"""Statistics of the fields over the training split, in The Well's ``stats.yaml``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .atomic_files import write_yaml
from .dataset import Dataset
from .moments import Moments

__all__ = ["field_statistics", "write_statistics"]

_BLOCK = 64  # samples read at once


def field_statistics(dataset: Dataset) -> dict[str, Any]:
    """mean, std, rms and their deltas of each field over the training split (the first one that has samples).

    The moments of a sample are taken from the provenance where it has them, else from the values, and merged sample by
    sample, in order. Deltas are between successive stored times; a steady problem has none, and The Well's
    normalisation wants the keys, with 0.

    Returns
    -------
    dict
        ``{'split': …, 'samples': …, 'mean': {field: …}, 'std': …, 'rms': …, 'mean_delta': …, …}``
    """
    split = next(iter(dataset.splits))
    figures: dict[str, dict[str, float]] = {
        key: {} for key in ("mean", "std", "rms", "mean_delta", "std_delta", "rms_delta")
    }
    recorded = dataset.provenance(split)
    for name in dataset.fields:
        whole, steps = Moments(), Moments()
        varies = dataset.trajectories and name in dataset.output_fields
        moments = recorded.get(f"moments_{name}", np.empty((0, 3)))
        if len(moments) == dataset.splits[split] and not varies:
            for row in moments.tolist():
                whole.merge(*row)
            _enter(figures, name, "", whole)
            _enter(figures, name, "_delta", steps)
            continue
        with np.errstate(over="ignore", invalid="ignore"):  # of numbers beyond 1e154: figures that are infinite
            for start in range(0, dataset.splits[split], _BLOCK):
                values = np.asarray(dataset.read(split, name, start, start + _BLOCK), dtype=np.float64)
                whole.add(values)
                if varies:
                    steps.add(np.diff(values, axis=1))
        _enter(figures, name, "", whole)
        _enter(figures, name, "_delta", steps)
    return {"split": split, "samples": dataset.splits[split], **figures}


def _enter(figures: dict[str, dict[str, float]], name: str, suffix: str, moments: Moments) -> None:
    for key, figure in moments.figures().items():
        figures[f"{key}{suffix}"][name] = figure


def write_statistics(dataset: Dataset, refresh: bool = True) -> None:
    """Write ``stats.yaml``, atomically; with `refresh` False only if it is not there."""
    path = dataset.folder / "stats.yaml"
    if refresh or not path.is_file():
        write_yaml(field_statistics(dataset), path)
