"""Which passages of a batch are candidates of which question.

Shapes: B questions, P passages: the B positives in the order of the questions, then all hard negatives.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msm.collections.records import Example, Passage
from msm.finetuning.settings import Finetune


class Candidates(NamedTuple):
    """Masks of a batch, as `msm.losses.in_batch_loss` takes them."""

    allowed: NDArray[np.bool_]
    """Where a passage is a candidate of a question, [B, P]."""
    near: NDArray[np.bool_] | None
    """Where a question's loss moves a passage, [B, P]; None for everywhere."""


def batch_passages(examples: Sequence[Example]) -> list[Passage]:
    """The positives, then the hard negatives of one question after the other, P."""
    return [example.positive for example in examples] + [
        passage for example in examples for passage in example.negatives
    ]


def find_candidates(examples: Sequence[Example], settings: Finetune) -> Candidates:
    """Candidates under the settings `loss.gather`, `batches.shard_queries` and `loss.candidates`.

    A passage that is known to be right for a question is never its negative: neither its own positive where that
    stands a second time, nor another one that the data list (DPR's code counts such duplicates as wrong).
    """
    rows = np.arange(len(examples))
    owners = np.concatenate([rows, np.repeat(rows, [len(example.negatives) for example in examples])])
    same_shard = rows[:, None] // settings.batches.shard_queries == owners // settings.batches.shard_queries
    allowed = same_shard if settings.loss.gather == "none" else np.ones_like(same_shard)
    if settings.loss.candidates == "hard":
        allowed = allowed & (np.arange(len(owners)) >= len(examples))
    allowed = allowed & ~_right(examples)
    allowed[rows, rows] = True
    return Candidates(allowed, same_shard if settings.loss.gather == "no_grad" else None)


def _right(examples: Sequence[Example]) -> NDArray[np.bool_]:
    """Where a passage is known to be right, [B, P]."""
    places: dict[str, list[int]] = {}
    alike: dict[tuple[str, str], list[int]] = {}
    passages = batch_passages(examples)
    for place, passage in enumerate(passages):
        places.setdefault(passage.passage_id, []).append(place)
        alike.setdefault((passage.title, passage.text), []).append(place)
    right = np.zeros((len(examples), len(passages)), bool)
    for row, example in enumerate(examples):
        for passage_id in (example.positive.passage_id, *example.others):
            right[row, places.get(passage_id, [])] = True
        # The same text under another id is as right.
        right[row, alike[example.positive.title, example.positive.text]] = True
    return right
