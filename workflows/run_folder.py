"""Write a run's folder: ``config.yaml``, ``result.json`` (flat, machine-readable), ``log.jsonl``, figures."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from resolvent.data.format.atomic_files import write_atomically
from resolvent.data.format.versions import versions
from resolvent.solvers import InputError

PACKAGES = ("resolvent", "numpy", "scipy", "pyamg", "torch", "h5py", "hydra-core")


def default_out(verb: str) -> str:
    """Return ``outputs/VERB/DATE_TIME``, a folder that does not exist yet."""
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    path, k = Path("outputs") / verb / stamp, 1
    while path.exists():
        path, k = Path("outputs") / verb / f"{stamp}_{k}", k + 1
    return str(path)


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a mapping with dotted keys and JSON-able leaves (non-finite numbers as text)."""
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            flat.update(flatten(item, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = _jsonable(item)
    return flat


def _jsonable(item: Any) -> Any:
    if hasattr(item, "tolist"):
        item = item.tolist()
    if isinstance(item, float) and not math.isfinite(item):
        return str(item)
    if isinstance(item, list | tuple):
        return [_jsonable(x) for x in item]
    if item is None or isinstance(item, bool | int | float):
        return item
    return str(item)


class RunFolder:
    """Write a run's folder; it is made at the first write, so that a run with bad input leaves nothing behind."""

    def __init__(self, verb: str, config: DictConfig) -> None:
        self.verb = verb
        self.config = config
        self.path = Path(str(config.out or default_out(verb)))
        self._check_free()
        self.started = time.time()

    def _check_free(self) -> None:
        """Refuse a folder that holds another verb's results, which would be overwritten."""
        if self.verb in ("generate", "convert"):
            return  # they compare the whole configuration with that in the folder
        if (self.path / "manifest.jsonl").is_file():
            raise InputError(f"out={self.path} holds a dataset: choose another out=FOLDER for what {self.verb} writes")
        try:
            verb = json.loads((self.path / "result.json").read_bytes())["verb"]
        except (OSError, ValueError, KeyError, TypeError):
            return
        if verb != self.verb:
            raise InputError(
                f"out={self.path} holds what `resolvent {verb}` wrote: choose another out=FOLDER for {self.verb}"
            )

    def file(self, name: str) -> Path:
        """Return the path of a file in the folder; make the folder if necessary."""
        self.path.mkdir(parents=True, exist_ok=True)
        return self.path / name

    def log(self, **row: Any) -> None:
        """Append a row to ``log.jsonl``."""
        with self.file("log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(flatten(row)) + "\n")

    def finish(self, **result: Any) -> Path:
        """Write ``config.yaml`` (unless it exists) and ``result.json``; return the path of the latter."""
        config = self.file("config.yaml")
        if not config.exists():
            write_whole(config, OmegaConf.to_yaml(self.config))
        row = {
            "verb": self.verb,
            **result,
            "command": " ".join(sys.argv),
            "seconds": time.time() - self.started,
            "versions": versions(*PACKAGES),
            "settings": OmegaConf.to_container(self.config, resolve=True),
        }
        path = self.file("result.json")
        write_whole(path, json.dumps(flatten(row), indent=2) + "\n")
        return path


def csv_text(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a table as comma-separated values, the names of the columns first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that it is there whole or not at all."""
    write_atomically(text, path, flush=False)
