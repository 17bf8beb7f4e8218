"""Answers single questions with a model and the vectors of a collection, which are kept in memory.

Shapes: N passages, H width.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from msm.collections.collection import Collection
from msm.collections.records import Passage
from msm.collections.runs import Floats
from msm.encoders.encoder import Encoder
from msm.encoders.loading import open_encoder


class FoundPassage(NamedTuple):
    """A passage that answers a question, with its score."""

    passage: Passage
    score: float


class Searcher:
    """Searches the passages of a collection for answers.

    Args:
        model: folder of a fine-tuned model.
        collection: collection whose passages are encoded and searched.

    Raises:
        BadInput: the folder holds no usable model.
    """

    def __init__(self, model: Path, collection: Collection) -> None:
        self.passages = list(collection.passages)
        self.encoder: Encoder = open_encoder(model, device=torch.device("cpu"), precision="fp32")
        self.vectors: Floats = self.encoder.encode_passages(self.passages)
        """Vectors of all passages, [N, H]."""

    def ask(self, question: str, depth: int) -> list[FoundPassage]:
        """Return the best passages, best first; equal scores keep the order of the passages."""
        scores = self.vectors @ self.encoder.encode_queries([question])[0]
        best = np.argsort(-scores, kind="stable")[:depth]
        return [FoundPassage(self.passages[position], float(scores[position])) for position in best]
