"""Run ``resolvent convert``: import other projects' files as a dataset, or export a dataset to their formats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf

from resolvent.data import Compression, export_dataset, import_dataset
from resolvent.solvers import InputError

from ..compose import compose_verb
from ..console import ProgressLine, say
from ..run_folder import RunFolder
from .generate import splits_of


def run(overrides: Sequence[str]) -> int:
    """Convert what the overrides name; return 0."""
    config = compose_verb("convert", overrides)
    if config.source is None:
        raise InputError("nothing to convert: give source=FILE or source=FOLDER")
    folder = RunFolder("convert", config)
    if config.format != "resolvent":
        written = export_dataset(str(config.source), folder.path, str(config.format), str(config.layout))
        for path in written:
            say(f"wrote {path} ({path.stat().st_size / 1e6:.3g} MB)")
        folder.finish(files=[path.name for path in written])
        return 0
    if config.layout != "auto":
        raise InputError(f"layout={config.layout} is for exports: give format=pdebench, or leave layout out")
    with ProgressLine("convert") as line:
        dataset = import_dataset(
            str(config.source),
            folder.path,
            name=config.name,
            inputs=_names(config, "inputs"),
            outputs=_names(config, "outputs"),
            splits=splits_of(config),
            shuffle_seed=config.shuffle_seed,
            dtype=config.dtype,
            compression=Compression(str(config.compression), config.error_bound, str(config.error_bound_mode)),
            shard_size=config.shard_size,
            progress=line,
        )
    origin = dataset.config["origin"]
    say(f"{dataset!r} from {', '.join(origin['files'])} ({origin['format']})")
    size = sum(record.size for record in dataset.records)
    say(f"wrote {folder.path}/ ({size / 1e6:.3g} MB); check it with: resolvent verify data={folder.path}")
    folder.finish(
        splits=dict(dataset.splits), resolution=list(dataset.resolution), content_digest=dataset.content_digest
    )
    return 0


def _names(config: Any, key: str) -> list[str] | None:
    value = config[key]
    if value is None or isinstance(value, str):
        return None if value is None else [value]
    listed = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise InputError(f"{key}={listed}: expected names of variables, such as {key}=[a,b]")
    return [str(name) for name in listed]
