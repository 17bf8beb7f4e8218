"""Which examples an update reads: a function of (seed, step)."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from msm.collections.records import Example
from msm.errors import BadInput
from msm.finetuning.settings import Finetune

NEGATIVES = 1
"""Separates the draw of hard negatives from other draws of the same step."""


class ExampleBatches:
    """Batches in which no passage stands twice, so that no positive is another question's negative.

    Args:
        examples: the training set.
        settings: `batch_queries` of an update, over all processes; `hard_negatives`; `seed` of the order, which is a
            fresh one every epoch.

    Raises:
        BadInput: fewer different passages than a batch needs.
    """

    def __init__(self, examples: Sequence[Example], settings: Finetune) -> None:
        different = len({example.positive.passage_id for example in examples})
        if different < settings.batches.batch_queries:
            raise BadInput(
                f"batch_queries={settings.batches.batch_queries}, but the examples have only {different} "
                "different passages"
            )
        self.examples, self.settings = examples, settings
        self.size, self.seed = settings.batches.batch_queries, settings.seed
        self.firsts = [0]
        self.epoch = lru_cache(maxsize=2)(self._epoch)

    @property
    def languages(self) -> set[str]:
        """Of the questions and their positives, as far as the data say."""
        return {text.language for example in self.examples for text in (example.query, example.positive)}

    @property
    def epoch_steps(self) -> int:
        """Updates that an epoch counts as; a few are carried over where a batch could not take two of a passage."""
        return len(self.examples) // self.size

    def batch(self, step: int) -> list[Example]:
        """The examples of one update, with the hard negatives that it uses."""
        while step >= self.firsts[-1]:
            self.firsts.append(self.firsts[-1] + len(self.epoch(len(self.firsts) - 1)))
        number = bisect_right(self.firsts, step) - 1
        found = [self.examples[index] for index in self.epoch(number)[step - self.firsts[number]]]
        return with_negatives(found, self.settings.batches.hard_negatives, self.seed, step)

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


def with_negatives(examples: Sequence[Example], count: int, seed: int, step: int) -> list[Example]:
    """Examples with `count` of their hard negatives, drawn at random; with all where there are no more."""
    draw = np.random.default_rng((seed, step, NEGATIVES))
    return [
        example._replace(
            negatives=[example.negatives[place] for place in draw.permutation(len(example.negatives))[:count]]
        )
        for example in examples
    ]
