"""Which runs and blocks an update reads: a function of (seed, step), whatever the number of processes.

A stream walks all items of a language in a fresh random order each epoch. Which language a draw is from depends
on the draw's number alone, so the place in every stream follows from counting earlier draws of its language.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msm.corpora.orders import Order
from msm.corpora.shards import Text, Units
from msm.corpora.subwords import Layout
from msm.encoders.packing import Packed, join, pack
from msm.errors import BadInput
from msm.pretraining.masking import hide_tokens
from msm.pretraining.settings import Pretrain
from msm.settings import present


class Stream:
    """Draws of items from several languages.

    Args:
        shards: for each language the items of every shard.
        exponent: a language is drawn in proportion to its size to this power.
        together: items of one draw, all of one language.
        seed: of all choices.
    """

    def __init__(self, shards: Sequence[Sequence[int]], exponent: float, together: int, seed: tuple[int, ...]) -> None:
        self.sizes = [sum(own) for own in shards]
        self.cumulative = np.cumsum(_shares(self.sizes, exponent))
        self.together, self.seed = together, seed
        # Of each language this epoch's order and the next one's.
        self.order = lru_cache(maxsize=2 * len(shards))(
            lambda language, epoch: Order(shards[language], (*seed, language, epoch))
        )
        self.languages = np.zeros(0, dtype=np.int64)
        self.counts = np.zeros(0, dtype=np.int64)

    def draw(self, number: int) -> tuple[int, NDArray[np.int64]]:
        """Language and items of one draw.

        Args:
            number: of the draw, from 0.

        Returns:
            Index of the language; indices of its items, [together], without repetition within an epoch.
        """
        if number >= len(self.languages):
            self._extend(max(1024, 2 * number))
        language = int(self.languages[number])
        first = int(self.counts[number]) * self.together
        size = self.sizes[language]
        places = range(first, first + self.together)
        return language, np.array([self.order(language, place // size)[place % size] for place in places])

    def _extend(self, draws: int) -> None:
        # The first n draws do not depend on how many are made.
        uniform = np.random.default_rng(self.seed).random(draws)
        languages = np.searchsorted(self.cumulative, uniform, side="right").clip(max=len(self.sizes) - 1)
        counts = np.zeros_like(languages)
        for language in range(len(self.sizes)):
            where = languages == language
            counts[where] = np.arange(where.sum())
        # In this order another thread never finds a draw without its count.
        self.counts = counts
        self.languages = languages


def _shares(sizes: Sequence[int], exponent: float) -> NDArray[np.float64]:
    weights = np.array(sizes, dtype=float) ** exponent
    return weights / weights.sum()


class UnitBatch(NamedTuple):
    """Runs of units of one language."""

    language: str
    document_ids: list[str]
    units: list[NDArray[np.integer]]
    """All units of all runs, [M]."""
    documents: NDArray[np.int64]
    """Run of each unit, [M]."""


class HiddenTokens(NamedTuple):
    """Sequences with some tokens hidden, and what stood there."""

    packed: Packed
    rows: NDArray[np.int64]
    """Packed rows of the selected tokens, [P]."""
    targets: NDArray[np.int64]
    """Their true ids, [P]."""


class Texts(NamedTuple):
    """What one forward pass reads: texts as they are, and behind them texts with hidden tokens."""

    clean: Packed
    hidden: HiddenTokens
    both: Packed


def texts(clean: Sequence[NDArray[np.integer]], hidden: HiddenTokens) -> Texts:
    """Lay texts and texts with hidden tokens end to end."""
    packed = pack(clean)
    return Texts(packed, hidden, join(packed, hidden.packed))


def hide(
    sequences: Sequence[NDArray[np.integer]], layout: Layout, share: float, random: np.random.Generator
) -> HiddenTokens:
    """Hide tokens for masked language modelling.

    Args:
        sequences: token ids.
        layout: which ids are no text.
        share: of the tokens, special ones aside.
        random: where the choices come from.
    """
    packed = pack(sequences)
    tokens = packed.tokens.numpy()
    hidden, rows = hide_tokens(
        tokens, share=share, special=layout.special, mask=layout.mask, vocabulary=layout.vocabulary, random=random
    )
    targets = tokens[rows]
    packed.tokens.numpy()[:] = hidden
    return HiddenTokens(packed, rows, targets)


class Batches:
    """The micro-batches of every step.

    Args:
        units: the token shards.
        settings: of pre-training.
        share: which share of every micro-batch to give, where processes share one softmax.
        shares: how many there are.

    Raises:
        BadInput: a language has fewer runs than one softmax needs, or the batch sizes do not divide.
    """

    def __init__(self, units: Units[Text], settings: Pretrain, share: int = 0, shares: int = 1) -> None:
        self.units, self.settings, self.layout = units, settings, units.index.layout
        self.share, self.shares = share, shares
        self.document_units = units.index.document_units
        self.mlm, self.softmax_documents = present(settings.mlm), present(settings.batches).softmax_documents
        self.longest = max(self.mlm.block_tokens, units.index.unit_tokens)
        """Most tokens of a sequence."""
        self.micro_batches = settings.micro_batches
        self.micro_blocks, rest = divmod(self.mlm.batch_blocks, self.micro_batches)
        if rest or not self.micro_blocks:
            raise BadInput(
                f"mlm.batch_blocks must be a multiple of {self.micro_batches} softmaxes, got {self.mlm.batch_blocks}"
            )
        self.languages = units.languages
        runs = [len(units[language]) for language in self.languages]
        few = [
            f"{name} ({count})"
            for name, count in zip(self.languages, runs, strict=True)
            if count < self.softmax_documents
        ]
        if few:
            raise BadInput(f"fewer runs of units than softmax_documents={self.softmax_documents} in: {', '.join(few)}")
        self.blocks = [units[language].blocks(self.mlm.block_tokens) for language in self.languages]
        exponent, seed = settings.language_exponent, settings.seed
        shards = [units[language].counts for language in self.languages]
        self.run_stream = Stream(shards, exponent, self.softmax_documents, (seed, 1))
        self.block_stream = Stream([blocks.counts for blocks in self.blocks], exponent, 1, (seed, 2))
        self.control_stream = Stream([blocks.counts for blocks in self.blocks], exponent, 1, (seed, 3))
        self.control_share = self._control_share(runs)

    def unit_batch(self, step: int, micro: int) -> UnitBatch:
        """The runs of one softmax, all of one language."""
        number, items = self.run_stream.draw(step * self.micro_batches + micro)
        items = np.array_split(items, self.shares)[self.share]
        shard = self.units[self.languages[number]]
        runs = [shard.run(int(item)) for item in items]
        documents = np.repeat(np.arange(len(runs)), [len(run) for run in runs])
        ids = [shard.document_id(int(item)) for item in items]
        return UnitBatch(shard.language, ids, [unit for run in runs for unit in run], documents)

    def mlm_blocks(self, step: int, micro: int) -> list[NDArray[np.integer]]:
        """The MLM blocks of one micro-batch, languages mixed."""
        first = (step * self.micro_batches + micro) * self.micro_blocks
        places = np.array_split(np.arange(first, first + self.micro_blocks), self.shares)[self.share]
        return [self._block(self.block_stream, int(place)) for place in places]

    def control_blocks(self, step: int, micro: int) -> list[NDArray[np.integer]]:
        """MLM blocks that stand in for the runs of one softmax: as many tokens, to within a block over all steps."""
        number = step * self.micro_batches + micro
        first, last = int(number * self.control_share), int((number + 1) * self.control_share)
        return [self._block(self.control_stream, place) for place in range(first, last)]

    def _control_share(self, runs: Sequence[int]) -> float:
        """Mean tokens of the runs of one softmax over mean tokens of a block."""
        run_shares = _shares(runs, self.settings.language_exponent)
        block_shares = _shares([len(blocks) for blocks in self.blocks], self.settings.language_exponent)
        run_means = [self.units[language].mean_run_tokens() for language in self.languages]
        block_means = [blocks.mean_tokens() for blocks in self.blocks]
        return self.softmax_documents * float(run_shares @ run_means) / float(block_shares @ block_means)

    def describe(self, step: int, micro: int) -> str:
        """Language and documents of a micro-batch."""
        batch = self.unit_batch(step, micro)
        return f"{batch.language}: {', '.join(batch.document_ids)}"

    def texts(self, clean: Sequence[NDArray[np.integer]], step: int, micro: int) -> Texts:
        """Texts to make vectors of, and the MLM text of the micro-batch."""
        masked = clean if self.mlm.text == "units" else self.mlm_blocks(step, micro)
        return texts(clean, self.hide(masked, step, micro))

    def hide(self, sequences: Sequence[NDArray[np.integer]], *seed: int) -> HiddenTokens:
        """Hide tokens for masked language modelling; `seed`: what else the choices depend on."""
        random = np.random.default_rng((self.settings.seed, 4, *seed))
        return hide(sequences, self.layout, self.mlm.mask_share, random)

    def _block(self, stream: Stream, number: int) -> NDArray[np.integer]:
        language, items = stream.draw(number)
        return self.blocks[language][int(items[0])]
