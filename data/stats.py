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
    that the figures do not depend on sharding and do not lose digits where the mean is large. Deltas are between
    successive stored times; a steady problem has none, and The Well's normalisation wants the keys, with 0.

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
        whole, steps = _Moments(), _Moments()
        varies = dataset.trajectories and name in dataset.output_fields
        with np.errstate(over="ignore", invalid="ignore"):  # of numbers beyond 1e154: figures that are infinite
            for start in range(0, dataset.splits[split], _BLOCK):
                values = np.asarray(dataset.read(split, name, start, start + _BLOCK), dtype=np.float64)
                whole.add(values)
                if varies:
                    steps.add(np.diff(values, axis=1))
        for suffix, moments in (("", whole), ("_delta", steps)):
            for key, figure in moments.figures().items():
                figures[f"{key}{suffix}"][name] = figure
    return {"split": split, "samples": dataset.splits[split], **figures}


class _Moments:
    """Mean and sum of squared deviations of all numbers seen so far, sample by sample in order."""

    def __init__(self) -> None:
        self.count, self.mean, self.spread = 0, 0.0, 0.0

    def add(self, values: np.ndarray) -> None:
        """Take samples in, values of shape (N, …)."""
        rows = np.ascontiguousarray(values.reshape(len(values), -1))
        size = rows.shape[1]
        centres = rows.mean(axis=1)
        spreads = np.square(rows - centres[:, None]).sum(axis=1)
        for centre, spread in zip(centres.tolist(), spreads.tolist(), strict=True):
            shift = centre - self.mean
            self.spread += spread + shift * shift * self.count * size / (self.count + size)
            self.mean += shift * size / (self.count + size)
            self.count += size

    def figures(self) -> dict[str, float]:
        """mean, std and rms; 0 where nothing was seen."""
        variance = self.spread / self.count if self.count else 0.0
        return {
            "mean": self.mean,
            "std": float(np.sqrt(variance)),
            "rms": float(np.sqrt(self.mean * self.mean + variance)),
        }


def write_statistics(dataset: Dataset, refresh: bool = True) -> None:
    """Write ``stats.yaml``, atomically; with `refresh` False only if it is not there."""
    path = dataset.folder / "stats.yaml"
    if refresh or not path.is_file():
        write_yaml(field_statistics(dataset), path)
