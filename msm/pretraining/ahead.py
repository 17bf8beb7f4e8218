"""Batches built while the one before them is trained on."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class ReadAhead:
    """Gives the micro-batches of training in order, each built in another thread while its forerunner is at work.

    Args:
        read: what a place (step, micro-batch) reads; depends on nothing else, so that any place can come first.
        micros: numbers of this process's micro-batches of every step, in order.
    """

    def __init__(self, read: Callable[[int, int], Any], micros: Sequence[int]) -> None:
        self.read, self.micros = read, micros
        self.thread = ThreadPoolExecutor(1)
        self.waiting: tuple[tuple[int, int], Future[Any]] | None = None

    def get(self, step: int, micro: int) -> Any:
        """What a micro-batch reads; that of the one after it is begun."""
        place, future = self.waiting or (None, None)
        if future is None or place != (step, micro):
            future = self.thread.submit(self.read, step, micro)
        last = micro == self.micros[-1]
        following = (step + 1, self.micros[0]) if last else (step, self.micros[self.micros.index(micro) + 1])
        self.waiting = following, self.thread.submit(self.read, *following)
        return future.result()
