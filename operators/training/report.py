"""What a training run leaves behind, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["TrainReport"]


@dataclass(frozen=True)
class TrainReport:
    """What a call of `train` left behind.

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
        Of the last finished epoch (mean over its batches; nan if there is none).
    best_epoch : int
        The epoch whose model was saved (0: none yet).
    best_valid : float
        Its mean relative L² error on the validation split.
    seconds : float
        Of all finished epochs by the clock, validation included.
    processor_seconds : float
        The same as processor time: all threads of all training processes, without those that read ahead
        (``workers``). Other work on the machine does not change it, as it does the clock. nan where the epochs before a
        resumption were trained by a version that did not record it.
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

    def to_dict(self) -> dict[str, Any]:
        """Return the report as flat JSON-able values."""
        return asdict(self)
