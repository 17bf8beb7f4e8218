"""Which examples an update reads: a function of (seed, step)."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from msm.errors import BadInput
from msm.records import Example


class ExampleBatches:
    """Batches in which no passage stands twice, so that no positive is another question's negative.

    Args:
        examples: the training set.
        size: examples of an update, over all processes.
        seed: of the order, which is a fresh one every epoch.

    Raises:
        BadInput: fewer different passages than a batch needs.
    """

    def __init__(self, examples: Sequence[Example], size: int, seed: int) -> None:
        different = len({example.positive.passage_id for example in examples})
        if different < size:
            raise BadInput(f"batch_queries={size}, but the examples have only {different} different passages")
        self.examples, self.size, self.seed = examples, size, seed
        self.firsts = [0]
        self.epoch = lru_cache(maxsize=2)(self._epoch)

    def batch(self, step: int) -> list[Example]:
        """The examples of one update."""
        while step >= self.firsts[-1]:
            self.firsts.append(self.firsts[-1] + len(self.epoch(len(self.firsts) - 1)))
        number = bisect_right(self.firsts, step) - 1
        return [self.examples[index] for index in self.epoch(number)[step - self.firsts[number]]]

    def _epoch(self, epoch: int) -> list[list[int]]:
        """Fill batches in random order; an example whose passage is in the open batch already waits for the next."""
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.examples)).tolist()
        batches: list[list[int]] = []
        waiting: list[int] = []
        while len(order) + len(waiting) >= self.size:
            batch, seen, later = [], set(), []
            source = iter(waiting + order)
            for index in source:
                passage = self.examples[index].positive.passage_id
                (later if passage in seen else batch).append(index)
                seen.add(passage)
                if len(batch) == self.size:
                    break
            if len(batch) < self.size:
                break
            batches.append(batch)
            waiting, order = later, list(source)
        return batches
