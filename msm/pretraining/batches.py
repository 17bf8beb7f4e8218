"""Chooses the documents and blocks of text of every update.

The choice is a function of the seed and the step, so it does not depend on the number of processes, and training can
resume anywhere. A stream visits all items of a language in a new random order in each epoch. The language of a draw
depends on the number of the draw alone, so the position in a language follows from counting its earlier draws.

A document is a span of consecutive units of one text; M units, D documents, T tokens, P hidden tokens.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msm.corpora.orders import Order
from msm.corpora.shards import Text, Units
from msm.corpora.subwords import Layout
from msm.encoders.token_packing import PackedTokens, join, pack
from msm.errors import BadInput
from msm.pretraining.masking import hide_tokens
from msm.pretraining.settings import Pretrain
from msm.settings import present


class Stream:
    """Random draws of items from several languages.

    Args:
        shards: number of items in every shard of each language.
        exponent: languages are drawn in proportion to their number of items to this power, from 0 to 1.
        together: number of items of one draw, all of one language.
        seed: seed of all draws.
    """

    def __init__(self, shards: Sequence[Sequence[int]], exponent: float, together: int, seed: tuple[int, ...]) -> None:
        self.sizes = [sum(counts) for counts in shards]
        self.cumulative = np.cumsum(_shares(self.sizes, exponent))
        self.together, self.seed = together, seed
        # Two orders a language: a draw may begin in one epoch and end in the next.
        self.order = lru_cache(maxsize=2 * len(shards))(
            lambda language, epoch: Order(shards[language], (*seed, language, epoch))
        )
        self.languages = np.zeros(0, dtype=np.int64)
        self.counts = np.zeros(0, dtype=np.int64)

    def draw(self, number: int) -> tuple[int, NDArray[np.int64]]:
        """Make one draw.

        Args:
            number: number of the draw, from 0.

        Returns:
            Index of the language, and the indices of its items, [together]; no item comes twice in an epoch.
        """
        if number >= len(self.languages):
            self._extend(max(1024, 2 * number))
        language = int(self.languages[number])
        first = int(self.counts[number]) * self.together
        size = self.sizes[language]
        positions = range(first, first + self.together)
        return language, np.array([self.order(language, position // size)[position % size] for position in positions])

    def _extend(self, draws: int) -> None:
        # A generator gives the same first n numbers however many are asked of it.
        uniform = np.random.default_rng(self.seed).random(draws)
        languages = np.searchsorted(self.cumulative, uniform, side="right").clip(max=len(self.sizes) - 1)
        counts = np.zeros_like(languages)
        for language in range(len(self.sizes)):
            where = languages == language
            counts[where] = np.arange(where.sum())
        # Counts first, so that another thread never sees a draw without its count.
        self.counts = counts
        self.languages = languages


def _shares(sizes: Sequence[int], exponent: float) -> NDArray[np.float64]:
    weights = np.array(sizes, dtype=float) ** exponent
    return weights / weights.sum()


class UnitBatch(NamedTuple):
    """Documents of one language, as units."""

    language: str
    document_ids: list[str]
    """Id of each document, [D]."""
    units: list[NDArray[np.integer]]
    """Token ids of each unit of all documents, [M]."""
    documents: NDArray[np.int64]
    """Number of the document of each unit, [M], ascending from 0."""


class HiddenTokens(NamedTuple):
    """Sequences with some tokens hidden, and the ids of these tokens."""

    packed_tokens: PackedTokens
    rows: NDArray[np.int64]
    """Positions of the selected tokens among the packed ones, [P]."""
    targets: NDArray[np.int64]
    """Ids of the selected tokens before they were hidden, [P]."""


class Texts(NamedTuple):
    """The input of one forward pass: texts as they are, and behind them texts with hidden tokens."""

    clean: PackedTokens
    """Texts as they are."""
    hidden: HiddenTokens
    """Texts with hidden tokens."""
    both: PackedTokens
    """All tokens of `clean`, then all of `hidden`."""


def texts(clean: Sequence[NDArray[np.integer]], hidden: HiddenTokens) -> Texts:
    """Join texts and texts with hidden tokens to the input of one forward pass."""
    clean_pack = pack(clean)
    return Texts(clean_pack, hidden, join(clean_pack, hidden.packed_tokens))


def hide(
    sequences: Sequence[NDArray[np.integer]], layout: Layout, share: float, random: np.random.Generator
) -> HiddenTokens:
    """Hide tokens for masked language modelling.

    Args:
        sequences: token ids of each text.
        layout: ids of the special tokens, and the size of the vocabulary.
        share: share of the ordinary tokens that are selected, from 0 to 1.
        random: generator of the draws.
    """
    packed_tokens = pack(sequences)
    tokens = packed_tokens.tokens.numpy()
    masked_tokens, rows = hide_tokens(
        tokens, share=share, special=layout.special, mask=layout.mask, vocabulary=layout.vocabulary, random=random
    )
    targets = tokens[rows]
    packed_tokens.tokens.numpy()[:] = masked_tokens
    return HiddenTokens(packed_tokens, rows, targets)


class Batches:
    """The micro-batches of every step of an objective that reads documents.

    Args:
        units: token shards of all languages.
        settings: settings of the stage `pretrain`.
        share: number of the share of every micro-batch that this process reads, from 0.
        shares: number of shares; above 1 where processes share one softmax.

    Raises:
        BadInput: a language has fewer documents than one softmax needs, or the batch sizes do not divide.
    """

    def __init__(self, units: Units[Text], settings: Pretrain, share: int = 0, shares: int = 1) -> None:
        self.units, self.settings, self.layout = units, settings, units.index.layout
        self.share, self.shares = share, shares
        self.document_units = units.index.document_units
        self.mlm, self.softmax_documents = present(settings.mlm), present(settings.batches).softmax_documents
        self.longest = max(self.mlm.block_tokens, units.index.unit_tokens)
        """Largest number of tokens of a sequence."""
        self.micro_batches = settings.micro_batches
        self.micro_blocks = self.mlm.batch_blocks // self.micro_batches
        self.languages = units.languages
        document_counts = [len(units[language]) for language in self.languages]
        few = [
            f"{name} ({count})"
            for name, count in zip(self.languages, document_counts, strict=True)
            if count < self.softmax_documents
        ]
        if few:
            raise BadInput(f"fewer documents than softmax_documents={self.softmax_documents} in: {', '.join(few)}")
        self.blocks = [units[language].blocks(self.mlm.block_tokens) for language in self.languages]
        exponent, seed = settings.language_exponent, settings.seed
        shards = [units[language].counts for language in self.languages]
        self.document_stream = Stream(shards, exponent, self.softmax_documents, (seed, 1))
        self.block_stream = Stream([blocks.counts for blocks in self.blocks], exponent, 1, (seed, 2))
        self.control_stream = Stream([blocks.counts for blocks in self.blocks], exponent, 1, (seed, 3))
        self.control_share = self._control_share(document_counts)

    def unit_batch(self, step: int, micro: int) -> UnitBatch:
        """Return the documents of one softmax, all of one language."""
        number, items = self.document_stream.draw(step * self.micro_batches + micro)
        items = np.array_split(items, self.shares)[self.share]
        shard = self.units[self.languages[number]]
        spans = [shard.span(int(item)) for item in items]
        documents = np.repeat(np.arange(len(spans)), [len(span) for span in spans])
        ids = [shard.document_id(int(item)) for item in items]
        return UnitBatch(shard.language, ids, [unit for span in spans for unit in span], documents)

    def mlm_blocks(self, step: int, micro: int) -> list[NDArray[np.integer]]:
        """Return the blocks of one micro-batch whose tokens are masked, in mixed languages."""
        first = (step * self.micro_batches + micro) * self.micro_blocks
        positions = np.array_split(np.arange(first, first + self.micro_blocks), self.shares)[self.share]
        return [self._block(self.block_stream, int(position)) for position in positions]

    def control_blocks(self, step: int, micro: int) -> list[NDArray[np.integer]]:
        """Return the blocks that the control `mlm` reads in place of documents: as many tokens, averaged over steps."""
        number = step * self.micro_batches + micro
        first, last = int(number * self.control_share), int((number + 1) * self.control_share)
        return [self._block(self.control_stream, position) for position in range(first, last)]

    def _control_share(self, document_counts: Sequence[int]) -> float:
        """Mean number of tokens of the documents of one softmax, divided by that of a block."""
        document_shares = _shares(document_counts, self.settings.language_exponent)
        block_shares = _shares([len(blocks) for blocks in self.blocks], self.settings.language_exponent)
        document_means = [self.units[language].mean_span_tokens() for language in self.languages]
        block_means = [blocks.mean_tokens() for blocks in self.blocks]
        return self.softmax_documents * float(document_shares @ document_means) / float(block_shares @ block_means)

    def describe(self, step: int, micro: int) -> str:
        """Return the language and the documents of a micro-batch, for messages."""
        batch = self.unit_batch(step, micro)
        return f"{batch.language}: {', '.join(batch.document_ids)}"

    def texts(self, clean: Sequence[NDArray[np.integer]], step: int, micro: int) -> Texts:
        """Return the texts to encode, and the text of the micro-batch whose tokens are masked."""
        sequences = clean if self.mlm.text == "units" else self.mlm_blocks(step, micro)
        return texts(clean, self.hide(sequences, step, micro))

    def hide(self, sequences: Sequence[NDArray[np.integer]], *seed: int) -> HiddenTokens:
        """Hide tokens for masked language modelling; `seed` holds the numbers that the draws depend on."""
        random = np.random.default_rng((self.settings.seed, 4, *seed))
        return hide(sequences, self.layout, self.mlm.mask_share, random)

    def _block(self, stream: Stream, number: int) -> NDArray[np.integer]:
        language, items = stream.draw(number)
        return self.blocks[language][int(items[0])]
