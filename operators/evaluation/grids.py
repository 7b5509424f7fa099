"""Measure the error of a trained operator on data it has not seen, beside its baselines."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from resolvent.solvers import InputError

from ..normalization import NormalizedOperator
from ..operator import Operator
from ..samples.batches import GridDataset, split_size
from ..samples.domain import domain_of
from .metrics import absolute_l2, max_error, relative_h1, relative_l2, relative_max
from .vanishing import mean_of_all, mean_over_samples, vanishing, without_vanishing

#: An `Operator`, or any function from input arrays to output arrays, such as a fitted baseline.
Predictor = Operator | Callable[[np.ndarray], np.ndarray]


def predict(model: Predictor, inputs: np.ndarray) -> np.ndarray:
    """Return a model's outputs for inputs (samples, channels, *space), as float64 on the CPU.

    An `Operator` runs in evaluation mode, in the dtype and on the device of its weights; its mode is restored.
    """
    if not isinstance(model, Operator):
        return np.asarray(model(inputs), dtype=np.float64)
    weight = next(model.parameters())
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            # A normalised operator takes the mean off in float64, which MPS alone does not have.
            wide = isinstance(model, NormalizedOperator) and weight.device.type != "mps"
            dtype = torch.float64 if wide else weight.dtype
            outputs = model(torch.tensor(inputs, dtype=dtype, device=weight.device))
            return outputs.double().cpu().numpy()
    finally:
        model.train(training)


def evaluate_operator(
    model: Predictor, dataset: GridDataset, split: str = "test", batch_size: int = 16, keep: int = 0
) -> dict[str, Any]:
    """Measure a model on one split of a dataset.

    Parameters
    ----------
    model : Operator or callable
    dataset : GridDataset
    split : str, default 'test'
    batch_size : int, default 16
    keep : int, default 0
        How many of the first samples' predictions to return, for figures.

    Returns
    -------
    dict
        ``relative_l2``, ``relative_h1`` (on the dataset's domain), ``relative_max``: means over samples and fields, but
        for fields that vanish in a sample (in all: their error is not divided). ``relative_l2_median``: over all.
        ``absolute_l2``: mean of the root mean square errors, and ``max_error``: the largest pointwise error, in the
        fields' units. ``vanishing``: number of fields of samples that vanish. ``fields``: the same by output field.
        ``per_sample_l2``: ndarray (samples,), mean over fields. ``ms_per_sample``: median over batches of the time of a
        prediction, including the transfer to and from the device; the first batch is run once before (the caller
        chooses batch size and threads). ``predictions``: ndarray (keep, channels, *space). ``samples``, ``resolution``,
        ``split``.

    Raises
    ------
    InputError
        If the split is empty, or the model has other channels or another dimension than the data.
    """
    if batch_size < 1:
        raise InputError(f"batch_size={batch_size} is not usable; expected at least 1")
    count = split_size(dataset, split)
    channels = _check_channels(model, dataset, split) // len(dataset.output_fields)  # of a field: one, or its times
    domain = domain_of(dataset)
    measures: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
        "relative_l2": relative_l2,
        "relative_h1": partial(relative_h1, lengths=domain.lengths, periodic=domain.periodic),
        "relative_max": relative_max,
        "max_error": max_error,
        "absolute_l2": absolute_l2,
    }
    norms: list[np.ndarray] = []
    by_batch: dict[str, list[np.ndarray]] = {name: [] for name in measures}
    seconds: list[float] = []
    first_predictions: list[np.ndarray] = []
    for start in range(0, count, batch_size):
        inputs, targets = dataset.arrays(split, start, min(start + batch_size, count))
        if start == 0:
            predict(model, inputs)
        begin = time.perf_counter()
        predictions = predict(model, inputs)
        seconds.append((time.perf_counter() - begin) / len(inputs))
        for name, measure in measures.items():
            by_batch[name].append(measure(predictions, targets))
        norms.append(absolute_l2(targets, np.zeros_like(targets)))
        first_predictions.append(predictions[: max(keep - start, 0)])
    errors = {name: np.concatenate(parts) for name, parts in by_batch.items()}
    sizes = np.concatenate(norms)
    for name in ("relative_l2", "relative_h1", "relative_max"):
        errors[name] = without_vanishing(errors[name], errors["absolute_l2"], sizes)
    gone = vanishing(sizes)
    by_field = {}
    for i, field in enumerate(dataset.output_fields):
        part = slice(i * channels, (i + 1) * channels)
        by_field[field] = _summary({name: values[:, part] for name, values in errors.items()}, gone[:, part])
    return {
        **_summary(errors, gone),
        "fields": by_field,
        "per_sample_l2": mean_over_samples(errors["relative_l2"].T, gone.T),
        "ms_per_sample": 1e3 * float(np.median(seconds)),
        "predictions": np.concatenate(first_predictions),
        "samples": count,
        "resolution": list(dataset.resolution),
        "split": split,
    }


def compare(
    models: Mapping[str, Predictor], datasets: Sequence[GridDataset], split: str = "test", batch_size: int = 16
) -> list[dict[str, Any]]:
    """Return a table with one row for each model and dataset; every model is measured on the same samples.

    Returns
    -------
    list of dict
        With the keys ``model, resolution, samples, relative_l2, relative_h1, relative_max, max_error, ms_per_sample``.
    """
    keys = ("resolution", "samples", "relative_l2", "relative_h1", "relative_max", "max_error", "ms_per_sample")
    rows = []
    for dataset in datasets:
        for name, model in models.items():
            result = evaluate_operator(model, dataset, split, batch_size)
            rows.append({"model": name, **{key: result[key] for key in keys}})
    return rows


def _summary(errors: Mapping[str, np.ndarray], gone: np.ndarray) -> dict[str, float]:
    """Return the errors (samples, channels) as one number each, where `gone` tells which fields vanish."""
    return {
        **{name: mean_of_all(errors[name], gone) for name in ("relative_l2", "relative_h1", "relative_max")},
        "relative_l2_median": float(np.median(errors["relative_l2"])),
        "absolute_l2": float(errors["absolute_l2"].mean()),
        "max_error": float(errors["max_error"].max()),
        "vanishing": int(gone.sum()),
    }


def _check_channels(model: Predictor, dataset: GridDataset, split: str) -> int:
    """Refuse a model with other channels than the data; return the number of output channels."""
    inputs, outputs = dataset.arrays(split, 0, 1)
    of_data = (inputs.shape[1], outputs.shape[1], inputs.ndim - 2)
    if not isinstance(model, Operator):
        return of_data[1]
    of_model = (model.in_channels, model.out_channels, model.ndim)
    if of_model != of_data:
        raise InputError(
            f"the model maps {of_model[0]} fields to {of_model[1]} in {of_model[2]} dimensions and the dataset has "
            f"{of_data[0]} and {of_data[1]} in {of_data[2]}; evaluate it on the kind of data it was trained on"
        )
    return of_data[1]
