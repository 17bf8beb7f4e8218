"""Looks at the dev set during training.

Shapes: Q questions, N passages, H width.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from msm.collections.records import Example
from msm.encoders.encoder import Encoder
from msm.finetuning.candidates import batch_passages, find_candidates
from msm.finetuning.settings import Finetune
from msm.losses import in_batch_loss

ROWS = 512
"""Questions ranked at once."""


class DevSet(NamedTuple):
    """Dev questions, the passages they are ranked against, and which of these are right."""

    examples: list[Example]
    """With the hard negatives that are looked at, Q."""
    places: dict[str, int]
    """Passage id to place, N."""


def make_dev_set(examples: Sequence[Example], settings: Finetune) -> DevSet:
    """The first `dev_queries` examples with their first `dev_negatives` hard negatives."""
    kept = [
        example._replace(negatives=example.negatives[: settings.selection.dev_negatives])
        for example in examples[: settings.selection.dev_queries]
    ]
    ids = dict.fromkeys(passage.passage_id for passage in batch_passages(kept))
    return DevSet(kept, {passage_id: place for place, passage_id in enumerate(ids)})


def look(encoder: Encoder, dev: DevSet, settings: Finetune, scale: float) -> dict[str, float]:
    """Dev scores of a model.

    Returns:
        `dev_mrr` and `dev_mean_rank` of the positive among all passages of the dev set, equal scores counted against
        it, so that a collapsed model does not look good, and passages that are right as well left out; `dev_loss` of
        softmaxes as in training, of consecutive questions; without hard negatives the other questions' positives are
        candidates, whatever `candidates` says.
    """
    training = encoder.training
    encoder.eval()
    passages = {passage.passage_id: passage for passage in batch_passages(dev.examples)}
    queries = encoder.encode_queries([example.query.text for example in dev.examples])
    vectors = encoder.encode_passages([passages[passage_id] for passage_id in dev.places])
    encoder.train(training)
    found = ranks(dev, queries, vectors)
    return {
        "dev_mrr": float(np.mean(1 / found)),
        "dev_mean_rank": float(np.mean(found)),
        "dev_loss": _loss(dev, queries, vectors, settings, scale),
    }


def ranks(dev: DevSet, queries: NDArray[np.float32], passages: NDArray[np.float32]) -> NDArray[np.int64]:
    """Rank of each question's positive, from 1, [Q].

    Args:
        dev: what the vectors are of.
        queries: [Q, H].
        passages: [N, H], in the order of `dev.places`.
    """
    found = []
    for first in range(0, len(queries), ROWS):
        examples = dev.examples[first : first + ROWS]
        scores = queries[first : first + ROWS] @ passages.T
        own = [dev.places[example.positive.passage_id] for example in examples]
        best = scores[np.arange(len(examples)), own][:, None]
        ahead = scores >= best
        for row, example in enumerate(examples):
            right = [dev.places[other] for other in example.others if other in dev.places]
            ahead[row, right] = False
            ahead[row, own[row]] = True
        found.append(ahead.sum(1))
    return np.concatenate(found)


def _loss(
    dev: DevSet, queries: NDArray[np.float32], passages: NDArray[np.float32], settings: Finetune, scale: float
) -> float:
    size = settings.batches.shard_queries if settings.loss.gather == "none" else settings.batches.batch_queries
    if not settings.selection.dev_negatives:
        settings = dataclasses.replace(settings, loss=dataclasses.replace(settings.loss, candidates="all"))
    total = 0.0
    for first in range(0, len(queries), size):
        examples = dev.examples[first : first + size]
        places = [dev.places[passage.passage_id] for passage in batch_passages(examples)]
        loss = in_batch_loss(
            torch.from_numpy(queries[first : first + size]),
            torch.from_numpy(passages[places]),
            scale=scale,
            allowed=torch.from_numpy(find_candidates(examples, settings).allowed),
        )
        total += loss.item() * len(examples)
    return total / len(queries)
