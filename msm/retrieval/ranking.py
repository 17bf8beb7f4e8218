"""Collects the results of a search: the best passages of every pool, and the ranks of the relevant ones.

Shapes: Q queries, N passages of a shard, K depth, T relevant passages, R relevant pairs.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa

from msm.collections.collection import Collection, OwnIds, Pool
from msm.collections.exact_ranks import COUNTS, ExactRanks
from msm.collections.records import Passage, Query
from msm.collections.runs import Floats, Integers, Run, sorted_run
from msm.retrieval.inner_products import DenseVectors
from msm.retrieval.relevant import RankedPairs, RelevantPairs, relevant_pairs
from msm.retrieval.search import BestPassages, Entries, search_shard
from msm.retrieval.text_vectors import Arrays, TextVectors

SHARD_PASSAGES = 16384
"""Number of passages that are encoded and searched at once, which bounds the memory."""
ARRAYS = ("queries", "places", "scores")
"""Names under which the record of a shard holds the fields of `Entries`; records of earlier versions have them too."""


class Ranking:
    """The best passages of every pool with their ids, and counts from which the ranks of relevant passages follow.

    Args:
        queries: queries of all pools.
        vectors: vectors of the queries, Q of them.
        depths: number of passages to keep, K, for each pool.
        relevant: pairs of a query and a relevant passage.
        relevant_vectors: vectors of the relevant passages, T of them.
        own_ids: whether passages with the id of the query are kept or dropped.
    """

    def __init__(
        self,
        queries: list[Query],
        vectors: TextVectors,
        depths: dict[Pool, int],
        relevant: RelevantPairs,
        relevant_vectors: TextVectors,
        own_ids: OwnIds = "kept",
    ) -> None:
        self.queries, self.vectors = queries, vectors
        dropped_queries = queries if own_ids == "dropped" else []
        self._dropped = {query.query_id: number for number, query in enumerate(dropped_queries)}
        self.relevant = RankedPairs(relevant, queries, vectors, relevant_vectors)
        self.rows = {pool: _rows(queries, pool.query_language) for pool in depths}
        """Indices of the queries of each pool among all queries, ascending."""
        self.best = {pool: BestPassages(len(self.rows[pool]), depth) for pool, depth in depths.items()}
        self.ids: dict[int, str] = {}
        """Id of each passage that is among the best, by its position in the corpus."""
        self.pairs = {pool: self.relevant.of(pool) for pool in depths}
        self.counts = {pool: np.zeros((len(pairs), len(COUNTS)), np.int64) for pool, pairs in self.pairs.items()}
        """Counts of the relevant pairs of each pool, [R, 4]."""
        self.passages = dict.fromkeys(depths, 0)
        """Number of passages of each pool that were searched."""
        self.stored_bytes = 0
        """Number of bytes that an index of all passages would keep in fp32."""

    def search(self, first: int, language: str, ids: list[str], vectors: TextVectors) -> Arrays:
        """Search a shard; returns a record for `add`, with its best passages and counts for the relevant ones.

        Args:
            first: position of the first passage of the shard in the corpus.
            language: language of its passages, where a pool has one language.
            ids: ids of its passages.
            vectors: vectors of its passages, N of them.
        """
        arrays: Arrays = {"passages": np.array(len(vectors)), "bytes": np.array(vectors.stored_bytes())}
        pools = [pool for pool in self.best if pool.candidate_language in (None, language)]
        positions: list[Integers] = [np.empty(0, np.int64)]
        for query_language in dict.fromkeys(pool.query_language for pool in pools):
            shared_pools = [pool for pool in pools if pool.query_language == query_language]
            results = self._search_pools(first, ids, vectors, shared_pools)
            for pool, (entries, counts) in results.items():
                entries = entries._replace(positions=entries.positions + first)
                positions.append(entries.positions)
                arrays |= {f"{pool.name}/{name}": values for name, values in zip(ARRAYS, entries, strict=True)}
                arrays[f"{pool.name}/counts"] = counts.astype(np.uint32)
        arrays["places"] = np.unique(np.concatenate(positions))
        arrays["ids"] = np.array([ids[position - first] for position in arrays["places"]], str)
        return arrays

    def _search_pools(
        self, first: int, ids: list[str], vectors: TextVectors, pools: list[Pool]
    ) -> dict[Pool, tuple[Entries, Integers]]:
        """Search pools with the same queries; one matrix product serves all of them."""
        rows = self.rows[pools[0]]
        pairs = np.unique(np.concatenate([self.pairs[pool] for pool in pools]))
        leasts = {pool: self.best[pool].least() for pool in pools}
        depth = max(self.best[pool].depth for pool in pools)
        relevant = self.relevant.in_shard(pairs, rows, first, ids) if len(pairs) else None
        least = np.min(list(leasts.values()), axis=0)
        entries, counts = search_shard(self.vectors[rows], vectors, least, depth, relevant, self._own(rows, ids))
        ranks = np.arange(len(entries.queries)) - np.searchsorted(entries.queries, entries.queries)
        results = {}
        for pool in pools:
            is_best = (entries.scores >= leasts[pool][entries.queries]) & (ranks < self.best[pool].depth)
            pair_rows = np.searchsorted(pairs, self.pairs[pool])
            results[pool] = entries.part(is_best), counts[pair_rows]
        return results

    def _own(self, rows: Integers, ids: list[str]) -> tuple[Integers, Integers]:
        """Pairs of a query and a passage of a shard that are dropped because they share their id."""
        own_pairs = [
            (self._dropped[passage_id], column) for column, passage_id in enumerate(ids) if passage_id in self._dropped
        ]
        queries, columns = np.array(own_pairs, np.int64).reshape(-1, 2).T
        inside = np.isin(queries, rows)
        return np.searchsorted(rows, queries[inside]), columns[inside]

    def add(self, record: Arrays) -> None:
        """Merge the record of a shard."""
        for pool in self.best:
            if f"{pool.name}/queries" in record:
                queries, positions, scores = (record[f"{pool.name}/{name}"] for name in ARRAYS)
                self.best[pool].add_entries(Entries(queries, positions, scores))
                self.counts[pool] += record[f"{pool.name}/counts"]
                self.passages[pool] += int(record["passages"])
        self.stored_bytes += int(record.get("bytes", 0))
        ids = self.ids | dict(zip(record["places"].tolist(), record["ids"].tolist(), strict=True))
        positions = np.unique(np.concatenate([best.passages.ravel() for best in self.best.values()]))
        self.ids = {position: ids[position] for position in positions[positions >= 0].tolist()}

    def run(self, pool: Pool) -> Run:
        """Return the run of a pool."""
        best = self.best[pool]
        queries, columns = np.nonzero(best.passages >= 0)
        positions, passages = np.unique(best.passages[queries, columns], return_inverse=True)
        ids = [self.ids[position] for position in positions.tolist()]
        return sorted_run(self._query_ids(pool), ids, queries, passages, best.scores[queries, columns])

    def exact_ranks(self, pool: Pool) -> ExactRanks:
        """Return the ranks of the relevant passages in the whole pool."""
        pair_indices, pairs = self.pairs[pool], self.relevant.pairs
        return ExactRanks(
            pa.array(self._query_ids(pool), pa.string()),
            pa.array([passage.passage_id for passage in pairs.passages], pa.string()),
            np.searchsorted(self.rows[pool], pairs.queries[pair_indices]),
            pairs.texts[pair_indices],
            self.relevant.scores[pair_indices],
            self.counts[pool],
            self.passages[pool],
            whole=True,
        )

    def _query_ids(self, pool: Pool) -> list[str]:
        return [self.queries[row].query_id for row in self.rows[pool]]


Vectors = Callable[[slice | Integers], Floats]
"""Vectors of the passages at some positions of a collection, float32, [any, H]."""


def search_vectors(collection: Collection, queries: Floats, passages: Vectors, depths: dict[Pool, int]) -> Ranking:
    """Return the best passages of some pools, and the ranks of the relevant ones, from vectors that exist already.

    Args:
        collection: queries, passages and judgements.
        queries: vectors of all its queries, float32, [Q, H].
        passages: gives the vectors of its passages, which may lie on disk.
        depths: passages to keep for each query, by pool.
    """
    pairs = relevant_pairs(collection)
    own_ids = collection.rules.own_ids
    relevant = DenseVectors(passages(pairs.positions))
    ranking = Ranking(collection.queries, DenseVectors(queries), depths, pairs, relevant, own_ids)
    by_language = any(pool.candidate_language for pool in depths)
    for first, texts in cut_by_language(collection.passages, SHARD_PASSAGES, by_language):
        vectors = DenseVectors(passages(slice(first, first + len(texts))))
        ranking.add(ranking.search(first, texts[0].language, [text.passage_id for text in texts], vectors))
    return ranking


def cut_by_language(passages: Iterable[Passage], size: int, by_language: bool) -> Iterator[tuple[int, list[Passage]]]:
    """Yield blocks of passages in pool order: the index of the first passage, and up to `size` passages.

    Args:
        passages: passages in pool order.
        size: largest number of passages of a block.
        by_language: whether all passages of a block are in one language.
    """
    first = 0
    for _, same in itertools.groupby(passages, key=lambda passage: by_language and passage.language):
        while block := list(itertools.islice(same, size)):
            yield first, block
            first += len(block)


def _rows(queries: list[Query], language: str | None) -> Integers:
    return np.flatnonzero([language in (None, query.language) for query in queries])
