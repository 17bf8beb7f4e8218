"""Orders of items: everything once, few shards at a time, the same from any place on."""

import numpy as np
import pytest

from msm.corpora.orders import WINDOW, Order


def shard_of(sizes: list[int], item: int) -> int:
    return int(np.searchsorted(np.cumsum(sizes), item, side="right"))


@pytest.mark.parametrize("sizes", [[7], [3, 0, 5], [2, 9, 1, 4, 4, 8, 0, 3, 6, 5]])
def test_every_item_comes_once(sizes: list[int]) -> None:
    order = Order(sizes, (1, 2))
    assert len(order) == sum(sizes)
    assert sorted(order[place] for place in range(len(order))) == list(range(sum(sizes)))


def test_a_corpus_in_few_shards_is_read_as_if_it_were_one() -> None:
    expected = np.random.default_rng((5, 1, 0)).permutation(20).tolist()
    for sizes in ([20], [11, 9], [5, 5, 5, 5]):
        order = Order(sizes, (5, 1, 0))
        assert [order[place] for place in range(20)] == expected


def test_no_more_shards_than_a_window_has_are_read_at_a_time() -> None:
    sizes = [10] * 11
    order = Order(sizes, (3,))
    shards = [shard_of(sizes, order[place]) for place in range(110)]
    for first in range(0, 110, 10 * WINDOW):
        assert len(set(shards[first : first + 10 * WINDOW])) <= WINDOW
    assert shards[: 10 * WINDOW] != sorted(shards[: 10 * WINDOW]), "items of several shards are mixed"
    assert len(set(shards[: 10 * WINDOW]) & set(range(WINDOW))) < WINDOW, "the shards come in random order"


def test_places_are_reached_directly_and_seeds_differ() -> None:
    one, other = Order([50] * 9, (1,)), Order([50] * 9, (1,))
    every = [one[place] for place in range(450)]
    assert [other[place] for place in (449, 3, 300, 0)] == [every[place] for place in (449, 3, 300, 0)]
    other = Order([50] * 9, (2,))
    assert [other[place] for place in range(450)] != every
    with pytest.raises(IndexError):
        one[450]
