"""One shard as an HDF5 file in The Well's layout, written and read.

::

    /                     dataset_name, grid_type, n_spatial_dims, n_trajectories, simulation_parameters, one attribute
                          a parameter; ours: resolvent_format_version, input_fields, output_fields, config (JSON)
    /dimensions           spatial_dims; time (T; 1 where steady), x, y, z
    /boundary_conditions  x_wall, …: bc_type, associated_dims, associated_fields; mask
    /scalars              field_names; one number a simulation parameter
    /t0_fields            field_names; inputs (B, *space) and constants (*space) do not vary in time; outputs do: of a
                          steady problem they have one time step, (B, 1, *space), of a trajectory all (B, T, *space)
    /t1_fields /t2_fields empty
    /auxiliary            fields stored for the certificate alone: The Well's readers do not see them; also the mesh
    /provenance           one row a sample: index, seed, status, iterations, residuals, seconds, digest; versions
    /chains               of samples solved together: number, and report (JSON) of each chain that has samples here

Values at the nodes of an unstructured mesh have one axis in space, ``node``, the number of the node: The Well's readers
open them as one-dimensional fields. Where the nodes lie is in the fields ``x`` and ``y`` (constant, or inputs where the
geometry varies), what they form in ``auxiliary/triangles`` (m, 3) or (m, 6): vertices, then midpoints of the edges 01,
12 and 20. The mask of ``node_wall`` is true at the nodes of the boundary.

``FORMAT.md`` beside this file is the specification, line by line; :mod:`.check` checks it.

References
----------
Ohana et al., The Well: a Large-Scale Collection of Diverse Physics Simulations for Machine Learning, NeurIPS 2024;
its ``docs/data_format.md`` and ``scripts/check_thewell_formatting.py``.
"""

from __future__ import annotations

import json
import platform
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from resolvent.solvers import InputError

from ..grids import AXES
from .chunks import deflated_chunk
from .compression import PLUGIN, Compression, EncodedField
from .field import CONSTANT, Field
from .file_image import FileImage
from .hdf5_objects import add_array, set_attributes
from .untrusted_hdf5 import check_file

__all__ = [
    "FORMAT_VERSION",
    "ShardContents",
    "encode_shard",
    "field_dataset",
    "field_shape",
    "open_shard",
    "versions",
]

FORMAT_VERSION = 1


_REMEMBERED = 4096
_checked: OrderedDict[tuple[str, int, int, int, int], None] = OrderedDict()  # files whose links have been checked


@dataclass
class ShardContents:
    """All that one file holds.

    Parameters
    ----------
    name : str
        The dataset's name.
    fields : dict of Field
        Values of shape (B, *space), with time (B, T, *space); of a constant, (*space); of a mesh, any.
    axes : tuple of ndarray
        Coordinates along each axis.
    boundary : str, tuple of str or None
        The Well's word for the boundary condition on every side, or one for each axis; None where it is not known.
    config : mapping
        The dataset's full configuration.
    config_hash, split : str
    start : int
        Index of the first sample.
    provenance : dict of ndarray
        Arrays of length B.
    scalars : mapping
    axis_names : tuple of str
        x, y, z by default.
    masks : tuple of ndarray
        For each axis, which points are at the boundary; by default the first and the last.
    times : ndarray, shape (T,)
        Of the outputs' steps; a steady problem has one, 0.
    encoded : dict of EncodedField
        By name, the fields that are compressed within an error bound; their `values` are the decoded ones.
    chunks : dict of sequences of bytes
        By name, fields whose samples are encoded already by :func:`~.chunks.deflated_chunk`; of their `values` the
        shape and the dtype alone are looked at.
    nested_digests : bool
        Whether the digest of a sample is that of its fields' digests (FORMAT 9.3).
    chains : dict of bytes
        By number, the reports of chains of samples solved together; empty where each was solved by itself.
    """

    name: str
    fields: dict[str, Field]
    axes: tuple[np.ndarray, ...]
    boundary: str | tuple[str, ...] | None
    config: Mapping[str, Any]
    config_hash: str
    split: str
    start: int
    provenance: dict[str, np.ndarray]
    scalars: Mapping[str, float] = field(default_factory=dict)
    axis_names: tuple[str, ...] = ()
    masks: tuple[np.ndarray, ...] = ()
    times: np.ndarray = field(default_factory=lambda: np.zeros(1))
    encoded: Mapping[str, EncodedField] = field(default_factory=dict)
    chunks: Mapping[str, Sequence[bytes | bytearray]] = field(default_factory=dict)
    nested_digests: bool = False
    chains: Mapping[int, bytes] = field(default_factory=dict)


