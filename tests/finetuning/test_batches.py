"""Fine-tuning batches: every example once an epoch, no passage twice in a batch, the same after a jump."""

from collections import Counter

import pytest

from msm.collections.records import Example, Passage, Query
from msm.errors import BadInput
from msm.finetuning.batches import ExampleBatches
from tests.finetuning.made import settings


def examples(questions: int, passages: int) -> list[Example]:
    return [
        Example(Query(str(number), "en", "?"), Passage(str(number % passages), "en", "."), [])
        for number in range(questions)
    ]


def test_no_passage_stands_twice_in_a_batch() -> None:
    batches = ExampleBatches(examples(100, 30), settings(batch_queries=16, shard_queries=16, seed=1))
    for step in range(50):
        batch = batches.batch(step)
        assert len({example.positive.passage_id for example in batch}) == len(batch) == 16


def test_an_epoch_reads_almost_every_question_once() -> None:
    batches = ExampleBatches(examples(96, 96), settings(batch_queries=16, shard_queries=16, seed=1))
    for epoch in range(3):
        read = [example.query.query_id for step in range(6) for example in batches.batch(epoch * 6 + step)]
        assert Counter(read) == Counter(str(number) for number in range(96))


def test_a_step_is_the_same_after_a_jump() -> None:
    walked, jumped = (
        ExampleBatches(examples(50, 40), settings(batch_queries=8, shard_queries=8, seed=4)) for _ in range(2)
    )
    every = [walked.batch(step) for step in range(40)]
    assert jumped.batch(39) == every[39]
    assert jumped.batch(2) == every[2]


def test_too_few_passages_are_refused() -> None:
    with pytest.raises(BadInput, match="only 5 different passages"):
        ExampleBatches(examples(100, 5), settings(batch_queries=8, shard_queries=8, seed=1))
