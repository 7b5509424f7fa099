"""Statistics of the fields over the training split, in The Well's ``stats.yaml``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .atomic_files import write_yaml
from .dataset import Dataset

__all__ = ["field_statistics", "write_statistics"]

_BLOCK = 64  # samples read at once


def field_statistics(dataset: Dataset) -> dict[str, Any]:
    """mean, std, rms and their deltas of each field over the training split (the first one that has samples).

    Mean and sum of squared deviations are merged sample by sample, in order, in float64 (Chan, Golub, LeVeque 1983), so
    that the figures do not depend on sharding and do not lose digits where the mean is large. A steady problem has one
    time step and so no deltas; The Well's normalisation wants the keys, with 0.

    Returns
    -------
    dict
        ``{'split': …, 'samples': …, 'mean': {field: …}, 'std': …, 'rms': …, 'mean_delta': …, …}``
    """
    split = next(iter(dataset.splits))
    figures: dict[str, dict[str, float]] = {
        key: {} for key in ("mean", "std", "rms", "mean_delta", "std_delta", "rms_delta")
    }
    for name in dataset.fields:
        count, mean, spread = 0, 0.0, 0.0
        for start in range(0, dataset.splits[split], _BLOCK):
            for values in dataset.read(split, name, start, start + _BLOCK):
                values = np.asarray(values, dtype=np.float64)
                size, centre = values.size, float(values.mean())
                shift = centre - mean
                spread += float(np.square(values - centre).sum()) + shift**2 * count * size / (count + size)
                mean += shift * size / (count + size)
                count += size
        figures["mean"][name] = mean
        figures["std"][name] = float(np.sqrt(spread / count))
        figures["rms"][name] = float(np.sqrt(mean**2 + spread / count))
        for key in ("mean_delta", "std_delta", "rms_delta"):
            figures[key][name] = 0.0
    return {"split": split, "samples": dataset.splits[split], **figures}


def write_statistics(dataset: Dataset, refresh: bool = True) -> None:
    """Write ``stats.yaml``, atomically; with `refresh` False only if it is not there."""
    path = dataset.folder / "stats.yaml"
    if refresh or not path.is_file():
        write_yaml(field_statistics(dataset), path)
