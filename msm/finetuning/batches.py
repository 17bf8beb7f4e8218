"""Chooses the examples of every update, as a function of the seed and the step."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from msm.collections.records import Example
from msm.errors import BadInput
from msm.finetuning.settings import Finetune

NEGATIVES = 1
"""Number in the seed that separates the draw of hard negatives from other draws of the same step."""


class ExampleBatches:
    """The sampler `shuffled`: all examples in a new random order in each epoch.

    No passage comes twice in a batch, so that no positive is another question's negative.

    Args:
        examples: training examples.
        settings: settings of the stage `finetune`.

    Raises:
        BadInput: the examples have fewer different passages than a batch needs.
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
        """Languages of the questions and their positives, as far as the data give them."""
        return {text.language for example in self.examples for text in (example.query, example.positive)}

    @property
    def epoch_steps(self) -> int:
        """Number of updates in an epoch. Examples that fit in no batch of it are carried over to the next one."""
        return len(self.examples) // self.size

    def batch(self, step: int) -> list[Example]:
        """Return the examples of one update, with the hard negatives that it uses."""
        while step >= self.firsts[-1]:
            self.firsts.append(self.firsts[-1] + len(self.epoch(len(self.firsts) - 1)))
        number = bisect_right(self.firsts, step) - 1
        examples = [self.examples[index] for index in self.epoch(number)[step - self.firsts[number]]]
        return with_negatives(examples, self.settings.batches.hard_negatives, self.seed, step)

    def _epoch(self, epoch: int) -> list[list[int]]:
        """Fill batches in random order. An example whose passage is already in the batch waits for the next one."""
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
    """Return examples with `count` random ones of their hard negatives, or all where there are no more."""
    draw = np.random.default_rng((seed, step, NEGATIVES))
    return [
        example._replace(
            negatives=[example.negatives[index] for index in draw.permutation(len(example.negatives))[:count]]
        )
        for example in examples
    ]
