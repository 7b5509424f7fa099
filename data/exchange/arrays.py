"""Make datasets of arrays that users bring: the same folder, readers and checksums, without equations to certify."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from resolvent.solvers import InputError
from resolvent.solvers.arguments import one_of

from ..dataset import Dataset
from ..format.compression import OLD_KEYWORDS, Compression
from ..format.field import Role
from ..old_keywords import takes_old_keywords
from .source import Source, SourceField, write_source


@takes_old_keywords(OLD_KEYWORDS)
def from_arrays(
    inputs: np.ndarray,
    outputs: np.ndarray,
    out: str | os.PathLike[str],
    *,
    name: str = "arrays",
    names: Mapping[str, Sequence[str]] | None = None,
    units: Mapping[str, str] | None = None,
    splits: Mapping[str, int] | Sequence[float] = (0.8, 0.1, 0.1),
    shuffle_seed: int | None = None,
    axes: Sequence[np.ndarray] | None = None,
    boundary: str | None = None,
    dtype: str | None = None,
    compression: str | Compression = "gzip",
    shard_size: int | None = None,
) -> Dataset:
    """Write input and output arrays as a dataset.

    Parameters
    ----------
    inputs, outputs : array, shape (N, *space) or (N, C, *space)
        With 1 to 3 axes in space. Which of the two shapes is meant follows from `names`, `axes` or the other array; if
        they do not tell, a second axis shorter than a quarter of the last one is taken for channels.
    out : path
        The dataset's folder.
    name : str
        The dataset's name: letters, digits, ``_`` and ``-``.
    names : mapping
        ``{'inputs': [...], 'outputs': [...]}``, one name for each channel. Defaults: ``input``, ``output``, or
        ``input_0``, ….
    units : mapping
        By field name; '1' for fields that are left out.
    splits : mapping of sizes, three counts or three fractions
        Consecutive ranges: train, valid, test.
    shuffle_seed : int or None
        Shuffle the samples first; the provenance keeps each sample's row in the arrays as ``index``.
    axes : sequence of ndarray
        Coordinates along each axis. Cell centres of the unit box if None, and the configuration says so.
    boundary : {'wall', 'open', 'periodic'} or None
    dtype : {'float64', 'float32'} or None
        None keeps float32, and stores everything else as float64.
    compression, shard_size
        See :func:`~resolvent.data.generate`.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        For shapes that do not fit, values that are not finite (naming the first), names that clash, or a folder that
        holds another dataset. The same call again completes an interrupted one.
    """
    first, second = _numbers(inputs, "inputs"), _numbers(outputs, "outputs")
    if len(first) != len(second):
        raise InputError(f"inputs hold {len(first)} samples and outputs {len(second)}: expected the same number")
    ndim = _space_axes(first, second, names, axes)
    first, second = _with_channels(first, ndim, "inputs"), _with_channels(second, ndim, "outputs")
    if first.shape[2:] != second.shape[2:]:
        raise InputError(
            f"inputs live on a grid {first.shape[2:]} and outputs on {second.shape[2:]}: expected the same grid"
        )
    labels = _labels(names, {"inputs": first.shape[1], "outputs": second.shape[1]})
    for key in units or {}:
        one_of(key, [*labels["inputs"], *labels["outputs"]], "field in units")
    kinds = {str(np.result_type(a.dtype)) for a in (first, second)}
    columns: list[tuple[str, Role, np.ndarray]] = [
        *((label, "input", first[:, c]) for c, label in enumerate(labels["inputs"])),
        *((label, "output", second[:, c]) for c, label in enumerate(labels["outputs"])),
    ]
    source = Source(
        name=name,
        fields=[SourceField(label, role, (units or {}).get(label, "1")) for label, role, _ in columns],
        count=len(first),
        space=first.shape[2:],
        read=lambda a, b: {label: values[a:b] for label, _, values in columns},
        dtype=dtype or ("float32" if kinds == {"float32"} else "float64"),
        axes=axes,
        boundary=boundary,
    )
    return write_source(
        source,
        out,
        splits=splits,
        shuffle_seed=shuffle_seed,
        compression=compression,
        shard_size=shard_size,
    )


def _numbers(values: Any, what: str) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"{what} are of dtype {array.dtype}: expected real numbers (store real and imaginary part as channels)"
        )
    if array.ndim < 2 or len(array) == 0 or array.size == 0:
        raise InputError(
            f"{what} are of shape {array.shape}: expected (N, *space) or (N, C, *space) with N of at least 1"
        )
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise InputError(
            f"{what} hold {array[where]} at {list(where)}: expected finite numbers; remove that sample or mend it"
        )
    return array


def _space_axes(
    first: np.ndarray,
    second: np.ndarray,
    names: Mapping[str, Sequence[str]] | None,
    axes: Sequence[np.ndarray] | None,
) -> int:
    """Return how many of the axes are in space, from the first argument that tells."""
    if axes is not None:
        ndim = len(axes)
    elif first.ndim != second.ndim:
        ndim = min(first.ndim, second.ndim) - 1
    else:
        several = {
            a.shape[1]
            for a, key in ((first, "inputs"), (second, "outputs"))
            if names and len(names.get(key, ())) == a.shape[1] and a.ndim > 2
        }
        channels = bool(several) or (first.ndim > 2 and max(first.shape[1], second.shape[1]) * 4 < first.shape[-1])
        ndim = first.ndim - (2 if channels else 1)
    if not 1 <= ndim <= 3:
        raise InputError(f"inputs of shape {first.shape} have {ndim} axes in space: expected 1 to 3")
    return ndim


def _with_channels(array: np.ndarray, ndim: int, what: str) -> np.ndarray:
    if array.ndim == ndim + 1:
        return array[:, None]
    if array.ndim == ndim + 2:
        return array
    raise InputError(
        f"{what} are of shape {array.shape}: with {ndim} axes in space, expected (N, *space) or (N, C, *space)"
    )


def _labels(names: Mapping[str, Sequence[str]] | None, channels: Mapping[str, int]) -> dict[str, list[str]]:
    for key in names or {}:
        one_of(key, channels, "key of names")
    labels = {}
    for key, count in channels.items():
        single = key[:-1]
        default = [single] if count == 1 else [f"{single}_{c}" for c in range(count)]
        labels[key] = [str(label) for label in (names or {}).get(key, default)]
        if len(labels[key]) != count:
            raise InputError(
                f"names of {key} are {labels[key]}: the array has {count} channels, expected a name for each"
            )
    return labels
