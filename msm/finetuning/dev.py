"""Evaluates a model on the development set during training.

Shapes: Q questions, N passages, H width.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from msm.collections.records import Example, Passage
from msm.encoders.encoder import Encoder
from msm.errors import BadInput
from msm.finetuning.candidates import batch_passages, find_candidates
from msm.finetuning.settings import Finetune
from msm.losses import in_batch_loss

ROWS = 512
"""Number of questions that are ranked at once."""


class DevSet(NamedTuple):
    """Development questions, and the passages against which they are ranked."""

    examples: list[Example]
    """Questions with their positives and the hard negatives that are ranked too, Q."""
    passages: list[Passage]
    """Passages that are ranked: positives, hard negatives and other negatives, N."""
    positions: dict[str, int]
    """Position of each passage by its id, N."""


def make_dev_set(examples: Sequence[Example], settings: Finetune) -> DevSet:
    """Make a development set of the first `dev_queries` examples, each with `dev_negatives` hard negatives.

    Raises:
        BadInput: there are none.
    """
    if not examples:
        raise BadInput(f"dev_examples: no question in {settings.dev_examples!r}")
    dev_examples = [
        example._replace(negatives=example.negatives[: settings.selection.dev_negatives])
        for example in examples[: settings.selection.dev_queries]
    ]
    others = (passage for example in dev_examples for passage in example.other_negatives)
    passages = {passage.passage_id: passage for passage in (*batch_passages(dev_examples), *others)}
    return DevSet(
        dev_examples, list(passages.values()), {passage_id: place for place, passage_id in enumerate(passages)}
    )


def look(encoder: Encoder, dev: DevSet, settings: Finetune, scale: float) -> dict[str, float]:
    """Evaluate a model on the development set.

    Returns:
        `dev_mrr` and `dev_mean_rank`: mean reciprocal rank and mean rank of the positive among all passages of the
            set. Other right passages are left out; equal scores count against the positive, so that a model that gives
            equal vectors to all texts does not look good.
        `dev_loss`: loss in nats of softmaxes of consecutive questions, as in training. Without hard negatives the
            positives of other questions are candidates, whatever `loss.candidates` says.
    """
    training = encoder.training
    encoder.eval()
    queries = encoder.encode_queries([example.query.text for example in dev.examples])
    vectors = encoder.encode_passages(dev.passages)
    encoder.train(training)
    positive_ranks = ranks(dev, queries, vectors)
    return {
        "dev_mrr": float(np.mean(1 / positive_ranks)),
        "dev_mean_rank": float(np.mean(positive_ranks)),
        "dev_loss": _loss(dev, queries, vectors, settings, scale),
    }


def ranks(dev: DevSet, queries: NDArray[np.float32], passages: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the rank of each question's positive, counted from 1, [Q].

    Args:
        dev: development set.
        queries: vectors of the questions, [Q, H].
        passages: vectors of the passages, [N, H], in the order of `dev.positions`.
    """
    blocks = []
    for first in range(0, len(queries), ROWS):
        examples = dev.examples[first : first + ROWS]
        scores = queries[first : first + ROWS] @ passages.T
        positives = [dev.positions[example.positive.passage_id] for example in examples]
        best = scores[np.arange(len(examples)), positives][:, None]
        ahead = scores >= best
        for row, example in enumerate(examples):
            right = [dev.positions[other] for other in example.others if other in dev.positions]
            ahead[row, right] = False
            ahead[row, positives[row]] = True
        blocks.append(ahead.sum(1))
    return np.concatenate(blocks)


def _loss(
    dev: DevSet, queries: NDArray[np.float32], passages: NDArray[np.float32], settings: Finetune, scale: float
) -> float:
    size = settings.batches.shard_queries if settings.loss.gather == "none" else settings.batches.batch_queries
    if not settings.selection.dev_negatives:
        settings = dataclasses.replace(settings, loss=dataclasses.replace(settings.loss, candidates="all"))
    total = 0.0
    for first in range(0, len(queries), size):
        examples = dev.examples[first : first + size]
        positions = [dev.positions[passage.passage_id] for passage in batch_passages(examples)]
        loss = in_batch_loss(
            torch.from_numpy(queries[first : first + size]),
            torch.from_numpy(passages[positions]),
            scale=scale,
            candidates=torch.from_numpy(find_candidates(examples, settings)),
        )
        total += loss.item() * len(examples)
    return total / len(queries)
