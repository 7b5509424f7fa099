"""Read what ``.npz``, ``.pt`` and ``.mat`` files have in common: arrays with names, some of them inputs and outputs.

Which are which follows from `inputs` and `outputs` if they are given, from what an export of this project left in the
file, or from the names that published data use: x, y (neuraloperator); a, u (FNO's Burgers and Navier–Stokes); coeff,
sol (FNO's Darcy). A further array ``t`` holds times if its length is that of the output's extra axis.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from resolvent.solvers import InputError
from resolvent.solvers.arguments import one_of

from ..dataset import Dataset
from ..format.atomic_files import one_line
from ..format.identifiers import check_identifier
from ..grids import AXES
from .source import BOUNDARIES, Source, SourceField

METADATA = "resolvent"  # the key under which our own exports keep names, units, coordinates and times

_PAIRS = (
    ("x", "y"),
    ("input", "output"),
    ("inputs", "outputs"),
    ("a", "u"),
    ("coeff", "sol"),
    ("coefficient", "solution"),
)
_TIMES = ("t", "time", "times", "t-coordinate")


@dataclass(frozen=True)
class Selection:
    """Hold what a user says about a file that does not say it itself.

    Parameters
    ----------
    name : str or None
        The dataset's name; None: from the file's name.
    inputs, outputs : sequence of str or None
        Names of variables.
    dtype : str or None
        None keeps float32 and stores everything else as float64.
    """

    name: str | None = None
    inputs: Sequence[str] | None = None
    outputs: Sequence[str] | None = None
    dtype: str | None = None


@dataclass(frozen=True)
class StoredArray:
    """Describe an array in a file: shape and dtype are known, rows are read on demand.

    Parameters
    ----------
    shape : tuple of int
        Samples first.
    dtype : numpy.dtype
    read : callable
        ``read(a, b)`` gives rows a to b − 1.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[int, int], np.ndarray]

    @classmethod
    def of(cls, values: np.ndarray) -> StoredArray:
        """Wrap an array that is in memory."""
        return cls(values.shape, values.dtype, lambda a, b: values[a:b])


def stored_dtype(dtypes: Sequence[np.dtype[Any]], asked: str | None) -> str:
    """Return the dtype to store: what was asked for, else float32 if no array has a higher precision, else float64."""
    if asked is not None:
        return one_of(asked, ("float64", "float32"), "dtype")
    return "float32" if all(d.kind == "f" and d.itemsize <= 4 for d in dtypes) else "float64"


def source_of_arrays(
    held: Mapping[str, StoredArray],
    place: str,
    name: str,
    selection: Selection,
    metadata: Mapping[str, Any] | None = None,
    time_last: bool = False,
) -> Source:
    """Make a source of named arrays.

    Parameters
    ----------
    held : mapping of StoredArray
    place : str
        The file, for errors.
    name : str
        The dataset's name, if `selection` gives none.
    selection : Selection
    metadata : mapping or None
        From :func:`parse_metadata`.
    time_last : bool
        Whether the last axis of an output with one axis more than the input is time (MATLAB's FNO files), not channels.

    Raises
    ------
    InputError
        If the variables cannot be told apart, are no numbers, or do not fit one another.
    """
    chosen_inputs, chosen_outputs = _choose(held, place, selection, metadata)
    for key in (*chosen_inputs, *chosen_outputs):
        array = held[key]
        if array.dtype.kind not in "fiub":
            raise InputError(
                f"{place}: {key} is of dtype {array.dtype}: expected real numbers (real and imaginary part as channels)"
            )
        if len(array.shape) < 2 or 0 in array.shape:
            raise InputError(f"{place}: {key} is of shape {array.shape}: expected (N, *space) with N of at least 1")
    counts = {key: held[key].shape[0] for key in (*chosen_inputs, *chosen_outputs)}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{key} {count}" for key, count in counts.items())
        raise InputError(f"{place}: the variables hold different numbers of samples ({listed}): expected the same")
    dtype = stored_dtype([held[k].dtype for k in counts], selection.dtype)
    count = next(iter(counts.values()))
    if metadata is not None:
        return _exported_here(held, place, selection.name or metadata["name"], metadata, dtype, count)
    times, time_axis = _times(held, chosen_inputs, chosen_outputs, time_last)
    space = _space([(key, held[key].shape, time_axis if key in chosen_outputs else None) for key in counts], place)
    columns: list[tuple[SourceField, str, int | None]] = []  # field, variable, channel
    for role, keys in (("input", chosen_inputs), ("output", chosen_outputs)):
        for key in keys:
            axes = len(held[key].shape) - 1 - (time_axis is not None and role == "output")
            channels = held[key].shape[1] if axes == len(space) + 1 else None
            for c in range(channels or 1):
                label = key if channels in (None, 1) else f"{key}_{c}"
                columns.append((SourceField(label, role), key, None if channels is None else c))  # type: ignore[arg-type]

    def read(a: int, b: int) -> dict[str, np.ndarray]:
        blocks = {key: held[key].read(a, b) for key in counts}
        found = {}
        for item, key, channel in columns:
            values = blocks[key] if channel is None else blocks[key][:, channel]
            if time_axis is not None and item.role == "output":
                values = np.moveaxis(values, -1, 1) if time_axis == -1 else values
            found[item.name] = values
        return found

    label = selection.name or name
    return Source(label, [item for item, _, _ in columns], count, space, read, dtype, times=times)


