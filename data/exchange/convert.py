"""Convert datasets from and to the files of other projects."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from resolvent.solvers import InputError
from resolvent.solvers.arguments import one_of

from ..dataset import Dataset
from ..format.atomic_files import TEMPORARY_SUFFIX, publish, reading_errors, storage_errors
from ..format.compression import OLD_KEYWORDS, Compression
from ..format.digests import file_sha256
from ..format.field import NODE
from ..old_keywords import takes_old_keywords
from .formats import FORMATS
from .named_arrays import Selection
from .source import Source, write_source


@takes_old_keywords(OLD_KEYWORDS)
def import_dataset(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    name: str | None = None,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    splits: Mapping[str, int] | Sequence[float] = (0.8, 0.1, 0.1),
    shuffle_seed: int | None = None,
    dtype: str | None = None,
    compression: str | Compression = "gzip",
    shard_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Make a dataset of a file, or of a folder of files named after splits, of another project.

    Parameters
    ----------
    path : path
        ``.hdf5``, ``.h5`` (PDEBench), ``.pt`` (neuraloperator), ``.npz``, ``.mat``; a folder with one file, or with one
        file for each split, whose names contain train, valid or test.
    out : path
        The dataset's folder.
    name : str or None
        The dataset's name; None: what the file says, else its name.
    inputs, outputs : sequence of str or None
        Variables of ``.npz``, ``.pt`` and ``.mat`` files, if their names do not tell.
    splits, shuffle_seed, compression, shard_size
        See :func:`~resolvent.data.from_arrays`. `splits` divides a single file; several files are the splits.
    dtype : {'float64', 'float32'} or None
        None keeps float32 and stores everything else as float64.
    progress : callable
        Called with (samples done, total).

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        One line for a file that is missing, damaged, hostile, or does not hold what it should.
    """
    compression = Compression.read(compression)
    source = open_source(Path(path), Selection(name, inputs, outputs, dtype))
    return write_source(
        source,
        out,
        splits=splits,
        shuffle_seed=shuffle_seed,
        compression=compression,
        shard_size=shard_size,
        progress=progress,
    )


def open_source(path: Path, selection: Selection) -> Source:
    """Open a file or a folder of files as one source, which records where it comes from."""
    if (path / "config.yaml").is_file() and (path / "manifest.jsonl").is_file():
        raise InputError(
            f"source={path} is a Resolvent dataset: say format=pdebench, neuraloperator or npz to export it"
        )
    if not path.exists():
        raise InputError(f"source={path}: no such file or folder")
    if path.is_file():
        format_name = format_of(path)
        source = _opened(format_name, path, selection)
        return _with_origin(source, format_name, [path])
    endings = [ending for item in FORMATS.values() for ending in item.endings]
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in endings and p.is_file())
    if not files:
        raise InputError(f"source={path} holds no file in {', '.join(endings)}")
    if len(files) == 1:
        return open_source(files[0], selection)
    by_split: dict[str, list[Path]] = {}
    for file in files:
        by_split.setdefault(_split_of(file), []).append(file)
    for split, found in by_split.items():
        if split == "" or len(found) > 1:
            listed = ", ".join(p.name for p in found[:4])
            what = "of no split (no train, valid or test in the name)" if split == "" else f"of the split {split}"
            raise InputError(f"source={path} holds several files {what}: {listed}; give one file, or one a split")
    names = {format_of(found[0]) for found in by_split.values()}
    if len(names) > 1:
        raise InputError(f"source={path} holds files of several formats ({', '.join(sorted(names))}): give one file")
    format_name = names.pop()
    parts = {split: _opened(format_name, by_split[split][0], selection) for split in _ORDER if split in by_split}
    return _with_origin(_joined(parts, path), format_name, [by_split[split][0] for split in parts])


_ORDER = ("train", "valid", "test")


def format_of(path: Path) -> str:
    """Return the format of a file, by its ending.

    Raises
    ------
    InputError
    """
    for name, item in FORMATS.items():
        if path.suffix.lower() in item.endings:
            return name
    endings = ", ".join(ending for item in FORMATS.values() for ending in item.endings)
    raise InputError(f"source={path}: unknown ending '{path.suffix}'; expected one of {endings}")


def _opened(format_name: str, path: Path, selection: Selection) -> Source:
    """Open a file; any error of its reader, which a damaged file may cause, becomes an InputError of one line."""
    with reading_errors(f"{path} cannot be read as {format_name}", "it is damaged or of another kind"):
        return FORMATS[format_name].open(path, selection)


