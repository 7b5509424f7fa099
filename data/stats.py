"""Statistics of the fields over the training split, in The Well's ``stats.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .atomic_files import write_yaml
from .dataset import Dataset
from .moments import Moments
from .sample_figures import SampleFigures, recorded_moments

__all__ = ["field_statistics", "write_statistics"]

_BLOCK = 64  # samples read at once


def field_statistics(dataset: Dataset, known: Mapping[str, SampleFigures] | None = None) -> dict[str, Any]:
    """mean, std, rms and their deltas of each field over the training split (the first one that has samples).

    The moments of a sample are taken from `known` (by the path of its shard), or from the provenance where it has them,
    else from the values, and merged sample by sample, in order. Deltas are between successive stored times; a steady
    problem has none, and The Well's normalisation wants the keys, with 0.

    Returns
    -------
    dict
        ``{'split': …, 'samples': …, 'mean': {field: …}, 'std': …, 'rms': …, 'mean_delta': …, …}``
    """
    split = next(iter(dataset.splits))
    figures: dict[str, dict[str, float]] = {
        key: {} for key in ("mean", "std", "rms", "mean_delta", "std_delta", "rms_delta")
    }
    varying = set(dataset.output_fields) if dataset.trajectories else set()
    recorded = recorded_moments(dataset, split, [n for n in dataset.fields if n not in varying], known or {})
    for name in dataset.fields:
        whole, steps = Moments(), Moments()
        varies = name in varying
        if name in recorded:
            for row in recorded[name].tolist():
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


def write_statistics(dataset: Dataset, refresh: bool = True, known: Mapping[str, SampleFigures] | None = None) -> None:
    """Write ``stats.yaml``, atomically; with `refresh` False only if it is not there; `known` as above."""
    path = dataset.folder / "stats.yaml"
    if refresh or not path.is_file():
        write_yaml(field_statistics(dataset, known), path)