def _choose(
    held: Mapping[str, StoredArray], place: str, selection: Selection, metadata: Mapping[str, Any] | None
) -> tuple[list[str], list[str]]:
    listed = ", ".join(f"{key} {array.shape}" for key, array in held.items()) or "nothing"
    inputs, outputs = list(selection.inputs or ()), list(selection.outputs or ())
    for key in (*inputs, *outputs):
        if key not in held:
            raise InputError(f"{place}: there is no variable {key}; it holds {listed}")
    if inputs or outputs:
        if not outputs:
            raise InputError(f"{place}: inputs={inputs} without outputs: name those too; it holds {listed}")
        return inputs, outputs
    if metadata is not None:
        return (["x"] if "x" in held else []), ["y"] if "y" in held else []
    for first, second in _PAIRS:
        if first in held and second in held:
            return [first], [second]
    fields = [key for key, array in held.items() if len(array.shape) >= 2 and key not in _TIMES]
    if len(fields) == 1:
        return [], fields
    raise InputError(
        f"{place}: which variables are inputs and outputs cannot be told; it holds {listed}: say inputs=[NAME] "
        "outputs=[NAME]"
    )


def _times(
    held: Mapping[str, StoredArray], inputs: Sequence[str], outputs: Sequence[str], time_last: bool
) -> tuple[np.ndarray | None, int | None]:
    """Return the times and the axis of the outputs along which they run (−1 or 1); None if there is no such axis."""
    shapes = {held[key].shape for key in outputs}
    deeper = bool(inputs) and all(len(held[k].shape) == len(held[inputs[0]].shape) + 1 for k in outputs)
    if len(shapes) != 1 or (inputs and not deeper):
        return None, None
    (shape,) = shapes
    for key in _TIMES:
        if key in held and key not in outputs:
            values = held[key].read(0, held[key].shape[0]) if held[key].shape else np.zeros(0)
            values = np.asarray(values, dtype=np.float64).ravel() if held[key].dtype.kind in "fiu" else np.zeros(0)
            for axis in (-1, 1):
                if len(shape) > 2 and values.size == shape[axis] > 1:
                    return values, axis
    if time_last and deeper and shape[-1] > 1:
        return np.arange(shape[-1], dtype=np.float64), -1
    return None, None


def _space(shapes: Sequence[tuple[str, tuple[int, ...], int | None]], place: str) -> tuple[int, ...]:
    """Return the grid that all variables share: the fewest axes that any has; an axis before these is channels."""
    tails = []
    for _, shape, time_axis in shapes:
        rest = list(shape[1:])
        if time_axis is not None:
            del rest[-1 if time_axis == -1 else 0]
        tails.append(tuple(rest))
    fewest = min(len(t) for t in tails)
    # As in from_arrays: where all have the same axes, one far shorter than the last is taken for channels. So is the
    # first one where variables differ in that alone, and one of them has a single channel.
    if fewest > 1 and all(len(t) == fewest for t in tails):
        differ = len(set(tails)) > 1 and len({t[1:] for t in tails}) == 1 and min(t[0] for t in tails) == 1
        if fewest > 3 or differ or max(t[0] for t in tails) * 4 < tails[0][-1]:
            fewest -= 1
    grids = {tail[len(tail) - fewest :] for tail in tails}
    if len(grids) != 1 or fewest > 3 or any(len(t) > fewest + 1 for t in tails):
        listed = ", ".join(f"{key} {shape}" for key, shape, _ in shapes)
        raise InputError(f"{place}: the variables do not share a grid of 1 to 3 axes ({listed}): choose others")
    return grids.pop()


