"""The paper's objective: pick a hidden sentence out of all sentences of the batch.

Letters: D documents, N sentence slots of each, M sentences of all, H width.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from msm import distributed
from msm.losses import Places, every_place, masked_sentence_loss
from msm.pretraining.batches import Batches, Texts, UnitBatch
from msm.pretraining.objective import Loss, Objective
from msm.settings import present

EACH = "each"


class Inputs(NamedTuple):
    """Documents of one language, and which of their sentences are hidden."""

    batch: UnitBatch
    texts: Texts
    hidden: NDArray[np.bool_] | None
    """[D, N]; None where each is hidden in turn."""


class MaskedSentences(Objective[Batches]):
    """Masked sentence prediction and masked language modelling (arXiv 2302.01626, equation 3)."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.own = present(self.settings.msm)

    def read(self, step: int, micro: int) -> Inputs:
        """The runs of one softmax and MLM text."""
        batch = self.batches.unit_batch(step, micro)
        hidden = None
        if self.own.masking != EACH:
            random = np.random.default_rng((self.settings.seed, 5, step, micro))
            hidden = hidden_share(batch.documents, float(self.own.masking.removeprefix("share:")), random)
        return Inputs(batch, self.batches.texts(batch.units, step, micro), hidden)

    def loss(self, inputs: Inputs) -> Loss:
        """The weighted sum of both losses."""
        batch = inputs.batch
        vectors, mlm, tokens = self.encode(inputs.texts)
        sentences, real = by_document(vectors, batch.documents)
        encoder = self.model.document_encoder(batch.language)
        places = every_place(torch.from_numpy(batch.documents).to(self.device))
        if inputs.hidden is None:
            guesses = encoder(sentences, real)[real]
        else:
            hidden = torch.from_numpy(inputs.hidden).to(self.device)
            guesses = encoder.share(sentences, real, hidden)[hidden]
            chosen = hidden[real].nonzero()[:, 0]
            places = Places(chosen, places.queries[chosen], places.keys)
        with torch.autocast(self.device.type, enabled=False):
            queries, keys = self.model.query(guesses, batch.language), self.model.key(vectors, batch.language)
            contrast = masked_sentence_loss(*self._gathered(queries, keys, places), **self._settings())
        return self.add(contrast, self.own.weight, mlm, tokens)

    def _settings(self) -> dict[str, Any]:
        return {"temperature": self.own.temperature, "mu": self.own.mu, "negatives": self.own.negatives}

    def _gathered(self, queries: Tensor, keys: Tensor, places: Places) -> tuple[Tensor, Tensor, Places]:
        """The same over all processes, if the softmax is to span them."""
        if self.own.gather == "none" or distributed.world_size() == 1:
            return queries, keys, places
        gather = distributed.gather if self.own.gather == "grad" else distributed.gather_detached
        # Documents and keys of later processes are counted on from those of the ones before.
        first_key = distributed.count_before(len(keys))
        first_document = distributed.count_before(int(places.keys.max()) + 1)
        all_places = Places(
            distributed.gather_detached(places.positives + first_key),
            distributed.gather_detached(places.queries + first_document),
            distributed.gather_detached(places.keys + first_document),
        )
        return gather(queries), gather(keys), all_places


def hidden_share(documents: NDArray[np.int64], share: float, random: np.random.Generator) -> NDArray[np.bool_]:
    """A random share of the sentences of each document, at least one and never all, [D, N]; documents: [M]."""
    lengths = np.bincount(documents)
    hidden = np.zeros((len(lengths), lengths.max()), dtype=bool)
    for document, length in enumerate(lengths):
        count = int(np.clip(round(share * length), 1, length - 1))
        hidden[document, random.permutation(length)[:count]] = True
    return hidden


def by_document(vectors: Tensor, documents: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Sentence vectors [M, H] to padded documents [D, N, H], and where they are real, [D, N]."""
    lengths = np.bincount(documents)
    real = torch.from_numpy(np.arange(lengths.max()) < lengths[:, None]).to(vectors.device)
    padded = vectors.new_zeros(*real.shape, vectors.shape[1])
    padded[real] = vectors
    return padded, real
