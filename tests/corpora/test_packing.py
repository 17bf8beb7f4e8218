import random
from itertools import accumulate, pairwise

import pytest

from msm.corpora.packing import pack, split_spans


def joined(lengths: list[int], limit: int) -> list[list[int]]:
    """Greedy joining, sentence by sentence."""
    groups: list[list[int]] = []
    for length in lengths:
        if groups and sum(groups[-1]) + length <= limit:
            groups[-1].append(length)
        else:
            groups.append([length])
    return groups


@pytest.mark.parametrize("seed", range(20))
def test_packing_equals_joining_one_by_one(seed: int) -> None:
    chance = random.Random(seed)
    limit = chance.choice([1, 7, 63])
    lengths = [chance.randint(1, chance.choice([3, 20, 90])) for _ in range(200)]
    offsets = list(accumulate(lengths, initial=0))
    firsts = pack(offsets, limit, 0, len(lengths))
    assert [lengths[first:stop] for first, stop in pairwise([*firsts, len(lengths)])] == joined(lengths, limit)


def test_packing_stays_between_first_and_last() -> None:
    offsets = list(accumulate([2] * 10, initial=0))
    assert pack(offsets, 6, 2, 9) == [2, 5, 8]
    assert pack(offsets, 6, 4, 4) == []


def test_longer_sentence_is_alone() -> None:
    assert pack([0, 3, 6, 14, 17], 7, 0, 4) == [0, 2, 3]


@pytest.mark.parametrize(
    ("units", "longest", "shortest", "runs"),
    [
        (70, 32, 32, [(0, 32), (32, 64)]),
        (70, 32, 8, [(0, 32), (32, 64)]),
        (70, 32, 6, [(0, 32), (32, 64), (64, 70)]),
        (64, 32, 8, [(0, 32), (32, 64)]),
        (31, 32, 32, []),
        (31, 32, 8, [(0, 31)]),
        (0, 32, 2, []),
    ],
)
def test_runs_of_a_document(units: int, longest: int, shortest: int, runs: list[tuple[int, int]]) -> None:
    assert split_spans(units, longest, shortest) == runs
