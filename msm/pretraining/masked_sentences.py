"""The objective `msm`: hide a sentence of a document and pick it out of all sentences of the batch.

Shapes: D documents, N sentence slots of each, M sentences of all, H width.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from msm import distributed
from msm.losses import Matches, contrastive_loss, own_matches
from msm.pretraining.batches import Batches, Texts, UnitBatch
from msm.pretraining.objective import LoggedLoss, Objective
from msm.settings import present

EACH = "each"


class DocumentInputs(NamedTuple):
    """Documents of one language, and which of their sentences are hidden."""

    batch: UnitBatch
    texts: Texts
    hidden: NDArray[np.bool_] | None
    """True at the hidden sentences, [D, N]; None where each sentence is hidden in turn."""


class MaskedSentences(Objective[Batches]):
    """Masked sentence prediction and masked language modelling (arXiv 2302.01626, equation 3)."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.msm = present(self.settings.msm)

    def read(self, step: int, micro: int) -> DocumentInputs:
        """Read the documents of one softmax and the text whose tokens are masked."""
        batch = self.batches.unit_batch(step, micro)
        hidden = None
        if self.msm.masking != EACH:
            random = np.random.default_rng((self.settings.seed, 5, step, micro))
            hidden = hidden_share(batch.documents, float(self.msm.masking.removeprefix("share:")), random)
        return DocumentInputs(batch, self.batches.texts(batch.units, step, micro), hidden)

    def loss(self, inputs: DocumentInputs) -> LoggedLoss:
        """Return the weighted sum of the loss of masked sentences and that of masked tokens."""
        batch = inputs.batch
        vectors, mlm, tokens = self.encode(inputs.texts)
        sentences, real = by_document(vectors, batch.documents)
        encoder = self.model.document_encoder(batch.language)
        matches = own_matches(torch.from_numpy(batch.documents).to(self.device))
        if inputs.hidden is None:
            guesses = encoder(sentences, real)[real]
        else:
            hidden = torch.from_numpy(inputs.hidden).to(self.device)
            guesses = encoder.share(sentences, real, hidden)[hidden]
            hidden_keys = hidden[real].nonzero()[:, 0]
            matches = Matches(hidden_keys, matches.query_documents[hidden_keys], matches.key_documents)
        with torch.autocast(self.device.type, enabled=False):
            queries, keys = self.model.query(guesses, batch.language), self.model.key(vectors, batch.language)
            contrast = contrastive_loss(*self._gathered(queries, keys, matches), **self._settings())
        return self.add(contrast, self.msm.weight, mlm, tokens)

    def _settings(self) -> dict[str, Any]:
        names = ("temperature", "mu", "negatives", "bias_over", "bias_gradient")
        return {name: getattr(self.msm, name) for name in names}

    def _gathered(self, queries: Tensor, keys: Tensor, matches: Matches) -> tuple[Tensor, Tensor, Matches]:
        """Queries, keys and matches of all processes, where one softmax spans them; otherwise those of this process."""
        if self.msm.gather == "none" or distributed.world_size() == 1:
            return queries, keys, matches
        gather = distributed.gather if self.msm.gather == "grad" else _gather_without_gradient
        # Numbers of documents and keys go on from those of the processes before, so that they stay unique.
        first_key = distributed.count_before(len(keys))
        first_document = distributed.count_before(int(matches.key_documents.max()) + 1)
        all_matches = Matches(
            distributed.gather_detached(matches.positives + first_key),
            distributed.gather_detached(matches.query_documents + first_document),
            distributed.gather_detached(matches.key_documents + first_document),
        )
        return gather(queries), gather(keys), all_matches


def _gather_without_gradient(values: Tensor) -> Tensor:
    return distributed.gather_detached(distributed.counted_for_all(values))


def hidden_share(documents: NDArray[np.int64], share: float, random: np.random.Generator) -> NDArray[np.bool_]:
    """Draw the sentences to hide: a share of each document, at least one and never all.

    Args:
        documents: number of the document of each sentence, [M].
        share: share of the sentences of a document, above 0 and below 1.
        random: generator of the draws.

    Returns:
        True at the hidden sentences, [D, N].
    """
    lengths = np.bincount(documents)
    hidden = np.zeros((len(lengths), lengths.max()), dtype=bool)
    for document, length in enumerate(lengths):
        count = int(np.clip(round(share * length), 1, length - 1))
        hidden[document, random.permutation(length)[:count]] = True
    return hidden


def by_document(vectors: Tensor, documents: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Lay sentence vectors out as padded documents.

    Args:
        vectors: sentence vectors, [M, H].
        documents: number of the document of each sentence, [M], ascending from 0.

    Returns:
        The padded documents, [D, N, H], and True where there is a sentence, [D, N].
    """
    lengths = np.bincount(documents)
    real = torch.from_numpy(np.arange(lengths.max()) < lengths[:, None]).to(vectors.device)
    rows = vectors.new_zeros(*real.shape, vectors.shape[1])
    rows[real] = vectors
    return rows, real
