"""Write one shard as an HDF5 file in The Well's layout, and open it again.

::

    /                     dataset_name, grid_type, n_spatial_dims, n_trajectories, simulation_parameters, one attribute
                          for each; ours: resolvent_format_version, input_fields, output_fields, config (JSON)
    /dimensions           spatial_dims; time (T; 1 where steady), x, y, z
    /boundary_conditions  x_wall, …: bc_type, associated_dims, associated_fields; mask
    /scalars              field_names; one number for each simulation parameter
    /t0_fields            field_names; inputs (B, *space) and constants (*space) do not vary in time; outputs do: for a
                          steady problem (B, 1, *space), for trajectories (B, T, *space)
    /t1_fields /t2_fields empty
    /auxiliary            fields stored only for the certificate: The Well's readers do not see them; also the mesh
    /provenance           one row for each sample: index, seed, status, iterations, residuals, seconds, digest; versions
    /chains               if samples were solved together: number and report (JSON) of each chain with samples here

Values at the nodes of an unstructured mesh have one axis in space, ``node``, the number of the node: The Well's readers
open them as one-dimensional fields. The fields ``x`` and ``y`` (constant, or inputs if the geometry varies) hold the
nodes' coordinates, ``auxiliary/triangles`` (m, 3) or (m, 6) the triangles: vertices, then midpoints of the edges 01, 12
and 20. The mask of ``node_wall`` is true at the nodes of the boundary.

``FORMAT.md`` beside this file is the specification, line by line; :mod:`.check` checks it.

References
----------
Ohana et al., The Well: a Large-Scale Collection of Diverse Physics Simulations for Machine Learning, NeurIPS 2024;
its ``docs/data_format.md`` and ``scripts/check_thewell_formatting.py``.
"""

from __future__ import annotations

import io
import json
import platform
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from resolvent.solvers import InputError
from resolvent.solvers.kernels import level

from ..grids import AXES
from .atomic_files import one_line
from .compression import PLUGIN
from .hdf5_objects import add_array, set_attributes
from .stored_field import StoredField
from .untrusted_hdf5 import check_file
from .versions import versions

FORMAT_VERSION = 1


_REMEMBERED = 4096
_checked: OrderedDict[tuple[str, int, int, int, int], None] = OrderedDict()  # files whose links have been checked


@dataclass(frozen=True)
class StoredGrid:
    """Describe where the numbers of a shard stand: coordinates, boundary, times.

    Parameters
    ----------
    axes : tuple of ndarray
        Coordinates along each axis.
    boundary : str, tuple of str or None
        The Well's word for the boundary condition on every side, or one for each axis; None where it is not known.
    names : tuple of str
        Names of the axes; x, y, z by default.
    masks : tuple of ndarray
        For each axis, which points are at the boundary; by default the first and the last.
    times : ndarray, shape (T,)
        Times of the outputs; a steady problem has one, 0.
    """

    axes: tuple[np.ndarray, ...]
    boundary: str | tuple[str, ...] | None = None
    names: tuple[str, ...] = ()
    masks: tuple[np.ndarray, ...] = ()
    times: np.ndarray = field(default_factory=lambda: np.zeros(1))


@dataclass(frozen=True)
class ShardContents:
    """Hold all that one file holds.

    Parameters
    ----------
    name : str
        The dataset's name.
    config : mapping
        The dataset's full configuration.
    config_hash, split : str
    start : int
        Index of the first sample.
    grid : StoredGrid
    fields : dict of StoredField
    provenance : dict of ndarray
        Arrays of length B, the number of samples.
    scalars : mapping
        Numbers that all samples share, by name.
    nested_digests : bool
        Whether the digest of a sample is that of its fields' digests (FORMAT 9.3).
    chains : dict of bytes
        The reports of chains of samples solved together, by number; empty where each was solved by itself.
    """

    name: str
    config: Mapping[str, Any]
    config_hash: str
    split: str
    start: int
    grid: StoredGrid
    fields: Mapping[str, StoredField]
    provenance: Mapping[str, np.ndarray]
    scalars: Mapping[str, float] = field(default_factory=dict)
    nested_digests: bool = False
    chains: Mapping[int, bytes] = field(default_factory=dict)


@lru_cache(maxsize=1)  # looking them up takes 10 ms, as long as a small shard
def _versions() -> str:
    """Return the versions of what the numbers depend on, as JSON."""
    found = versions("resolvent", "numpy", "scipy", "h5py")
    found |= {"machine": platform.machine(), "hdf5": h5py.version.hdf5_version, "kernels": level()}
    return json.dumps(found, sort_keys=True)


