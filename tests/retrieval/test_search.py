import numpy as np
import pytest

from msm.collections.records import Passage
from msm.retrieval.search import BestPassages, nearest
from msm.retrieval.stream import shards


def whole_numbers(rng: np.random.Generator, count: int) -> np.ndarray:
    """Vectors whose products are exact in float32, whatever the order of the sums."""
    return rng.integers(-1000, 1001, size=(count, 16)).astype(np.float32)


def best_by_sorting(queries: np.ndarray, passages: np.ndarray, depth: int) -> np.ndarray:
    return np.argsort(-(queries @ passages.T), axis=1, kind="stable")[:, :depth]


@pytest.mark.parametrize(("passages", "depth"), [(1, 5), (300, 1), (300, 20), (300, 300), (300, 1000)])
def test_search_equals_sorting_all_products(passages: int, depth: int) -> None:
    rng = np.random.default_rng(1)
    queries, vectors = whole_numbers(rng, 37), whole_numbers(rng, passages)
    places, scores = nearest(queries, vectors, depth)
    np.testing.assert_array_equal(places, best_by_sorting(queries, vectors, depth))
    np.testing.assert_array_equal(scores, np.take_along_axis(queries @ vectors.T, places, axis=1))


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_shards_give_what_one_search_gives(size: int) -> None:
    rng = np.random.default_rng(2)
    queries, vectors = whole_numbers(rng, 37), whole_numbers(rng, 300)
    best = BestPassages(len(queries), 25)
    for first in range(0, 300, size):
        places, scores = nearest(queries, vectors[first : first + size], 25)
        best.add(places + first, scores)
    np.testing.assert_array_equal(best.passages, best_by_sorting(queries, vectors, 25))


def test_equal_scores_stand_in_the_order_of_the_passages_across_shards() -> None:
    vectors = np.ones((12, 4), dtype=np.float32)
    vectors[5] *= 2
    best = BestPassages(1, 12)
    for first in (0, 4, 8):
        places, scores = nearest(np.ones((1, 4), np.float32), vectors[first : first + 4], 12)
        best.add(places + first, scores)
    assert best.passages.tolist() == [[5, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]]


def test_nothing_to_search_gives_nothing() -> None:
    for queries, passages in ((0, 3), (3, 0)):
        places, scores = nearest(np.zeros((queries, 4), np.float32), np.zeros((passages, 4), np.float32), 5)
        assert places.shape == scores.shape == (queries, 0)


def test_a_shard_has_one_language_and_a_bounded_size() -> None:
    passages = [Passage(str(number), "aab"[number // 5], "") for number in range(15)]
    whole = list(shards(iter(passages), 4, by_language=False))
    assert [(first, len(shard)) for first, shard in whole] == [(0, 4), (4, 4), (8, 4), (12, 3)]
    cut = list(shards(iter(passages), 4, by_language=True))
    assert [(first, len(shard)) for first, shard in cut] == [(0, 4), (4, 4), (8, 2), (10, 4), (14, 1)]
    assert [passage for _, shard in cut for passage in shard] == passages
    assert all(len({passage.language for passage in shard}) == 1 for _, shard in cut)
