"""Read and write neuraloperator's ``.pt`` files: a dict of tensors x and y, one file for each split and resolution.

``darcy_train_16.pt`` holds x and y of shape (N, 16, 16). A ``.pt`` file is a pickle in a zip file. It is read with
``weights_only=True``, which builds tensors and plain containers and calls nothing else, and memory-mapped, so that the
samples are read on demand. Before that the zip is checked: torch stores its members uncompressed.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from resolvent.solvers import InputError

from ..dataset import Dataset
from ..format.atomic_files import one_line
from ..format.identifiers import name_of
from .named_arrays import (
    METADATA,
    Selection,
    StoredArray,
    dataset_metadata,
    input_output_arrays,
    parse_metadata,
    source_of_arrays,
)
from .source import Source


def open_pt(path: Path, selection: Selection) -> Source:
    """Open a dict of tensors.

    Raises
    ------
    InputError
        For a file that is empty, truncated, of torch's format before 1.6, holds anything but tensors, text and numbers
        in a dict, or a tensor that declares more numbers than are stored.
    """
    import torch

    _check_zip(path)
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        named = str(error).split("Unsupported global: GLOBAL ")[-1].split(" ")[0] if "GLOBAL" in str(error) else "code"
        raise InputError(
            f"{path} is a pickle that wants to run {named[:80]}, which is refused: save a dict of plain tensors"
        ) from None
    except (RuntimeError, ValueError, EOFError, OSError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputError(f"{path} cannot be read as .pt ({one_line(error)}): it is truncated or damaged") from None
    if not isinstance(held, dict):
        raise InputError(f"{path} holds a {type(held).__name__}: expected a dict of tensors, such as x and y")
    metadata = parse_metadata(held[METADATA], str(path)) if METADATA in held else None
    arrays: dict[str, StoredArray] = {}
    for key, value in held.items():
        if not isinstance(key, str) or key == METADATA or not isinstance(value, torch.Tensor):
            continue
        arrays[key] = _array(value, key, path)
    return source_of_arrays(arrays, str(path), name_of(path), selection, metadata)


def _check_zip(path: Path) -> None:
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty: copy or download it again")
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
                    raise InputError(
                        f"{path}: {member.filename[:80]} is compressed, which torch.save never does: it is hostile or "
                        "repacked; save it with torch.save"
                    )
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} is no zip file, as torch.save writes since version 1.6: it is truncated, of an older format or "
            "another kind; load it where you trust it and save it again"
        ) from None


def _array(tensor: Any, key: str, path: Path) -> StoredArray:
    import torch

    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        raise InputError(f"{path}: {key} is a {tensor.layout} tensor on {tensor.device}: expected plain dense numbers")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise InputError(
            f"{path}: {key} declares shape {tuple(tensor.shape)} and stores {tensor.untyped_storage().nbytes()} bytes: "
            "it is an expanded view or hostile; save tensor.contiguous()"
        )
    plain = tensor.detach().float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor.detach()
    values = plain.resolve_conj().resolve_neg().numpy()
    return StoredArray(values.shape, values.dtype, lambda a, b: np.array(values[a:b]))


def write_pt(dataset: Dataset, split: str, path: Path) -> None:
    """Write a split: x (N, [C], *space), y (N, [C], [T], *space)."""
    import torch

    x, y = (torch.from_numpy(values) for values in input_output_arrays(dataset, split))
    torch.save({"x": x, "y": y, METADATA: dataset_metadata(dataset)}, path)
