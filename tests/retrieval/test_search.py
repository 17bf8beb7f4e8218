import math

import numpy as np
import pytest

from msm.collections.records import Passage
from msm.retrieval import search
from msm.retrieval.inner_products import DenseVectors
from msm.retrieval.ranking import cut_by_language as shards
from msm.retrieval.search import BestPassages, nearest
from msm.retrieval.sparse_vectors import SparseVectors
from msm.retrieval.text_vectors import TextVectors
from msm.retrieval.token_vectors import NOTHING, TokenVectors


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
    parts = list(shards(iter(passages), 4, by_language=True))
    assert [(first, len(shard)) for first, shard in parts] == [(0, 4), (4, 4), (8, 2), (10, 4), (14, 1)]
    assert [passage for _, shard in parts for passage in shard] == passages
    assert all(len({passage.language for passage in shard}) == 1 for _, shard in parts)


KINDS = ["plain", "repeated", "one vector", "whole numbers", "nearly one vector", "sparse", "tokens", "mean of tokens"]


def made(kind: str) -> tuple[TextVectors, TextVectors, np.ndarray]:
    """9 queries, 200 passages, and all scores: exact sums, rounded once to float32."""
    rng = np.random.default_rng(5)
    if "tokens" in kind:
        return made_of_tokens(rng, kind.startswith("mean"))
    queries, passages = (rng.standard_normal((count, 24)).astype(np.float32) for count in (9, 200))
    if kind == "repeated":
        passages[50:150] = passages[rng.integers(0, 20, 100)]
    if kind == "one vector":
        passages[:] = passages[0]
    if kind == "whole numbers":
        queries, passages = (rng.integers(-2, 3, each.shape).astype(np.float32) for each in (queries, passages))
    if kind == "nearly one vector":
        passages = passages * np.float32(1e-6) + 1
    if kind == "sparse":
        queries, passages = (np.where(rng.random(each.shape) < 0.1, each, 0) for each in (queries, passages))
        passages[50:150] = passages[rng.integers(0, 20, 100)]
    # Products of float32 are exact in longdouble, and so are sums of 24 of them but for the last of 64 digits.
    scores = (queries.astype(np.longdouble) @ passages.T.astype(np.longdouble)).astype(np.float32)
    vectors = SparseVectors if kind == "sparse" else DenseVectors
    return vectors(queries), vectors(passages), scores


def made_of_tokens(rng: np.random.Generator, mean: bool) -> tuple[TokenVectors, TokenVectors, np.ndarray]:
    """Some passages have the tokens of another one, some have none, as has one query; others have whole numbers."""
    texts = [[rng.standard_normal((rng.integers(1, 7), 8)).astype(np.float32) for _ in range(n)] for n in (9, 200)]
    texts[0][4] = texts[1][7] = texts[1][160] = np.empty((0, 8), np.float32)
    texts[1][50:150] = [texts[1][place] for place in rng.integers(0, 20, 100)]
    texts[1][170:] = [np.round(tokens) for tokens in texts[1][170:]]
    scores = np.full((9, 200), NOTHING, np.float32)
    for row, query in enumerate(texts[0]):
        for column, passage in enumerate(texts[1]):
            if len(passage):
                best = [
                    max(math.fsum(query_row * right) for right in passage.astype(np.float64))
                    for query_row in query.astype(float)
                ]
                scores[row, column] = math.fsum(best) / (max(len(query), 1) if mean else 1)
    counts = [np.array([len(tokens) for tokens in each], np.int64) for each in texts]
    queries, passages = (
        TokenVectors(np.concatenate(each), sizes, mean=mean) for each, sizes in zip(texts, counts, strict=True)
    )
    return queries, passages, scores


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tile", [(1, 5), (4, 37), (256, 4096)])
def test_counts_of_relevant_passages_equal_a_full_ranking(
    kind: str, tile: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "TILE_QUERIES", tile[0])
    monkeypatch.setattr(search, "TILE_PASSAGES", tile[1])
    queries, passages, scores = made(kind)
    rng = np.random.default_rng(6)
    rows, ids = np.sort(rng.integers(0, 9, 30)), rng.permutation(200)
    own_places = rng.integers(0, 200, 30)
    counts = np.zeros((30, 4), np.int64)
    for first in range(0, 200, 60):
        inside = np.arange(first, min(first + 60, 200))
        ranks = np.argsort(np.argsort(ids[inside]))
        lesser = np.array([np.count_nonzero(ids[inside] <= ids[place]) for place in own_places])
        there = np.where((own_places >= first) & (own_places < first + len(inside)), own_places - first, -1)
        earlier = np.clip(own_places - first, 0, len(inside))
        relevant = search.Relevant(rows, scores[rows, own_places], there, earlier, lesser, ranks)
        _, rank_counts = search.search_shard(queries, passages[inside], np.full(9, -np.inf), 3, relevant)
        counts += rank_counts
    for row, place, rank_counts in zip(rows, own_places, counts, strict=True):
        is_tied = scores[row] == scores[row, place]
        is_tied[place] = False
        above = np.count_nonzero(scores[row] > scores[row, place])
        by_id, in_order = np.count_nonzero(is_tied & (ids > ids[place])), np.count_nonzero(is_tied[:place])
        assert rank_counts.tolist() == [above, np.count_nonzero(is_tied), by_id, in_order]
    np.testing.assert_array_equal(queries.pair_scores(passages, rows, own_places), scores[rows, own_places])
    entries, _ = search.search_shard(queries, passages, np.full(9, -np.inf), 50)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :50]
    np.testing.assert_array_equal(entries.positions.reshape(9, 50), best)
    np.testing.assert_array_equal(entries.scores.reshape(9, 50), np.take_along_axis(scores, best, axis=1))