def encode_shard(contents: ShardContents) -> memoryview:
    """Return the bytes of the file: the caller can hash them and write them in one go, and no HDF5 handle ever sees a
    full disk. They hold no time stamps beyond those in the provenance."""
    image = io.BytesIO()
    with h5py.File(image, "w", libver=("v108", "v110")) as file:
        _write_root(file, contents)
        _write_grid(file, contents)
        _write_scalars(file, contents.scalars)
        _write_fields(file, contents)
        _write_provenance(file, contents)
    return image.getbuffer()


def _write_root(file: h5py.File, contents: ShardContents) -> None:
    names = {role: [n for n, f in contents.fields.items() if f.role == role] for role in ("input", "output")}
    root = {
        "dataset_name": contents.name,
        "grid_type": "cartesian",
        "n_spatial_dims": len(contents.grid.axes),
        "n_trajectories": len(contents.provenance["index"]),
        "simulation_parameters": list(contents.scalars),
        **{key: float(value) for key, value in contents.scalars.items()},
        "resolvent_format_version": FORMAT_VERSION,
        "input_fields": names["input"],
        "output_fields": names["output"],
        "config": json.dumps(contents.config, sort_keys=True),
    }
    set_attributes(file, root)


def _write_grid(file: h5py.File, contents: ShardContents) -> None:
    grid = contents.grid
    spatial = list(grid.names or AXES[: len(grid.axes)])
    dimensions = file.create_group("dimensions")
    set_attributes(dimensions, {"spatial_dims": spatial})
    for axis, points in zip(("time", *spatial), (grid.times, *grid.axes), strict=True):
        # The Well's checker reads 'time_varying' as "has a leading time axis", which the time axis itself has.
        add_array(dimensions, axis, points, sample_varying=False, time_varying=axis == "time")

    conditions = file.create_group("boundary_conditions")
    if grid.boundary is None:
        return
    words = (grid.boundary,) * len(spatial) if isinstance(grid.boundary, str) else grid.boundary
    masks = grid.masks or tuple(_ends(len(points)) for points in grid.axes)
    outputs = [name for name, item in contents.fields.items() if item.role == "output"]
    for axis, word, mask in zip(spatial, words, masks, strict=True):
        group = conditions.create_group(f"{axis}_{word}")
        about = {"associated_dims": [axis], "associated_fields": outputs, "bc_type": word}
        set_attributes(group, about | {"sample_varying": False, "time_varying": False})
        add_array(group, "mask", mask)


def _write_scalars(file: h5py.File, scalars: Mapping[str, float]) -> None:
    group = file.create_group("scalars")
    set_attributes(group, {"field_names": list(scalars)})
    for key, value in scalars.items():
        add_array(group, key, float(value), sample_varying=False, time_varying=False)


def _write_fields(file: h5py.File, contents: ShardContents) -> None:
    groups = {name: file.create_group(name) for name in ("t0_fields", "t1_fields", "t2_fields", "auxiliary")}
    names: dict[str, list[str]] = {name: [] for name in groups}
    for name, item in contents.fields.items():
        where = "auxiliary" if item.role in ("auxiliary", "mesh") else "t0_fields"
        names[where].append(name)
        about = {
            **item.attributes,
            "dim_varying": [True] * len(contents.grid.axes),
            "sample_varying": item.sample_varying,
            "time_varying": item.role == "output",
            "role": item.role,
            "units": item.units,
            "description": item.description,
        }
        set_attributes(_write_chunks(groups[where], name, item), about)
    for name, group in groups.items():
        set_attributes(group, {"field_names": names[name]})


def _write_chunks(group: h5py.Group, name: str, item: StoredField) -> h5py.Dataset:
    dataset = group.create_dataset(name, shape=item.shape, dtype=item.dtype, chunks=item.chunk_shape, **item.filters)
    for place, (mask, raw) in enumerate(item.chunks):
        dataset.id.write_direct_chunk((place, *(0,) * (len(item.shape) - 1)), raw, mask)
    return dataset


def _write_provenance(file: h5py.File, contents: ShardContents) -> None:
    provenance = file.create_group("provenance")
    about = {"config_hash": contents.config_hash, "split": contents.split, "start": contents.start}
    set_attributes(provenance, about | {"versions": _versions()})
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
    """Return the shape of one sample of a field, without the axis of a single time step."""
    shape = dataset.shape[1:] if dataset.attrs["sample_varying"] else dataset.shape
    return shape[1:] if dataset.attrs["time_varying"] and shape[0] == 1 else shape


def open_shard(path: Path) -> h5py.File:
    """Open a shard for reading; nothing outside the file is reached through it.

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
        raise InputError(f"{path} holds no readable format version ({one_line(error)}): {remedy}") from None
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
        raise InputError(f"{path} holds no readable attribute config ({one_line(error)}): {remedy}") from None
    return file


def field_dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Return the HDF5 dataset of a field, in whichever group it is."""
    for group in ("t0_fields", "auxiliary"):
        if name in file[group]:
            return file[group][name]
    raise KeyError(name)
