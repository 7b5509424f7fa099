"""Compute statistics of the fields over the training split, and write them as The Well's ``stats.yaml``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .dataset import Dataset
from .format.atomic_files import write_yaml
from .format.digests import combined_digest
from .moments import Moments

_BLOCK = 64  # samples read at once


def field_statistics(dataset: Dataset, known: Mapping[str, SampleFigures] | None = None) -> dict[str, Any]:
    """Return mean, std, rms and their deltas of each field over the training split (the first one that has samples).

    The moments of a sample are taken from `known` (by the path of its shard), from the provenance if it has them, or
    from the values, and are merged sample by sample, in order. Deltas are between successive stored times; a steady
    problem has none, and The Well's normalisation needs the keys, with 0.

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
        with np.errstate(over="ignore", invalid="ignore"):  # numbers beyond 1e154 have infinite moments
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
    """Write ``stats.yaml``, atomically; with ``refresh=False`` only if it is not there; `known` as above."""
    path = dataset.folder / "stats.yaml"
    if refresh or not path.is_file():
        write_yaml(field_statistics(dataset, known), path)


@dataclass(frozen=True, repr=False)
class SampleFigures:
    """Hold per-sample digests and moments of a shard while it is made, so that it need not be read back.

    Parameters
    ----------
    digests : ndarray, shape (B, 32), uint8
    moments : dict of ndarray, shape (B, 3)
    """

    digests: np.ndarray
    moments: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"SampleFigures({len(self.digests)} samples, moments of {', '.join(self.moments) or 'no field'})"

    @classmethod
    def of_provenance(cls, provenance: Mapping[str, np.ndarray]) -> SampleFigures:
        """Take them from the provenance of a shard."""
        prefix = "moments_"
        moments = {key[len(prefix) :]: rows for key, rows in provenance.items() if key.startswith(prefix)}
        return cls(provenance["digest"], moments)


def content_digest(dataset: Dataset, known: Mapping[str, SampleFigures]) -> str:
    """Return :attr:`~.dataset.Dataset.content_digest`; only shards whose figures are not known, by path, are read."""

    def digests() -> Iterable[bytes]:
        for shard in dataset.shards:
            figures = known.get(shard.path(dataset.name))
            yield from (bytes(row) for row in (dataset.digests(shard) if figures is None else figures.digests))

    return combined_digest(digests())


def recorded_moments(
    dataset: Dataset, split: str, names: Iterable[str], known: Mapping[str, SampleFigures]
) -> dict[str, np.ndarray]:
    """Return the moments of a split's samples, (N, 3) by field; fields that lack them in some shard are left out."""
    wanted = list(names)
    parts: dict[str, list[np.ndarray | None]] = {name: [] for name in wanted}
    for shard in dataset.shards:  # each file is opened once for all fields
        if shard.split == split:
            figures = known.get(shard.path(dataset.name))
            for name in wanted:
                rows = dataset.column(shard, f"moments_{name}") if figures is None else figures.moments.get(name)
                parts[name].append(rows)
    whole = {name: [part for part in found if part is not None] for name, found in parts.items()}
    return {name: np.concatenate(whole[name]) for name, found in parts.items() if len(whole[name]) == len(found)}
