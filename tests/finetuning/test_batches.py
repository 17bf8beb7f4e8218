"""Fine-tuning batches: every example once an epoch, and the same after a jump."""

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


@pytest.mark.parametrize("passages", [100, 30, 5, 1])
def test_an_epoch_reads_every_question_once_however_many_share_a_passage(passages: int) -> None:
    batches = ExampleBatches(examples(100, passages), settings(batch_queries=4, shard_queries=4, seed=1))
    assert batches.epoch_steps == 25
    for epoch in range(3):
        query_ids = [example.query.query_id for step in range(25) for example in batches.batch(epoch * 25 + step)]
        assert Counter(query_ids) == Counter(str(number) for number in range(100))


def test_a_step_is_the_same_after_a_jump() -> None:
    one, other = (
        ExampleBatches(examples(50, 40), settings(batch_queries=8, shard_queries=8, seed=4)) for _ in range(2)
    )
    every = [one.batch(step) for step in range(40)]
    assert other.batch(39) == every[39]
    assert other.batch(2) == every[2]


def test_too_few_examples_are_refused() -> None:
    with pytest.raises(BadInput, match="batch_queries=8, but there are 5 examples"):
        ExampleBatches(examples(5, 5), settings(batch_queries=8, shard_queries=8, seed=1))
