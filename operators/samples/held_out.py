"""Hold samples of the training split out for validation, where a dataset comes without a validation split."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from .batches import GridDataset
from .windows import TrajectoryDataset, WindowedDataset

HELD_OUT = 0.1  # the share of the training split that is held out


def with_validation(dataset: GridDataset) -> GridDataset:
    """Return a dataset that has a validation split: itself, or with samples of its training split held out for that.

    A dataset that makes its batches itself and one without training samples stay as they are. Where windows are cut
    already, whole trajectories are held out.
    """
    own = hasattr(dataset, "make_batches") or hasattr(dataset, "own_batches")
    if own or dataset.splits.get("valid", 0) or not dataset.splits.get("train", 0):
        return dataset
    if isinstance(dataset, WindowedDataset):
        divided = cast(TrajectoryDataset, HeldOutValidation(dataset.dataset))
        return WindowedDataset(divided, dataset.window, dataset.static_fields)
    return HeldOutValidation(dataset)


class HeldOutValidation:
    """Offer a dataset with the last tenth of its training split, at least one sample, as the validation split.

    The last samples are taken, as where arrays are divided into consecutive splits: neighbours in a series stay
    together. A single sample is validated on itself, which shows whether a network can learn it and nothing else. All
    else is what the dataset has.

    Parameters
    ----------
    dataset : GridDataset
        With training samples, without a validation split.

    Attributes
    ----------
    splits : dict of int
    division : str
        What was done, in words.
    """

    def __init__(self, dataset: GridDataset) -> None:
        self.dataset = dataset
        count = dataset.splits["train"]
        held = max(round(HELD_OUT * count), 1)
        self._first = max(count - held, 0)  # of the held-out samples, as the dataset counts
        others = {split: size for split, size in dataset.splits.items() if split not in ("train", "valid")}
        self.splits: dict[str, int] = {"train": self._first or count, "valid": held, **others}
        self.division = f"no valid split: the last {held} of {count} train samples are held out for it"
        if count == 1:
            self.division = "no valid split and one train sample: it is validated on too, and says nothing of others"

    def __getattr__(self, name: str) -> Any:
        if name == "dataset" or name.startswith("__"):  # while it is unpickled, and what makes the type what it is
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __repr__(self) -> str:
        return f"HeldOutValidation({self.dataset!r}: {self.division})"

    def arrays(self, split: str, start: int | None = None, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (N, Cin, *space) and outputs (N, Cout, *space) of samples `start` to `stop` of a split."""
        return self.dataset.arrays(*self._there(split, start, stop))

    def read(self, split: str, field: str, start: int | None = None, stop: int | None = None) -> np.ndarray:
        """Return samples `start` to `stop` of one field."""
        there, first, last = self._there(split, start, stop)
        values: np.ndarray = self.dataset.read(there, field, first, last)  # type: ignore[attr-defined]
        return values

    def _there(self, split: str, start: int | None, stop: int | None) -> tuple[str, int | None, int | None]:
        """Return the split and the range that the dataset itself knows these samples by."""
        if split not in ("train", "valid"):
            return split, start, stop
        first, last, _ = slice(start, stop).indices(self.splits[split])
        shift = self._first if split == "valid" else 0
        return "train", first + shift, max(first, last) + shift
