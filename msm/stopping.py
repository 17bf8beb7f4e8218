"""Ends a process within seconds of Ctrl-C or SIGTERM, also in the middle of a long call of native code.

Python handles a signal between two of its own instructions. A backward pass or the training of a tokenizer may be one
instruction of minutes, so a thread watches as well, and ends the process where Python does not.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

from msm.errors import Preempted

GRACE = 5.0
"""Seconds until a request that Python has not seen ends the process."""
PATIENCE = 20.0
"""Seconds until a request is repeated where it waits for something else to end."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Terminated(BaseException):
    """SIGTERM came. No `except Exception` of a library on the way swallows it."""


class Interrupted(BaseException):
    """A request to stop came within a block that may be left at once; see `StopRequest`."""


def error_of(number: int) -> BaseException:
    """Return what ends a command at a signal."""
    return KeyboardInterrupt() if number == signal.SIGINT else Terminated()


class _Watch:
    """What the watching thread knows of the main one."""

    is_watching = False
    is_seen = False
    """Whether Python has seen a request: the process is about to end, which may take as long as keeping its state."""
    lock = threading.Lock()
    rescue: Callable[[], None] | None = None
    """Keeps the state of a training while the main thread is in native code."""
    grace = GRACE
    """Seconds until a request that Python has not seen ends the process."""


_watch = _Watch()


def watch() -> None:
    """End this process soon after a request to stop, from now on; only the main thread can see to that."""
    if _watch.is_watching or threading.current_thread() is not threading.main_thread():
        return
    _watch.is_watching = True
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for number in SIGNALS:
        signal.signal(number, _raise)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    # Processes that are forked, such as those of pools, end at a signal as others do.
    os.register_at_fork(after_in_child=_forget)
    threading.Thread(target=_wait, args=(reader,), daemon=True).start()


def _forget() -> None:
    _watch.is_watching = _watch.is_seen = False
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _raise(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    _watch.is_seen = True
    raise error_of(number)


@contextlib.contextmanager
def handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Within the block SIGTERM calls a function, which ends what is at work and may take its time."""

    def handle(number: int, frame: FrameType | None) -> None:
        _watch.is_seen = True
        handler(number, frame)

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(reader: int) -> None:
    while requests := os.read(reader, 1):
        if requests[0] in SIGNALS:
            time.sleep(_watch.grace)
            if not _watch.is_seen:
                _end(requests[0])


def _end(number: int) -> NoReturn:
    """End the process from outside of its main thread, which is in native code."""
    with _watch.lock:  # kept, so that the main thread changes nothing any more
        if _watch.rescue:
            _watch.rescue()
        sys.stderr.write("msm: stopped within a long call; the same command goes on\n")
        sys.stderr.flush()
        os._exit(130 if number == signal.SIGINT else Preempted.exit_code)


class StopRequest:
    """A request to stop, as a loop handles it that can keep its state between two steps.

    Within `handled`, the first request is noted, and a block `at_once` is left. A block `in_time` is left when the
    request comes once more, which this does by itself after `PATIENCE` seconds.
    """

    def __init__(self, *, alone: bool) -> None:
        """Make one.

        Args:
            alone: whether no other process waits for this one; else blocks `at_once` are `in_time`.
        """
        self.alone = alone
        self.number = 0
        """Of the signal; 0 where none has come."""
        self._count = 0
        self._repeats: list[threading.Timer] = []
        self._needed = 0
        """Requests that leave the present block; 0 for none."""

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Within the block, signals are requests; behind it they are what they were."""
        _watch.grace = GRACE if self.alone else PATIENCE
        before = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            yield
        finally:
            _watch.grace = GRACE
            # A caller that goes on, such as a notebook, is not to be ended later.
            for timer in self._repeats:
                timer.cancel()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        _watch.is_seen = True
        self.number = self.number or number
        self._count += 1
        if self._needed and self._count >= self._needed:
            raise Interrupted
        timer = threading.Timer(PATIENCE, os.kill, (os.getpid(), self.number))
        timer.daemon = True
        self._repeats.append(timer)
        timer.start()

    @contextlib.contextmanager
    def at_once(self, rescue: Callable[[], None]) -> Iterator[None]:
        """Within the block, a request raises `Interrupted`.

        Args:
            rescue: keeps the state as it was before the block, from another thread, where the block is one long call.
        """
        _watch.rescue = rescue
        self._needed = 1 if self.alone else 2
        try:
            yield
        finally:
            self._needed = 0
            with _watch.lock:
                _watch.rescue = None

    @contextlib.contextmanager
    def in_time(self) -> Iterator[None]:
        """Within the block, a repeated request raises `Interrupted`."""
        self._needed = 2
        try:
            yield
        finally:
            self._needed = 0


def stop_with_parent() -> None:
    """End this process when the one that started it dies: a killed `dvc repro` leaves no training behind."""
    parent = os.getppid()

    def watch_parent() -> None:
        while os.getppid() == parent:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch_parent, daemon=True).start()
