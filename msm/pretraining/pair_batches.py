"""Which parallel sentences an update reads: a function of (seed, step), whatever the number of processes."""

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
    """Pairs of sentences, the languages of the second ones mixed."""

    names: list[str]
    """Language and number of each pair, [B]."""
    sentences: Sequence[NDArray[np.integer]]
    """First the pivot's, then their translations, [2B]."""
    owners: NDArray[np.int64]
    """The same for the same sentence, [2B]."""
    taught: NDArray[np.float32] | None
    """The teacher's vectors of the pivot's sentences, [B, H]."""


class PairBatches:
    """The micro-batches of every step.

    Args:
        shards: the parallel sentences.
        settings: of pre-training.

    Raises:
        BadInput: sizes that do not divide, or fewer pairs than a micro-batch.
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
        """The pairs of a micro-batch."""
        pairs = self.sizes.micro_pairs
        first = (step * self.micro_batches + micro) * pairs
        drawn = [self.stream.draw(number) for number in range(first, first + pairs)]
        chosen = [(self.languages[number], int(item)) for number, (item,) in drawn]
        numbers = [tuple(self.shards.pairs[language][item].tolist()) for language, item in chosen]
        sentences, pivot = self.shards.sentences, self.shards.sentences[self.shards.index.pivot]
        owners = [("", a) for a, _ in numbers] + [(name, b) for (name, _), (_, b) in zip(chosen, numbers, strict=True)]
        teacher = self.shards.teacher
        return PairBatch(
            [f"{language}:{item}" for language, item in chosen],
            [pivot[a] for a, _ in numbers]
            + [sentences[language][b] for (language, _), (_, b) in zip(chosen, numbers, strict=True)],
            _numbered(owners),
            None if teacher is None else np.array(teacher[[a for a, _ in numbers]]),
        )

    def describe(self, step: int, micro: int) -> str:
        """The pairs of a micro-batch."""
        return ", ".join(self.pair_batch(step, micro).names)

    def texts(self, clean: Sequence[NDArray[np.integer]], step: int, micro: int) -> Texts:
        """Sentences, and the same with hidden tokens."""
        random = np.random.default_rng((self.settings.seed, 4, step, micro))
        return texts(clean, hide(clean, self.layout, present(self.settings.mexma).mask_share, random))


def _numbered(values: list[tuple[str, int]]) -> NDArray[np.int64]:
    """The same number for the same value."""
    numbers: dict[tuple[str, int], int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values])
