"""Chooses the examples of every update, as a function of the seed and the step."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from msm.collections.records import Example
from msm.errors import BadInput
from msm.finetuning.settings import Finetune

NEGATIVES = 1
"""Number in the seed that separates the draw of hard negatives from other draws of the same step."""


class ExampleBatches:
    """The sampler `shuffled`: all examples in a new random order in each epoch, cut into whole batches.

    A passage may come twice in a batch; `msm.finetuning.candidates` keeps it from being a negative of its questions.

    Args:
        examples: training examples.
        settings: settings of the stage `finetune`.

    Raises:
        BadInput: a batch needs more examples than there are.
    """

    def __init__(self, examples: Sequence[Example], settings: Finetune) -> None:
        if len(examples) < settings.batches.batch_queries:
            raise BadInput(f"batch_queries={settings.batches.batch_queries}, but there are {len(examples)} examples")
        self.examples, self.settings = examples, settings
        self.size, self.seed = settings.batches.batch_queries, settings.seed
        self.epoch = lru_cache(maxsize=2)(self._epoch)

    @property
    def languages(self) -> set[str]:
        """Languages of the questions and their positives, as far as the data give them."""
        return {text.language for example in self.examples for text in (example.query, example.positive)}

    @property
    def epoch_steps(self) -> int:
        """Number of updates in an epoch. The examples that are over, fewer than a batch, differ from epoch to epoch."""
        return len(self.examples) // self.size

    def batch(self, step: int) -> list[Example]:
        """Return the examples of one update, with the hard negatives that it uses."""
        epoch, number = divmod(step, self.epoch_steps)
        examples = [self.examples[index] for index in self.epoch(epoch)[number * self.size :][: self.size]]
        return with_negatives(examples, self.settings.batches.hard_negatives, self.seed, step)

    def _epoch(self, epoch: int) -> list[int]:
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.examples)).tolist()


def with_negatives(examples: Sequence[Example], count: int, seed: int, step: int) -> list[Example]:
    """Return examples with `count` random ones of their hard negatives, or all where there are no more."""
    draw = np.random.default_rng((seed, step, NEGATIVES))
    return [
        example._replace(
            negatives=[example.negatives[index] for index in draw.permutation(len(example.negatives))[:count]]
        )
        for example in examples
    ]
