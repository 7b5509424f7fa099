"""Read PDEBench's four HDF5 layouts, which their keys tell apart; :mod:`.pdebench_export` writes them.

::

    tensor           tensor (N, T, *space), {x,y,z}-coordinate, t-coordinate (T + 1); Darcy: nu (N, *space), T = 1
    variables        density, pressure, Vx, … each (N, T, *space), coordinates as above; attributes eta, zeta, M
    groups           /0000/data (T, *space, V), /0000/grid/{x, y, t}, attribute config: one group a sample
    incompressible   velocity (N, T, *space, D), particles (N, T, *space, 1), force (N, *space, D), t (N, T)

An export keeps names, units and the boundary condition in the attribute ``resolvent``, which other readers ignore. An
input that is the first step of an output is stored as that alone, and other inputs of trajectories as channels of
``groups`` that stay the same in time; the attribute says which.
Time has one entry more than there are steps in the first two layouts, as in the published files; readers cut it off.

References
----------
Takamoto et al., PDEBench: an extensive benchmark for scientific machine learning, NeurIPS 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from resolvent.solvers import InputError

from ..format.identifiers import name_of
from ..format.untrusted_hdf5 import open_untrusted
from ..grids import AXES
from .named_arrays import METADATA, Selection, parse_metadata, stored_dtype
from .source import Source, SourceField


def pdebench_layout(file: h5py.File) -> str | None:
    """Return the layout of a file, by its keys; None for any other file."""
    keys = set(file)
    if "tensor" in keys:
        return "tensor"
    if "velocity" in keys:
        return "incompressible"
    if keys and all(isinstance(file[k], h5py.Group) and "data" in file[k] for k in keys):
        return "groups"
    if any(key.endswith("-coordinate") for key in keys) and any(not key.endswith("-coordinate") for key in keys):
        return "variables"
    return None


def open_pdebench(path: Path, selection: Selection) -> Source:
    """Open a file in any of the layouts; samples are read from it on demand.

    Raises
    ------
    InputError
        For a file that is not in one of them, or whose shapes do not fit one another.
    """
    file = open_untrusted(path)
    layout = pdebench_layout(file)
    if layout is None:
        keys = ", ".join(list(file)[:8]) or "nothing"
        raise InputError(
            f"{path} is in none of PDEBench's layouts (it holds {keys}): expected tensor, velocity, a group a sample, "
            "or variables with x-coordinate"
        )
    if selection.inputs or selection.outputs:
        raise InputError(f"{path}: inputs= and outputs= are for .npz, .pt and .mat; PDEBench's layouts say it")
    metadata = None
    if METADATA in file.attrs:
        metadata = parse_metadata(file.attrs[METADATA], str(path))
    read = {"tensor": _tensor, "variables": _variables, "groups": _groups, "incompressible": _incompressible}[layout]
    return read(file, path, selection, metadata)


def _tensor(file: h5py.File, path: Path, selection: Selection, metadata: Mapping[str, Any] | None) -> Source:
    tensor = _numbers(file, "tensor", path)
    if tensor.ndim < 3:
        raise InputError(f"{path}: tensor is of shape {tensor.shape}: expected (N, T, *space)")
    inputs, outputs = _names(metadata, ["nu"] if "nu" in file else [], ["tensor"], path)
    steady = tensor.shape[1] == 1
    if "nu" in file:
        nu = _numbers(file, "nu", path)
        if not steady or nu.shape != (tensor.shape[0], *tensor.shape[2:]):
            raise InputError(
                f"{path}: nu is {nu.shape} and tensor {tensor.shape}: expected (N, *space), (N, 1, *space)"
            )

    def read(a: int, b: int) -> dict[str, np.ndarray]:
        values = tensor[a:b]
        held = {outputs[0]: values[:, 0] if steady else values}
        return {inputs[0]: nu[a:b], **held} if inputs else held

    fields = [*(SourceField(n, "input") for n in inputs), SourceField(outputs[0], "output")]
    dtypes = [tensor.dtype, nu.dtype] if inputs else [tensor.dtype]
    return _source(file, path, selection, metadata, fields, tensor.shape, dtypes, read)


def _variables(file: h5py.File, path: Path, selection: Selection, metadata: Mapping[str, Any] | None) -> Source:
    keys = [key for key in file if not key.endswith("-coordinate")]
    held = {key: _numbers(file, key, path) for key in keys}
    shapes = {key: dataset.shape for key, dataset in held.items()}
    if len(set(shapes.values())) != 1 or len(next(iter(shapes.values()))) < 3:
        listed = ", ".join(f"{key} {shape}" for key, shape in shapes.items())
        raise InputError(f"{path}: variables of shapes {listed}: expected all (N, T, *space) alike")
    if metadata is not None and set(metadata["outputs"]) != set(keys):
        raise InputError(f"{path}: holds {keys} and its attribute {METADATA} says {metadata['outputs']}: remove that")
    keys = metadata["outputs"] if metadata is not None else keys
    shape = next(iter(shapes.values()))

    def read(a: int, b: int) -> dict[str, np.ndarray]:
        return {key: held[key][a:b, 0] if shape[1] == 1 else held[key][a:b] for key in keys}

    fields = [SourceField(key, "output") for key in keys]
    return _source(file, path, selection, metadata, fields, shape, [d.dtype for d in held.values()], read)


def _groups(file: h5py.File, path: Path, selection: Selection, metadata: Mapping[str, Any] | None) -> Source:
    keys = sorted(file, key=lambda key: (len(key), key))
    first = _numbers(file, f"{keys[0]}/data", path)
    if first.ndim < 3:
        raise InputError(f"{path}: {keys[0]}/data is of shape {first.shape}: expected (T, *space, V)")
    for key in keys:
        found = _numbers(file, f"{key}/data", path).shape
        if found != first.shape:
            raise InputError(f"{path}: {key}/data is of shape {found} and {keys[0]}/data {first.shape}: expected one")
    count = first.shape[-1]
    default = ["data"] if count == 1 else [f"data_{c}" for c in range(count)]
    constant = [] if metadata is None else _stored_inputs(metadata)  # channels that stay the same in time
    _, outputs = _names(metadata, constant, default[: count - len(constant)], path)
    steady = first.shape[0] == 1

    def read(a: int, b: int) -> dict[str, np.ndarray]:
        values = np.stack([file[f"{key}/data"][...] for key in keys[a:b]])
        states = values[:, 0] if steady else values
        found = {name: states[..., c] for c, name in enumerate(outputs)}
        return found | {name: values[:, 0, ..., c] for c, name in enumerate(constant, len(outputs))}

    fields = [*(SourceField(name, "input") for name in constant), *(SourceField(name, "output") for name in outputs)]
    shape = (len(keys), *first.shape[:-1])
    grid = file[keys[0]].get("grid")
    grid = grid if isinstance(grid, h5py.Group) else {}
    named = {f"{axis}-coordinate": grid[axis] for axis in ("t", *AXES) if axis in grid}
    text = file[keys[0]].attrs.get("config")
    extra = {"config": text[:4000]} if isinstance(text, str) else {}
    return _source(file, path, selection, metadata, fields, shape, [first.dtype], read, named, extra)


def _incompressible(file: h5py.File, path: Path, selection: Selection, metadata: Mapping[str, Any] | None) -> Source:
    velocity = _numbers(file, "velocity", path)
    ndim = velocity.shape[-1] if velocity.ndim else 0
    if velocity.ndim != ndim + 3:
        raise InputError(f"{path}: velocity is of shape {velocity.shape}: expected (N, T, *space, D) with D axes")
    shape = velocity.shape[:-1]
    wanted = {"particles": (*shape, 1), "force": (shape[0], *shape[2:], ndim)}
    held = {"velocity": velocity}
    for key, expected in wanted.items():
        if key in file:
            held[key] = _numbers(file, key, path)
            if held[key].shape != expected:
                raise InputError(f"{path}: {key} is of shape {held[key].shape}: expected {expected}")
    columns: list[tuple[SourceField, str, int]] = [
        (SourceField(f"velocity_{AXES[c]}", "output"), "velocity", c) for c in range(ndim)
    ]
    if "particles" in held:
        columns.append((SourceField("particles", "output"), "particles", 0))
    if "force" in held:
        columns += [(SourceField(f"force_{AXES[c]}", "input"), "force", c) for c in range(ndim)]

    def read(a: int, b: int) -> dict[str, np.ndarray]:
        blocks = {key: dataset[a:b] for key, dataset in held.items()}
        found = {}
        for item, key, c in columns:
            values = blocks[key][..., c]
            found[item.name] = values[:, 0] if item.role == "output" and shape[1] == 1 else values
        return found

    named = {}
    if "t" in file:
        t = _numbers(file, "t", path)
        rows = t[...].reshape(-1, t.shape[-1]) if t.ndim else np.zeros((0, 0))
        if len(rows) not in (1, shape[0]) or (rows != rows[:1]).any():
            raise InputError(f"{path}: t is of shape {t.shape} or differs between samples: expected (N, T) alike")
        named["t-coordinate"] = rows[0]
    fields = [item for item, _, _ in columns]
    return _source(file, path, selection, metadata, fields, shape, [d.dtype for d in held.values()], read, named)


def _source(
    file: h5py.File,
    path: Path,
    selection: Selection,
    metadata: Mapping[str, Any] | None,
    fields: Sequence[SourceField],
    shape: tuple[int, ...],
    dtypes: Sequence[np.dtype[Any]],
    read: Callable[[int, int], Mapping[str, np.ndarray]],
    coordinates: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Source:
    """Read coordinates, times and attributes, which the layouts share; `shape` is (N, T, *space)."""
    if coordinates is None:
        coordinates = {key: _numbers(file, key, path) for key in file if key.endswith("-coordinate")}
    steps, space = shape[1], shape[2:]
    if not 1 <= len(space) <= 3:
        raise InputError(f"{path}: fields of shape {shape} have {len(space)} axes in space: expected 1 to 3")
    axes: list[np.ndarray] | None = None
    if all(f"{axis}-coordinate" in coordinates for axis in AXES[: len(space)]):
        axes = [np.asarray(coordinates[f"{axis}-coordinate"][...], np.float64).ravel() for axis in AXES[: len(space)]]
        for axis, points, n in zip(AXES, axes, space, strict=False):
            if points.size != n:
                raise InputError(f"{path}: {axis}-coordinate has {points.size} entries for {n} points: expected {n}")
    times = None
    if steps > 1:
        times = np.arange(steps, dtype=np.float64)
        if "t-coordinate" in coordinates:
            times = np.asarray(coordinates["t-coordinate"][...], dtype=np.float64).ravel()
            if times.size not in (steps, steps + 1):
                raise InputError(
                    f"{path}: t-coordinate has {times.size} entries for {steps} steps: expected {steps} or {steps + 1}"
                )
            times = times[:steps]
    if metadata is not None:
        if axes is None:
            axes = metadata["axes"]
        fields, read = _with_first_steps(fields, read, metadata, steps, path)
        units, boundary = metadata["units"], metadata["boundary"]
        fields = [SourceField(f.name, f.role, units.get(f.name, "1")) for f in fields]
    else:
        boundary = None
    scalars = {}
    for key in file.attrs:
        value = _scalar(file, key)
        if value is not None and key.isidentifier():
            scalars[key] = value
    return Source(
        selection.name or (metadata["name"] if metadata is not None else name_of(path)),
        fields,
        shape[0],
        space,
        read,
        stored_dtype(dtypes, selection.dtype),
        axes=axes,
        times=times,
        boundary=boundary,
        scalars=scalars,
        origin={**(extra or {}), "layout": str(pdebench_layout(file))},
    )


def _scalar(file: h5py.File, key: str) -> float | None:
    try:
        value = np.asarray(file.attrs[key])
    except (OSError, TypeError, ValueError, RuntimeError):
        return None
    if value.size != 1 or value.dtype.kind not in "fiu" or not np.isfinite(value).all():
        return None
    return float(value.ravel()[0])


def _numbers(file: h5py.File, key: str, path: Path) -> h5py.Dataset:
    item = file.get(key)
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiub":
        what = "missing" if item is None else "a group" if isinstance(item, h5py.Group) else f"of dtype {item.dtype}"
        raise InputError(f"{path}: /{key} is {what}: expected an array of real numbers")
    if item.size == 0 or item.ndim == 0:
        raise InputError(f"{path}: /{key} is of shape {item.shape}: expected numbers in it")
    return item


def _names(
    metadata: Mapping[str, Any] | None, inputs: list[str], outputs: list[str], path: Path
) -> tuple[list[str], list[str]]:
    if metadata is None:
        return inputs, outputs
    stored = _stored_inputs(metadata)
    if (len(stored), len(metadata["outputs"])) != (len(inputs), len(outputs)):
        raise InputError(f"{path}: its attribute {METADATA} names other fields than it holds: remove that")
    return stored, metadata["outputs"]


def _stored_inputs(metadata: Mapping[str, Any]) -> list[str]:
    """Return the inputs that the file holds as arrays of their own."""
    return [name for name in metadata["inputs"] if name not in metadata["first_steps"]]


def _with_first_steps(
    fields: Sequence[SourceField],
    read: Callable[[int, int], Mapping[str, np.ndarray]],
    metadata: Mapping[str, Any],
    steps: int,
    path: Path,
) -> tuple[list[SourceField], Callable[[int, int], Mapping[str, np.ndarray]]]:
    """Add the inputs that were stored as the first step of an output alone."""
    first: Mapping[str, str] = metadata["first_steps"]
    if not first:
        return list(fields), read
    held = {item.name: item for item in fields} | {name: SourceField(name, "input") for name in first}
    names = [*metadata["inputs"], *metadata["outputs"]]
    if steps < 2 or set(names) != set(held):
        raise InputError(f"{path}: its attribute {METADATA} names other fields than it holds: remove that")

    def read_all(a: int, b: int) -> dict[str, np.ndarray]:
        values = read(a, b)
        return {**values, **{name: values[output][:, 0] for name, output in first.items()}}

    return [held[name] for name in names], read_all