def _split_of(path: Path) -> str:
    words = re.split(r"[^a-z]+", path.stem.lower())
    for split, names in (("train", ("train",)), ("valid", ("valid", "val", "validation")), ("test", ("test",))):
        if any(word in names for word in words):
            return split
    return ""


def _with_origin(source: Source, format_name: str, files: Sequence[Path]) -> Source:
    origin = {
        "format": format_name,
        "files": [file.name for file in files],
        "sha256": [file_sha256(file) for file in files],
    }
    return replace(source, origin={**origin, **source.origin})


def _joined(parts: Mapping[str, Source], path: Path) -> Source:
    """Join sources, one for each split; everything but the number of samples must agree."""
    first = next(iter(parts.values()))
    for split, part in parts.items():
        for what in ("fields", "space", "dtype", "boundary", "scalars"):
            mine, theirs = getattr(first, what), getattr(part, what)
            if mine != theirs:
                raise InputError(f"source={path}: the split {split} has another {what} ({theirs}, not {mine})")
        for what in ("axes", "times"):
            mine, theirs = getattr(first, what), getattr(part, what)
            same = (mine is None) == (theirs is None)
            if same and mine is not None:
                pairs = zip(mine, theirs, strict=False) if what == "axes" else [(mine, theirs)]
                same = all(np.array_equal(a, b) for a, b in pairs)
            if not same:
                raise InputError(f"source={path}: the split {split} has other {what} than the first")
    starts = np.cumsum([0, *(part.count for part in parts.values())])

    def read(a: int, b: int) -> Mapping[str, np.ndarray]:
        blocks = []
        for part, start in zip(parts.values(), starts, strict=False):
            low, high = max(a - int(start), 0), min(b - int(start), part.count)
            if low < high:
                blocks.append(part.read(low, high))
        if len(blocks) == 1:
            return blocks[0]
        return {key: np.concatenate([np.asarray(block[key]) for block in blocks]) for key in blocks[0]}

    sizes = {split: part.count for split, part in parts.items()}
    return replace(first, count=int(starts[-1]), read=read, splits=sizes)


def export_dataset(
    data: str | os.PathLike[str], out: str | os.PathLike[str], format: str, layout: str = "auto"
) -> list[Path]:
    """Write a dataset as files of another project, one for each split, each whole or not at all.

    Inputs and outputs are exported; constants, certificates and the boundary conditions of generated data are not.
    Names, units, coordinates and times are stored where other readers ignore them, so that an import gives the same
    fields back.

    Parameters
    ----------
    data : path
        A dataset's folder.
    out : path
        A folder, which is made. Files of the same names are replaced.
    format : {'pdebench', 'neuraloperator', 'npz'}
    layout : str
        For pdebench, see :func:`~resolvent.data.exchange.pdebench_export.plan_pdebench`.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        For a folder that is no dataset, values at the nodes of a mesh, or fields that the layout cannot hold.
    """
    names = [name for name, item in FORMATS.items() if item.exports()]
    item = FORMATS[one_of(format, names, "format")]
    if layout != "auto" and item.plan is None:
        raise InputError(f"layout={layout} is a setting of format=pdebench: leave it out with format={format}")
    folder = Path(out)
    with Dataset(data) as dataset:
        if tuple(dataset.axis_names) == NODE:
            raise InputError(
                f"{dataset.name} holds values at the nodes of a mesh, which format={format} has no place for: "
                "export data on a grid"
            )
        if folder.resolve() == dataset.folder.resolve():
            raise InputError(f"out={folder} is the dataset itself: choose another folder")
        plans = [] if item.plan is None else [item.plan(dataset, layout)]
        sizes = dataset.resolution[:1] if len(set(dataset.resolution)) == 1 else dataset.resolution
        named = {"name": dataset.name, "resolution": "x".join(map(str, sizes))}
        named["ending"] = plans[0].ending if plans else ""
        assert item.write is not None
        made, written = not folder.exists(), []
        try:
            for split in dataset.splits:
                target = folder / item.file_name.format(**named, split=split, Split=split.capitalize())
                temporary = target.with_name(f".{target.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
                with storage_errors(target):
                    folder.mkdir(parents=True, exist_ok=True)
                    try:
                        item.write(dataset, split, temporary, *plans)
                        publish(temporary, target)
                    finally:
                        temporary.unlink(missing_ok=True)
                written.append(target)
        except BaseException:
            if made and folder.exists() and not any(folder.iterdir()):
                folder.rmdir()
            raise
    return written
