"""One question at a time: a model and the vectors of a collection, kept in memory.

Shapes: N passages, H width.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from msm.errors import BadInput
from msm.evaluation.collection import Collection
from msm.records import Passage
from msm.retrieval.encode import TextEncoder, load_text_encoder
from msm.retrieval.runs import Floats

LARGEST = 100_000
"""Passages that are encoded for a question; more take too long to wait for."""


class Found(NamedTuple):
    """An answer with its score."""

    passage: Passage
    score: float


class Searcher:
    """Answers questions from a collection.

    Args:
        model: fine-tuned model folder.
        collection: gives the passages.

    Raises:
        BadInput: no usable model, or a collection that is too large to be encoded on the spot.
    """

    def __init__(self, model: Path, collection: Collection) -> None:
        if len(collection.passages) > LARGEST:
            raise BadInput(
                f"{len(collection.passages):,} passages are too many to be encoded here; most are {LARGEST:,}"
            )
        self.passages = list(collection.passages)
        self.encoder: TextEncoder = load_text_encoder(model, device=torch.device("cpu"), precision="fp32")
        self.vectors: Floats = self.encoder.encode_passages(self.passages)
        """[N, H]."""

    def ask(self, question: str, depth: int) -> list[Found]:
        """The best answers, best first; equal scores in the order of the passages."""
        scores = self.vectors @ self.encoder.encode_queries([question])[0]
        best = np.argsort(-scores, kind="stable")[:depth]
        return [Found(self.passages[place], float(scores[place])) for place in best]
