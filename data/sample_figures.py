"""What the makers of a shard know of its samples, so that the finished dataset need not be read for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from .dataset import Dataset
from .digests import combined_digest

__all__ = ["SampleFigures", "content_digest", "recorded_moments"]


@dataclass(frozen=True)
class SampleFigures:
    """Digests, (B, 32), and by field the moments, (B, 3), of a shard's samples: columns of its provenance.

    Parameters
    ----------
    digests : ndarray, shape (B, 32), uint8
    moments : dict of ndarray, shape (B, 3)
    """

    digests: np.ndarray
    moments: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of_provenance(cls, provenance: Mapping[str, np.ndarray]) -> SampleFigures:
        """Those of a shard that is being made."""
        prefix = "moments_"
        moments = {key[len(prefix) :]: rows for key, rows in provenance.items() if key.startswith(prefix)}
        return cls(provenance["digest"], moments)


def content_digest(dataset: Dataset, known: Mapping[str, SampleFigures]) -> str:
    """:attr:`~.dataset.Dataset.content_digest`; only shards whose figures are not known, by path, are read."""

    def digests() -> Iterable[bytes]:
        for shard in dataset.shards:
            figures = known.get(shard.path(dataset.name))
            yield from (bytes(row) for row in (dataset.digests(shard) if figures is None else figures.digests))

    return combined_digest(digests())


def recorded_moments(
    dataset: Dataset, split: str, names: Iterable[str], known: Mapping[str, SampleFigures]
) -> dict[str, np.ndarray]:
    """Moments of a split's samples, (N, 3) by field, in order; fields without them in some shard are left out."""
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
