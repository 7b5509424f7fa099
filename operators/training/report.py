"""Say what a training run has done, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from resolvent.data.html import html_table


@dataclass(frozen=True, repr=False)
class TrainReport:
    """Say what a call of `train` did.

    Attributes
    ----------
    folder : str
    epochs_done : int
        Finished epochs, those before a resumption included.
    interrupted : bool
        Whether a signal ended it before the last epoch.
    resumed_from : int
        Epochs found in the checkpoint; 0 for a fresh run.
    steps, parameters : int
    train_loss : float
        Mean over the batches of the last finished epoch (nan if there is none).
    best_epoch : int
        The epoch whose model was saved (0: none yet).
    best_valid : float
        Its mean relative L² error on the validation split.
    seconds : float
        Wall-clock time of all finished epochs, validation included.
    processor_seconds : float
        Processor time of the same: all threads of all training processes, without those that read ahead (``workers``).
        Unlike the wall clock it does not depend on other work on the machine. nan if epochs before a resumption were
        trained by a version that did not record it.
    device : str
    """

    folder: str
    epochs_done: int
    interrupted: bool
    resumed_from: int
    steps: int
    parameters: int
    train_loss: float
    best_epoch: int
    best_valid: float
    seconds: float
    processor_seconds: float
    device: str

    def __repr__(self) -> str:
        return f"TrainReport({self.folder!r}: {self._epochs()}, {self._best()}, {self.seconds:.3g} s)"

    def _repr_html_(self) -> str:
        rows = [
            ("folder", self.folder),
            ("trained", f"{self._epochs()}, {self.resumed_from} of them before this call; {self.steps} steps"),
            ("parameters", f"{self.parameters}"),
            ("training loss", f"{self.train_loss:.4g}"),
            ("validation", self._best()),
            ("seconds", f"{self.seconds:.3g}, of the processor {self.processor_seconds:.3g}"),
            ("device", self.device),
        ]
        return html_table("TrainReport", rows)

    def _epochs(self) -> str:
        return f"{self.epochs_done} epoch{'s' * (self.epochs_done != 1)}{', interrupted' * self.interrupted}"

    def _best(self) -> str:
        if not self.best_epoch:
            return "no epoch finished"
        return f"best validation error {self.best_valid:.4g} in epoch {self.best_epoch}"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as flat JSON-able values."""
        return asdict(self)
