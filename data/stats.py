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
    that the figures do not depend on sharding and do not lose digits where the mean is large. Deltas are between stored
    times; a steady problem has one time step and so none: The Well's normalisation wants the keys, with 0.

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
        plain, delta = _Moments(), _Moments()
        for start in range(0, dataset.splits[split], _BLOCK):
            for values in dataset.read(split, name, start, start + _BLOCK):
                values = np.asarray(values, dtype=np.float64)
                plain.add(values)
                if name in dataset.output_fields and len(dataset.times) > 1:
                    delta.add(np.diff(values, axis=0))
        for suffix, moments in (("", plain), ("_delta", delta)):
            figures[f"mean{suffix}"][name] = moments.mean
            figures[f"std{suffix}"][name] = moments.std
            figures[f"rms{suffix}"][name] = float(np.sqrt(moments.mean**2 + moments.std**2))
    return {"split": split, "samples": dataset.splits[split], **figures}


class _Moments:
    """Mean and standard deviation of arrays added one after the other; 0 of none."""

    def __init__(self) -> None:
        self.count, self.mean, self.spread = 0, 0.0, 0.0

    def add(self, values: np.ndarray) -> None:
        size, centre = values.size, float(values.mean())
        shift = centre - self.mean
        self.spread += float(np.square(values - centre).sum()) + shift**2 * self.count * size / (self.count + size)
        self.mean += shift * size / (self.count + size)
        self.count += size

    @property
    def std(self) -> float:
        return float(np.sqrt(self.spread / max(self.count, 1)))


def write_statistics(dataset: Dataset, refresh: bool = True) -> None:
    """Write ``stats.yaml``, atomically; with `refresh` False only if it is not there."""
    path = dataset.folder / "stats.yaml"
    if refresh or not path.is_file():
        write_yaml(field_statistics(dataset), path)
