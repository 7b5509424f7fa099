"""Save and load operators: ``model.safetensors`` (weights, statistics) and ``model.json`` (how to rebuild them)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from resolvent.data.format.atomic_files import storage_errors, write_atomically
from resolvent.data.format.versions import versions
from resolvent.solvers import InputError

from .normalization import NormalizedOperator
from .operator import Operator
from .registry import OPERATORS, build_operator

FORMAT_VERSION = 1
WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"


def save_operator(
    model: Operator,
    folder: str | os.PathLike[str],
    metrics: Mapping[str, Any] | None = None,
    *,
    fields: Mapping[str, Any] | None = None,
) -> None:
    """Save an operator, without pickle.

    Each file is replaced atomically; ``model.json`` is written last and holds the SHA-256 of its weights.

    Parameters
    ----------
    model : Operator
        A member of ``OPERATORS``, bare or in a `NormalizedOperator`.
    folder : path
        Made if missing.
    metrics : mapping, optional
        JSON-able numbers to store with the model, such as its validation error.
    fields : mapping, optional
        JSON-able description of the data: names of the input and output fields, training resolution.

    Raises
    ------
    InputError
        If the class is not a registered operator, or the folder cannot be written.
    """
    network = model.operator if isinstance(model, NormalizedOperator) else model
    if OPERATORS.get(network.name) is not type(network):
        raise InputError(f"{type(network).__name__} is not in OPERATORS; list it there to save and load it by name")
    tensors = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    weights = save_tensors(tensors)
    description = {
        "format_version": FORMAT_VERSION,
        "operator": network.name,
        "arguments": network.arguments(),
        "normalized": isinstance(model, NormalizedOperator),
        "carried": model.carried if isinstance(model, NormalizedOperator) else 0,
        "dtype": str(network.parameter_dtype()).removeprefix("torch."),
        "parameters": network.parameter_count(),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "versions": versions("resolvent", "torch", "numpy", "safetensors"),
        "fields": dict(fields or {}),
        "metrics": dict(metrics or {}),
    }
    text = json.dumps(description, indent=2) + "\n"
    folder = Path(folder)
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(weights, folder / WEIGHTS)
        write_atomically(text.encode(), folder / DESCRIPTION)


def load_operator(folder: str | os.PathLike[str], device: str | torch.device = "cpu") -> Operator:
    """Rebuild a saved operator, in evaluation mode.

    Raises
    ------
    InputError
        If a file is missing, damaged, of another format version, or the two do not belong together.
    """
    folder = Path(folder)
    description = read_description(folder)
    try:
        content = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read {folder / WEIGHTS} ({error.strerror}): give the folder that resolvent train wrote"
        ) from None
    if hashlib.sha256(content).hexdigest() != description["weights_sha256"]:
        raise InputError(
            f"{folder / WEIGHTS} is damaged or from another model than {DESCRIPTION}: "
            "copy both files again, or train again"
        )
    # The initial weights are replaced: draw them without touching the caller's generator.
    model: Operator = build_operator(description["operator"], seed=0, **description["arguments"])
    if description["normalized"]:
        model = NormalizedOperator(model, carried=description.get("carried", 0))
    try:
        model = model.to(getattr(torch, description["dtype"]))
        model.load_state_dict(load_tensors(content))
    except (SafetensorError, RuntimeError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"{folder} does not fit this version's operator {description['operator']} ({reason}): train it again"
        ) from None
    return model.to(device).eval()


def read_description(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what ``model.json`` says about a saved operator: its name, arguments, fields, metrics and versions.

    Raises
    ------
    InputError
        If it is missing, damaged, or of another format version.
    """
    path = Path(folder) / DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror}): give the folder that resolvent train wrote") from None
    except ValueError:
        raise InputError(f"{path} is not valid JSON: copy it again, or train again") from None
    keys = {"format_version", "operator", "arguments", "normalized", "dtype", "weights_sha256"}
    if not isinstance(description, dict) or not keys <= description.keys():
        raise InputError(f"{path} does not describe an operator: give the folder that resolvent train wrote")
    if description["format_version"] != FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {description['format_version']}; this resolvent reads {FORMAT_VERSION}: "
            "use the version of resolvent that wrote it, or train again"
        )
    return description
