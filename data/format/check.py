"""Check the structure of a dataset against ``FORMAT.md``: each violation names the line that it breaks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from resolvent.solvers import STRATEGIES, InputError

from ..grids import AXES
from .atomic_files import one_line, read_yaml
from .compression import ERROR_BOUNDED
from .config import config_violation
from .digests import config_hash
from .field import CONSTANT, NODE
from .folder import read_config, read_manifest
from .identifiers import is_identifier
from .layout import FORMAT_VERSION, open_shard
from .splits import Shard, plan_shards

_GROUPS = ("t0_fields", "t1_fields", "t2_fields", "auxiliary")
_STATISTICS = ("mean", "std", "rms", "mean_delta", "std_delta", "rms_delta")


@dataclass(frozen=True)
class Violation:
    """Name a line of FORMAT.md, the file that breaks it, and how."""

    line: str
    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file} breaks FORMAT {self.line}: {self.what}"


def check_format(folder: str | os.PathLike[str]) -> list[Violation]:
    """Check the structure of a dataset: all of FORMAT.md except hashes, field values and certificates.

    Raises
    ------
    InputError
        If the folder has no configuration to check against.
    """
    place = Path(folder)
    path = place / "config.yaml"
    config = read_yaml(path) if path.is_file() else read_config(place)
    if config.get("resolvent_format_version") != FORMAT_VERSION:
        found = config.get("resolvent_format_version")
        return [Violation("2.1", "config.yaml", f"resolvent_format_version is {found!r}, expected {FORMAT_VERSION}")]
    wrong = config_violation(config)
    if wrong is not None:
        return [Violation(wrong[0], "config.yaml", wrong[1])]
    name = config["problem"]["name"] if config["kind"] == "problem" else config["name"]
    shards = plan_shards(config["splits"], config["shard_size"], config["start"])
    records = read_manifest(place)
    violations = []
    fields: set[str] = set()
    for shard in shards:
        file = shard.path(name)
        record = records.get(file)
        if record is None:
            violations.append(Violation("3.2", "manifest.jsonl", f"there is no line for {file}"))
        elif (record.split, record.start, record.stop) != (shard.split, shard.start, shard.stop):
            violations.append(
                Violation("3.2", "manifest.jsonl", f"{file} has samples {record.start} to {record.stop - 1}")
            )
        elif record.config != config_hash(config):
            violations.append(Violation("3.3", "manifest.jsonl", f"{file} is of another configuration"))
        elif (place / file).is_file() and (place / file).stat().st_size != record.size:
            violations.append(Violation("3.4", "manifest.jsonl", f"{file} is not of {record.size} bytes"))
        if not (place / file).is_file():
            violations.append(Violation("1.1", file, "is missing"))
            continue
        try:
            opened = open_shard(place / file)
        except InputError as error:
            violations.append(Violation(line_of_refusal(error), file, str(error)))
            continue
        with opened:
            violations += shard_violations(opened, file, shard, config)
            fields.update(described_fields(opened))
    violations += stats_violations(place, fields)
    violations += [Violation("1.2", path, "is not part of the dataset") for path in stray_files(place, config)]
    return violations


def line_of_refusal(error: InputError) -> str:
    """Return the line that is broken by a file that could not even be opened."""
    return "4.2" if "declares" in str(error) else "4.4" if "attribute" in str(error) else "4.1"


def stray_files(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """Return the HDF5 files under ``data/`` that are not in the plan."""
    name = config["problem"]["name"] if config["kind"] == "problem" else config["name"]
    planned = {s.path(name) for s in plan_shards(config["splits"], config["shard_size"], config["start"])}
    found = sorted([*folder.glob("data/*/*.hdf5"), *folder.glob("data/*/*.h5")])
    return [p.relative_to(folder).as_posix() for p in found if p.relative_to(folder).as_posix() not in planned]


def stats_violations(folder: Path, fields: set[str]) -> Iterator[Violation]:
    """Yield what ``stats.yaml`` breaks; `fields` are those of the shards."""
    path = folder / "stats.yaml"
    if not path.is_file():
        yield Violation("1.1", "stats.yaml", "is missing")
        return
    try:
        stats = read_yaml(path)
    except InputError as error:
        yield Violation("10.1", "stats.yaml", str(error))
        return
    for key in ("split", "samples", *_STATISTICS):
        if key not in stats:
            yield Violation("10.1", "stats.yaml", f"{key} is missing")
        elif key in _STATISTICS:
            figures = stats[key]
            good = isinstance(figures, Mapping) and set(figures) >= fields
            if not good or not all(isinstance(v, (int, float)) for v in figures.values()):
                yield Violation("10.1", "stats.yaml", f"{key} does not give a number for every field")


def shard_violations(file: h5py.File, name: str, shard: Shard, config: Mapping[str, Any]) -> list[Violation]:
    """Return what an opened shard breaks of sections 4 to 9; the fields themselves are not read."""
    found: list[Violation] = []
    checks: tuple[tuple[str, Callable[..., Iterator[tuple[str, str]]]], ...] = (
        ("4.3", _root),
        ("5.1", _dimensions),
        ("6.1", _boundaries),
        ("7.1", _scalars),
        ("8.1", _fields),
        ("9.1", _provenance),
    )
    for line, check in checks:
        try:
            found += [Violation(number, name, what) for number, what in check(file, shard, config)]
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OSError, RuntimeError) as error:
            found.append(Violation(line, name, f"cannot be read ({one_line(error, 80)})"))
    return found


def _root(file: h5py.File, shard: Shard, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    attrs = file.attrs
    for key in ("dataset_name", "grid_type", "n_spatial_dims", "n_trajectories", "simulation_parameters"):
        if key not in attrs:
            yield "4.3", f"attribute {key} is missing"
            return
    if str(attrs["grid_type"]) != "cartesian":
        yield "4.3", f"grid_type is {str(attrs['grid_type'])!r}, expected 'cartesian'"
    if not _whole(attrs["n_spatial_dims"]) or not 1 <= int(attrs["n_spatial_dims"]) <= 3:
        yield "4.3", f"n_spatial_dims is {attrs['n_spatial_dims']!r}, expected 1, 2 or 3"
    if not _whole(attrs["n_trajectories"]) or int(attrs["n_trajectories"]) < 1:
        yield "4.3", f"n_trajectories is {attrs['n_trajectories']!r}, expected an integer of at least 1"
    for key in attrs["simulation_parameters"]:
        if str(key) not in attrs or np.asarray(attrs[str(key)]).dtype.kind not in "fiu":
            yield "4.3", f"the simulation parameter {str(key)!r} is no attribute with a number"
    for key in ("input_fields", "output_fields"):
        if key not in attrs or not all(is_identifier(str(name)) for name in attrs[key]):
            yield "4.4", f"attribute {key} is missing or holds no names"
    if "output_fields" in attrs and len(attrs["output_fields"]) == 0:
        yield "4.4", "output_fields is empty"
    if json.loads(str(attrs["config"])) != dict(config):
        yield "4.4", "attribute config differs from config.yaml"


def _dimensions(file: h5py.File, shard: Shard, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    group, ndim = file["dimensions"], int(file.attrs["n_spatial_dims"])
    names = [str(n) for n in group.attrs["spatial_dims"]]
    if names != list(AXES[:ndim]) and names != list(NODE):
        yield "5.1", f"spatial_dims is {names}, expected {list(AXES[:ndim])}, or {list(NODE)} of a mesh"
        return
    for name in ("time", *names):
        line = "5.2" if name == "time" else "5.3"
        if name not in group or not isinstance(group[name], h5py.Dataset):
            yield line, f"/dimensions/{name} is missing"
            continue
        dataset = group[name]
        if dataset.ndim != 1 or dataset.size == 0 or dataset.dtype.kind != "f" or not np.isfinite(dataset[:]).all():
            yield line, f"/dimensions/{name} is {dataset.dtype} of shape {dataset.shape}, expected finite coordinates"
        elif name == "time" and (np.diff(dataset[:]) <= 0).any():
            yield line, "/dimensions/time does not increase"
        wanted = (False, name == "time")
        if tuple(bool(dataset.attrs[key]) for key in ("sample_varying", "time_varying")) != wanted:
            yield line, f"/dimensions/{name}: sample_varying, time_varying are not {wanted}"


def _boundaries(file: h5py.File, shard: Shard, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    axes = [str(name) for name in file["dimensions"].attrs["spatial_dims"]]
    bounded: list[str] = []
    for name, group in file["boundary_conditions"].items():
        attrs = group.attrs
        if any(k not in attrs for k in ("associated_dims", "associated_fields", "sample_varying", "time_varying")):
            yield "6.1", f"/boundary_conditions/{name} lacks attributes"
        if str(attrs.get("bc_type", "")).lower() not in ("wall", "open", "periodic"):
            yield "6.1", f"/boundary_conditions/{name}: bc_type is {str(attrs.get('bc_type'))[:40]!r}"
        if "mask" not in group or group["mask"].dtype.kind != "b":
            yield "6.1", f"/boundary_conditions/{name}/mask is missing or not boolean"
            continue
        dims = [str(d) for d in attrs.get("associated_dims", ())]
        if len(dims) != 1 or dims[0] not in axes:
            yield "6.2", f"/boundary_conditions/{name}: associated_dims is {dims}, expected one of {axes}"
        elif group["mask"].shape != file["dimensions"][dims[0]].shape:
            yield "6.2", f"/boundary_conditions/{name}/mask is of shape {group['mask'].shape}, not that of {dims[0]}"
        else:
            bounded.append(dims[0])
    if len(file["boundary_conditions"]) and sorted(bounded) != sorted(axes):
        yield "6.2", f"/boundary_conditions has {sorted(bounded)}, expected one for each of {axes}"


def _scalars(file: h5py.File, shard: Shard, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    group = file["scalars"]
    names = [str(n) for n in group.attrs["field_names"]]
    if names != [str(n) for n in file.attrs["simulation_parameters"]] or set(names) != set(group):
        yield "7.1", f"field_names {names}, simulation_parameters and the members of /scalars differ"
        return
    for name in names:
        if group[name].size != 1 or float(np.asarray(group[name][()])) != float(file.attrs[name]):
            yield "7.1", f"/scalars/{name} is not the attribute {name}"


def _fields(file: h5py.File, shard: Shard, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in _GROUPS:
        if key not in file or {str(n) for n in file[key].attrs["field_names"]} != set(file[key]):
            yield "8.1", f"field_names and the members of /{key} differ"
            return
    for key in ("t1_fields", "t2_fields"):
        if len(file[key]):
            yield "8.1", f"/{key} is not empty"
    count = int(file.attrs["n_trajectories"])
    space = tuple(len(file["dimensions"][axis]) for axis in file["dimensions"].attrs["spatial_dims"])
    steps = len(file["dimensions"]["time"])
    roles: dict[str, list[str]] = {"input": [], "output": [], "constant": [], "auxiliary": [], "mesh": []}
    for key in ("t0_fields", "auxiliary"):
        for name in (str(n) for n in file[key].attrs["field_names"]):
            dataset = file[key][name]
            attrs = dataset.attrs
            role = str(attrs.get("role"))
            if role not in roles:
                yield "8.2", f"/{key}/{name}: role is {role[:40]!r}"
                continue
            roles[role].append(name)
            if (role in ("auxiliary", "mesh")) != (key == "auxiliary"):
                yield "8.1", f"/{key}/{name} is of role {role}"
            varying = (role not in CONSTANT, role == "output")
            known = all(k in attrs for k in ("units", "description", "dim_varying", "sample_varying", "time_varying"))
            if not known or (bool(attrs["sample_varying"]), bool(attrs["time_varying"])) != varying:
                yield "8.2", f"/{key}/{name}: attributes are missing or not those of the role {role}"
            elif list(np.asarray(attrs["dim_varying"])) != [True] * len(space):
                yield "8.2", f"/{key}/{name}: dim_varying is not {len(space)} times true"
            shape = {"output": (count, steps, *space), "constant": space}.get(role, (count, *space))
            shape = dataset.shape if role == "mesh" else shape
            if dataset.shape != shape:
                yield "8.3", f"/{key}/{name} is of shape {dataset.shape}, expected {shape}"
            if role == "mesh" and dataset.dtype.kind not in "fiu":
                yield "8.4", f"/{key}/{name} is of dtype {dataset.dtype}, expected integers or floats"
            elif role != "mesh" and dataset.dtype != np.dtype(config["dtype"]):
                yield "8.4", f"/{key}/{name} is of dtype {dataset.dtype}, expected {config['dtype']}"
            chunk = shape if role in CONSTANT else (1, *shape[1:])
            if dataset.chunks != chunk or not dataset.fletcher32:
                yield "8.5", f"/{key}/{name} has chunks {dataset.chunks}, expected {chunk} with Fletcher-32 checksums"
            yield from _error_bound(dataset, f"/{key}/{name}", role, config)
    if [str(axis) for axis in file["dimensions"].attrs["spatial_dims"]] == list(NODE):
        yield from _mesh(file, space[0])
    for role in ("input", "output"):
        if set(roles[role]) != {str(n) for n in file.attrs[f"{role}_fields"]}:
            yield "8.2", f"fields of role {role} are {roles[role]}, {role}_fields says otherwise"


def _mesh(file: h5py.File, nodes: int) -> Iterator[tuple[str, str]]:
    for name in ("x", "y"):
        if name not in file["t0_fields"]:
            yield "8.8", f"/t0_fields/{name} is missing: where the nodes lie"
    if "triangles" not in file["auxiliary"]:
        yield "8.8", "/auxiliary/triangles is missing"
        return
    triangles = file["auxiliary"]["triangles"]
    if triangles.dtype.kind != "i" or triangles.ndim != 2 or triangles.shape[1] not in (3, 6):
        shape = triangles.shape
        yield "8.8", f"/auxiliary/triangles is {triangles.dtype} of shape {shape}, expected integers (m, 3) or (m, 6)"
    elif triangles.size and not 0 <= triangles[...].min() <= triangles[...].max() < nodes:
        yield "8.8", f"/auxiliary/triangles has numbers that are not of the {nodes} nodes"


def _error_bound(dataset: h5py.Dataset, name: str, role: str, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    attrs = dataset.attrs
    if config["compression"] not in ERROR_BOUNDED or role != "output":
        if "error_bound" in attrs:
            yield "8.6", f"{name} has an error bound, which the configuration does not give it"
        return
    for key in ("compression", "error_bound", "error_bound_mode"):
        if key not in attrs or attrs[key] != config[key]:
            yield "8.6", f"{name}: {key} is not {config[key]}"
            return
    measured, ratio = float(attrs["error_measured"]), float(attrs["compression_ratio"])
    if not 0.0 <= measured <= float(attrs["error_bound"]):
        yield "8.6", f"{name}: error_measured {measured:.3e} is above error_bound {float(attrs['error_bound']):.3e}"
    if not ratio > 0.0:
        yield "8.6", f"{name}: compression_ratio is {ratio}"


def _provenance(file: h5py.File, shard: Shard, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    group, count = file["provenance"], int(file.attrs["n_trajectories"])
    for key in ("config_hash", "split", "start", "versions"):
        if key not in group.attrs:
            yield "9.1", f"attribute {key} of /provenance is missing"
            return
    if str(group.attrs["config_hash"]) != config_hash(config):
        yield "9.1", "config_hash is not that of config.yaml"
    if str(group.attrs["split"]) != shard.split:
        yield "9.1", f"split is {str(group.attrs['split'])[:40]!r}, expected {shard.split!r}"
    json.loads(str(group.attrs["versions"]))
    wanted: dict[str, tuple[str, str, tuple[int, ...]]] = {
        "index": ("9.2", "iu", (count,)),
        "digest": ("9.3", "u", (count, 32)),
    }
    if config["kind"] == "problem":
        wanted |= {
            "seed": ("9.4", "u", (count, 3)),
            "status": ("9.4", "S", (count,)),
            **dict.fromkeys(("iterations",), ("9.4", "iu", (count,))),
            **dict.fromkeys(("residual", "residual_stored", "rounding"), ("9.4", "f", (count,))),
        }
    for key, (line, kinds, shape) in wanted.items():
        if key not in group or not isinstance(group[key], h5py.Dataset):
            yield line, f"/provenance/{key} is missing"
            continue
        dataset = group[key]
        if dataset.dtype.kind not in kinds or dataset.shape != shape:
            yield line, f"/provenance/{key} is {dataset.dtype} of shape {dataset.shape}, expected shape {shape}"
        elif kinds == "f" and not (np.isfinite(dataset[:]).all() and (dataset[:] >= 0).all()):
            yield line, f"/provenance/{key} holds numbers that are negative or not finite"
    if config["kind"] == "problem" and "family" in config:
        yield from _chains(file, shard, config)


def _chains(file: h5py.File, shard: Shard, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    rows, length = file["provenance"], int(config["family"]["chain"])
    expected = np.arange(shard.start, shard.stop) // length
    if "chain" not in rows or not np.array_equal(rows["chain"][:], expected):
        yield "9.6", f"/provenance/chain is missing, or not the index divided by {length}"
    if "strategy" not in rows or rows["strategy"].dtype.kind != "S" or rows["strategy"].shape != (len(shard),):
        yield "9.6", "/provenance/strategy is missing, or not one word a sample"
    elif not {bytes(name).decode("latin-1") for name in rows["strategy"][:]} <= set(STRATEGIES):
        yield "9.6", "/provenance/strategy holds words that are no strategies"
    numbers = np.unique(expected)
    if "chains" not in file or not {"number", "report"} <= set(file["chains"]):
        yield "9.6", "/chains/number or /chains/report is missing"
    elif not np.array_equal(file["chains/number"][:], numbers) or file["chains/report"].shape != numbers.shape:
        yield "9.6", f"/chains does not describe the {len(numbers)} chains of the shard"
    else:
        for text in file["chains/report"][:]:
            json.loads(bytes(text))


def described_fields(file: h5py.File) -> list[str]:
    """Return the names of a shard's fields; none if it does not say them."""
    try:
        return [str(n) for group in ("t0_fields", "auxiliary") for n in file[group].attrs["field_names"]]
    except (KeyError, TypeError, OSError, RuntimeError):
        return []


def _whole(value: Any) -> bool:
    return np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iu"
