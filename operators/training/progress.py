"""Keep the record of a training run: its finished epochs, the best of them, and what to say when it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from resolvent.solvers import InputError

from .report import TrainReport
from .settings import TrainSettings


@dataclass
class Progress:
    """Record how far a run is.

    Attributes
    ----------
    folder : Path
    settings : TrainSettings
    step : int
        Optimiser steps done.
    rows : list of dict
        The log, one row for each finished epoch.
    best_epoch, best_valid : int, float
        The best epoch so far (counted from 1; 0: none) and its validation error.
    resumed_from : int
        Epochs that the checkpoint had.
    stopped : bool
        Whether a signal has asked the run to end.
    """

    folder: Path
    settings: TrainSettings
    step: int = 0
    rows: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_valid: float = math.inf
    resumed_from: int = field(init=False)
    stopped: bool = False

    def __post_init__(self) -> None:
        self.resumed_from = self.epochs_done

    @property
    def epochs_done(self) -> int:
        """Return the number of finished epochs, which is also the index of the epoch that comes next."""
        return len(self.rows)

    @property
    def unfinished(self) -> bool:
        """Return whether there are epochs left to train."""
        return self.epochs_done < self.settings.epochs

    def add(self, row: dict[str, float]) -> bool:
        """Add the row of a finished epoch; return whether its model is the best so far."""
        self.rows.append(row)
        improved = row["valid_l2"] < self.best_valid
        if improved:
            self.best_epoch, self.best_valid = self.epochs_done, row["valid_l2"]
        return improved

    def bad_data(self, split: str) -> InputError:
        """Return the error to raise where the samples of a split are not finite."""
        return InputError(
            f"the {split} split holds NaN or infinite values (seen in epoch {self.epochs_done + 1}): `resolvent "
            f"verify` names the samples; generate them again or remove them; {self._saved()}"
        )

    def divergence(self, what: str) -> InputError:
        """Return the error to raise where the loss or the validation error is no longer finite."""
        return InputError(
            f"the {what} is no longer finite in epoch {self.epochs_done + 1}: lower lr (now {self.settings.lr:g}) or "
            f"set grad_clip=1; {self._saved()}"
        )

    def report(self, parameters: int, device: str) -> TrainReport:
        """Return the report of the run as it stands now."""
        last = self.rows[-1] if self.rows else {"step": 0, "train_loss": math.nan}
        return TrainReport(
            folder=str(self.folder),
            epochs_done=self.epochs_done,
            interrupted=self.stopped and self.unfinished,
            resumed_from=self.resumed_from,
            steps=int(last["step"]),
            parameters=parameters,
            train_loss=last["train_loss"],
            best_epoch=self.best_epoch,
            best_valid=self.best_valid,
            seconds=sum(row["seconds"] for row in self.rows),
            processor_seconds=sum(row.get("processor_seconds", math.nan) for row in self.rows),
            device=device,
        )

    def _saved(self) -> str:
        if not self.best_epoch:
            return "no model was saved"
        return (
            f"the best model, of epoch {self.best_epoch} (validation error {self.best_valid:.4g}), is kept in "
            + str(self.folder)
        )
