"""Read a dataset: lazily, from any process, by split and field."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from resolvent.solvers import InputError
from resolvent.solvers.arguments import one_of

from .format.atomic_files import read_yaml, reading_errors
from .format.digests import combined_digest
from .format.folder import ShardRecord, read_config, read_manifest
from .format.layout import field_dataset, field_shape, open_shard
from .format.splits import SPLITS, Shard, plan_shards
from .html import html_table

_OPEN_FILES = 32  # kept open at once, per process


class Dataset:
    """Read a finished dataset folder, lazily.

    File handles belong to the process that opened them: after a fork each process opens its own, and a pickled Dataset
    carries none. Several threads may read at once.

    Parameters
    ----------
    folder : path
    open_files : int or None
        Files that are open at once in a process, a megabyte each. None: 32. Fewer suffice to read in order.

    Attributes
    ----------
    folder : Path
    config : dict
        The full configuration, as in ``config.yaml``.
    name : str
        The problem's name, or the name given to the arrays.
    splits : dict of int
        Samples in each split that has any: ``{'train': 480, 'valid': 60, 'test': 60}``.
    input_fields, output_fields, fields : list of str
        `fields` also holds the constant and auxiliary ones.
    resolution : tuple of int
        Cells (or nodes) along each axis.
    times : ndarray, shape (T,)
        The stored times; for a steady problem one, 0.
    periodic : tuple of bool
        For each axis, whether the data are periodic along it; False if the boundary is not known.
    dtype : numpy.dtype
        The dtype of the stored inputs and outputs.

    Raises
    ------
    InputError
        For a folder that is no dataset, of another format version, or not finished.
    """

    def __init__(self, folder: str | os.PathLike[str], open_files: int | None = None) -> None:
        self.folder = Path(folder)
        self._open_files = open_files
        self.config = read_config(self.folder)
        self.name: str = self.config["problem"]["name"] if self.config["kind"] == "problem" else self.config["name"]
        sizes: dict[str, int] = self.config["splits"]
        self.splits = {split: sizes[split] for split in SPLITS if sizes.get(split)}
        self.shards: list[Shard] = plan_shards(sizes, self.config["shard_size"], self.config["start"])
        records = read_manifest(self.folder)
        missing = [s.path(self.name) for s in self.shards if s.path(self.name) not in records]
        if missing:
            raise InputError(
                f"{self.folder} is not finished ({len(missing)} of {len(self.shards)} shards are missing, "
                f"first {missing[0]}): run the same generate command again to complete it"
            )
        self.records: list[ShardRecord] = [records[s.path(self.name)] for s in self.shards]
        self._handles = _Handles(open_files)
        with self._opened(self.shards[0]) as file:
            self.input_fields = [str(name) for name in file.attrs["input_fields"]]
            self.output_fields = [str(name) for name in file.attrs["output_fields"]]
            self.fields = [str(n) for group in ("t0_fields", "auxiliary") for n in file[group].attrs["field_names"]]
            self.axis_names = [str(name) for name in file["dimensions"].attrs["spatial_dims"]]
            self.axes = tuple(file["dimensions"][name][:] for name in self.axis_names)
            words = {
                str(name): str(group.attrs["bc_type"])
                for group in file["boundary_conditions"].values()
                for name in group.attrs["associated_dims"]
            }
            self.periodic = tuple(words.get(name) == "periodic" for name in self.axis_names)
            self.times: np.ndarray = file["dimensions/time"][:]
            self.dtype: np.dtype[Any] = field_dataset(file, self.output_fields[0]).dtype
        self.resolution: tuple[int, ...] = tuple(len(points) for points in self.axes)

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handles": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _handles=_Handles(state["_open_files"]))

    def __len__(self) -> int:
        return sum(self.splits.values())

    def __repr__(self) -> str:
        sizes = ", ".join(f"{split} {size}" for split, size in self.splits.items())
        return f"Dataset({str(self.folder)!r}: {self.name} {'×'.join(map(str, self.resolution))}, {sizes})"

    def _repr_html_(self) -> str:
        roles = {**dict.fromkeys(self.input_fields, "input"), **dict.fromkeys(self.output_fields, "output")}
        steps = f" × {self.times.size} times" if self.trajectories else ""
        rows = [
            ("folder", self.folder),
            ("samples", ", ".join(f"{split} {size}" for split, size in self.splits.items())),
            ("grid", f"{'×'.join(map(str, self.resolution))}{steps}, {self.dtype}"),
            ("fields", ", ".join(f"{name} ({roles.get(name, 'constant or auxiliary')})" for name in self.fields)),
        ]
        return html_table(f"Dataset {self.name}", rows)

    def close(self) -> None:
        """Close this process's file handles; reading opens them again."""
        self._process_handles().close()

    def path(self, shard: Shard) -> Path:
        """Return the path of a shard's file."""
        return self.folder / shard.path(self.name)

    @property
    def stats(self) -> dict[str, Any]:
        """Return mean, std, rms (and their deltas in time) by field over the training split, from ``stats.yaml``."""
        path = self.folder / "stats.yaml"
        if not path.is_file():
            raise InputError(f"{path} is missing: run the same generate command again to restore it")
        return read_yaml(path)

    @property
    def content_digest(self) -> str:
        """Return the SHA-256 over the samples' recorded digests: it depends on the numbers, not on the sharding."""
        return combined_digest(bytes(row) for shard in self.shards for row in self.digests(shard))

    def digests(self, shard: Shard) -> np.ndarray:
        """Return the recorded content digests of one shard's samples, shape (B, 32)."""
        return self._read(shard, "provenance/digest", 0, len(shard))

    def read(self, split: str, field: str, start: int | None = None, stop: int | None = None) -> np.ndarray:
        """Return samples `start` to `stop` (as in a slice) of one field.

        Returns
        -------
        ndarray, shape (N, *space); for an output with several times (N, T, *space)
            In the stored dtype; a constant field is repeated (read-only) for every sample.

        Raises
        ------
        InputError
            For an unknown split or field, or a file that is missing or damaged.
        """
        one_of(field, self.fields, f"field of {self.name}")
        parts = [self._read(shard, field, a, b) for shard, a, b in self._pieces(split, start, stop)]
        if not parts:
            with self._opened(self.shards[0]) as file:
                dataset = field_dataset(file, field)
                return np.empty((0, *field_shape(dataset)), dtype=dataset.dtype)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def arrays(self, split: str, start: int | None = None, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (N, Cin, *space) and outputs (N, Cout, *space) of samples `start` to `stop` of a split.

        The times of a trajectory are channels, field by field: Cout is T times the number of output fields. Without
        input fields, the first step of every output is the input and the later ones are the output.
        """
        inputs = [self.read(split, name, start, stop) for name in self.input_fields]
        outputs = [self.read(split, name, start, stop) for name in self.output_fields]
        if self.trajectories:
            if not inputs:
                inputs, outputs = [values[:, 0] for values in outputs], [values[:, 1:] for values in outputs]
            return np.stack(inputs, axis=1), np.concatenate(outputs, axis=1)
        if not inputs:
            raise InputError(
                f"{self.folder} holds outputs alone ({', '.join(self.output_fields)}, one step): there is nothing to "
                "learn them from; import it again with inputs=[NAME, …]"
            )
        return np.stack(inputs, axis=1), np.stack(outputs, axis=1)

    @property
    def trajectories(self) -> bool:
        """Return whether the outputs have several steps in time."""
        return self.times.size > 1

    def provenance(self, split: str) -> dict[str, np.ndarray]:
        """Return the provenance of a split's samples, by column: index, seed, status, residual, seconds, digest, …"""
        parts: dict[str, list[np.ndarray]] = {}
        for shard, _, _ in self._pieces(split, None, None):
            with self._opened(shard) as file:
                group = file["provenance"]
                for key in group:
                    parts.setdefault(key, []).append(group[key][:])
        joined = {key: np.concatenate(values) for key, values in parts.items()}
        return {key: values.astype(str) if values.dtype.kind == "S" else values for key, values in joined.items()}

    def column(self, shard: Shard, name: str) -> np.ndarray | None:
        """Return a column of one shard's provenance, one row for each sample; None if there is no such column."""
        with self._opened(shard) as file:
            group = file["provenance"]
            return group[name][:] if name in group else None

    def _pieces(self, split: str, start: int | None, stop: int | None) -> Iterator[tuple[Shard, int, int]]:
        one_of(split, self.splits, f"split of {self.folder}")
        first, last, _ = slice(start, stop).indices(self.splits[split])
        offset = 0
        for shard in self.shards:
            if shard.split != split:
                continue
            a, b = max(first - offset, 0), min(last - offset, len(shard))
            if a < b:
                yield shard, a, b
            offset += len(shard)

    def _read(self, shard: Shard, what: str, start: int, stop: int) -> np.ndarray:
        with self._opened(shard) as file:
            if "/" in what:
                return file[what][start:stop]
            dataset = field_dataset(file, what)
            mesh = str(dataset.attrs["role"]) == "mesh"
            if not mesh and dataset.shape[-len(self.resolution) :] != self.resolution:
                raise ValueError(f"{what} is of shape {dataset.shape} on a grid {self.resolution}")
            if not dataset.attrs["sample_varying"]:
                return np.broadcast_to(dataset[...], (stop - start, *dataset.shape))
            values = dataset[start:stop]
            return values.reshape(len(values), *field_shape(dataset))

    def _process_handles(self) -> _Handles:
        if self._handles.pid != os.getpid():
            self._handles = _Handles(
                self._open_files
            )  # the parent's handles are not closed: HDF5 would flush its state here
        return self._handles

    @contextmanager
    def _opened(self, shard: Shard) -> Iterator[h5py.File]:
        """Give the shard's file, locked against other threads; HDF5's errors about damage become one line."""
        handles, path = self._process_handles(), self.path(shard)
        with handles.lock, reading_errors(f"{path} is damaged", "run the same generate command again to restore it"):
            yield handles.get(path)


class _Handles:
    """Hold the most recently used files of one process open."""

    def __init__(self, limit: int | None) -> None:
        self.pid = os.getpid()
        self.limit = limit
        self.lock = threading.RLock()
        self.files: OrderedDict[Path, h5py.File] = OrderedDict()

    def get(self, path: Path) -> h5py.File:
        if path in self.files:
            self.files.move_to_end(path)
        else:
            self.files[path] = open_shard(path)
            while len(self.files) > (self.limit or _OPEN_FILES):
                self.files.popitem(last=False)[1].close()
        return self.files[path]

    def close(self) -> None:
        with self.lock:
            while self.files:
                self.files.popitem()[1].close()
