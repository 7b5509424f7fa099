"""Read samples that come from elsewhere (arrays, files of other projects), and make datasets of them.

A source is read in blocks of rows, twice: first to check that every number is finite and to take the digest that
tells one source from another, then to write. So its size is limited by the disk, not by the memory.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from resolvent.solvers import InputError
from resolvent.solvers.arguments import nonnegative_integer, one_of

from ..dataset import Dataset
from ..format.atomic_files import reading_errors
from ..format.compression import Compression
from ..format.digests import combined_digest, sample_digest
from ..format.field import Field, Role
from ..format.folder import DatasetFolder, shard_size_there
from ..format.identifiers import check_identifier
from ..format.layout import ShardContents, StoredGrid
from ..format.shard_file import encode_to_temporary
from ..format.splits import Shard, automatic_shard_size, plan_shards, read_splits, split_sizes
from ..format.stored_field import FieldEncoder
from ..grids import AXES, cell_centres
from ..statistics import write_statistics

BOUNDARIES = ("wall", "open", "periodic")

_BLOCK_BYTES = 4 << 20  # read at once


@dataclass(frozen=True)
class SourceField:
    """Describe a field of a source: an input (*space) or an output (*space), or (T, *space) if the source has times."""

    name: str
    role: Role
    units: str = "1"
    description: str = ""


@dataclass(frozen=True)
class Source:
    """Describe samples that are read in blocks.

    Parameters
    ----------
    name : str
        The dataset's name: letters, digits, ``_`` and ``-``.
    fields : sequence of SourceField
    count : int
    space : tuple of int
        Points along each axis.
    read : callable
        ``read(a, b)`` gives samples a to b − 1: a dict of arrays (b − a, *space), for outputs (b − a, T, *space).
    dtype : str
        The dtype to store: 'float32' or 'float64'.
    axes : sequence of ndarray or None
        None: cell centres of the unit box are assumed.
    times : ndarray or None
        Times of the outputs' steps, increasing; None for steady data.
    boundary : str or None
    scalars : mapping
        Numbers that all samples share, by name.
    splits : mapping or None
        Sizes, if the source comes in splits.
    origin : mapping
        Where it comes from, in plain values; stored in the configuration.
    """

    name: str
    fields: Sequence[SourceField]
    count: int
    space: tuple[int, ...]
    read: Callable[[int, int], Mapping[str, np.ndarray]]
    dtype: str = "float64"
    axes: Sequence[np.ndarray] | None = None
    times: np.ndarray | None = None
    boundary: str | None = None
    scalars: Mapping[str, float] = field(default_factory=dict)
    splits: Mapping[str, int] | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bytes_per_sample(self) -> int:
        """Return the bytes of a sample's numbers as stored, and of its provenance."""
        steps = 1 if self.times is None else len(self.times)
        numbers = sum(steps if f.role == "output" else 1 for f in self.fields) * int(np.prod(self.space))
        return numbers * np.dtype(self.dtype).itemsize + 1024


