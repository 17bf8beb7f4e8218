"""The relevant passages of a benchmark, whose ranks in the whole pool are counted.

They are encoded before all others, and their vectors stand in for them when their shard is searched: a relevant passage
has one score, whichever shard it is compared with, and no text is encoded twice.

Shapes: Q queries, T texts, R relevant pairs, N passages of a shard.
"""

from bisect import bisect_right
from typing import NamedTuple

import numpy as np

from msm.collections.collection import Collection, Pool
from msm.collections.records import Passage, Query
from msm.collections.runs import Floats, Integers
from msm.retrieval.search import Relevant
from msm.retrieval.text_vectors import TextVectors


class RelevantPairs(NamedTuple):
    """Queries with their relevant passages."""

    queries: Integers
    """Index of the query among all, ascending, [R]."""
    texts: Integers
    """Index of the passage in `passages`, [R]."""
    passages: list[Passage]
    """The distinct relevant passages, [T]."""
    positions: Integers
    """Position of each relevant passage in the corpus, [T]."""


def relevant_pairs(collection: Collection) -> RelevantPairs:
    """Return the pairs of a collection, without passages that the corpus lacks or that are dropped."""
    qrels, judged_passages = collection.qrels, collection.passages.judged
    ids = qrels.passage_ids.to_pylist()
    exists = np.array([text in judged_passages for text in ids], bool)
    is_there = np.flatnonzero((qrels.labels >= 1) & exists[qrels.passages])
    if collection.rules.own_ids == "dropped":
        query_ids = qrels.query_ids.to_pylist()
        is_there = is_there[[query_ids[qrels.queries[row]] != ids[qrels.passages[row]] for row in is_there]]
    is_there = is_there[np.argsort(qrels.queries[is_there], kind="stable")]
    passage_indices, texts = np.unique(qrels.passages[is_there], return_inverse=True)
    passages = [judged_passages[ids[row]] for row in passage_indices]
    positions = np.array([row for row, _ in passages], np.int64)
    return RelevantPairs(qrels.queries[is_there], texts, [passage for _, passage in passages], positions)


NO_PAIRS = RelevantPairs(np.empty(0, np.int64), np.empty(0, np.int64), [], np.empty(0, np.int64))


class RankedPairs:
    """Relevant pairs with their scores, and what the shards have counted for them in each pool.

    Args:
        pairs: relevant pairs of all queries.
        queries: all queries.
        query_vectors: vectors of all queries, Q of them.
        passage_vectors: vectors of the relevant passages, T of them.
    """

    def __init__(
        self, pairs: RelevantPairs, queries: list[Query], query_vectors: TextVectors, passage_vectors: TextVectors
    ) -> None:
        self.pairs = pairs
        self.scores: Floats = query_vectors.pair_scores(passage_vectors, pairs.queries, pairs.texts)
        """Score of each pair, float32, [R]."""
        self._query_languages = np.array([queries[query].language for query in pairs.queries], object)
        self._passage_languages = np.array([pairs.passages[text].language for text in pairs.texts], object)

    def of(self, pool: Pool) -> Integers:
        """Return the pairs whose query and passage belong to a pool, ascending."""
        is_of_pool = np.ones(len(self.scores), bool)
        if pool.query_language is not None:
            is_of_pool &= self._query_languages == pool.query_language
        if pool.candidate_language is not None:
            is_of_pool &= self._passage_languages == pool.candidate_language
        return np.flatnonzero(is_of_pool)

    def in_shard(self, pair_indices: Integers, rows: Integers, first: int, ids: list[str]) -> Relevant:
        """Return some of the pairs as a shard sees them.

        Args:
            pair_indices: indices of the pairs.
            rows: indices of the queries that are searched, ascending; those of the pairs are among them.
            first: position of the shard's first passage in the corpus.
            ids: ids of the shard's passages, [N].
        """
        order = sorted(ids)
        ranks = {passage_id: rank for rank, passage_id in enumerate(order)}
        lesser = np.array([bisect_right(order, passage.passage_id) for passage in self.pairs.passages], np.int64)
        texts = self.pairs.texts[pair_indices]
        earlier = np.clip(self.pairs.positions[texts] - first, -1, len(ids))
        return Relevant(
            np.searchsorted(rows, self.pairs.queries[pair_indices]),
            self.scores[pair_indices],
            np.where(earlier < len(ids), earlier, -1),
            np.maximum(earlier, 0),
            lesser[texts],
            np.array([ranks[passage_id] for passage_id in ids], np.int64),
        )