def dataset_metadata(dataset: Dataset, first_steps: Mapping[str, str] | None = None) -> str:
    """Return names, units, coordinates and times of a dataset in JSON: the layouts of others cannot hold them.

    `first_steps` names the inputs that are stored as the first step of an output alone, and that output.
    """
    config = dataset.config
    if config["kind"] == "problem":
        units: Mapping[str, str] = {}
        boundary = None
    else:
        units, boundary = config["units"], config["boundary"]
    kept = {
        "name": dataset.name,
        "inputs": dataset.input_fields,
        "outputs": dataset.output_fields,
        "units": dict(units),
        "boundary": boundary,
        "axes": [points.tolist() for points in dataset.axes],
        "times": dataset.times.tolist() if dataset.trajectories else None,
        "first_steps": dict(first_steps or {}),
        "content_digest": dataset.content_digest,
    }
    return json.dumps(kept)


def parse_metadata(text: Any, place: str) -> dict[str, Any]:
    """Read :func:`dataset_metadata` back; every part is checked, since it comes from a file.

    Raises
    ------
    InputError
        If it is not what an export writes.
    """
    try:
        if not isinstance(text, str) or len(text) > 1 << 26:
            raise TypeError("no text")
        found = json.loads(text)
        names = [check_identifier(n, "field name") for n in (*found["inputs"], *found["outputs"])]
        axes = [np.array(points, dtype=np.float64) for points in found["axes"]]
        times = None if found["times"] is None else np.array(found["times"], dtype=np.float64)
        units = {check_identifier(k, "field name"): str(v)[:100] for k, v in dict(found["units"]).items()}
        if not found["outputs"] or len(set(names)) != len(names) or not 1 <= len(axes) <= len(AXES):
            raise ValueError("names or axes")
        if any(a.ndim != 1 for a in axes) or (times is not None and (times.ndim != 1 or times.size < 2)):
            raise ValueError("axes or times")
        first = {str(k): str(v) for k, v in dict(found.get("first_steps", {})).items()}  # earlier exports have none
        if not (set(first) <= set(found["inputs"]) and set(first.values()) <= set(found["outputs"])):
            raise ValueError("first steps")
        if found["boundary"] is not None:
            one_of(found["boundary"], BOUNDARIES, "boundary")
        return {
            "name": check_identifier(found["name"], "name"),
            "inputs": [str(n) for n in found["inputs"]],
            "outputs": [str(n) for n in found["outputs"]],
            "units": units,
            "boundary": found["boundary"],
            "axes": axes,
            "times": times,
            "first_steps": first,
        }
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError) as error:
        short = one_line(error)
        raise InputError(f"{place}: what it keeps under '{METADATA}' is malformed ({short}): remove that") from None


def input_output_arrays(dataset: Dataset, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a split in neuraloperator's form: x (N, [Cin], *space), y (N, [Cout], [T], *space).

    Where both have a single channel, neither has an axis of channels, as in the published files (neuraloperator's
    ``channels_squeezed``); else both have one, since its readers take x and y alike. For trajectories without input
    fields, x holds the first step of every output.
    """
    outputs = [dataset.read(split, name) for name in dataset.output_fields]
    inputs = [dataset.read(split, name) for name in dataset.input_fields]
    if not inputs:
        inputs = [values[:, 0] for values in outputs] if dataset.trajectories else outputs
    squeezed = len(inputs) == len(outputs) == 1
    x, y = (values[0] if squeezed else np.stack(values, axis=1) for values in (inputs, outputs))
    return np.ascontiguousarray(x), np.ascontiguousarray(y)


def _exported_here(
    held: Mapping[str, StoredArray], place: str, name: str, metadata: Mapping[str, Any], dtype: str, count: int
) -> Source:
    space = tuple(len(points) for points in metadata["axes"])
    times = metadata["times"]
    steps = () if times is None else (len(times),)
    columns: list[tuple[SourceField, str, int | None]] = []
    for role, key in (("input", "x"), ("output", "y")):
        names = metadata[f"{role}s"]
        if not names:
            continue
        tail = (steps if role == "output" else ()) + space
        wanted = [(len(names), *tail), *([tail] if len(names) == 1 else [])]
        if key not in held or held[key].shape[1:] not in wanted:
            found = held[key].shape if key in held else "nothing"
            expected = " or ".join(f"(N, {', '.join(map(str, shape))})" for shape in wanted)
            raise InputError(f"{place}: {key} is {found}, expected {expected} for {names}")
        channels = held[key].shape[1:] == wanted[0]
        for c, label in enumerate(names):
            item = SourceField(label, role, metadata["units"].get(label, "1"))  # type: ignore[arg-type]
            columns.append((item, key, c if channels else None))

    def read(a: int, b: int) -> dict[str, np.ndarray]:
        blocks = {key: held[key].read(a, b) for key in {key for _, key, _ in columns}}
        return {item.name: blocks[key] if c is None else blocks[key][:, c] for item, key, c in columns}

    return Source(
        name,
        [item for item, _, _ in columns],
        count,
        space,
        read,
        dtype,
        axes=metadata["axes"],
        times=times,
        boundary=metadata["boundary"],
    )
