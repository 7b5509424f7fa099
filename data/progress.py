"""Show progress with rate and time left: a bar on a terminal, else plain lines."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

PLAIN_WIDTH = 140  # columns of a table when there is no terminal to ask


def console() -> Console:
    """Return a console on the present standard output."""
    if sys.stdout.isatty():
        return Console()
    return Console(file=sys.stdout, width=PLAIN_WIDTH, no_color=True, force_terminal=False)


def say(line: str = "") -> None:
    """Print a line as it is."""
    console().print(Text(line), soft_wrap=True)


def duration(seconds: float) -> str:
    """Return a duration as a person says it: ``4.2 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 0.1:
        return f"{1e3 * seconds:.2g} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


_REFRESH = 0.1  # seconds between two states of a bar


class ProgressLine:
    """Show the progress of countable work: a bar on a terminal, else a plain line every few seconds.

    Call it with ``(done, total)`` or ``(done, total, note)``; use it as a context manager. The bar is drawn when it is
    called and has no thread of its own: a process with another thread cannot fork its workers.

    Parameters
    ----------
    what, unit : str
        What is being done, and the plural of what is counted.
    every : float
        Seconds between two plain lines.
    """

    def __init__(self, what: str, unit: str = "samples", every: float = 5.0) -> None:
        self.what, self.unit, self.every = what, unit, every
        self.start = self.last = time.monotonic()
        self.first: int | None = None
        self._bar: Progress | None = None

    def __enter__(self) -> ProgressLine:
        if sys.stdout.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=console(),
                auto_refresh=False,
            )
            self._task = self._bar.add_task(self.what, total=None, rate="", note="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self._bar is None:
            say(line)
        else:
            self._bar.console.print(Text(line), soft_wrap=True)

    def __call__(self, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if self.first is None:  # resumed work does not count towards the rate
            self.first, self.start = done, now if done else self.start
        elapsed = now - self.start
        rate = (done - self.first) / elapsed if elapsed > 0 else 0.0
        speed = f"{rate:.3g} {self.unit}/s" if rate > 0 else ""
        if self._bar is not None:
            due = done >= total or now - self.last >= _REFRESH
            self._bar.update(self._task, completed=done, total=total, rate=speed, note=note, refresh=due)
            self.last = now if due else self.last
            return
        if done >= total or now - self.last >= self.every:
            self.last = now
            left = f", {duration((total - done) / rate)} left" if rate > 0 and done < total else ""
            tail = ", ".join(part for part in (speed + left, note) if part)
            say(f"{self.what}: {done}/{total} {self.unit}{', ' + tail if tail else ''}")
