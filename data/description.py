"""Describe what is in a dataset folder, for people: layout, fields, shapes, units, provenance."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .dataset import Dataset
from .format.layout import field_dataset, field_shape, open_shard


def describe(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Describe a finished dataset as plain values.

    Returns
    -------
    dict
        ``name, kind, folder, bytes, splits, shards, resolution, axes, fields`` (a dict by name: role, units,
        description, shape of one sample, dtype, mean, std), ``config``, ``versions`` and, for generated data,
        ``provenance`` (statuses, iterations, residuals, seconds).

    Raises
    ------
    InputError
        If the folder is no finished dataset.
    """
    with Dataset(folder) as dataset:
        stats = dataset.stats
        fields: dict[str, Any] = {}
        with open_shard(dataset.path(dataset.shards[0])) as file:
            for name in dataset.fields:
                stored = field_dataset(file, name)
                fields[name] = {
                    "role": str(stored.attrs["role"]),
                    "units": str(stored.attrs["units"]),
                    "description": str(stored.attrs["description"]),
                    "shape": list(field_shape(stored)),
                    "dtype": str(stored.dtype),
                    "compression": _compression(stored),
                    "mean": stats["mean"][name],
                    "std": stats["std"][name],
                }
            versions = str(file["provenance"].attrs["versions"])
        described: dict[str, Any] = {
            "name": dataset.name,
            "kind": dataset.config["kind"],
            "folder": str(Path(folder)),
            "bytes": sum(record.size for record in dataset.records),
            "splits": dataset.splits,
            "shards": len(dataset.shards),
            "resolution": list(dataset.resolution),
            "axes": {n: [float(p[0]), float(p[-1])] for n, p in zip(dataset.axis_names, dataset.axes, strict=True)},
            "fields": fields,
            "content_digest": dataset.content_digest,
            "versions": versions,
            "config": dataset.config,
        }
        if dataset.trajectories:
            described["times"] = [float(dataset.times[0]), float(dataset.times[-1]), int(dataset.times.size)]
        if dataset.config["kind"] == "problem":
            described["provenance"] = _provenance(dataset)
        return described


#: What trajectories certify besides their residual, as a description calls it.
CERTIFICATES = {
    "error_estimate": "error    in time, by its estimate (steps twice as long): at most",
    "unresolved": "space    share of a state in the outer third of its modes: at most",
    "balance_drift": "drift    of what the equation conserves: at most",
}


def _compression(stored: h5py.Dataset) -> str:
    """Return how a field is stored if that may have changed its numbers; else an empty string."""
    if "error_bound" not in stored.attrs:
        return ""
    attrs = stored.attrs
    return (
        f"{attrs['compression']} within {float(attrs['error_bound']):.1e} {attrs['error_bound_mode']} (measured "
        f"{float(attrs['error_measured']):.1e}, ratio {float(attrs['compression_ratio']):.3g}, first file)"
    )


def _provenance(dataset: Dataset) -> dict[str, Any]:
    parts = [dataset.provenance(split) for split in dataset.splits]
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    statuses, counts = np.unique(joined["status"], return_counts=True)
    family: dict[str, Any] = {}
    if "strategy" in joined:
        names, sizes = np.unique(joined["strategy"], return_counts=True)
        family["strategies"] = {str(name): int(size) for name, size in zip(names, sizes, strict=True)}
    phases = [p for p in ("sampling", "analysis", "ordering", "solving", "hashing") if f"seconds_{p}" in joined]
    return {
        **family,
        "statuses": {str(s): int(c) for s, c in zip(statuses, counts, strict=True)},
        "iterations": {
            "min": int(joined["iterations"].min()),
            "median": float(np.median(joined["iterations"])),
            "max": int(joined["iterations"].max()),
        },
        "residual_max": float(joined["residual"].max()),
        "residual_stored_max": float(joined["residual_stored"].max()),
        "rounding_max": float(joined["rounding"].max()),
        "certificates": {key: float(joined[key].max()) for key in CERTIFICATES if key in joined},
        "seconds": {phase: float(joined[f"seconds_{phase}"].sum()) for phase in phases},
    }


def _family_lines(described: dict[str, Any]) -> list[str]:
    """Return the lines that say how samples were solved together, if they were."""
    family = described["config"].get("family")
    if family is None:
        return []
    counts = ", ".join(f"{name} {count}" for name, count in described["provenance"]["strategies"].items())
    return [f"  family   strategy={family['strategy']}, chains of {family['chain']}, sort={family['sort']}; {counts}"]


def format_description(described: dict[str, Any]) -> str:
    """Return the description as aligned lines."""
    grid = "×".join(str(n) for n in described["resolution"])
    sizes = ", ".join(f"{split} {size}" for split, size in described["splits"].items())
    spans = ", ".join(f"{axis} {a:g} … {b:g}" for axis, (a, b) in described["axes"].items())
    config = described["config"]
    lines = [
        f"{described['name']}: {sizes} samples on {grid} cells",
        f"  folder   {described['folder']} ({described['bytes'] / 1e6:.1f} MB in {described['shards']} shards)",
        f"  points   {spans}",
        "  fields",
    ]
    if "times" in described:
        first, last, steps = described["times"]
        lines.insert(3, f"  times    {first:g} … {last:g} in {steps} steps")
    width = max(len(name) for name in described["fields"])
    for name, item in described["fields"].items():
        shape = "×".join(str(n) for n in item["shape"])
        lines.append(
            f"    {name:<{width}}  {item['role']:<9} {shape} {item['dtype']}  units {item['units']}  "
            f"mean {item['mean']:.4g}  std {item['std']:.4g}  {item['description']}  {item['compression']}".rstrip()
        )
    if described["kind"] == "problem":
        settings = ", ".join(f"{k}={v}" for k, v in config["problem"]["settings"].items())
        solver, provenance = config["solver"], described["provenance"]
        statuses = ", ".join(f"{status} {count}" for status, count in provenance["statuses"].items())
        lines += [
            f"  problem  {settings}",
            f"  seed     {config['seed']}, samples from {config['start']}",
            f"  solver   {solver['name']} with {solver['preconditioner'] or 'no preconditioner'}, {solver['settings']}",
            *_family_lines(described),
            f"  solves   {statuses}; iterations {provenance['iterations']['min']} … {provenance['iterations']['max']}"
            f" (median {provenance['iterations']['median']:g})",
            f"  residual at most {provenance['residual_max']:.2e}, as stored {provenance['residual_stored_max']:.2e}"
            f" (rounding at most {provenance['rounding_max']:.1e})",
            *(f"  {CERTIFICATES[key]} {value:.2e}" for key, value in provenance["certificates"].items()),
        ]
    else:
        origin = config.get("origin")
        where = f"{origin['format']} ({', '.join(origin['files'])})" if origin else "arrays"
        lines.append(f"  origin   {where}: checksums, no equations")
    lines += [f"  versions {described['versions']}", f"  digest   {described['content_digest']}"]
    return "\n".join(lines)
