"""Builds the next batch in a second thread while the model trains on the current one."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class ReadAhead:
    """Returns the micro-batches of training in order, and builds the next one in another thread meanwhile.

    Args:
        reader: function from a step and the number of a micro-batch to what its loss is computed from. The result must
            depend on these two numbers only, so that training can resume anywhere.
        micros: numbers of the micro-batches that this process computes in every step, ascending.
    """

    def __init__(self, reader: Callable[[int, int], Any], micros: Sequence[int]) -> None:
        self.read, self.micros = reader, micros
        self.thread = ThreadPoolExecutor(1)
        self.next_read: tuple[tuple[int, int], Future[Any]] | None = None

    def get(self, step: int, micro: int) -> Any:
        """Return what the loss of a micro-batch is computed from, and begin to build the next one."""
        position, future = self.next_read or (None, None)
        if future is None or position != (step, micro):
            future = self.thread.submit(self.read, step, micro)
        last = micro == self.micros[-1]
        next_batch = (step + 1, self.micros[0]) if last else (step, self.micros[self.micros.index(micro) + 1])
        self.next_read = next_batch, self.thread.submit(self.read, *next_batch)
        return future.result()
