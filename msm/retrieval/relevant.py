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
    places: Integers
    """Position of each of them in the corpus, [T]."""


def relevant_pairs(collection: Collection) -> RelevantPairs:
    """Return the pairs of a collection, without passages that the corpus lacks or that are dropped."""
    qrels, judged = collection.qrels, collection.passages.judged
    ids = qrels.passage_ids.to_pylist()
    there = np.array([text in judged for text in ids], bool)
    kept = np.flatnonzero((qrels.labels >= 1) & there[qrels.passages])
    if collection.rules.own_ids == "dropped":
        query_ids = qrels.query_ids.to_pylist()
        kept = kept[[query_ids[qrels.queries[place]] != ids[qrels.passages[place]] for place in kept]]
    kept = kept[np.argsort(qrels.queries[kept], kind="stable")]
    used, texts = np.unique(qrels.passages[kept], return_inverse=True)
    found = [judged[ids[place]] for place in used]
    places = np.array([place for place, _ in found], np.int64)
    return RelevantPairs(qrels.queries[kept], texts, [passage for _, passage in found], places)


NO_PAIRS = RelevantPairs(np.empty(0, np.int64), np.empty(0, np.int64), [], np.empty(0, np.int64))


class RankedPairs:
    """Relevant pairs with their scores, and what the shards have counted for them in each pool.

    Args:
        pairs: of all queries.
        queries: all queries.
        query_vectors: of all queries, Q.
        passage_vectors: of the relevant passages, T.
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
        kept = np.ones(len(self.scores), bool)
        if pool.query_language is not None:
            kept &= self._query_languages == pool.query_language
        if pool.candidate_language is not None:
            kept &= self._passage_languages == pool.candidate_language
        return np.flatnonzero(kept)

    def in_shard(self, chosen: Integers, rows: Integers, first: int, ids: list[str]) -> Relevant:
        """Return some of the pairs as a shard sees them.

        Args:
            chosen: indices of the pairs.
            rows: indices of the queries that are searched, ascending; those of the pairs are among them.
            first: position of the shard's first passage in the corpus.
            ids: ids of the shard's passages, [N].
        """
        order = sorted(ids)
        ranks = {passage_id: rank for rank, passage_id in enumerate(order)}
        lesser = np.array([bisect_right(order, passage.passage_id) for passage in self.pairs.passages], np.int64)
        texts = self.pairs.texts[chosen]
        earlier = np.clip(self.pairs.places[texts] - first, -1, len(ids))
        return Relevant(
            np.searchsorted(rows, self.pairs.queries[chosen]),
            self.scores[chosen],
            np.where(earlier < len(ids), earlier, -1),
            np.maximum(earlier, 0),
            lesser[texts],
            np.array([ranks[passage_id] for passage_id in ids], np.int64),
        )