def write_source(
    source: Source,
    out: str | os.PathLike[str],
    *,
    splits: Mapping[str, int] | Sequence[float] = (0.8, 0.1, 0.1),
    shuffle_seed: int | None = None,
    compression: str | Compression = "gzip",
    shard_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Write a source as a dataset; the same call again completes an interrupted one.

    Parameters
    ----------
    source : Source
    out : path
    splits : mapping of sizes, three counts or three fractions
        Consecutive ranges: train, valid, test. A source that comes in splits keeps them.
    shuffle_seed : int or None
        Shuffle the samples first; the provenance keeps each sample's row in the source as ``index``.
    compression : str or Compression
    shard_size : int or None
        Samples in a file; None: as in the folder, else 16 MiB of numbers.
    progress : callable
        Called with (samples done, total) while writing.

    Raises
    ------
    InputError
        For names that clash, axes that do not fit, numbers that are not finite (naming the first), splits that do not
        fit, or a folder that holds another dataset.
    """
    compression = Compression.read(compression)
    _check(source)
    points = _coordinates(source.axes, source.space)
    times = None if source.times is None else _increasing(source.times)
    sizes = dict(source.splits) if source.splits is not None else _sizes(splits, source.count)
    order = np.arange(source.count)
    if shuffle_seed is not None:
        rng = np.random.default_rng(nonnegative_integer(shuffle_seed, "shuffle_seed"))
        # A source that comes in splits keeps them: none of its test samples is moved to train.
        ends = [source.count] if source.splits is None else np.cumsum(list(sizes.values())).tolist()
        order = np.concatenate([a + rng.permutation(b - a) for a, b in itertools.pairwise([0, *ends])])
    order = order[: sum(sizes.values())]
    if shard_size is None:
        shard_size = shard_size_there(Path(out)) or automatic_shard_size(source.bytes_per_sample)
    shards = plan_shards(sizes, shard_size)
    block = max(_BLOCK_BYTES // source.bytes_per_sample, 1)
    digests = np.empty((len(order), 32), dtype=np.uint8)
    for start in range(0, len(order), block):
        held = _rows(source, order[start : start + block])
        for place in range(len(next(iter(held.values())))):
            sample = {name: values[place] for name, values in held.items()}
            digests[start + place] = np.frombuffer(sample_digest(sample), np.uint8)
    config: dict[str, Any] = {
        "kind": "arrays",
        "name": source.name,
        "fields": {key: [f.name for f in source.fields if f.role == key[:-1]] for key in ("inputs", "outputs")},
        "units": {f.name: f.units for f in source.fields if f.units != "1"},
        "grid": "cell centres of the unit box (assumed)" if source.axes is None else "given",
        "boundary": source.boundary,
        "digest": combined_digest(bytes(row) for row in digests),
        "splits": sizes,
        "start": 0,
        "shuffle_seed": shuffle_seed,
        "dtype": source.dtype,
        **compression.settings(),
        "shard_size": shard_size,
    }
    if source.origin:
        config["origin"] = dict(source.origin)
    folder = DatasetFolder(Path(out), source.name, config, shards)
    grid = StoredGrid(points, source.boundary, times=np.zeros(1) if times is None else times)

    def contents(shard: Shard) -> ShardContents:
        rows = order[shard.start : shard.stop]
        held = _rows(source, rows)
        encoders: dict[str, FieldEncoder] = {}
        stored = digests[shard.start : shard.stop].copy()
        for place in range(len(rows)):
            sample = {}
            for item in source.fields:
                values = held[item.name][place]
                if place == 0:
                    timed = item.role == "output" and times is not None
                    first = Field(values, item.units, item.description, item.role, timed)
                    encoders[item.name] = FieldEncoder(first, compression)
                sample[item.name] = encoders[item.name].add(values)
            if compression.lossy:
                stored[place] = np.frombuffer(sample_digest(sample), np.uint8)
        return ShardContents(
            name=source.name,
            config=folder.config,
            config_hash=folder.hash,
            split=shard.split,
            start=shard.start,
            grid=grid,
            fields={name: encoder.finish() for name, encoder in encoders.items()},
            provenance={"index": rows, "digest": stored},
            scalars=source.scalars,
        )

    with folder.writing(source.bytes_per_sample) as missing:
        done = len(order) - sum(len(shard) for shard in missing)
        for shard in missing:
            folder.accept(*encode_to_temporary(contents(shard), folder.folder, shard))
            done += len(shard)
            if progress is not None:
                progress(done, len(order))
        folder.finish()
        with Dataset(folder.folder, open_files=2) as written:
            write_statistics(written, refresh=bool(missing))
    return Dataset(folder.folder)


def _check(source: Source) -> None:
    check_identifier(source.name, "name")
    names = [check_identifier(f.name, "field name") for f in source.fields]
    if len(set(names)) != len(names):
        raise InputError(f"field names {names} repeat one: expected different names for all inputs and outputs")
    if not any(f.role == "output" for f in source.fields):
        raise InputError("there is no output field: name one with outputs=[NAME]")
    if source.count < 1 or not 1 <= len(source.space) <= 3 or min(source.space) < 1:
        raise InputError(
            f"{source.count} samples on a grid {source.space}: expected at least one, with 1 to 3 axes in space"
        )
    one_of(source.dtype, ("float64", "float32"), "dtype")
    if source.boundary is not None:
        one_of(source.boundary, BOUNDARIES, "boundary")


def _sizes(splits: Mapping[str, int] | Sequence[float], count: int) -> dict[str, int]:
    splits = read_splits(splits)
    sizes = split_sizes(None if isinstance(splits, Mapping) else count, splits)
    if sum(sizes.values()) > count:
        raise InputError(f"the splits sum to {sum(sizes.values())} but the arrays hold {count} samples: lower them")
    return sizes


def _rows(source: Source, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Read samples in the stored dtype; check that shapes are as promised and every number is finite."""
    what = f"samples {int(rows.min())} to {int(rows.max())} of {source.name} cannot be read"
    with reading_errors(what, "the file is damaged or compressed by a filter that is not here"):
        parts = [source.read(a, b) for a, b in _runs(rows)]
    steps = () if source.times is None else (len(source.times),)
    held = {}
    for item in source.fields:
        values = (
            np.concatenate([np.asarray(part[item.name]) for part in parts]) if len(parts) > 1 else parts[0][item.name]
        )
        wanted = (len(rows), *(steps if item.role == "output" else ()), *source.space)
        if values.shape != wanted:
            raise InputError(f"{item.name} came in shape {values.shape}: expected {wanted}")
        finite = np.isfinite(values) if values.dtype.kind == "f" else np.True_
        if not np.all(finite):
            where = tuple(int(i) for i in np.argwhere(~finite)[0])
            raise InputError(
                f"{item.name} holds {values[where]} in sample {int(rows[where[0]])} at {list(where[1:])}: expected "
                "finite numbers; remove that sample or mend it"
            )
        with np.errstate(over="ignore"):
            held[item.name] = np.ascontiguousarray(values, dtype=source.dtype)
        if source.dtype == "float32" and not np.isfinite(held[item.name]).all():
            raise InputError(f"{item.name} is too large for float32: use dtype=float64")
    return held


def _runs(rows: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield runs of consecutive rows as ranges."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    for part in np.split(rows, breaks):
        yield int(part[0]), int(part[-1]) + 1


def _coordinates(axes: Sequence[np.ndarray] | None, space: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    if axes is None:
        return tuple(cell_centres(n) for n in space)
    points = tuple(np.asarray(a, dtype=np.float64) for a in axes)
    for axis, given, n in zip(AXES, points, space, strict=False):
        if given.shape != (n,) or not np.isfinite(given).all():
            raise InputError(f"axes: {axis} is of shape {given.shape}, expected ({n},) finite coordinates, one a cell")
    return points


def _increasing(times: np.ndarray) -> np.ndarray:
    values = np.asarray(times, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all() or (np.diff(values) <= 0).any():
        raise InputError(f"times of shape {values.shape}: expected finite times that increase")
    return values
