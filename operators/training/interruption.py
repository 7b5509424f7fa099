"""Stop on request: turn SIGINT and SIGTERM into a flag that the training loop checks after each batch."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Set `requested` at the first SIGINT or SIGTERM inside the context; a second one acts as it would without it.

    Only the main thread can set handlers; in another thread this does nothing, and `requested` stays False.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[signal.Signals, signal.Handlers | object] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._previous.clear()
