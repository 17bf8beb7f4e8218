"""The baselines CROP, ICT and CCP, which pull two parts of one document together without a document encoder.

Other units of the same document are never negatives: they could have been drawn as the positive just as well.

Shapes: M units, D documents, K keys, H width.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from msm import distributed
from msm.losses import Matches, contrastive_loss
from msm.pretraining.batches import Batches, Texts, UnitBatch
from msm.pretraining.memory import Memory
from msm.pretraining.objective import LoggedLoss, Objective
from msm.settings import present

WINDOW = 5
"""Largest distance of a unit and its partner in CCP, in units (released code)."""
ICT_REMOVED = 0.9
"""Share of the pseudo queries that are removed from their block (arXiv 1906.00300)."""


class QueryInputs(NamedTuple):
    """Texts of one language, and the positive of each query."""

    texts: Texts
    language: str
    positives: NDArray[np.int64]
    """Index of the key that each query is to find."""
    documents: NDArray[np.int64]
    """Number of the document of each key."""


class Crop(Objective[Batches]):
    """CROP: the positive of a unit is another unit of its document; negatives are units of other documents."""

    window = 0
    """Largest distance of a unit and its partner, in units; 0 for any unit of the document."""

    def read(self, step: int, micro: int) -> QueryInputs:
        """Read units, draw a partner for each, and read the text whose tokens are masked."""
        batch = self.batches.unit_batch(step, micro)
        random = np.random.default_rng((self.settings.seed, 6, step, micro))
        positives = partners(batch.documents, self.window, random)
        return QueryInputs(self.batches.texts(batch.units, step, micro), batch.language, positives, batch.documents)

    def loss(self, inputs: QueryInputs) -> LoggedLoss:
        """Return the contrastive loss with the partners as positives, plus the loss of masked tokens."""
        vectors, mlm, tokens = self.encode(inputs.texts)
        positives = torch.from_numpy(inputs.positives).to(self.device)
        documents = torch.from_numpy(inputs.documents).to(self.device)
        with torch.autocast(self.device.type, enabled=False):
            queries, keys = self.model.query(vectors, inputs.language), self.model.key(vectors, inputs.language)
            keys, owners = self.remembered(keys, documents, inputs.language)
            contrast = contrastive_loss(
                queries,
                keys,
                Matches(positives, documents, owners),
                temperature=present(self.settings.pairs).temperature,
                mu=0.0,
                negatives="cross-document",
            )
        return self.add(contrast, present(self.settings.pairs).weight, mlm, tokens)

    def remembered(self, keys: Tensor, documents: Tensor, language: str) -> tuple[Tensor, Tensor]:
        """Return the keys of the batch and their documents; CROP remembers no others."""
        del language
        return keys, documents


class Ccp(Crop):
    """CCP: the positive of a unit is a near unit; keys of earlier batches of the language are further negatives.

    The memory takes the keys of a step when the step is over, in the order of its micro-batches, so that it does not
    depend on the number of processes (arXiv 2206.03281).
    """

    window = WINDOW

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        width = self.model.masked.config.hidden_size
        self.memory = Memory(self.batches.languages, present(self.settings.pairs).memory_keys, width).to(self.device)
        self.model.memory = self.memory
        self.waiting: list[tuple[str, Tensor]] = []

    def remembered(self, keys: Tensor, documents: Tensor, language: str) -> tuple[Tensor, Tensor]:
        """Return the keys of the batch, then those remembered of its language, with document -1."""
        self.waiting.append((language, keys.detach()))
        old = self.memory.of(language)
        return torch.cat([keys, old]), torch.cat([documents, documents.new_full((len(old),), -1)])

    def after(self, step: int) -> None:
        """Remember the keys of the step from all processes, in the order of the micro-batches."""
        for language, keys in distributed.gather_objects(self.waiting):
            self.memory.push(language, keys.to(self.device))
        self.waiting = []


class InverseCloze(Objective[Batches]):
    """ICT: a unit is a pseudo query, and the block around it, mostly without the unit, is its positive."""

    def read(self, step: int, micro: int) -> QueryInputs:
        """Draw one pseudo query a document and its block, and read the text whose tokens are masked."""
        batch = self.batches.unit_batch(step, micro)
        random = np.random.default_rng((self.settings.seed, 6, step, micro))
        queries, blocks = pseudo_queries(batch, self.batches.mlm.block_tokens, random)
        positions = np.arange(len(queries))
        return QueryInputs(self.batches.texts([*queries, *blocks], step, micro), batch.language, positions, positions)

    def loss(self, inputs: QueryInputs) -> LoggedLoss:
        """Return the contrastive loss of one pseudo query a document, plus the loss of masked tokens."""
        vectors, mlm, tokens = self.encode(inputs.texts)
        documents = torch.from_numpy(inputs.documents).to(self.device)
        with torch.autocast(self.device.type, enabled=False):
            contrast = contrastive_loss(
                self.model.query(vectors[: len(documents)], inputs.language),
                self.model.key(vectors[len(documents) :], inputs.language),
                Matches(documents, documents, documents),
                temperature=present(self.settings.pairs).temperature,
                mu=0.0,
                negatives="cross-document",
            )
        return self.add(contrast, present(self.settings.pairs).weight, mlm, tokens)


def partners(documents: NDArray[np.int64], window: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw for each unit another unit of its document; returns the indices of the partners, [M].

    Args:
        documents: number of the document of each unit, [M], ascending; each document has two units or more.
        window: largest distance of a partner, in units; 0 for any unit of the document.
        random: generator of the draws.
    """
    positives = np.empty_like(documents)
    for document in np.unique(documents):
        units = np.flatnonzero(documents == document)
        for unit in units:
            near = units[(units != unit) & ((abs(units - unit) <= window) | (window == 0))]
            positives[unit] = random.choice(near)
    return positives


def pseudo_queries(
    batch: UnitBatch, block_tokens: int, random: np.random.Generator
) -> tuple[list[NDArray[np.integer]], list[NDArray[np.integer]]]:
    """Draw one unit of each document, and take the block of its neighbours.

    Args:
        batch: units of documents.
        block_tokens: largest number of tokens of a block, `<s>` included.
        random: generator of the draws.

    Returns:
        Token ids of the pseudo queries, [D], and of their blocks, [D].
    """
    queries, blocks = [], []
    for document in range(int(batch.documents[-1]) + 1):
        units = [batch.units[position] for position in np.flatnonzero(batch.documents == document)]
        place = int(random.integers(len(units)))
        inside = _around(units, place, block_tokens)
        if random.random() < ICT_REMOVED:
            inside.remove(place)
        # A block is one text, so `<s>` stands once, at its front.
        tokens = np.concatenate([units[place][:1], *(units[position][1:] for position in inside)])
        queries.append(units[place])
        blocks.append(tokens[:block_tokens])
    return queries, blocks


def _around(units: list[NDArray[np.integer]], center: int, block_tokens: int) -> list[int]:
    """Indices of the nearest units around one, itself included, that fit in a block; two units at least."""
    inside, tokens = [center], len(units[center])
    low, high = center - 1, center + 1
    while low >= 0 or high < len(units):
        position = low if high >= len(units) or (low >= 0 and center - low <= high - center) else high
        tokens += len(units[position]) - 1
        if tokens > block_tokens and len(inside) > 1:
            break
        inside.append(position)
        low, high = (low - 1, high) if position == low else (low, high + 1)
    return sorted(inside)
