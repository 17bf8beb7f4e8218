"""The paper's objective: pick a hidden sentence out of all sentences of the batch.

Letters: D documents, N sentence slots of each, M sentences of all, H width.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from msm import distributed
from msm.losses import Places, every_place, masked_sentence_loss
from msm.pretraining.batches import UnitBatch
from msm.pretraining.objective import Loss, Objective

EACH = "each"


class MaskedSentences(Objective):
    """Masked sentence prediction and masked language modelling (arXiv 2302.01626, equation 3)."""

    def loss(self, step: int, micro: int) -> Loss:
        """The weighted sum of both losses."""
        batch = self.batches.unit_batch(step, micro)
        vectors, mlm, tokens = self.encode(batch.units, step, micro)
        sentences, real = by_document(vectors, batch.documents)
        encoder = self.model.document_encoder(batch.language)
        places = every_place(torch.from_numpy(batch.documents).to(self.device))
        if self.settings.masking == EACH:
            guesses = encoder(sentences, real)[real]
        else:
            hidden = self._hidden(batch, step, micro, real)
            guesses = encoder.share(sentences, real, hidden)[hidden]
            chosen = hidden[real].nonzero()[:, 0]
            places = Places(chosen, places.queries[chosen], places.keys)
        with torch.autocast(self.device.type, enabled=False):
            queries, keys = self.model.query(guesses, batch.language), self.model.key(vectors, batch.language)
            contrast = masked_sentence_loss(*self._gathered(queries, keys, places), **self._settings())
        return self.add(contrast, mlm, tokens)

    def _settings(self) -> dict[str, Any]:
        settings = self.settings
        return {"temperature": settings.temperature, "mu": settings.mu, "negatives": settings.negatives}

    def _hidden(self, batch: UnitBatch, step: int, micro: int, real: Tensor) -> Tensor:
        """A random share of the sentences of each document, at least one and never all, [D, N]."""
        share = float(self.settings.masking.removeprefix("share:"))
        random = np.random.default_rng((self.settings.seed, 5, step, micro))
        hidden = torch.zeros_like(real)
        for document, length in enumerate(np.bincount(batch.documents)):
            count = int(np.clip(round(share * length), 1, length - 1))
            hidden[document, torch.from_numpy(random.permutation(length)[:count])] = True
        return hidden

    def _gathered(self, queries: Tensor, keys: Tensor, places: Places) -> tuple[Tensor, Tensor, Places]:
        """The same over all processes, if the softmax is to span them."""
        if self.settings.gather == "none" or distributed.world_size() == 1:
            return queries, keys, places
        gather = distributed.gather if self.settings.gather == "grad" else distributed.gather_detached
        # Documents and keys of later processes are counted on from those of the ones before.
        first_key = distributed.count_before(len(keys))
        first_document = distributed.count_before(int(places.keys.max()) + 1)
        all_places = Places(
            distributed.gather_detached(places.positives + first_key),
            distributed.gather_detached(places.queries + first_document),
            distributed.gather_detached(places.keys + first_document),
        )
        return gather(queries), gather(keys), all_places


def by_document(vectors: Tensor, documents: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Sentence vectors [M, H] to padded documents [D, N, H], and where they are real, [D, N]."""
    lengths = np.bincount(documents)
    real = torch.from_numpy(np.arange(lengths.max()) < lengths[:, None]).to(vectors.device)
    padded = vectors.new_zeros(*real.shape, vectors.shape[1])
    padded[real] = vectors
    return padded, real
