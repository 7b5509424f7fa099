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
        Of all finished epochs, validation included.
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
    device: str

    def to_dict(self) -> dict[str, Any]:
        """Return the report as flat JSON-able values."""
        return asdict(self)
