"""The candidates of every question: the passages of a batch that compete for it.

Shapes: B questions, P passages: the B positives in the order of the questions, then all hard negatives.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from msm.collections.records import Example, Passage
from msm.finetuning.settings import Finetune


def batch_passages(examples: Sequence[Example]) -> list[Passage]:
    """Return the passages of a batch, P: all positives, then the hard negatives of each question in turn."""
    return [example.positive for example in examples] + [
        passage for example in examples for passage in example.negatives
    ]


def find_candidates(examples: Sequence[Example], settings: Finetune) -> NDArray[np.bool_]:
    """Return True where a passage is a candidate of a question, [B, P], as `msm.losses.in_batch_loss` takes it.

    The settings `loss.gather`, `batches.shard_queries` and `loss.candidates` decide.

    A passage that is known to be right for a question is never its negative: neither a second copy of its positive, nor
    another passage that the data list as right. DPR's code counts such passages as wrong.
    """
    rows = np.arange(len(examples))
    owners = np.concatenate([rows, np.repeat(rows, [len(example.negatives) for example in examples])])
    same_shard = rows[:, None] // settings.batches.shard_queries == owners // settings.batches.shard_queries
    is_candidate = same_shard if settings.loss.gather == "none" else np.ones_like(same_shard)
    if settings.loss.candidates == "hard":
        is_candidate = is_candidate & (np.arange(len(owners)) >= len(examples))
    is_candidate = is_candidate & ~_right(examples)
    is_candidate[rows, rows] = True
    return is_candidate


def _right(examples: Sequence[Example]) -> NDArray[np.bool_]:
    """True where a passage is known to be right for a question, [B, P]."""
    positions: dict[str, list[int]] = {}
    copies: dict[tuple[str, str], list[int]] = {}
    passages = batch_passages(examples)
    for position, passage in enumerate(passages):
        positions.setdefault(passage.passage_id, []).append(position)
        copies.setdefault((passage.title, passage.text), []).append(position)
    right = np.zeros((len(examples), len(passages)), bool)
    for row, example in enumerate(examples):
        for passage_id in (example.positive.passage_id, *example.others):
            right[row, positions.get(passage_id, [])] = True
        # The same text under another id is right too.
        right[row, copies[example.positive.title, example.positive.text]] = True
    return right
