"""Write PDEBench's four HDF5 layouts, so that its own loaders can open them.

PDEBench's loaders (``FNODatasetSingle``, ``FNODatasetMult``) go by the ending and by the keys of a file:

- ``.h5`` means ``groups``, in one to three dimensions. (``FNODatasetSingle`` reads the grid of sample 0023: it wants
  24 samples in a file.)
- In any other file ``tensor`` is in time in one dimension, and Darcy's, with ``nu``, in two.
- A file without ``tensor`` is a fluid's: density, pressure and the velocities Vx, Vy, Vz.

What they cannot open is not written, but for ``incompressible``, which none of them opens and PDEBench publishes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from resolvent.solvers import InputError
from resolvent.solvers.arguments import one_of

from ..dataset import Dataset
from ..grids import AXES
from .named_arrays import METADATA, dataset_metadata

LAYOUTS = ("tensor", "variables", "groups", "incompressible")

_BLOCK = 32  # samples read and written at once


@dataclass(frozen=True)
class PdebenchPlan:
    """Say how a dataset is written.

    Attributes
    ----------
    layout : str
    columns : mapping
        The fields in each array of a file; for groups the channels, under ``data``.
    first_steps : mapping
        Inputs that are the first step of an output, and that output: they need no array of their own.
    """

    layout: str
    columns: Mapping[str, Sequence[str]]
    first_steps: Mapping[str, str]

    @property
    def ending(self) -> str:
        """Return the ending, by which PDEBench's loaders know the layout."""
        return ".h5" if self.layout == "groups" else ".hdf5"


def plan_pdebench(dataset: Dataset, layout: str = "auto") -> PdebenchPlan:
    """Choose where the fields go.

    Parameters
    ----------
    dataset : Dataset
    layout : {'auto', 'tensor', 'variables', 'groups', 'incompressible'}
        tensor: one output, in 1-D, steady with one input or none, or in time; in 2-D steady with one input.
        variables: the outputs density, pressure, Vx, in 2-D Vy too, in 3-D Vz too.
        groups: outputs in time with any inputs, or steady without.
        incompressible: velocity_x, velocity_y, … and particles, with the inputs force_x, ….
        Where an input is the first step of an output in every sample, to the last bit, it is stored as that step and
        does not count as an input here.
        'auto': the first of tensor, variables and groups that holds the fields.

    Raises
    ------
    InputError
        If the layout cannot hold the dataset's fields; the error names the layouts that can.
    """
    one_of(layout, ("auto", *LAYOUTS), "layout")
    first = _first_steps(dataset)
    inputs = [name for name in dataset.input_fields if name not in first]
    fitting = {name: columns for name in LAYOUTS if (columns := _columns(dataset, name, inputs)) is not None}
    opened = (name for name in fitting if name != "incompressible")  # by PDEBench's loaders
    chosen = next(opened, layout) if layout == "auto" else layout
    if chosen in fitting:
        return PdebenchPlan(chosen, fitting[chosen], first)
    others = [f"layout={name}" for name in fitting] + ["format=neuraloperator"]
    steps = f"in {dataset.times.size} steps" if dataset.trajectories else "steady"
    what = "format=pdebench" if layout == "auto" else f"layout={layout}"
    beside = f" (beside {', '.join(first)}: first steps)" if first else ""
    raise InputError(
        f"{what} holds {_holds(dataset, layout)}; {dataset.name} has inputs {inputs}{beside}, outputs "
        f"{dataset.output_fields}, {len(dataset.resolution)}-D, {steps}: use {', '.join(others)} or format=npz"
    )


def _first_steps(dataset: Dataset) -> dict[str, str]:
    """Return the inputs that equal the first step of an output in all samples, bit for bit, with that output."""
    if not dataset.trajectories:
        return {}
    found = {}
    for name in dataset.input_fields:
        output = next((output for output in dataset.output_fields if _begins_with(dataset, output, name)), None)
        if output is not None:
            found[name] = output
    return found


def _begins_with(dataset: Dataset, output: str, name: str) -> bool:
    for split, count in dataset.splits.items():
        for start in range(0, count, _BLOCK):
            values = dataset.read(split, name, start, start + _BLOCK)
            first = dataset.read(split, output, start, start + _BLOCK)[:, 0]
            if (values.dtype, values.shape) != (first.dtype, first.shape) or values.tobytes() != first.tobytes():
                return False  # bytes, since a zero has a sign
    return True


