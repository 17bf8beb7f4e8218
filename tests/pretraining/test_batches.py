"""Which runs and blocks a step reads: deterministic, one language a softmax, languages by temperature."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from msm.corpora.shards import read_units
from msm.errors import BadInput
from msm.pretraining.batches import Batches, Stream
from msm.pretraining.masking import hide_tokens
from tests.pretraining.made import SOFTMAX_DOCUMENTS, settings


def test_a_stream_reads_every_item_once_an_epoch() -> None:
    stream = Stream([[6], [4]], exponent=1.0, together=2, seed=(1,))
    items_by_process: dict[int, list[int]] = {0: [], 1: []}
    for number in range(200):
        language, items = stream.draw(number)
        items_by_process[language] += items.tolist()
    for language, size in ((0, 6), (1, 4)):
        for first in range(0, len(items_by_process[language]) - size, size):
            assert sorted(items_by_process[language][first : first + size]) == list(range(size))


def test_draws_do_not_depend_on_what_was_drawn_before() -> None:
    one, other = (Stream([[50], [9], [30]], 0.3, 4, (5,)) for _ in range(2))
    every = [one.draw(number) for number in range(2000)]
    for number in (1999, 3, 1500, 0):
        language, items = other.draw(number)
        assert language == every[number][0]
        assert items.tolist() == every[number][1].tolist()


def test_languages_are_drawn_by_size_to_the_exponent() -> None:
    stream = Stream([[10_000], [100]], exponent=0.3, together=1, seed=(2,))
    share = Counter(stream.draw(number)[0] for number in range(4000))[1] / 4000
    assert share == pytest.approx(100**0.3 / (100**0.3 + 10_000**0.3), abs=0.03)


def test_a_softmax_has_one_language_and_whole_runs(units: Path) -> None:
    shards = read_units(units)
    batches = Batches(shards, settings())
    for step in range(5):
        batch = batches.unit_batch(step, 1)
        shard = shards[batch.language]
        assert len(batch.document_ids) == SOFTMAX_DOCUMENTS
        runs = [
            (shard.document_id(number), [unit.tolist() for unit in shard.span(number)]) for number in range(len(shard))
        ]
        for number, name in enumerate(batch.document_ids):
            places = np.flatnonzero(batch.documents == number)
            assert (name, [batch.units[place].tolist() for place in places]) in runs


def test_the_control_reads_as_many_tokens(units: Path) -> None:
    batches = Batches(read_units(units), settings())
    steps = 300
    contrastive = sum(len(unit) for step in range(steps) for unit in batches.unit_batch(step, 0).units)
    control = sum(len(block) for step in range(steps) for block in batches.control_blocks(step, 0))
    assert control == pytest.approx(contrastive, rel=0.03)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"softmax_documents": 3}, "batches.softmax_documents must divide batch_documents=4, got 3"),
        ({"batch_blocks": 3}, "mlm.batch_blocks must be a multiple"),
        ({"batch_documents": 1000, "softmax_documents": 1000, "batch_blocks": 1}, "fewer documents than"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(units: Path, changes: dict[str, int], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Batches(read_units(units), settings(**changes))


@pytest.mark.parametrize("special", [(0, 1, 2, 3, 1000), (101, 0, 102, 100, 103)], ids=["XLM-R", "BERT"])
def test_hidden_tokens_follow_80_10_10(special: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    tokens = random.integers(0, 1000, size=400_000)
    hidden, rows = hide_tokens(tokens, share=0.15, special=special, mask=special[-1], vocabulary=1001, random=random)
    is_chosen = np.zeros(len(tokens), dtype=bool)
    is_chosen[rows] = True
    assert (hidden[~is_chosen] == tokens[~is_chosen]).all()
    ordinary = ~np.isin(tokens, special)
    assert ordinary[rows].all()
    assert is_chosen[ordinary].mean() == pytest.approx(0.15, abs=0.005)
    assert (hidden[rows] == special[-1]).mean() == pytest.approx(0.8, abs=0.01)
    random_tokens = hidden[(hidden != tokens) & (hidden != special[-1])]
    pieces = set(random_tokens.tolist())
    assert not pieces & set(special)
    assert len(pieces) > 900
    assert (hidden[rows] == tokens[rows]).mean() == pytest.approx(0.1, abs=0.01)
