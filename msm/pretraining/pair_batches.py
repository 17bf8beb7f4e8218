"""Chooses the parallel sentences of every update.

The choice is a function of the seed and the step, so it does not depend on the number of processes, and training can
resume anywhere.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msm.corpora.pair_shards import PairShards
from msm.errors import BadInput
from msm.pretraining.batches import Stream, Texts, hide, texts
from msm.pretraining.settings import Pretrain
from msm.settings import present


class PairBatch(NamedTuple):
    """Pairs of a sentence in the pivot language and its translation, in one or several other languages."""

    names: list[str]
    """Name of each pair, such as `de:17`: its other language, and its number among the pairs of that language, [B]."""
    sentences: Sequence[NDArray[np.integer]]
    """Token ids of the B sentences of the pivot language, then of their B translations, [2B]."""
    owners: NDArray[np.int64]
    """Number of each sentence, [2B]. A sentence that comes several times has the same number each time."""
    teacher_vectors: NDArray[np.float32] | None
    """The teacher's vectors of the sentences of the pivot language, [B, H]; None without a teacher."""


class PairBatches:
    """The micro-batches of every step of an objective that reads translations.

    Args:
        shards: parallel sentences as token ids.
        settings: settings of the stage `pretrain`.

    Raises:
        BadInput: `micro_pairs` does not divide `batch_pairs`, or there are fewer pairs than `micro_pairs`.
    """

    shares, share, document_units = 1, 0, 0

    def __init__(self, shards: PairShards, settings: Pretrain) -> None:
        self.shards, self.settings = shards, settings
        self.layout, self.longest = shards.index.layout, shards.index.sentence_tokens
        self.sizes = present(settings.parallel)
        self.micro_batches = self.sizes.micro_batches
        self.languages = [language for language in shards.languages if len(shards.pairs[language])]
        sizes = [len(shards.pairs[language]) for language in self.languages]
        if sum(sizes) < self.sizes.micro_pairs:
            raise BadInput(f"micro_pairs must be at most all {sum(sizes)} pairs, got {self.sizes.micro_pairs}")
        self.stream = Stream([[size] for size in sizes], settings.language_exponent, 1, (settings.seed, 1))

    def pair_batch(self, step: int, micro: int) -> PairBatch:
        """Return the pairs of a micro-batch."""
        pairs = self.sizes.micro_pairs
        first = (step * self.micro_batches + micro) * pairs
        draws = [self.stream.draw(number) for number in range(first, first + pairs)]
        items = [(self.languages[number], int(item)) for number, (item,) in draws]
        numbers = [tuple(self.shards.pairs[language][item].tolist()) for language, item in items]
        sentences, pivot = self.shards.sentences, self.shards.sentences[self.shards.index.pivot]
        owners = [("", a) for a, _ in numbers] + [(name, b) for (name, _), (_, b) in zip(items, numbers, strict=True)]
        teacher = self.shards.teacher
        return PairBatch(
            [f"{language}:{item}" for language, item in items],
            [pivot[a] for a, _ in numbers]
            + [sentences[language][b] for (language, _), (_, b) in zip(items, numbers, strict=True)],
            _numbered(owners),
            None if teacher is None else np.array(teacher[[a for a, _ in numbers]]),
        )

    def describe(self, step: int, micro: int) -> str:
        """Return the names of the pairs of a micro-batch, for messages."""
        return ", ".join(self.pair_batch(step, micro).names)

    def texts(self, clean: Sequence[NDArray[np.integer]], step: int, micro: int) -> Texts:
        """Return sentences, and copies of them with hidden tokens."""
        random = np.random.default_rng((self.settings.seed, 4, step, micro))
        return texts(clean, hide(clean, self.layout, present(self.settings.mexma).mask_share, random))


def _numbered(values: list[tuple[str, int]]) -> NDArray[np.int64]:
    """A number for each value; equal values have equal numbers."""
    numbers: dict[tuple[str, int], int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values])