def _columns(dataset: Dataset, layout: str, inputs: list[str]) -> dict[str, list[str]] | None:
    """Return the fields in each array of the file; None if the layout has no place for them."""
    outputs, ndim = dataset.output_fields, len(dataset.resolution)
    steady = not dataset.trajectories
    if layout == "tensor":
        # In 2-D PDEBench's loader takes every tensor for Darcy's; in 3-D it opens none.
        fits = {1: not inputs or (steady and len(inputs) == 1), 2: steady and len(inputs) == 1}.get(ndim, False)
        return {"tensor": outputs, **({"nu": inputs} if inputs else {})} if fits and len(outputs) == 1 else None
    if layout == "variables":
        fits = not inputs and sorted(outputs) == sorted(_fluid(ndim))
        return {name: [name] for name in outputs} if fits else None
    if layout == "groups":
        return None if inputs and steady else {"data": [*outputs, *inputs]}
    velocity, force = _velocity_and_force(ndim)
    if outputs not in (velocity, [*velocity, "particles"]) or inputs not in ([], force):
        return None
    columns = {"velocity": velocity}
    if "particles" in outputs:
        columns["particles"] = ["particles"]
    return {**columns, **({"force": force} if inputs else {})}


def _holds(dataset: Dataset, layout: str) -> str:
    ndim = len(dataset.resolution)
    velocity, force = _velocity_and_force(ndim)
    return {
        "auto": "one input and one output where steady in 1-D or 2-D, no inputs where steady otherwise",
        "tensor": "one output, in 1-D in time without inputs or steady with at most one, in 2-D steady with one input",
        "variables": f"the outputs {', '.join(_fluid(ndim))} in {ndim}-D and no inputs",
        "groups": "no inputs where steady",
        "incompressible": f"{velocity}, particles and {force}",
    }[layout]


def _fluid(ndim: int) -> list[str]:
    return ["density", "pressure", *(f"V{axis}" for axis in AXES[:ndim])]


def _velocity_and_force(ndim: int) -> tuple[list[str], list[str]]:
    return [f"velocity_{axis}" for axis in AXES[:ndim]], [f"force_{axis}" for axis in AXES[:ndim]]


def write_pdebench(dataset: Dataset, split: str, path: Path, plan: PdebenchPlan) -> None:
    """Write a split in blocks of samples."""
    with h5py.File(path, "w") as file:
        file.attrs[METADATA] = dataset_metadata(dataset, plan.first_steps)
        if plan.layout == "groups":
            _write_groups(file, dataset, split, plan.columns["data"])
        else:
            _write_arrays(file, dataset, split, plan.layout, plan.columns)


def _write_arrays(
    file: h5py.File, dataset: Dataset, split: str, layout: str, columns: Mapping[str, Sequence[str]]
) -> None:
    count = dataset.splits[split]
    for key, names in columns.items():
        target = None
        for start in range(0, count, _BLOCK):
            parts = [dataset.read(split, name, start, start + _BLOCK) for name in names]
            if names[0] in dataset.output_fields and not dataset.trajectories:
                parts = [values[:, None] for values in parts]
            values = np.stack(parts, axis=-1) if layout == "incompressible" else parts[0]
            if target is None:
                target = file.create_dataset(key, shape=(count, *values.shape[1:]), dtype=values.dtype)
            target[start : start + len(values)] = values
    if layout == "incompressible":
        file["t"] = np.tile(dataset.times, (count, 1))
        return
    for axis, points in zip(AXES, dataset.axes, strict=False):
        file[f"{axis}-coordinate"] = points
    times = dataset.times
    file["t-coordinate"] = np.append(times, 2 * times[-1] - times[-2] if times.size > 1 else 1.0)


def _write_groups(file: h5py.File, dataset: Dataset, split: str, names: Sequence[str]) -> None:
    config = json.dumps(dataset.config, sort_keys=True)  # JSON is YAML
    steps = dataset.times.size
    for start in range(0, dataset.splits[split], _BLOCK):
        parts = []
        for name in names:
            values = dataset.read(split, name, start, start + _BLOCK)
            if name in dataset.input_fields or not dataset.trajectories:
                values = np.repeat(values[:, None], steps, axis=1)  # the same at every time
            parts.append(values)
        for place in range(len(parts[0])):
            group = file.create_group(f"{start + place:04d}")
            group["data"] = np.stack([part[place] for part in parts], axis=-1)
            group.attrs["config"] = config[:60_000]  # HDF5 keeps an attribute in 64 KiB
            grid = group.create_group("grid")
            for axis, points in zip(AXES, dataset.axes, strict=False):
                grid[axis] = points
            grid["t"] = dataset.times
