"""Baselines that pull two parts of one document together, without a document encoder.

Other units of the same document are never negatives: a positive drawn from a document with the rest of it as
negatives would contradict itself.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from msm import distributed
from msm.losses import Places, masked_sentence_loss
from msm.pretraining.batches import Batches, Texts, UnitBatch
from msm.pretraining.memory import Memory
from msm.pretraining.objective import Loss, Objective
from msm.settings import present

WINDOW = 5
"""How far a neighbour may be for CCP, in units (released code)."""
ICT_REMOVED = 0.9
"""Share of the pseudo queries that are taken out of their block (arXiv 1906.00300)."""


class Inputs(NamedTuple):
    """Texts and who belongs to whom."""

    texts: Texts
    language: str
    positives: NDArray[np.int64]
    """Key of each query."""
    documents: NDArray[np.int64]
    """Document of each key."""


class Crop(Objective[Batches]):
    """CROP: the positive of a unit is another unit of its document; negatives are units of other documents."""

    window = 0
    """Farthest partner in units; 0 for anywhere in the document."""

    def read(self, step: int, micro: int) -> Inputs:
        """Units, a partner for each, and MLM text."""
        batch = self.batches.unit_batch(step, micro)
        random = np.random.default_rng((self.settings.seed, 6, step, micro))
        positives = partners(batch.documents, self.window, random)
        return Inputs(self.batches.texts(batch.units, step, micro), batch.language, positives, batch.documents)

    def loss(self, inputs: Inputs) -> Loss:
        """The contrastive loss with partners as positives, and MLM."""
        vectors, mlm, tokens = self.encode(inputs.texts)
        positives = torch.from_numpy(inputs.positives).to(self.device)
        documents = torch.from_numpy(inputs.documents).to(self.device)
        with torch.autocast(self.device.type, enabled=False):
            queries, keys = self.model.query(vectors, inputs.language), self.model.key(vectors, inputs.language)
            keys, owners = self.remembered(keys, documents, inputs.language)
            contrast = masked_sentence_loss(
                queries,
                keys,
                Places(positives, documents, owners),
                temperature=present(self.settings.pairs).temperature,
                mu=0.0,
                negatives="cross-document",
            )
        return self.add(contrast, present(self.settings.pairs).weight, mlm, tokens)

    def remembered(self, keys: Tensor, documents: Tensor, language: str) -> tuple[Tensor, Tensor]:
        """The keys of the batch and those remembered, with their documents; CROP remembers none."""
        del language
        return keys, documents


class Ccp(Crop):
    """CCP: the positive is a neighbour in a window; negatives also come from a memory of the same language.

    The memory takes in the keys of a step when the step is over, in the order of its micro-batches, so that it does
    not depend on how they were shared out (arXiv 2206.03281).
    """

    window = WINDOW

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        width = self.model.masked.config.hidden_size
        self.memory = Memory(self.batches.languages, present(self.settings.pairs).memory_keys, width).to(self.device)
        self.model.memory = self.memory
        self.waiting: list[tuple[str, Tensor]] = []

    def remembered(self, keys: Tensor, documents: Tensor, language: str) -> tuple[Tensor, Tensor]:
        """The keys of the batch and those remembered of its language."""
        self.waiting.append((language, keys.detach()))
        old = self.memory.of(language)
        return torch.cat([keys, old]), torch.cat([documents, documents.new_full((len(old),), -1)])

    def after(self, step: int) -> None:
        """Remember the keys of the step, of all processes, whose micro-batches follow each other."""
        for language, keys in distributed.gather_objects(self.waiting):
            self.memory.push(language, keys.to(self.device))
        self.waiting = []


class InverseCloze(Objective[Batches]):
    """ICT: a unit is a pseudo query, and the block around it, mostly without it, its answer."""

    def read(self, step: int, micro: int) -> Inputs:
        """One pseudo query a document, then their blocks, and MLM text."""
        batch = self.batches.unit_batch(step, micro)
        random = np.random.default_rng((self.settings.seed, 6, step, micro))
        queries, blocks = pseudo_queries(batch, self.batches.mlm.block_tokens, random)
        places = np.arange(len(queries))
        return Inputs(self.batches.texts([*queries, *blocks], step, micro), batch.language, places, places)

    def loss(self, inputs: Inputs) -> Loss:
        """The contrastive loss of one pseudo query a document, and MLM."""
        vectors, mlm, tokens = self.encode(inputs.texts)
        documents = torch.from_numpy(inputs.documents).to(self.device)
        with torch.autocast(self.device.type, enabled=False):
            contrast = masked_sentence_loss(
                self.model.query(vectors[: len(documents)], inputs.language),
                self.model.key(vectors[len(documents) :], inputs.language),
                Places(documents, documents, documents),
                temperature=present(self.settings.pairs).temperature,
                mu=0.0,
                negatives="cross-document",
            )
        return self.add(contrast, present(self.settings.pairs).weight, mlm, tokens)


def partners(documents: NDArray[np.int64], window: int, random: np.random.Generator) -> NDArray[np.int64]:
    """For each unit another unit of its document, [M].

    Args:
        documents: of each unit, [M], in order; two units or more of each.
        window: farthest partner; 0 for any.
        random: where the choices come from.
    """
    found = np.empty_like(documents)
    for document in np.unique(documents):
        units = np.flatnonzero(documents == document)
        for unit in units:
            near = units[(units != unit) & ((abs(units - unit) <= window) | (window == 0))]
            found[unit] = random.choice(near)
    return found


def pseudo_queries(
    batch: UnitBatch, block_tokens: int, random: np.random.Generator
) -> tuple[list[NDArray[np.integer]], list[NDArray[np.integer]]]:
    """One unit of each document, and the block of neighbours around it, [D] each.

    Args:
        batch: units of documents.
        block_tokens: longest block, `<s>` included.
        random: where the choices come from.
    """
    queries, blocks = [], []
    for document in range(int(batch.documents[-1]) + 1):
        units = [batch.units[place] for place in np.flatnonzero(batch.documents == document)]
        chosen = int(random.integers(len(units)))
        inside = _around(units, chosen, block_tokens)
        if random.random() < ICT_REMOVED:
            inside.remove(chosen)
        # A block is one text: `<s>` stands once, at its front.
        tokens = np.concatenate([units[chosen][:1], *(units[place][1:] for place in inside)])
        queries.append(units[chosen])
        blocks.append(tokens[:block_tokens])
    return queries, blocks


def _around(units: list[NDArray[np.integer]], chosen: int, block_tokens: int) -> list[int]:
    """Places of the units around one, itself included, that fit in a block; two at least."""
    inside, used = [chosen], len(units[chosen])
    low, high = chosen - 1, chosen + 1
    while low >= 0 or high < len(units):
        place = low if high >= len(units) or (low >= 0 and chosen - low <= high - chosen) else high
        used += len(units[place]) - 1
        if used > block_tokens and len(inside) > 1:
            break
        inside.append(place)
        low, high = (low - 1, high) if place == low else (low, high + 1)
    return sorted(inside)