@lru_cache(maxsize=1)  # looking them up takes 10 ms, as long as a small shard
def versions() -> dict[str, str]:
    """Versions of Python and the packages that the numbers depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in ("resolvent", "numpy", "scipy", "numba", "h5py"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    found["hdf5"] = h5py.version.hdf5_version
    return found


def encode_shard(contents: ShardContents, image: FileImage, compression: Compression | None = None) -> None:
    """Write the file to an image in memory: the caller can hash it and write it in one go, and no HDF5 handle ever sees
    a full disk. The bytes hold no time stamps beyond those in the provenance."""
    image.clear()
    with h5py.File(image, "w", libver=("v108", "v110")) as file:
        _write(file, contents, compression or Compression())


def _write(file: h5py.File, contents: ShardContents, compression: Compression) -> None:
    fields = contents.fields
    spatial = list(contents.axis_names or AXES[: len(contents.axes)])
    count = next(len(f.values) for f in fields.values() if f.role not in CONSTANT)
    names = {role: [n for n, f in fields.items() if f.role == role] for role in ("input", "output")}
    about: dict[str, Any]
    root = {
        "dataset_name": contents.name,
        "grid_type": "cartesian",
        "n_spatial_dims": len(spatial),
        "n_trajectories": count,
        "simulation_parameters": list(contents.scalars),
        **{key: float(value) for key, value in contents.scalars.items()},
        "resolvent_format_version": FORMAT_VERSION,
        "input_fields": names["input"],
        "output_fields": names["output"],
        "config": json.dumps(contents.config, sort_keys=True),
    }
    set_attributes(file, root)

    dimensions = file.create_group("dimensions")
    set_attributes(dimensions, {"spatial_dims": spatial})
    for axis, points in zip(("time", *spatial), (contents.times, *contents.axes), strict=True):
        # The Well's checker reads 'time_varying' as "has a leading time axis", which the time axis itself has.
        add_array(dimensions, axis, points, sample_varying=False, time_varying=axis == "time")

    conditions = file.create_group("boundary_conditions")
    if contents.boundary is not None:
        words = contents.boundary
        words = (words,) * len(spatial) if isinstance(words, str) else words
        masks = contents.masks or tuple(_ends(len(points)) for points in contents.axes)
        for axis, word, mask in zip(spatial, words, masks, strict=True):
            group = conditions.create_group(f"{axis}_{word}")
            about = {"associated_dims": [axis], "associated_fields": names["output"], "bc_type": word}
            set_attributes(group, about | {"sample_varying": False, "time_varying": False})
            add_array(group, "mask", mask)

    scalars = file.create_group("scalars")
    set_attributes(scalars, {"field_names": list(contents.scalars)})
    for key, value in contents.scalars.items():
        add_array(scalars, key, float(value), sample_varying=False, time_varying=False)

    groups = {name: file.create_group(name) for name in ("t0_fields", "t1_fields", "t2_fields", "auxiliary")}
    stored: dict[str, list[str]] = {name: [] for name in groups}
    for name, item in fields.items():
        where = "auxiliary" if item.role in ("auxiliary", "mesh") else "t0_fields"
        stored[where].append(name)
        varies = item.role not in CONSTANT
        timed = item.role == "output"
        values = item.values[:, None] if timed and not item.time_varying else item.values
        chunks = (1, *values.shape[1:]) if varies else values.shape
        ready = contents.chunks.get(name)
        dataset = _create(groups[where], name, values, chunks, contents.encoded.get(name), ready, compression)
        about = {
            "dim_varying": [True] * len(spatial),
            "sample_varying": varies,
            "time_varying": timed,
            "role": item.role,
            "units": item.units,
            "description": item.description,
        }
        set_attributes(dataset, about)
    for name, group in groups.items():
        set_attributes(group, {"field_names": stored[name]})

    provenance = file.create_group("provenance")
    about = {"config_hash": contents.config_hash, "split": contents.split, "start": contents.start}
    set_attributes(provenance, about | {"versions": json.dumps(versions(), sort_keys=True)})
    if contents.nested_digests:
        set_attributes(provenance, {"digest_over": "fields"})
    for name, values in contents.provenance.items():
        add_array(provenance, name, values)
    if contents.chains:
        chains = file.create_group("chains")
        add_array(chains, "number", np.array(list(contents.chains)))
        add_array(chains, "report", np.array(list(contents.chains.values())))


def _ends(count: int) -> np.ndarray:
    mask = np.zeros(count, dtype=bool)
    mask[[0, -1]] = True
    return mask


def field_shape(dataset: h5py.Dataset) -> tuple[int, ...]:
    """Shape of one sample of a field: the axis of a single time step is not counted."""
    shape = dataset.shape[1:] if dataset.attrs["sample_varying"] else dataset.shape
    return shape[1:] if dataset.attrs["time_varying"] and shape[0] == 1 else shape


def _create(
    group: h5py.Group,
    name: str,
    values: np.ndarray,
    chunks: tuple[int, ...],
    encoded: EncodedField | None,
    ready: Sequence[bytes | bytearray] | None,
    compression: Compression,
) -> h5py.Dataset:
    if encoded is None and compression.name == "gzip" and values.size > 0:
        dataset = group.create_dataset(
            name, shape=values.shape, dtype=values.dtype, chunks=chunks, fletcher32=True, **compression.filters()
        )
        for place in range(values.shape[0] // chunks[0]):
            begin = place * chunks[0]
            chunk = deflated_chunk(values[begin : begin + chunks[0]]) if ready is None else ready[place]
            dataset.id.write_direct_chunk((begin, *(0,) * (values.ndim - 1)), chunk)
        return dataset
    if encoded is None:
        return group.create_dataset(name, data=values, chunks=chunks, fletcher32=True, **compression.filters())
    filters = compression.lossy_filters(compression.error_bound or 1.0)
    dataset = group.create_dataset(
        name, shape=values.shape, dtype=values.dtype, chunks=chunks, fletcher32=True, **filters
    )
    for place, (mask, raw) in enumerate(encoded.chunks):
        dataset.id.write_direct_chunk((place, *(0,) * (values.ndim - 1)), raw, mask)
    dataset.attrs["compression"] = compression.name
    dataset.attrs["error_bound"] = compression.error_bound
    dataset.attrs["error_bound_mode"] = compression.mode
    dataset.attrs["error_measured"] = encoded.error_measured
    dataset.attrs["compression_ratio"] = encoded.ratio
    return dataset


def open_shard(path: Path) -> h5py.File:
    """Open a shard for reading; no data beyond the file itself are reached through it.

    Raises
    ------
    InputError
        For a file that is missing, truncated or not HDF5, not ours, of another format version, with links or datasets
        that point elsewhere, or with shapes whose numbers are not in the file.
    """
    remedy = "run the same generate command again to restore it"
    if not path.is_file():
        raise InputError(f"{path} is missing: {remedy}")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        reason = str(error).split("(")[-1].rstrip(")")
        raise InputError(f"{path} cannot be read as HDF5 ({reason}): {remedy}") from None
    try:
        found = file.attrs.get("resolvent_format_version")
        same = found is not None and int(found) == FORMAT_VERSION
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        file.close()
        raise InputError(f"{path} holds no readable format version ({_short(error)}): {remedy}") from None
    if not same:
        file.close()
        if found is None:
            raise InputError(
                f"{path} is HDF5 but no Resolvent dataset: expected the attribute resolvent_format_version"
            )
        raise InputError(
            f"{path} is in format version {found}, this Resolvent reads {FORMAT_VERSION}: "
            "use the Resolvent that wrote it, or generate the data again"
        )
    found = path.stat()
    stamp = (str(path), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    try:
        if stamp not in _checked:  # a reader of many files opens each of them several times
            check_file(file, path)
            _checked[stamp] = None
            while len(_checked) > _REMEMBERED:
                _checked.popitem(last=False)
        if json.loads(str(file.attrs["config"])).get("compression") in PLUGIN:
            import hdf5plugin  # noqa: F401  registers the filters
    except (KeyError, ValueError, AttributeError, RuntimeError, InputError) as error:
        file.close()
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} holds no readable attribute config ({_short(error)}): {remedy}") from None
    return file


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__


def field_dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """The HDF5 dataset of a field, wherever it is kept."""
    for group in ("t0_fields", "auxiliary"):
        if name in file[group]:
            return file[group][name]
    raise KeyError(name)
