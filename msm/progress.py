"""Shows the progress of a long job: a bar on a terminal, a line at intervals where the output is a file."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tqdm import tqdm

SECONDS = 30.0
"""Seconds between two lines."""


class Progress(Protocol):
    """Counter of the work that is done."""

    def update(self, n: float | None = 1) -> object:
        """Add to the count."""
        ...


@contextmanager
def progress(total: int | None, what: str, unit: str, *, visible: bool = True) -> Iterator[Progress]:
    """Show the rate of a job, and the remaining time where the total is known.

    Args:
        total: number of units of the whole job; None where it is not known.
        what: name of the job, such as `encode and search`.
        unit: plural name of the units that are counted, such as `passages`.
        visible: whether progress is shown; one of several processes is enough.
    """
    if visible and not sys.stderr.isatty():
        lines = _Lines(total, what, unit)
        yield lines
        lines.say()
        return
    with tqdm(total=total, desc=what, unit=f" {unit}", disable=not visible) as bar:
        yield bar


class _Lines:
    def __init__(self, total: int | None, what: str, unit: str) -> None:
        self.total, self.what, self.unit = total, what, unit
        self.count = 0.0
        self.start_time = self.said = time.monotonic()

    def update(self, n: float | None = 1) -> None:
        self.count += n or 0
        if time.monotonic() - self.said >= SECONDS:
            self.say()

    def say(self) -> None:
        """Print one line with count, rate and remaining time."""
        self.said = time.monotonic()
        rate = self.count / max(self.said - self.start_time, 1e-9)
        whole = "" if self.total is None else f" of {self.total:,}"
        rest = "" if self.total is None or not rate else f", {_duration((self.total - self.count) / rate)} left"
        sys.stderr.write(f"{self.what}: {self.count:,.0f}{whole} {self.unit}, {rate:,.1f} a second{rest}\n")
        sys.stderr.flush()


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if seconds >= 60 else f"{round(seconds)} s"
